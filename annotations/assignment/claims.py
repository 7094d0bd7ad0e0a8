"""Lending a candidate: the one the annotator holds already, else the one that is due."""

from collections.abc import Collection
from datetime import datetime

from annotations.assignment import leases
from annotations.assignment import rules as settings
from annotations.assignment.leases import Room
from annotations.assignment.order import Assignment
from annotations.assignment.rules import Settings
from annotations.database.connection import LabelDatabase
from annotations.database.events import stamp


def claim(
    database: LabelDatabase, annotator: str, moment: datetime, only: Collection[str] | None
) -> str | None:
    """Lend the annotator a candidate and return the lease's token; None when nothing is left.

    Inside `LabelDatabase.write`. A lease that is still open is held for its full time again; one on a candidate
    that `only` leaves out, or that others have filled meanwhile, ends.
    """
    leases.forget_old(database, moment)
    rules = settings.read(database)
    token = _held(database, annotator, moment, only, rules)
    if token is not None:
        leases.renew(database, token, moment, rules)
        return token
    found = Assignment(database, rules, annotator, stamp(moment), only).next_id()
    if found is None:
        leases.release(database, annotator, stamp(moment))
        return None
    return leases.grant(database, found, annotator, moment, rules)


def due(
    database: LabelDatabase, annotator: str, moment: datetime, only: Collection[str] | None
) -> str | None:
    """Return the id of the candidate that `claim` would lend now; changes nothing."""
    with database.lock:
        rules = settings.read(database)
        if _held(database, annotator, moment, only, rules) is not None:
            return leases.held(database, annotator, stamp(moment))["candidate_id"]
        return Assignment(database, rules, annotator, stamp(moment), only).next_id()


def _held(
    database: LabelDatabase,
    annotator: str,
    moment: datetime,
    only: Collection[str] | None,
    rules: Settings,
) -> str | None:
    lease = leases.held(database, annotator, stamp(moment))
    if lease is None or (only is not None and lease["candidate_id"] not in only):
        return None
    room = Room.of(database, lease["candidate_id"], annotator, stamp(moment))
    return lease["token"] if room.mine or room.left(rules.overlap, holding=True) else None
