"""The manifest of labels: what they were at their export, and the hash by which a later change shows."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, LabelledCandidate
from annotations.exchange.labels import format_of, read_export, replacing, rows_of, write_rows
from annotations.quality.agreement import alpha, label_rows
from annotations.quality.agreement_report import REASONS, Estimate
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import json_line, written_whole
from vcs_demo.reading.texts import head, read_json

CONSENSUS = "an adjudicator's decision, else the majority of each candidate's labels; a tie is unsure"


@dataclass(frozen=True)
class Manifest:
    """What a set of labels is.

    Attributes:
        sha256: of the labels as JSONL, in hex: the same for every format, and what `sha256sum` says of a `.jsonl`.
        labels: label → candidates with that consensus; all four.
        alpha: Krippendorff's α, nominal, with its 95 % interval over queries, or the reason why there is none.
        candidates: how many the store had, labelled or not; None where nobody knows.
        annotators: how many gave a label; None where nobody knows.
        created: when the labels left the store, UTC, ISO 8601; empty for an export without manifest.
    """

    sha256: str
    labels: dict[str, int]
    alpha: Estimate
    candidates: int | None = None
    annotators: int | None = None
    created: str = ""

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
            "frozen": bool(self.created),
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
        when = f"As of {self.created}" if self.created else "An export without manifest"
        counts = ", ".join(f"{count} {label}" for label, count in self.labels.items() if count) or "none"
        of = "an unknown number of" if self.candidates is None else f"{self.candidates:,}"
        share = "" if self.coverage is None else f" (coverage {self.coverage:.3f})"
        people = "" if self.annotators is None else f"; annotators: {self.annotators}"
        return (
            f"{when}; sha256 {self.sha256}; {self.labelled:,} of {of} candidates labelled{share}: {counts}"
            f"{people}; {self._agreement()}; consensus: {CONSENSUS}."
        )

    def _agreement(self) -> str:
        a = self.alpha
        if a.value is None:
            return f"Krippendorff's α undefined ({REASONS[a.reason].rstrip('.')})"
        spread = "no interval" if a.low is None else f"95 % interval {a.low:.3f} to {a.high:.3f}"
        return f"Krippendorff's α {a.value:.3f} ({spread}, {a.items:,} candidates with two labels or more)"


@dataclass(frozen=True)
class LabelSet:
    """Labelled candidates and their manifest."""

    labelled: list[LabelledCandidate]
    manifest: Manifest


def read_labels(path: Path | str) -> LabelSet:
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
    if path.is_file() and _is_database(path):
        with LabelStore(path, read_only=True) as store:
            return read_store(store)
    labelled = read_export(path)
    return LabelSet(labelled, manifest_of(path, labelled))


def read_store(store: LabelStore) -> LabelSet:
    """Return a store's labelled candidates and their manifest, both of one moment."""
    return _read(store)[0]


def export_labels(
    store: LabelStore, path: Path | str, format: str | None = None, *, triples: bool = False
) -> tuple[int, Path]:
    """Write every labelled candidate to a file, or to a folder for `dataset`, and the manifest beside it.

    Both are written beside their places, then moved. A crash in between leaves labels without a manifest, never
    with that of others.

    Args:
        store: the labels.
        path: where to; what is there is replaced, except a folder that is no data set.
        format: one of `FORMATS`; by default that of the path's ending, `dataset` where it has none.
        triples: write only the `hard` ones, as `anchor, positive, negative` for sentence-transformers.

    Returns:
        The number of rows, and the manifest's path.

    Raises:
        UserError: an unknown format, a folder that holds something else, or no rows for `dataset`.
        OSError: it cannot be written; what was there before is left as it was.
    """
    path, beside = Path(path), manifest_path(path)
    format = format_of(path, format)
    labels, rows = _read(store, triples=triples)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(beside) as file:
        file.write(json.dumps(labels.manifest.as_json(), ensure_ascii=False, indent=1) + "\n")
        file.flush()  # a disk that has no room for it leaves what was there
        with replacing(path, stale=beside) as part:
            write_rows(part, rows, format, triples=triples)
    return len(rows), beside


