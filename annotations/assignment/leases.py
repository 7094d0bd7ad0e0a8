"""Leases: which annotator is lent which candidate, until when, and which answers a lease covers.

A lease is open until it expires. An expired one is remembered for a week, so that a late answer counts as long as
nobody else has taken the place. Leases are temporary: not logged, not backed up.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from annotations.assignment.order import Assignment
from annotations.assignment.rules import read_rules
from annotations.candidates import Candidate, from_record
from annotations.database.connection import LabelDatabase
from annotations.database.events import stamp
from vcs_demo.errors import UserError
from vcs_demo.words import problem

REMEMBERED_DAYS = 7  # how long after its end a lease can still be answered, if there is room

# What an annotator meets on a candidate. With the labels of an, binh and cuong and an open lease of dung, `lan` reads
# labels 3, held 1, mine 0; `an` reads labels 3, held 1, mine 1. A lease of someone who has labelled holds no place.
_ROOM = """
SELECT c.role, c.labels,
    EXISTS (SELECT 1 FROM standing
            WHERE candidate_id = :candidate AND annotator = :annotator AND label IS NOT NULL) AS mine,
    (SELECT count(DISTINCT annotator) FROM leases l
     WHERE candidate_id = :candidate AND annotator <> :annotator AND expires > :now AND NOT EXISTS (
        SELECT 1 FROM standing s
        WHERE s.annotator = l.annotator AND s.candidate_id = l.candidate_id AND s.label IS NOT NULL)) AS held
FROM candidate_counts c WHERE c.candidate_id = :candidate
"""
_LEASE = """
SELECT c.*, l.token, l.annotator, l.kind, l.at, l.expires FROM leases l JOIN candidates c ON c.id = l.candidate_id
WHERE l.token = ?
"""

_ANSWERED = """
SELECT c.*, e.annotator, e.at FROM events e JOIN candidates c ON c.id = e.candidate_id WHERE e.token = ?
"""


class LeaseRefused(UserError, ValueError):
    """An answer that its lease does not cover; nothing was changed. Its `key` names the reason."""


@dataclass(frozen=True)
class Lease:
    """A candidate lent to an annotator.

    Attributes:
        token: names the lease, and the answer that is given under it.
        candidate: what is to be judged.
        annotator: who holds it.
        kind: `main`, `calibration` or `gold`; not for the annotator's eyes.
        at: when it was lent, in UTC.
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
    """How many *others* have labelled a candidate, and how many more hold it, seen by one annotator."""

    exempt: bool
    mine: bool
    labels: int
    held: int

    def left(self, overlap: int | None, *, holding: bool) -> bool:
        """Tell whether one more may label it; whoever holds it already comes before others who do."""
        return self.exempt or overlap is None or self.labels + (0 if holding else self.held) < overlap


def lent(database: LabelDatabase, token: str, annotator: str) -> tuple[Candidate, str]:
    """Return the candidate that a lease's token stands for, and since when (UTC); also one that was answered.

    Raises:
        LeaseRefused: there is no such lease, or it is somebody else's.
    """
    row = next(iter(database.rows(_LEASE, [token]) or database.rows(_ANSWERED, [token])), None)
    if row is None:
        raise problem("error.lease_unknown", kind=LeaseRefused)
    if row["annotator"] != annotator:
        raise problem("error.lease_foreign", kind=LeaseRefused)
    return from_record(row), row["at"]


class Leases:
    """The leases of one annotator at one moment, inside `LabelDatabase.write`; the rules are read once.

    Args:
        annotator: the name as events have it.
        moment: the time, with its zone.
    """

    def __init__(self, database: LabelDatabase, annotator: str, moment: datetime) -> None:
        self.database, self.annotator, self.moment = database, annotator, moment
        self.now, self.rules = stamp(moment), read_rules(database)
        self.expires = stamp(moment + timedelta(minutes=self.rules.lease_minutes))

    def claim(self, only: Collection[str] | None) -> Lease | None:
        """Lend the annotator a candidate; None when nothing is left.

        An open lease is held for its full time again; one on a candidate that `only` leaves out, or that others
        have filled meanwhile, ends.
        """
        long_ago = stamp(self.moment - timedelta(days=REMEMBERED_DAYS))
        self.database.db.execute("DELETE FROM leases WHERE expires < ?", [long_ago])
        # None is longer than a new one: where the clock was set back, none keeps its place for so long.
        self.database.db.execute(
            "UPDATE leases SET expires = :most WHERE expires > :most", {"most": self.expires}
        )
        token = self._held(only)
        if token:
            self.database.db.execute("UPDATE leases SET expires = ? WHERE token = ?", [self.expires, token])
        else:
            due = Assignment(self.database, self.rules, self.annotator, self.now, only).next_id()
            if due is None:
                self._release()
                return None
            token = self.lend(due)
        row = self.database.rows(_LEASE, [token])[0]
        facts = {name: row[name] for name in ("token", "annotator", "kind", "at", "expires")}
        return Lease(candidate=from_record(row), **facts)

    def lend(self, candidate_id: str) -> str:
        """Lend a candidate in place of what the annotator held; return the token."""
        self._release()
        sql = "SELECT role FROM candidate_counts WHERE candidate_id = ?"
        row = {
            "token": uuid.uuid4().hex,
            "candidate_id": candidate_id,
            "annotator": self.annotator,
            "kind": self.database.rows(sql, [candidate_id])[0]["role"],
            "at": self.now,
            "expires": self.expires,
        }
        self.database.insert("INSERT INTO leases", row)
        return row["token"]

    def room(self, candidate_id: str) -> Room:
        """Count what the annotator meets on a candidate."""
        facts = {"candidate": candidate_id, "annotator": self.annotator, "now": self.now}
        row = self.database.rows(_ROOM, facts)[0]
        return Room(row["role"] != "main", bool(row["mine"]), row["labels"] - row["mine"], row["held"])

    def check(self, event: dict[str, Any]) -> None:
        """Check that an answer is covered by the lease it names; raises LeaseRefused."""
        facts = {"kind": LeaseRefused, "lease": event["lease"], "candidate": event["candidate_id"]}
        lease = next(iter(self.database.rows("SELECT * FROM leases WHERE token = ?", [event["lease"]])), None)
        if lease is None:
            raise problem("error.lease_unknown", **facts)
        if lease["annotator"] != self.annotator:
            raise problem("error.lease_foreign", **facts)
        if lease["candidate_id"] != event["candidate_id"]:
            raise problem("error.lease_misplaced", **facts)
        if event["kind"] != "label":
            return  # a skip takes nobody's place
        room = self.room(event["candidate_id"])
        if not room.mine and not room.left(self.rules.overlap, holding=lease["expires"] > self.now):
            raise problem("error.candidate_taken", **facts)

    def _held(self, only: Collection[str] | None) -> str | None:
        """Return the token of the annotator's open lease (there is one at most), if it still may be answered."""
        # A lease that was answered is over, also where a copy of the database brought it back.
        sql = """SELECT token, candidate_id FROM leases l WHERE annotator = ? AND expires > ?
            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.token = l.token)"""
        for lease in self.database.rows(sql, [self.annotator, self.now]):
            if only is None or lease["candidate_id"] in only:
                room = self.room(lease["candidate_id"])
                if room.mine or room.left(self.rules.overlap, holding=True):
                    return lease["token"]
        return None

    def _release(self) -> None:
        """End what the annotator holds; a late answer under it is treated as under one that expired."""
        sql = "UPDATE leases SET expires = ? WHERE annotator = ? AND expires > ?"
        self.database.db.execute(sql, [self.now, self.annotator, self.now])
