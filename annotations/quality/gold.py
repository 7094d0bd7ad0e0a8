"""Gold: candidates whose label is known, mixed in unseen, and how often each annotator gives that label."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from annotations.audit.estimate import wilson
from annotations.candidates import LABELS
from annotations.database.events import stamp, text
from annotations.problems import RowProblem
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.tables import Table, figure

_STANDING = "SELECT candidate_id, label, note, max(id) AS latest FROM gold GROUP BY candidate_id"
_ANSWERS = f"""
SELECT a.annotator, count(*) AS n, sum(s.label = g.label) AS found
FROM annotator_counts a CROSS JOIN ({_STANDING}) g
JOIN standing s ON s.annotator = a.annotator AND s.candidate_id = g.candidate_id AND s.label IS NOT NULL
GROUP BY a.annotator ORDER BY a.annotator
"""


@dataclass(frozen=True)
class GoldAnswer:
    """What is known of a candidate, and why."""

    candidate_id: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class GoldAccuracy:
    """How many gold answers an annotator gave rightly: `right` of `of`, and the Wilson interval of the share."""

    annotator: str
    of: int
    right: int
    low: float
    high: float


@dataclass(frozen=True)
class GoldImport:
    """What came in of a file: answers added and already there, and the lines left out."""

    added: int
    already_there: int
    problems: list[RowProblem] = field(default_factory=list)


def add_gold(store: LabelStore, answers: Iterable[GoldAnswer]) -> tuple[int, int]:
    """Add gold answers in one transaction; return how many are new, and how many stood already.

    A second answer for a candidate supersedes the first. From now on everyone labels the candidate, and the
    overlap does not bind there.

    Raises:
        UserError: one of them is malformed; then none is added.
        DatabaseUnavailable: they could not be saved; then none is added.
    """
    wanted = {answer.candidate_id: _checked(answer) for answer in answers}
    database = store.database
    with database.write():
        known = {row["candidate_id"]: (row["label"], row["note"]) for row in database.rows(_STANDING)}
        for id in wanted.keys() - known.keys():
            if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [id]):
                raise UserError(
                    f"There is no candidate {quoted(id)}; give the id of one that was mined or imported."
                )
        new = [answer for id, answer in wanted.items() if known.get(id) != (answer.label, answer.note)]
        at = stamp(store.clock())
        database.add("gold", [{"at": at, **vars(answer)} for answer in new])
    return len(new), len(wanted) - len(new)


def import_gold(store: LabelStore, path: Path | str) -> GoldImport:
    """Add the gold answers of a JSONL file, `{"id": …, "label": …, "note": …}` a line; bad lines are reported.

    Raises:
        UserError: the file is not there, is not text, or has no good line.
        DatabaseUnavailable: they could not be saved; then nothing was added.
    """
    path = Path(path)
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{quoted(path)} cannot be read as UTF-8 text; give a .jsonl file.") from error
    known = {candidate.id for candidate in store.candidates()}
    answers, problems = [], []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                answers.append(_read(line, known))
            except UserError as error:
                problems.append(RowProblem(number, str(error)))
    if not answers:
        reason = f" Line {problems[0].line}: {problems[0].reason}" if problems else ""
        raise UserError(f"{quoted(path)} has no gold answer.{reason}")
    return GoldImport(*add_gold(store, answers), problems)


def gold_report(store: LabelStore, level: float = 0.95) -> list[GoldAccuracy]:
    """Return how far each annotator who labelled gold agrees with it, by name; with Wilson intervals."""
    return [
        GoldAccuracy(row["annotator"], row["n"], row["found"], *wilson(row["found"], row["n"], level))
        for row in store.database.rows(_ANSWERS)
    ]


def gold_table(accuracies: Iterable[GoldAccuracy]) -> Table:
    """Return the report as a table: right answers, how many, and their share with its interval."""
    rows = [(a.annotator, a.right, a.of, figure(a.right / a.of, (a.low, a.high))) for a in accuracies]
    return Table(("annotator", "right", "of", "share"), rows)


def _read(line: str, known: set[str]) -> GoldAnswer:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"The line is not JSON: {error}.") from error
    if not isinstance(record, dict):
        raise UserError("The line is not a JSON object; write {'id': …, 'label': …, 'note': …}.")
    given = [record.get("id", record.get("candidate_id")), record.get("label"), record.get("note") or ""]
    if not all(isinstance(value, str) for value in given):
        raise UserError(
            f"Id, label and note must be text, not ({quoted(given)}); write {{'id': …, 'label': …, 'note': …}}."
        )
    if given[0] not in known:
        raise UserError(
            f"There is no candidate {quoted(given[0])}; give the id of one that was mined or imported."
        )
    return _checked(GoldAnswer(*given))


def _checked(answer: GoldAnswer) -> GoldAnswer:
    if answer.label not in LABELS:
        raise UserError(f"{quoted(answer.label)} is not a label; the labels are {', '.join(LABELS)}.")
    return GoldAnswer(answer.candidate_id, answer.label, text("note", answer.note, required=False))
