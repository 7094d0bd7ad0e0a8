"""The label store: candidates and events in SQLite, nothing ever updated or deleted, the answer a view."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

from annotations.assignment import claims
from annotations.assignment import rules as settings
from annotations.assignment.leases import Lease, LeaseRefused
from annotations.assignment.rules import Settings
from annotations.candidates import (
    CANDIDATE_FIELDS,
    LABELS,
    BadCandidate,
    Candidate,
    LabelledCandidate,
    as_record,
    checked,
    majority,
)
from annotations.database.connection import LabelDatabase
from annotations.database.events import BadEvent, Facts, TokenReused, UnknownLabel, new_event, stamp, text
from annotations.database.schema import DatabaseUnavailable, NotALabelDatabase
from annotations.store import progress
from annotations.store import record as answers
from annotations.store.record import UnknownCandidate
from vcs_demo.text import nfc

__all__ = [
    "LABELS",
    "BadCandidate",
    "BadEvent",
    "Candidate",
    "DatabaseUnavailable",
    "LabelStore",
    "LabelledCandidate",
    "Lease",
    "LeaseRefused",
    "NotALabelDatabase",
    "Settings",
    "TokenReused",
    "UnknownCandidate",
    "UnknownLabel",
]


class LabelStore:
    """Candidates and what people said of them, in one SQLite file with an event log beside it.

    Labels, skips and undos are events; each annotator's latest answer that was not undone stands. An event is
    in the log (written and synced) before it is committed, and committed before the call returns. Safe to
    share between threads. The path `:memory:` keeps everything in memory, without a log.

    Args:
        path: the database; made if missing (unless read-only).
        read_only: open an existing one without changing anything.
        log: keep the event log; off only while restoring from it.
        clock: tells the time, with its zone.

    Raises:
        NotALabelDatabase: the file is something else, or missing and read-only.
        DatabaseUnavailable: it cannot be opened now.
    """

    def __init__(
        self,
        path: Path | str,
        read_only: bool = False,
        *,
        log: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database = LabelDatabase(path, read_only=read_only, log=log)
        self.path, self.clock = self.database.path, clock

    def __enter__(self) -> "LabelStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; a second time does nothing."""
        self.database.close()

    # Candidates

    def add_candidates(self, candidates: Iterable[Candidate]) -> tuple[int, int]:
        """Add candidates in one transaction; return how many are new and how many were already there.

        Raises:
            BadCandidate: one of them is malformed; then none is added.
            DatabaseUnavailable: they could not be saved; then none is added.
        """
        records = [as_record(checked(candidate)) | {"at": stamp(self.clock())} for candidate in candidates]
        with self.database.write():
            added = [
                r for r in records if self.database.insert("INSERT OR IGNORE INTO candidates", r).rowcount
            ]
            self.database.to_log([{"kind": "candidate"} | record for record in added])
        return len(added), len(records) - len(added)

    def candidate(self, candidate_id: str) -> Candidate:
        """Return a candidate by id; raises UnknownCandidate."""
        rows = self.database.rows("SELECT * FROM candidates WHERE id = ?", [nfc(candidate_id)])
        if not rows:
            raise UnknownCandidate(candidate_id, self.path)
        return _candidate(rows[0])

    def candidates(self) -> list[Candidate]:
        """Return all candidates, in the order they were added."""
        return [_candidate(row) for row in self.database.rows("SELECT * FROM candidates ORDER BY rowid")]

    # Assignment

    def settings(self) -> Settings:
        """Return the rules of assignment that stand."""
        return settings.read(self.database)

    def change_settings(self, *, by: str, **changes: Any) -> Settings:
        """Change rules of assignment (the attributes of `Settings`), noting who did; return what stands then.

        Raises:
            BadSetting, DatabaseUnavailable: see the classes; then nothing is changed.
        """
        return settings.change(self.database, changes, by, stamp(self.clock()))

    def claim(self, annotator: str, *, only: Collection[str] | None = None) -> Lease | None:
        """Lend this annotator the candidate to judge next; None when nothing is left.

        Who holds an open lease gets it again, on any device: same candidate, same token, its full time anew.
        Otherwise: calibration first; gold mixed in; else queries one after the other, the least labelled next (of
        equals, onwards from a place of the annotator's own), each in an order of the annotator's own, which says
        nothing of rank or score. Left out is what the annotator has labelled, and what `Settings.overlap` others
        have labelled or hold. What was skipped comes again when the rest is done, once. `only` narrows all this
        to some ids (an audit's sample).

        Raises:
            BadEvent: the annotator is empty or too long.
            DatabaseUnavailable: the lease could not be saved.
        """
        name = text("annotator", annotator)
        with self.database.write():
            token = claims.claim(self.database, name, self.clock(), only)
            if token is None:
                return None
            row = self.database.rows("SELECT * FROM leases WHERE token = ?", [token])[0]
            return Lease(candidate=self.candidate(row.pop("candidate_id")), **row)

    def next_candidate(self, annotator: str, *, only: Collection[str] | None = None) -> Candidate | None:
        """Return the candidate that `claim` would lend now, without lending it."""
        found = claims.due(self.database, text("annotator", annotator), self.clock(), only)
        return None if found is None else self.candidate(found)

    # Events

    def label(
        self,
        candidate_id: str,
        annotator: str,
        label: str,
        *,
        lease: str = "",
        token: str | None = None,
        **facts: Unpack[Facts],
    ) -> int:
        """Record a label and return its event id; the same token with the same content gives the same id.

        A second label of the same annotator supersedes the first. `lease` is the token of the lease it is given
        under: it counts if the lease is open, or expired but the candidate has still room. **Without a lease the
        overlap does not bind**: so another team's answers come in, and corrections. `token` is the event's; by
        default the lease's, so give one where there is no lease. `facts` are what `Facts` lists.

        Raises:
            UnknownLabel, UnknownCandidate, BadEvent: see the classes.
            TokenReused: the token stands for another candidate, annotator or answer.
            LeaseRefused: the lease does not cover it (see its subclasses); nothing was changed.
            DatabaseUnavailable: it could not be saved.
        """
        event = new_event("label", candidate_id, annotator, token, lease=lease, label=label, **facts)
        return answers.record(self.database, event, self.clock())

    def skip(
        self,
        candidate_id: str,
        annotator: str,
        *,
        lease: str = "",
        token: str | None = None,
        **facts: Unpack[Facts],
    ) -> int:
        """Record that the annotator passes on a candidate; takes, returns and raises as `label`.

        A skip under an expired lease always counts: it takes nobody's place.
        """
        event = new_event("skip", candidate_id, annotator, token, lease=lease, **facts)
        return answers.record(self.database, event, self.clock())

    def undo(self, annotator: str, *, token: str | None = None) -> Candidate | None:
        """Take back the annotator's latest label or skip that stands; return its candidate (None: nothing).

        What the annotator had said of that candidate before, if anything, stands again. The candidate is lent
        to the annotator again if there is room: `claim` gives it. A token makes a repeated call harmless.

        Raises:
            TokenReused: the token stands for another event.
            CandidateTaken: a label from before the skip would stand again, but others have its place.
            DatabaseUnavailable: it could not be saved.
        """
        undone = answers.take_back(self.database, annotator, token, self.clock())
        return None if undone is None else self.candidate(undone)

    def events(self) -> list[dict[str, Any]]:
        """Return every event as it was written, oldest first."""
        return self.database.rows("SELECT * FROM events ORDER BY id")

    # What stands

    def labelled(self) -> list[LabelledCandidate]:
        """Return every candidate with a standing label: what was decided, else the majority's; and the votes."""
        with self.database.lock:
            votes, decided = progress.votes(self.database), progress.decided(self.database)
            rows = self.database.rows("SELECT * FROM candidates ORDER BY rowid")
        return [
            LabelledCandidate(
                **as_record(_candidate(row)),
                label=decided.get(row["id"]) or majority(v),
                votes=v,
                annotators=sum(v.values()),
                consensus="adjudicated" if row["id"] in decided else "majority",
            )
            for row in rows
            if (v := votes.get(row["id"]))
        ]

    def counts(self) -> dict[str, int]:
        """Return label → number of candidates that stand under it (see `labelled`); all four labels, in their order."""
        with self.database.lock:
            votes, decided = progress.votes(self.database), progress.decided(self.database)
        found = Counter(decided.get(candidate_id) or majority(v) for candidate_id, v in votes.items())
        return {label: found[label] for label in LABELS}

    def progress(self, annotator: str | None = None, *, left: bool = True) -> dict[str, int]:
        """Count candidates, queries, labelled candidates, standing labels and annotators.

        With an annotator also that one's `answered`, `skipped` and, if wanted (the slowest), `left`: what `claim` has.
        """
        counted = progress.everyones(self.database)
        if annotator is not None:
            name = text("annotator", annotator)
            counted |= progress.ones_own(self.database, name)
            if left:
                counted["left"] = progress.left(self.database, name, self.settings())
        return counted


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(**{name: row[name] for name in CANDIDATE_FIELDS})
