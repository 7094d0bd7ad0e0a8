"""The rows of an export of answers: candidates and events, each checked and bounded before it is taken."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS, Candidate, checked
from annotations.database.events import new_event, stamp, text
from annotations.exchange.files import unguard
from annotations.people.pseudonyms import is_pseudonym
from annotations.rows import check_file, read_csv, read_jsonl
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import content_hash

KINDS = ("label", "skip", "undo")
_NUMBERS = {"rank": int, "score": float, "positive_score": float}  # fields of a candidate that are no text
_TEXTS = ("label", "note", "interface", "guideline", "client_at", "undoes", "at")
_KINDS_OF = {str: (str, "text"), int: (int, "a whole number"), float: (int | float, "a number")}


def holds_answers(path: Path) -> bool:
    """Tell an export of answers from triples, by its first line; raises UserError where there is no such file."""
    check_file(path)
    if path.suffix.lower() == ".csv":
        header: list[str] = []
        next(read_csv(path, header.extend, unguard), None)
        return {"annotator", "label"} <= {name.strip().lower() for name in header}
    if path.suffix.lower() == ".jsonl":
        first = next((row for _, row in read_jsonl(path) if isinstance(row, dict)), {})
        return first.get("kind") in ("candidate", *KINDS)
    return False


def answer_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield line and row of a .jsonl or .csv; for a row that cannot be read, the reason as a string.

    Raises:
        UserError: another kind of file, not UTF-8, or columns that are not those of an export.
    """
    if path.suffix.lower() == ".jsonl":
        yield from read_jsonl(path)
        return
    if path.suffix.lower() != ".csv":
        raise UserError(f"{quoted(path.name)} holds no answers; give a .jsonl or .csv file.")
    for line, row in read_csv(path, lambda header: _check_header(header, path), unguard):
        if isinstance(row, dict):
            row = {name.strip().lower(): cell or None for name, cell in row.items()} | {"kind": "label"}
            row["candidate_id"] = row.get("id")
            for name, parse in _NUMBERS.items():
                try:
                    row[name] = parse(row[name]) if row.get(name) else None
                except ValueError:
                    row = f"The {name} is {quoted(row[name])}; it must be {_KINDS_OF[parse][1]}."
                    break
        yield line, row


def _check_header(header: list[str], path: Path) -> None:
    missing = {"id", "query", "annotator", "label", "token"} - {name.strip().lower() for name in header}
    if missing:
        raise UserError(
            f"{quoted(path.name)} has no column {', '.join(sorted(missing))}; only the answers that "
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
    if values["split"].strip().lower() == "test":
        raise UserError("The candidate is of a test split, which models are evaluated on; leave it out.")
    if values["positive"] and content_hash(values["positive"]) == content_hash(values["passage"]):
        raise UserError("The passage has the same text as the positive; one of the two is wrong.")
    return checked(Candidate(**values))


def event_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's event as a record, `undoes` a token; raises UserError."""
    kind, label, undoes = row.get("kind"), row.get("label"), row.get("undoes")
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
