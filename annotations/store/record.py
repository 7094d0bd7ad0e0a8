"""What annotators say, written down: an answer under its lease, or taken back. Each in one transaction."""

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from annotations.assignment import leases
from annotations.assignment import rules as settings
from annotations.assignment.leases import CandidateTaken, Room
from annotations.database.connection import LabelDatabase
from annotations.database.events import SAME, TokenReused, new_event, stamp
from vcs_demo.errors import UserError, quoted


class UnknownCandidate(UserError, ValueError):
    """A candidate id that is not in the database."""

    def __init__(self, candidate_id: str, path: Path | str) -> None:
        super().__init__(f"There is no candidate {quoted(candidate_id)} in {quoted(path)}.")


def record(database: LabelDatabase, event: dict[str, Any], moment: datetime) -> int:
    """Write a label or skip down and return its id; known already, its id alone.

    With a lease it must be covered by it, see `leases.check`; without, the overlap does not bind.

    Raises:
        UnknownCandidate, TokenReused, LeaseRefused: see the classes.
        DatabaseUnavailable: it could not be saved.
    """
    with database.write():
        known = find(database, event["token"])
        if known:
            if any(known[name] != event[name] for name in SAME):
                raise TokenReused(event["token"], known)
            return known["id"]
        if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [event["candidate_id"]]):
            raise UnknownCandidate(event["candidate_id"], database.path)
        if event["lease"]:
            leases.check(database, event, stamp(moment), settings.read(database).overlap)
        leases.close(database, event["candidate_id"], event["annotator"])
        event = event | {"at": stamp(moment)}
        id = database.insert("INSERT INTO events", event).lastrowid
        database.to_log([event])
        return id


def take_back(database: LabelDatabase, annotator: str, token: str | None, moment: datetime) -> str | None:
    """Undo the annotator's latest answer that stands and return its candidate's id; None if there is none.

    The candidate is lent to the annotator anew, if there is room.

    Raises:
        TokenReused: the token stands for another event.
        CandidateTaken: a label would stand again whose place others have taken; then nothing is taken back.
        DatabaseUnavailable: it could not be saved.
    """
    event = new_event("undo", "", annotator, uuid.uuid4().hex if token is None else token)
    annotator, now = event["annotator"], stamp(moment)
    with database.write():
        known = find(database, event["token"])
        if known:
            if (known["kind"], known["annotator"]) != ("undo", annotator):
                raise TokenReused(event["token"], known)
            return known["candidate_id"]
        latest = database.rows(
            "SELECT * FROM answers WHERE annotator = ? ORDER BY id DESC LIMIT 1", [annotator]
        )
        if not latest:
            return None
        candidate_id, rules = latest[0]["candidate_id"], settings.read(database)
        before = Room.of(database, candidate_id, annotator, now)
        event |= {"candidate_id": candidate_id, "at": now}
        database.insert("INSERT INTO events", event | {"undoes": latest[0]["id"]})
        after = Room.of(database, candidate_id, annotator, now)
        room = after.left(rules.overlap, holding=False)
        if after.mine and not before.mine and not room:
            raise CandidateTaken(
                f"Somebody else has taken candidate {quoted(candidate_id)} since you skipped it; "
                "the skip was not taken back.",
                "error.undo_taken",
            )
        if room:
            leases.grant(database, candidate_id, annotator, moment, rules)
        database.to_log([event | {"undoes": latest[0]["token"]}])  # last: what is refused must not come back
        return candidate_id


def find(database: LabelDatabase, token: str) -> dict[str, Any] | None:
    """Return the event that a token stands for."""
    return next(iter(database.rows("SELECT * FROM events WHERE token = ?", [token])), None)
