"""Which labels may be trained on, and the source that their model is evaluated on."""

import os

from annotations.exchange.manifest import Manifest
from training.retraining.settings import MIN_ALPHA, MIN_COVERAGE
from vcs_demo.errors import UserError, quoted


class BelowFloor(UserError, ValueError):
    """Labels of which too few candidates have one, or on which people agree too little."""


def check_floors(
    manifest: Manifest, min_coverage: float = MIN_COVERAGE, min_alpha: float = MIN_ALPHA
) -> None:
    """Refuse labels under a floor; a figure that is unknown or undefined is under none.

    Args:
        manifest: of the labels.
        min_coverage: least share of the store's candidates that is labelled, in [0, 1].
        min_alpha: least Krippendorff's α where two annotators or more overlap, in [−1, 1].

    Raises:
        BelowFloor: the coverage or α is lower.
    """
    coverage, alpha = manifest.coverage, manifest.alpha.value
    if coverage is not None and coverage < min_coverage:
        raise BelowFloor(
            f"The coverage is {coverage:.3f} ({manifest.labelled:,} of {manifest.candidates:,} candidates labelled), "
            f"under the floor of {min_coverage:g}; label more, or give a lower --min-coverage, or --anyway.",
            "train.low_coverage",
            coverage=f"{coverage:.1%}",
            floor=f"{min_coverage:.0%}",
        )
    if alpha is not None and alpha < min_alpha:
        raise BelowFloor(
            f"Krippendorff's α is {alpha:.3f} (on {manifest.alpha.items:,} candidates with two labels or more), under "
            f"the floor of {min_alpha:g}; settle what people disagree on, or give a lower --min-alpha, or --anyway.",
            "train.low_alpha",
            alpha=f"{alpha:.2f}",
            floor=f"{min_alpha:g}",
        )


def evaluation_source(asked: str | None, sources: set[str]) -> str:
    """Return the source to evaluate on: the one asked for, else VCS_SOURCE, else the one of the labels' `sources`.

    Raises:
        UserError: the labels came from a folder, of which they name no path.
    """
    if asked:
        return asked
    known = sources & {"mini", "hub"}
    if sources - known and "VCS_SOURCE" not in os.environ:
        raise UserError(
            f"The labels came from {', '.join(map(quoted, sorted(sources)))}; "
            "name the folder to evaluate on with --source."
        )
    return os.environ.get("VCS_SOURCE") or (known.pop() if len(known) == 1 else "mini")
