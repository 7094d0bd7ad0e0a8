"""The manifest of labels: what they were when they were frozen, and the hash by which a later change shows."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, LabelledCandidate
from annotations.exchange.labels import export, read_export, rows_of
from annotations.quality.agreement import agreement, label_rows
from annotations.quality.agreement_report import REASONS, Estimate
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import json_line

CONSENSUS = "an adjudicator's decision, else the majority of each candidate's labels; a tie is unsure"


class ManifestError(UserError, ValueError):
    """An export that was changed after it was written, or a manifest that cannot be read."""


@dataclass(frozen=True)
class Manifest:
    """What a set of labels is.

    Attributes:
        sha256: of the labels as JSONL, in hex: the same for every format, and what `sha256sum` says of a `.jsonl`.
        labels: label → candidates with that consensus; all four.
        alpha: Krippendorff's α, nominal, with its 95 % interval over queries, or the reason why there is none.
        candidates: how many the store had, labelled or not; None where nobody knows.
        annotators: how many gave a label; None where nobody knows.
        created: when it was frozen, UTC, ISO 8601; empty where it was not.
    """

    sha256: str
    labels: dict[str, int]
    alpha: Estimate
    candidates: int | None = None
    annotators: int | None = None
    created: str = ""

    @property
    def frozen(self) -> bool:
        """Tell whether the labels are known to be what they were when they left the store."""
        return bool(self.created)

    @property
    def labelled(self) -> int:
        """How many candidates have a label."""
        return sum(self.labels.values())

    @property
    def coverage(self) -> float | None:
        """Labelled candidates over all candidates of the store, in [0, 1]; None where it is not known."""
        return self.labelled / self.candidates if self.candidates else None

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest's file holds."""
        return {
            "sha256": self.sha256,
            "frozen": self.frozen,
            "candidates": self.candidates,
            "labelled": self.labelled,
            "labels": self.labels,
            "annotators": self.annotators,
            "coverage": self.coverage,
            "alpha": asdict(self.alpha) | {"meaning": REASONS.get(self.alpha.reason, "")},
            "consensus": CONSENSUS,
            "created": self.created,
        }

    def sentence(self) -> str:
        """Say in one line what the labels are, for output and model card."""
        known = f"Frozen {self.created}" if self.frozen else "Unfrozen: an export without manifest"
        counts = ", ".join(f"{count} {label}" for label, count in self.labels.items() if count) or "none"
        of = "an unknown number of" if self.candidates is None else f"{self.candidates:,}"
        share = "" if self.coverage is None else f" (coverage {self.coverage:.3f})"
        people = "" if self.annotators is None else f"; annotators: {self.annotators}"
        return (
            f"{known}; sha256 {self.sha256}; {self.labelled:,} of {of} candidates labelled{share}: {counts}"
            f"{people}; {alpha_words(self.alpha)}; consensus: {CONSENSUS}."
        )


@dataclass(frozen=True)
class FrozenLabels:
    """Labelled candidates and their manifest."""

    labelled: list[LabelledCandidate]
    manifest: Manifest


