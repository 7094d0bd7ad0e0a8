"""What an annotator can do, as an event: a label, a skip, an undo. Checked here before it is written."""

import math
from datetime import UTC, datetime
from typing import Any

from annotations.candidates import LABELS
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import nfc

EVENT_FIELDS = ("token", "at", "kind", "candidate_id", "annotator", "label", "note", "seconds", "interface")
SAME = ("kind", "candidate_id", "annotator", "label", "note")  # what makes two events the same action
LIMITS = {"annotator": 100, "token": 200, "note": 5_000, "interface": 100}  # characters


class UnknownLabel(UserError, ValueError):
    """A label that is none of `LABELS`."""


class BadEvent(UserError, ValueError):
    """An annotator, token, note or interface that is missing or too long."""


class TokenReused(UserError, ValueError):
    """A token that already stands for another event."""

    def __init__(self, token: str, known: dict[str, Any]) -> None:
        super().__init__(
            f"The token {quoted(token)} already stands for another {known['kind']} "
            f"(candidate {known['candidate_id']}); use a new token for every new action."
        )


def new_event(
    kind: str,
    candidate_id: str,
    annotator: str,
    token: str,
    *,
    label: str | None = None,
    note: str = "",
    seconds: float | None = None,
    interface: str = "",
) -> dict[str, Any]:
    """Return a checked event with the time in UTC; `seconds` that are negative or not finite become None.

    Raises:
        UnknownLabel, BadEvent: see the classes.
    """
    if kind == "label" and label not in LABELS:
        raise UnknownLabel(f"{quoted(label)} is not a label; the labels are {', '.join(LABELS)}.")
    measured = seconds is not None and math.isfinite(seconds) and seconds >= 0
    return {
        "token": text("token", token),
        "at": now(),
        "kind": kind,
        "candidate_id": candidate_id,
        "annotator": text("annotator", annotator),
        "label": label,
        "note": text("note", note, required=False),
        "seconds": float(seconds) if measured else None,
        "interface": text("interface", interface, required=False),
    }


def text(name: str, value: str | None, *, required: bool = True) -> str:
    """Return a field's text in NFC without outer white space; raises BadEvent if missing or too long."""
    clean = nfc(value or "").strip()
    if required and not clean:
        raise BadEvent(f"The {name} is empty; give one.")
    if len(clean) > LIMITS[name]:
        raise BadEvent(f"The {name} has {len(clean):,} characters; at most {LIMITS[name]:,} are allowed.")
    return clean


def now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
