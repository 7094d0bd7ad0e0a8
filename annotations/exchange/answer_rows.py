"""The rows of an export of answers: candidates and events, each checked and bounded before it is taken."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS, Candidate, check_length, checked
from annotations.database.events import new_event, stamp, text
from annotations.people.pseudonyms import is_pseudonym
from vcs_demo.errors import UserError, quoted
from vcs_demo.reading.rows import Rows, as_number, read_rows
from vcs_demo.text import content_hash

KINDS = ("label", "skip", "undo")
_NUMBERS = {"rank": int, "score": float, "positive_score": float}  # fields of a candidate that are no text
_TEXTS = ("label", "note", "interface", "guideline", "client_at", "undoes", "at")
_ELSEWHERE = (  # what records have → what they are
    ({"fields", "responses"}, "records of Argilla, which are written for it and not read back"),
    ({"questions", "fields"}, "the settings of an Argilla data set, no rows"),
    ({"label_annotations"}, "annotations of Potato, which are written for it and not read back"),
    ({"instance_id_to_label_to_value"}, "annotations of Potato, which are written for it and not read back"),
    ({"id", "text"}, "items of Potato, which are written for it and not read back"),
    ({"sha256", "consensus"}, "the manifest of an export; import the file beside it"),
    ({"id", "label"}, "known answers; `python -m annotations gold FILE` imports them"),
)
_KINDS_OF = {str: (str, "text"), int: (int, "a whole number"), float: (int | float, "a number")}


def open_import(path: Path) -> Rows:
    """Open a file to import; raises UserError for one of a kind that is read elsewhere, or nowhere."""
    rows = read_rows(path)
    first = next((row for _, row in rows if isinstance(row, dict)), {})
    names = {str(name).strip().lower() for name in first}
    for needed, what in _ELSEWHERE:
        if needed <= names and not names & {"query", "anchor", "question", "kind"}:
            raise UserError(f"{quoted(path.name)} holds {what}.")
    return rows


def holds_answers(path: Path) -> bool:
    """Tell an export of answers from triples, by its columns or its first record; raises as `open_import`."""
    rows = open_import(path)
    if rows.columns:
        return {"annotator", "label"} <= {name.lower() for name in rows.columns}
    first = next((row for _, row in rows if isinstance(row, dict)), {})
    return first.get("kind") in ("candidate", *KINDS)


def answer_rows(rows: Rows) -> Iterator[tuple[int, Any]]:
    """Yield number and row; for a row that cannot be read, the reason as a string.

    Raises:
        UserError: columns that are not those of an export of answers.
    """
    if rows.columns:
        _check_header(rows)
    for line, row in rows:
        if rows.columns and isinstance(row, dict):
            row = {name.lower(): None if cell == "" else cell for name, cell in row.items()}
            row |= {"kind": "label", "candidate_id": row.get("id")}
        if isinstance(row, dict):
            for name, kind in _NUMBERS.items():
                try:
                    value = row.get(name)
                    row[name] = rows.number(value or "", kind) if rows.delimiter else as_number(value, kind)
                except (ValueError, OverflowError):
                    row = f"The {name} is {quoted(row[name])}; it must be {_KINDS_OF[kind][1]}."
                    break
        yield line, row


def _check_header(rows: Rows) -> None:
    missing = {"id", "query", "annotator", "label", "token"} - {name.lower() for name in rows.columns}
    if missing:
        raise UserError(
            f"{quoted(rows.path.name)} has no column {', '.join(sorted(missing))}; only the answers that "
            "`python -m annotations export --format answers` wrote can be imported."
        )


def candidate_of(row: dict[str, Any]) -> Candidate:
    """Return the candidate that a row describes; raises UserError."""
    for name in CANDIDATE_FIELDS:
        value, (kind, words) = row.get(name), _KINDS_OF[_NUMBERS.get(name, str)]
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise UserError(f"The {name} is {quoted(value)}; it must be {words}.")
        if isinstance(value, int) and abs(value) > 2**53:
            raise UserError(f"The {name} is out of range.")
    values = {name: row.get(name) if name in _NUMBERS else row.get(name) or "" for name in CANDIDATE_FIELDS}
    for name in ("query", "positive", "passage"):
        check_length(name, values[name])
    if values["positive"] and content_hash(values["positive"]) == content_hash(values["passage"]):
        raise UserError("The passage has the same text as the positive; one of the two is wrong.")
    return checked(Candidate(**values))


def event_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's event as a record, `undoes` a token; raises UserError."""
    kind, label, undoes = row.get("kind"), row.get("label"), row.get("undoes")
    label = label.strip().lower() if isinstance(label, str) else label
    if kind not in KINDS:
        raise UserError(f"The kind is {quoted(kind)}; it must be candidate, {', '.join(KINDS)}.")
    for name in ("token", "candidate_id", "annotator", *_TEXTS):
        if not isinstance(row.get(name), str if name not in _TEXTS else str | None):
            what = "empty" if row.get(name) is None else quoted(row[name])
            raise UserError(f"The {name} is {what}; it must be text.")
    if not is_pseudonym(row["annotator"]):
        raise UserError(
            f"{quoted(row['annotator'])} is no pseudonym (p- and 20 hex); a file cannot speak for a name."
        )
    if (kind == "label") != (label is not None) or (kind == "undo") != bool(undoes):
        raise UserError("A label has a label, an undo the token of what it undoes, and nothing else has.")
    seconds = row.get("seconds")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and abs(seconds) < 2**53
    event = new_event(
        kind,
        row["candidate_id"],
        row["annotator"],
        label,
        token=row["token"],
        seconds=seconds if is_number else None,
        confidence=row.get("confidence"),
        flagged=bool(row.get("flagged")),
        **{name: row.get(name) or "" for name in ("note", "interface", "guideline", "client_at")},
    )
    if at := row.get("at"):
        try:
            event["at"] = stamp(datetime.fromisoformat(at[:40]))
        except (ValueError, OverflowError) as error:
            raise UserError(f"The time {quoted(at)} is not of ISO 8601.") from error
    return event | ({"undoes": text("token", undoes)} if undoes else {})