def read_labels(path: Path | str) -> FrozenLabels:
    """Read labelled candidates from a label database or from an export, told apart by their content.

    The manifest of a database is made on the spot; an export is checked against the manifest beside it, if any.

    Raises:
        UserError: nothing there, neither a label database nor an export, or an export that its manifest does not fit.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(
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


def alpha_words(alpha: Estimate) -> str:
    """Say α with its interval, or why there is none."""
    if alpha.value is None:
        return f"Krippendorff's α undefined ({REASONS[alpha.reason].rstrip('.')})"
    spread = "no interval" if alpha.low is None else f"95 % interval {alpha.low:.3f} to {alpha.high:.3f}"
    return (
        f"Krippendorff's α {alpha.value:.3f} ({spread}, {alpha.items:,} candidates with two labels or more)"
    )


def sha256_of(labelled: Iterable[LabelledCandidate], *, triples: bool = False) -> str:
    """Hash labels as the lines of their JSONL export."""
    digest = hashlib.sha256()
    for row in rows_of(labelled, triples=triples):
        digest.update(json_line(row).encode())
    return digest.hexdigest()


def freeze(store: LabelStore) -> tuple[list[LabelledCandidate], Manifest]:
    """Return a store's labelled candidates and their manifest, both of one moment."""
    with _one_moment(store):
        labelled, rows, progress = store.labelled(), label_rows(store), store.progress()
    return labelled, Manifest(
        sha256_of(labelled),
        _counts(labelled),
        agreement(rows).overall["alpha"],
        progress["candidates"],
        progress["annotators"],
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def export_frozen(
    store: LabelStore, path: Path | str, format: str | None = None, *, triples: bool = False
) -> tuple[int, Path]:
    """Export labels (see `export`) with a manifest beside them; return the rows and the manifest's path.

    Raises:
        ExchangeError: see `export`.
    """
    with _one_moment(store):
        labelled, manifest = freeze(store)
        count = export(store, path, format, triples=triples)
    beside = manifest_path(path)
    facts = replace(manifest, sha256=sha256_of(labelled, triples=triples)).as_json()
    beside.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return count, beside


def manifest_path(path: Path | str) -> Path:
    """Return where the manifest of an export is: `labels.jsonl` → `labels.jsonl.manifest.json` beside it."""
    path = Path(path)
    return path.with_name(f"{path.name}.manifest.json")


def manifest_of(path: Path | str, labelled: list[LabelledCandidate]) -> Manifest:
    """Return the manifest of an export that was read, or what can be told without one.

    Raises:
        ManifestError: the export is not what its manifest says, or the manifest cannot be read.
    """
    path, beside, found = Path(path), manifest_path(path), sha256_of(labelled)
    if not beside.is_file():
        return Manifest(found, _counts(labelled), _alpha_of_votes(labelled))
    manifest = _read(beside, _counts(labelled))
    if manifest.sha256 != found:
        raise ManifestError(
            f"{quoted(path.name)} was changed after its export: its labels hash to {found[:12]}…, "
            f"{beside.name} says {manifest.sha256[:12]}…; export again, or delete {beside.name} to use it unfrozen."
        )
    return manifest


def _read(path: Path, labels: dict[str, int]) -> Manifest:
    try:
        facts = json.loads(path.read_text("utf-8"))
        figures = [
            None if (x := facts["alpha"][name]) is None else float(x) for name in ("value", "low", "high")
        ]
        alpha = Estimate(*figures, int(facts["alpha"]["items"]), str(facts["alpha"]["reason"]))
        if not all(x is None or x <= 1 for x in figures) or (None in figures and alpha.reason not in REASONS):
            raise ValueError("alpha is not as exported")
        counts = int(facts["candidates"]), int(facts["annotators"])
        return Manifest(str(facts["sha256"]), labels, alpha, *counts, str(facts["created"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ManifestError(
            f"{quoted(path.name)} is no manifest of an export ({quoted(error)}); export again, or delete it to use "
            "the labels unfrozen."
        ) from error


def _counts(labelled: list[LabelledCandidate]) -> dict[str, int]:
    found = Counter(item.label for item in labelled)
    return {label: found[label] for label in LABELS}


def _alpha_of_votes(labelled: list[LabelledCandidate]) -> Estimate:
    """Return α of an export's votes: it needs how many said what, not who."""
    rows = [
        (json.dumps([item.task, item.source, item.query_id]), item.id, str(number), label)
        for item in labelled
        for number, label in enumerate(Counter(item.votes).elements())
    ]
    alpha = agreement(rows).overall["alpha"]
    # One vote a candidate may be one annotator's or several who share nothing.
    return replace(alpha, reason="nothing_shared") if alpha.reason == "one_annotator" else alpha


@contextmanager
def _one_moment(store: LabelStore) -> Iterator[None]:
    """Hold one view of the database, whatever other processes write meanwhile; may be nested."""
    connection = store.database.db
    with store.database.lock:
        outer = connection.in_transaction
        if not outer:
            connection.execute("BEGIN")
        try:
            yield
        finally:
            if not outer:
                connection.rollback()
