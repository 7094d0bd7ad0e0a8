"""Who holds which candidate, until when, and whether an answer may still come in under a lease.

A lease is open until it expires. An expired one is remembered for a while, so that a late answer counts as long as
nobody else has taken the place. Everything here runs inside `LabelDatabase.write`.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from annotations.assignment.rules import Settings
from annotations.candidates import Candidate
from annotations.database.connection import LabelDatabase
from annotations.database.events import stamp
from vcs_demo.errors import UserError, quoted

REMEMBERED_DAYS = 7  # how long after its end a lease can still be answered, if there is room

_ROOM = """
SELECT c.role, EXISTS (SELECT 1 FROM standing WHERE candidate_id = :candidate AND annotator = :annotator
                       AND label IS NOT NULL) AS mine,
    c.labels, (
        SELECT count(DISTINCT annotator) FROM leases l
        WHERE candidate_id = :candidate AND annotator <> :annotator AND expires > :now AND NOT EXISTS (
            SELECT 1 FROM standing s WHERE s.annotator = l.annotator AND s.candidate_id = l.candidate_id
                AND s.label IS NOT NULL)
    ) AS held
FROM candidate_counts c WHERE c.candidate_id = :candidate
"""


class LeaseRefused(UserError, ValueError):
    """An answer that its lease does not cover; nothing was changed."""


class UnknownLease(LeaseRefused):
    """A token that no lease has: never given, answered and taken back since, or long over."""


class ForeignLease(LeaseRefused):
    """A lease that somebody else was given."""


class MisplacedLease(LeaseRefused):
    """A lease of another candidate than the one that was answered."""


class CandidateTaken(LeaseRefused):
    """A candidate on which as many others as may have labelled it already, or hold it."""


@dataclass(frozen=True)
class Lease:
    """A candidate lent to an annotator.

    Attributes:
        token: names the lease, and the answer that is given under it.
        candidate: what is to be judged.
        annotator: to whom.
        kind: `main`, `calibration` or `gold`; not for the annotator's eyes.
        at: since when, in UTC.
        expires: until when it is held for the annotator, in UTC.
    """

    token: str
    candidate: Candidate
    annotator: str
    kind: str
    at: str
    expires: str


@dataclass(frozen=True)
class Room:
    """What an annotator finds on a candidate: how many *others* have labelled it, and how many more hold it."""

    exempt: bool
    mine: bool
    labels: int
    held: int

    @classmethod
    def of(cls, database: LabelDatabase, candidate_id: str, annotator: str, now: str) -> "Room":
        """Count it, at a time."""
        row = database.rows(_ROOM, {"candidate": candidate_id, "annotator": annotator, "now": now})[0]
        return cls(row["role"] != "main", bool(row["mine"]), row["labels"] - row["mine"], row["held"])

    def left(self, overlap: int | None, *, holding: bool) -> bool:
        """Tell whether one more may label it; who holds it already comes before others who do."""
        return self.exempt or overlap is None or self.labels + (0 if holding else self.held) < overlap


def held(database: LabelDatabase, annotator: str, now: str) -> dict[str, Any] | None:
    """Return the annotator's open lease; there is one at most."""
    rows = database.rows("SELECT * FROM leases WHERE annotator = ? AND expires > ?", [annotator, now])
    return rows[0] if rows else None


def grant(
    database: LabelDatabase, candidate_id: str, annotator: str, moment: datetime, settings: Settings
) -> str:
    """Lend a candidate instead of what the annotator held, and return the token."""
    token, now = uuid.uuid4().hex, stamp(moment)
    release(database, annotator, now)
    role = database.rows("SELECT role FROM candidate_counts WHERE candidate_id = ?", [candidate_id])[0][
        "role"
    ]
    database.insert(
        "INSERT INTO leases",
        {
            "token": token,
            "candidate_id": candidate_id,
            "annotator": annotator,
            "kind": role,
            "at": now,
            "expires": stamp(moment + timedelta(minutes=settings.lease_minutes)),
        },
    )
    return token


def renew(database: LabelDatabase, token: str, moment: datetime, settings: Settings) -> None:
    """Hold an open lease for its full time again."""
    expires = stamp(moment + timedelta(minutes=settings.lease_minutes))
    database.db.execute("UPDATE leases SET expires = ? WHERE token = ?", [expires, token])


def release(database: LabelDatabase, annotator: str, now: str) -> None:
    """End what the annotator holds; a late answer under it is treated as under one that expired."""
    database.db.execute(
        "UPDATE leases SET expires = ? WHERE annotator = ? AND expires > ?", [now, annotator, now]
    )


def close(database: LabelDatabase, candidate_id: str, annotator: str) -> None:
    """Forget the annotator's leases of a candidate that was answered."""
    database.db.execute(
        "DELETE FROM leases WHERE candidate_id = ? AND annotator = ?", [candidate_id, annotator]
    )


def forget_old(database: LabelDatabase, moment: datetime) -> None:
    """Forget the leases of everybody that ended more than `REMEMBERED_DAYS` ago."""
    database.db.execute(
        "DELETE FROM leases WHERE expires < ?", [stamp(moment - timedelta(days=REMEMBERED_DAYS))]
    )


def check(database: LabelDatabase, event: dict[str, Any], now: str, overlap: int | None) -> None:
    """Check that an answer is covered by the lease it names.

    Raises:
        UnknownLease, ForeignLease, MisplacedLease, CandidateTaken: see the classes.
    """
    token, candidate_id, annotator = event["lease"], event["candidate_id"], event["annotator"]
    rows = database.rows("SELECT * FROM leases WHERE token = ?", [token])
    if not rows:
        raise UnknownLease(
            f"There is no lease {quoted(token)}; the answer was not counted, take a new candidate.",
            "error.lease_unknown",
        )
    if rows[0]["annotator"] != annotator:
        raise ForeignLease(
            f"The lease {quoted(token)} is not {quoted(annotator)}'s; the answer was not counted, "
            "take a candidate of your own.",
            "error.lease_foreign",
        )
    if rows[0]["candidate_id"] != candidate_id:
        raise MisplacedLease(
            f"The lease {quoted(token)} is not of candidate {quoted(candidate_id)}; the answer was not counted, "
            "take a new candidate.",
            "error.lease_misplaced",
        )
    if event["kind"] != "label":
        return  # a skip takes nobody's place
    room = Room.of(database, candidate_id, annotator, now)
    if not room.mine and not room.left(overlap, holding=rows[0]["expires"] > now):
        raise CandidateTaken(
            f"Somebody else has taken candidate {quoted(candidate_id)} meanwhile; your answer was NOT counted, "
            "take a new candidate.",
            "error.candidate_taken",
        )
