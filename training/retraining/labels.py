"""Labels as a training takes them: read, checked against their manifest, and refused under a floor."""

from dataclasses import dataclass
from pathlib import Path

from annotations.exchange.labels import read_export
from annotations.exchange.manifest import Manifest, freeze, manifest_of
from annotations.store.label_store import LabelledCandidate, LabelStore
from vcs_demo.errors import UserError, quoted

MIN_COVERAGE, MIN_ALPHA = 0.1, 0.4
NO_FLOORS = ("--min-coverage", "0", "--min-alpha", "-1")


class NoLabels(UserError, ValueError):
    """There is nothing where the labels should be."""


class BelowFloor(UserError, ValueError):
    """Labels of which too few candidates have one, or on which people agree too little."""


@dataclass(frozen=True)
class FrozenLabels:
    """Labelled candidates and what is known about them."""

    labelled: list[LabelledCandidate]
    manifest: Manifest


def read_labels(path: Path | str) -> FrozenLabels:
    """Read labelled candidates from a label database or from an export, told apart by their content.

    A database is frozen on the spot; an export is held against the manifest beside it, if there is one.

    Raises:
        NoLabels: nothing there.
        ManifestError: the export is not what its manifest says.
        UserError: neither a label database nor an export.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise NoLabels(
            f"There are no labels at {quoted(path)}; give a label database (labels.db) or an export of "
            "`python -m annotations export`."
        )
    if path.is_file():
        with path.open("rb") as file:
            is_database = file.read(16) == b"SQLite format 3\x00"
        if is_database:
            with LabelStore(path, read_only=True) as store:
                return FrozenLabels(*freeze(store))
    labelled = read_export(path)
    return FrozenLabels(labelled, manifest_of(path, labelled))


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
