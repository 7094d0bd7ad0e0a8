"""Gold: candidates whose label is known, mixed in unseen, and how often each annotator gives that label."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotations.audit.estimate import wilson
from annotations.candidates import LABELS
from annotations.database.events import stamp, text
from annotations.rows import ImportReport, RowProblem
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.reading.rows import read_rows
from vcs_demo.tables import Table, figure

UNKNOWN = "There is no candidate {}; give the id of one that was mined or imported."
_STANDING = "SELECT candidate_id, label, note, max(id) AS latest FROM gold GROUP BY candidate_id"
_ANSWERS = f"""
SELECT a.annotator, count(*) AS n, sum(s.label = g.label) AS right_answers
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


def add_gold(store: LabelStore, answers: Iterable[GoldAnswer]) -> tuple[int, int]:
    """Add gold answers in one transaction; return how many are new, and how many were there.

    A second answer for a candidate supersedes the first. From now on everyone labels the candidate, and the
    overlap does not bind there.

    Raises:
        UserError: one of them is malformed; then none is added.
        DatabaseUnavailable: they could not be saved; then none is added.
    """
    wanted, database = {answer.candidate_id: _checked(answer) for answer in answers}, store.database
    with database.write():
        current = {row["candidate_id"]: (row["label"], row["note"]) for row in database.rows(_STANDING)}
        for id in wanted.keys() - current.keys():
            if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [id]):
                raise UserError(UNKNOWN.format(quoted(id)))
        new = [answer for id, answer in wanted.items() if current.get(id) != (answer.label, answer.note)]
        at = stamp(store.clock())
        database.add("gold", [{"at": at, **vars(answer)} for answer in new])
    return len(new), len(wanted) - len(new)


def import_gold(store: LabelStore, path: Path | str) -> ImportReport:
    """Add the gold answers of a file with id, label and (optional) note in each row; bad rows are reported.

    Raises:
        UserError: there is no such file, or it has no good row.
        DatabaseUnavailable: they could not be saved; then nothing was added.
    """
    path = Path(path)
    rows = read_rows(path)
    ids = {candidate.id for candidate in store.candidates()}
    answers, problems, labels = [], [], {}
    for line, row in rows:
        try:
            answer = _answer(row, ids)
            before, label = labels.setdefault(answer.candidate_id, (line, answer.label))
            if label != answer.label:
                raise UserError(f"Line {before} says {label} of the same candidate; that one counts.")
            answers.append(answer)
        except UserError as error:
            problems.append(RowProblem(line, str(error)))
    if not answers:
        reason = f" Line {problems[0].line}: {problems[0].reason}" if problems else ""
        raise UserError(f"{quoted(path)} has no gold answer.{reason}")
    return ImportReport(len(answers) + len(problems), *add_gold(store, answers), problems)


def gold_report(store: LabelStore, level: float = 0.95) -> list[GoldAccuracy]:
    """Return how far each annotator who labelled gold agrees with it, by name; with Wilson intervals."""
    return [
        GoldAccuracy(
            row["annotator"], row["n"], row["right_answers"], *wilson(row["right_answers"], row["n"], level)
        )
        for row in store.database.rows(_ANSWERS)
    ]


def gold_table(accuracies: Iterable[GoldAccuracy]) -> Table:
    """Return the report as a table: right answers, how many, and their share with its interval."""
    rows = [(a.annotator, a.right, a.of, figure(a.right / a.of, (a.low, a.high))) for a in accuracies]
    return Table(("annotator", "right", "of", "share"), rows)


def _answer(row: Any, ids: set[str]) -> GoldAnswer:
    if not isinstance(row, dict):  # a string is the reason why there is no row
        raise UserError(row if isinstance(row, str) else "The line is not a JSON object.")
    row = {str(name).strip().lower(): value for name, value in row.items()}
    given = [row.get("id", row.get("candidate_id")), row.get("label"), row.get("note") or ""]
    if not all(isinstance(value, str) for value in given):
        raise UserError(
            f"Id, label and note must be text, not {quoted(given)}; write {{'id': …, 'label': …, 'note': …}}."
        )
    id, label, note = given[0].strip(), given[1].strip().lower(), given[2]
    if id not in ids:
        raise UserError(UNKNOWN.format(quoted(id)))
    return _checked(GoldAnswer(id, label, note))


def _checked(answer: GoldAnswer) -> GoldAnswer:
    if answer.label not in LABELS:
        raise UserError(f"{quoted(answer.label)} is not a label; the labels are {', '.join(LABELS)}.")
    return GoldAnswer(answer.candidate_id, answer.label, text("note", answer.note, required=False))
