"""What an annotator can do, as an event: a label, a skip, an undo. Checked here before it is written."""

import math
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from annotations.candidates import LABELS
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import nfc
from vcs_demo.words import problem

TEXTS = ("note", "interface", "guideline", "client_at", "lease")
SAME = (
    "kind",
    "candidate_id",
    "annotator",
    "label",
    "note",
    "confidence",
    "flagged",
    "lease",
)  # of one action
LIMITS = {  # characters
    "annotator": 100, "token": 200, "note": 5_000, "interface": 100, "guideline": 100, "client_at": 40,
    "lease": 200, "person": 100,
}  # fmt: skip


class Facts(TypedDict, total=False):
    """What can go with an answer.

    Attributes:
        lease: the token of the lease it is given under.
        token: the event's own; by default the lease's, so give one where there is no lease.
        note: in the annotator's words.
        confidence: 1 (low) to 3 (high), or None.
        flagged: somebody should look at it.
        seconds: time on screen; unknown where it is negative or not finite.
        interface: what it was given through, with its language, such as `web/vi`.
        guideline: the version that was shown.
        client_at: the time by the annotator's own clock.
    """

    lease: str
    token: str | None
    note: str
    confidence: int | None
    flagged: bool
    seconds: float | None
    interface: str
    guideline: str
    client_at: str


class TokenReused(UserError, ValueError):
    """A token that already stands for another event."""

    def __init__(self, token: str, event: dict[str, Any]) -> None:
        super().__init__(
            f"The token {quoted(token)} already stands for another {event['kind']} "
            f"(candidate {event['candidate_id']}); use a new token for every new action.",
            "error.token_reused",
        )


def new_event(
    kind: str, candidate_id: str, annotator: str, label: str | None = None, **facts: Unpack[Facts]
) -> dict[str, Any]:
    """Return a checked event, without its time; raises UserError.

    Without a token, the lease's is the event's. `seconds` that are negative or not finite become None.
    """
    if kind == "label" and label not in LABELS:
        raise UserError(f"{quoted(label)} is not a label; the labels are {', '.join(LABELS)}.")
    confidence, seconds, token = facts.get("confidence"), facts.get("seconds"), facts.get("token")
    if confidence is not None and (type(confidence) is not int or confidence not in (1, 2, 3)):
        raise UserError(f"The confidence is {quoted(confidence)}; give 1 (low), 2, 3 (high) or None.")
    measured = seconds is not None and math.isfinite(seconds) and seconds >= 0
    return {
        "token": text("token", facts.get("lease") if token is None else token),
        "kind": kind,
        "candidate_id": nfc(candidate_id),
        "annotator": text("annotator", annotator),
        "label": label,
        "seconds": float(seconds) if measured else None,
        "confidence": confidence,
        "flagged": int(bool(facts.get("flagged"))),
    } | {name: text(name, facts.get(name), required=False) for name in TEXTS}


def text(name: str, value: str | None, *, required: bool = True) -> str:
    """Return a field's text in NFC without outer white space; raises UserError if missing or too long."""
    clean = nfc(value or "").strip()
    if required and not clean:
        raise UserError(f"The {name} is empty; give one.")
    if len(clean) > LIMITS[name]:
        if name == "note":  # the one that people type
            raise problem("error.long_note", count=len(clean), most=LIMITS[name])
        raise UserError(f"The {name} has {len(clean):,} characters; at most {LIMITS[name]:,} are allowed.")
    return clean


def stamp(moment: datetime) -> str:
    """Return a time with its zone as UTC, ISO 8601, to the millisecond: in the order of time, as text too."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
