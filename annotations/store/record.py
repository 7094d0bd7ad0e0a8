"""Record what an annotator says, an answer or an undo, as an event; each inside `LabelDatabase.write`."""

import uuid
from pathlib import Path
from typing import Any

from annotations.assignment.leases import LeaseRefused, Leases
from annotations.database.connection import LabelDatabase
from annotations.database.events import SAME, TokenReused, new_event
from vcs_demo.errors import UserError, quoted
from vcs_demo.words import problem


def record(leases: Leases, event: dict[str, Any]) -> int:
    """Record a label or skip and return its id; for a token that is known already, the id it has.

    An event with a lease must be covered by it, see `Leases.check`; without one, the overlap does not bind.

    Raises:
        UserError: there is no such candidate.
        TokenReused, LeaseRefused: see the classes.
    """
    database = leases.database
    same = find(database, event["token"])
    if same:
        if any(same[name] != event[name] for name in SAME):
            raise TokenReused(event["token"], same)
        return same["id"]
    if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [event["candidate_id"]]):
        raise unknown_candidate(event["candidate_id"], database.path)
    if event["lease"]:
        leases.check(event)
    return database.add_event(event | {"at": leases.now})


def take_back(leases: Leases, token: str | None) -> str | None:
    """Undo the annotator's latest answer that stands and return its candidate's id; None if there is none.

    The candidate is lent to the annotator again, if there is room.

    Raises:
        TokenReused: the token stands for another event.
        LeaseRefused: a label would stand again whose place others have taken; then nothing is taken back.
    """
    database = leases.database
    event = new_event("undo", "", leases.annotator, token=uuid.uuid4().hex if token is None else token)
    same = find(database, event["token"])
    if same:
        if (same["kind"], same["annotator"]) != ("undo", leases.annotator):
            raise TokenReused(event["token"], same)
        return same["candidate_id"]
    sql = "SELECT * FROM answers WHERE annotator = ? ORDER BY id DESC LIMIT 1"
    latest = next(iter(database.rows(sql, [leases.annotator])), None)
    if latest is None:
        return None
    candidate_id = latest["candidate_id"]
    before = leases.room(candidate_id)
    database.add_event(event | {"candidate_id": candidate_id, "at": leases.now, "undoes": latest["token"]})
    after = leases.room(candidate_id)
    room = after.left(leases.rules.overlap, holding=False)
    if after.mine and not before.mine and not room:
        raise problem("error.undo_taken", kind=LeaseRefused, candidate=candidate_id)
    if room:
        leases.lend(candidate_id)
    return candidate_id


def find(database: LabelDatabase, token: str) -> dict[str, Any] | None:
    """Return the event that a token stands for."""
    return next(iter(database.rows("SELECT * FROM events WHERE token = ?", [token])), None)


def unknown_candidate(candidate_id: str, path: Path | str) -> UserError:
    """Return the error for an id that is not in a database."""
    return UserError(f"There is no candidate {quoted(candidate_id)} in {quoted(path)}.")
