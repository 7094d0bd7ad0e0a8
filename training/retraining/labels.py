"""The floors under which labels are not trained on; `read_labels` reads them."""

from annotations.exchange.manifest import FrozenLabels, Manifest, read_labels
from vcs_demo.errors import UserError

__all__ = [
    "MIN_ALPHA",
    "MIN_COVERAGE",
    "NO_FLOORS",
    "BelowFloor",
    "FrozenLabels",
    "check_floors",
    "read_labels",
]

MIN_COVERAGE, MIN_ALPHA = 0.1, 0.4
NO_FLOORS = ("--min-coverage", "0", "--min-alpha", "-1")


class BelowFloor(UserError, ValueError):
    """Labels of which too few candidates have one, or on which people agree too little."""


def check_floors(
    manifest: Manifest, min_coverage: float = MIN_COVERAGE, min_alpha: float = MIN_ALPHA
) -> None:
    """Refuse labels under a floor; what is not known, or not defined, is under none.

    Args:
        manifest: of the labels.
        min_coverage: least share of the store's candidates that is labelled, in [0, 1].
        min_alpha: least Krippendorff's α where two annotators or more overlap, in [−1, 1].

    Raises:
        BelowFloor: see the class.
    """
    coverage, alpha = manifest.coverage, manifest.alpha.value
    if coverage is not None and coverage < min_coverage:
        raise BelowFloor(
            f"The coverage is {coverage:.3f} ({manifest.labelled:,} of {manifest.candidates:,} candidates labelled), "
            f"under the floor of {min_coverage:g}; label more, or give a lower --min-coverage.",
            "train.low_coverage",
            coverage=f"{coverage:.1%}",
            floor=f"{min_coverage:.0%}",
        )
    if alpha is not None and alpha < min_alpha:
        raise BelowFloor(
            f"Krippendorff's α is {alpha:.3f} (on {manifest.alpha.items:,} candidates with two labels or more), under "
            f"the floor of {min_alpha:g}; settle what people disagree on, or give a lower --min-alpha.",
            "train.low_alpha",
            alpha=f"{alpha:.2f}",
            floor=f"{min_alpha:g}",
        )
