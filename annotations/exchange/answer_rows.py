"""One row of a file of answers: the candidate, the event or the label that it describes, checked and bounded."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS, LABELS, BadCandidate, Candidate, candidate_id, checked
from annotations.database.events import LIMITS, BadEvent, new_event, text
from annotations.exchange.files import BadImport, RowProblem
from annotations.exchange.merging import BadAnswer, Given, Incoming
from annotations.people.pseudonyms import is_pseudonym
from vcs_demo.errors import quoted
from vcs_demo.text import content_hash, nfc

KINDS = ("label", "skip", "undo")
NUMBERS = {"rank": int, "score": float, "positive_score": float}  # fields of a candidate that are no text
MAX_ROWS = 300_000
MAX_ID = 100  # characters of a candidate's id that are looked at
MAX_EXTRA = 300  # characters of a text in a column that only the database knows
EVENT = (
    "token",
    "kind",
    "candidate_id",
    "annotator",
    "label",
    "note",
    "seconds",
    "interface",
)  # always there
_NOT_OURS = (*CANDIDATE_FIELDS, "at", "name", "undoes", "first_token", "negative")  # no columns of an event


def read(
    rows: Iterator[tuple[int, Any]], take: Callable[[int, dict[str, Any], Incoming], None], path: Path
) -> Incoming:
    """Return what a file's rows hold; `take` puts one row into it, or raises. Raises BadImport if too many."""
    incoming = Incoming()
    for line, row in rows:
        incoming.rows += 1
        if incoming.rows > MAX_ROWS:
            raise BadImport(f"{quoted(path.name)} has over {MAX_ROWS:,} rows; import a part of it.")
        try:
            if isinstance(row, str):  # why there is no row
                raise BadAnswer(row)
            if not isinstance(row, dict):
                raise BadAnswer("The line is not a JSON object; give a file that was exported.")
            take(line, row, incoming)
        except (BadAnswer, BadCandidate, BadEvent) as error:
            incoming.problems.append(RowProblem(line, str(error)))
    return incoming


def candidate_of(row: dict[str, Any]) -> Candidate:
    """Return the candidate that a row describes; raises BadAnswer or BadCandidate."""
    for name in CANDIDATE_FIELDS:
        value = row.get(name)
        if name in NUMBERS:
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise BadAnswer(f"The {name} is {quoted(value)}; it must be a number.")
            if isinstance(value, int) and abs(value) > 2**53:
                raise BadAnswer(f"The {name} is out of range.")
        elif value is not None and not isinstance(value, str):
            raise BadAnswer(f"The {name} is {quoted(value)}; it must be text.")
    if isinstance(row.get("rank"), float):
        raise BadAnswer(f"The rank is {row['rank']}; it must be a whole number.")
    if (row.get("split") or "").strip().lower() == "test":
        raise BadAnswer("The candidate is of a test split, which models are evaluated on; leave it out.")
    values = {
        name: row.get(name) or ("" if name not in NUMBERS else row.get(name)) for name in CANDIDATE_FIELDS
    }
    if values["positive"] and content_hash(values["positive"]) == content_hash(values["passage"]):
        raise BadCandidate("The passage has the same text as the positive; one of the two is wrong.")
    texts = {name: nfc(values[name]) for name in ("query", "positive", "passage")}
    return checked(Candidate(**values | {"id": values["id"] or candidate_id(**texts)}))


def given_label(
    sender: str, name: Any, candidate: str, label: Any, *, note: str = "", interface: str
) -> Given:
    """Return a label from a tool that keeps no history, filed under `sender:name`; raises BadAnswer, BadEvent."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise BadAnswer(f"The annotator is {quoted(name)}; it must be a name in printable characters.")
    if label not in LABELS:
        raise BadAnswer(f"{quoted(label)} is not a label; the labels are {', '.join(LABELS)}.")
    filed = text("annotator", f"{sender.strip() or interface}:{name.strip()}")
    if not filed.isprintable():
        raise BadAnswer(f"The sender is {quoted(sender)}; it must be a name in printable characters.")
    return Given(
        filed, name.strip(), nfc(candidate)[:MAX_ID], label, text("note", note, required=False), interface
    )


def event_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's event as a record, `undoes` a token; raises BadAnswer or BadEvent."""
    kind = row.get("kind")
    if kind not in KINDS:
        raise BadAnswer(f"The kind is {quoted(kind)}; it must be candidate, {', '.join(KINDS)}.")
    for name in ("token", "candidate_id", "annotator"):
        if not isinstance(row.get(name), str):
            raise BadAnswer(f"The {name} is {quoted(row.get(name))}; it must be text.")
    for name in ("label", "note", "interface", "undoes", "at"):
        if not isinstance(row.get(name), str | None):
            raise BadAnswer(f"The {name} is {quoted(row[name])}; it must be text.")
    if not is_pseudonym(row["annotator"]):
        raise BadAnswer(
            f"{quoted(row['annotator'])} is no pseudonym (p- and 20 hex); a file cannot speak for a name."
        )
    if (kind == "label") != (row.get("label") is not None) or (kind == "undo") != bool(row.get("undoes")):
        raise BadAnswer("A label has a label, an undo the token of what it undoes, and nothing else has.")
    if kind == "label" and row["label"] not in LABELS:
        raise BadAnswer(f"{quoted(row['label'])} is not a label; the labels are {', '.join(LABELS)}.")
    event = new_event(
        kind,
        nfc(row["candidate_id"])[:MAX_ID],
        row["annotator"],
        row["token"],
        label=row.get("label"),
        note=row.get("note") or "",
        seconds=_number(row.get("seconds")),
        interface=row.get("interface") or "",
    )
    event = {name: event[name] for name in EVENT}
    extra = {
        name: _scalar(name, value)
        for name, value in row.items()
        if name not in EVENT and name not in _NOT_OURS
    }
    event |= {name: value for name, value in extra.items() if value is not None}
    if row.get("at"):
        event["at"] = _time(row["at"])
    if kind == "undo":
        event["undoes"] = text("token", row["undoes"])
    return event


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isinstance(value, float) or abs(value) < 2**53 else None


def _scalar(name: str, value: Any) -> str | int | float | None:
    """Return the value of a column that only the database knows, bounded; None if it is nothing simple."""
    if isinstance(value, str):
        return nfc(value)[: LIMITS.get(name, MAX_EXTRA)]
    if isinstance(value, int):  # and bool
        return int(value) if abs(value) < 2**53 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _time(value: str) -> str:
    try:
        return datetime.fromisoformat(value[:40]).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise BadAnswer(f"The time {quoted(value)} is not of ISO 8601.") from error