def manifest_path(path: Path | str) -> Path:
    """Return where the manifest of an export is: `labels.jsonl` → `labels.jsonl.manifest.json` beside it."""
    path = Path(path)
    return path.with_name(f"{path.name}.manifest.json")


def manifest_of(path: Path | str, labelled: list[LabelledCandidate]) -> Manifest:
    """Return the manifest of an export that was read, or what can be told without one.

    Raises:
        UserError: the export is not what its manifest says, or the manifest cannot be read.
    """
    path, beside, digest = Path(path), manifest_path(path), _sha256(rows_of(labelled))
    if not os.path.lexists(beside):
        return Manifest(digest, _counts(labelled), _alpha_of_votes(labelled))
    manifest = _parsed(beside, _counts(labelled))
    if manifest.sha256 != digest:
        raise UserError(
            f"{quoted(path.name)} was changed after its export: its labels hash to {digest[:12]}…, {beside.name} "
            f"says {manifest.sha256[:12]}…; export again, or delete {beside.name} to use the labels without it."
        )
    return manifest


def _read(store: LabelStore, *, triples: bool = False) -> tuple[LabelSet, list[dict[str, Any]]]:
    """Return labels with the manifest of their export, and the export's rows, all of one moment."""
    with _one_moment(store):
        labelled, given, progress = store.labelled(), label_rows(store), store.progress()
    rows = rows_of(labelled, triples=triples)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = progress["candidates"], progress["annotators"], now
    return LabelSet(labelled, Manifest(_sha256(rows), _counts(labelled), alpha(given), *facts)), rows


def _is_database(path: Path) -> bool:
    return head(path).startswith(b"SQLite format 3\x00")


def _sha256(rows: list[dict[str, Any]]) -> str:
    """Hash the rows of an export as the lines of its JSONL."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json_line(row).encode())
    return digest.hexdigest()


def _parsed(path: Path, labels: dict[str, int]) -> Manifest:
    try:
        facts = read_json(path)
        of = facts["alpha"]
        figures = [None if of[name] is None else float(of[name]) for name in ("value", "low", "high")]
        estimate = Estimate(*figures, int(of["items"]), str(of["reason"]))
        unexplained = None in figures and estimate.reason not in REASONS
        if unexplained or not all(x is None or -1e6 < x <= 1 for x in figures):  # NaN is under no floor
            raise ValueError("alpha is not as exported")
        counts = int(facts["candidates"]), int(facts["annotators"])
        if counts[0] < sum(labels.values()) or counts[1] < bool(sum(labels.values())) or not facts["created"]:
            raise ValueError("candidates, annotators or created is not as exported")
        return Manifest(str(facts["sha256"]), labels, estimate, *counts, str(facts["created"]))
    except (UserError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{quoted(path.name)} is not the manifest of an export ({quoted(error)}); export again, or delete it to "
            "use the labels without it."
        ) from error


def _counts(labelled: list[LabelledCandidate]) -> dict[str, int]:
    counts = Counter(item.label for item in labelled)
    return {label: counts[label] for label in LABELS}


def _alpha_of_votes(labelled: list[LabelledCandidate]) -> Estimate:
    """Return α of an export's votes: it needs how many said what, not who."""
    rows = [
        (json.dumps([item.task, item.source, item.query_id]), item.id, str(number), label)
        for item in labelled
        for number, label in enumerate(Counter(item.votes).elements())
    ]
    estimate = alpha(rows)
    # One vote a candidate may be one annotator's or several who share nothing.
    return replace(estimate, reason="nothing_shared") if estimate.reason == "one_annotator" else estimate


@contextmanager
def _one_moment(store: LabelStore) -> Iterator[None]:
    """Hold one view of the database, whatever other processes write meanwhile."""
    with store.database.lock:
        store.database.look()
        connection = store.database.db
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.rollback()
