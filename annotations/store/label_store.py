"""The label store: candidates and what people said of them, in SQLite, nothing ever updated or deleted."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

from annotations.assignment.leases import Lease, Leases, lent
from annotations.assignment.rules import AssignmentRules, changed, read_rules
from annotations.candidates import Candidate, alike_ids, as_record, checked, from_record
from annotations.database.connection import LabelDatabase
from annotations.database.eventlog import log_path
from annotations.database.events import Facts, new_event, stamp, text
from annotations.database.replay import catch_up, compare
from annotations.store.progress import StandingLabels
from annotations.store.record import record, take_back, unknown_candidate
from vcs_demo.errors import UserError
from vcs_demo.text import nfc

Ids = Collection[str] | None
logger = logging.getLogger(__name__)


class LabelStore(StandingLabels):
    """Candidates and what people said of them, in one SQLite file with an event log beside it.

    Labels, skips and undos are events; each annotator's latest answer that was not undone stands. An event is
    in the log (written and synced) before it is committed, and committed before the call returns. Safe to
    share between threads. The path `:memory:` keeps everything in memory, without a log.

    Args:
        path: the database; made if missing (unless read-only).
        read_only: open an existing one without changing anything, unless its log has events that it lacks.
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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database = LabelDatabase(path, read_only=read_only)
        self.path, self.clock = self.database.path, clock
        try:
            for sentence in catch_up(self.database):
                logger.warning("%s", sentence)
            if read_only and compare(self.database, log_path(path)).missing:  # an older copy of the database
                try:
                    LabelStore(path).close()
                except UserError as error:
                    logger.warning("The log has events that the database lacks, and it stays so: %s", error)
        except BaseException:
            self.close()
            raise

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

        A triple that is there in another writing (see `alike_ids`) is there already.

        Raises:
            UserError: one of them is malformed; then none is added.
            DatabaseUnavailable: they could not be saved; then none is added.
        """
        new = [checked(candidate) for candidate in candidates]
        at, added = stamp(self.clock()), []
        with self.database.write():
            for candidate, ids in zip(new, map(alike_ids, new), strict=True):
                record = as_record(candidate) | {"at": at}
                if self._is_there(ids - {candidate.id}):
                    continue
                if self.database.insert("INSERT OR IGNORE INTO candidates", record).rowcount:
                    added.append(record)
            self.database.to_log([{"kind": "candidate"} | record for record in added])
        return len(added), len(new) - len(added)

    def _is_there(self, ids: Collection[str]) -> bool:
        query = f"SELECT 1 FROM candidates WHERE id IN ({', '.join('?' * len(ids))}) LIMIT 1"
        return bool(ids) and bool(self.database.rows(query, [*ids]))

    def candidate(self, candidate_id: str) -> Candidate:
        """Return a candidate by id; raises UserError."""
        rows = self.database.rows("SELECT * FROM candidates WHERE id = ?", [nfc(candidate_id)])
        if not rows:
            raise unknown_candidate(candidate_id, self.path)
        return from_record(rows[0])

    def candidates(self) -> list[Candidate]:
        """Return all candidates, in the order they were added."""
        return [from_record(row) for row in self.database.rows("SELECT * FROM candidates ORDER BY rowid")]

    # Assignment

    def settings(self) -> AssignmentRules:
        """Return the current rules of assignment."""
        return read_rules(self.database)

    def change_settings(self, *, by: str, **changes: Any) -> AssignmentRules:
        """Change rules of assignment (the attributes of `AssignmentRules`) together; return the rules afterwards.

        What is as asked for already adds nothing.

        Args:
            by: who changes them.
            changes: new values by name.

        Raises:
            UserError: an unknown name, a value out of range, or nobody in `by`; then nothing is changed.
            DatabaseUnavailable: they could not be saved; then nothing is changed.
        """
        facts = {"at": stamp(self.clock()), "by": text("person", by)}
        with self.database.write():
            values = changed(self.settings(), changes)
            rows = [facts | {"name": name, "value": json.dumps(value)} for name, value in values.items()]
            self.database.add("setting", rows)
            return self.settings()

    def claim(self, annotator: str, *, only: Ids = None) -> Lease | None:
        """Lend this annotator the candidate to judge next; None when nothing is left.

        Who holds an open lease gets it again, on any device: same candidate, same token, its full time anew.
        Otherwise: calibration first; gold mixed in; else queries one after the other, the least labelled next (of
        equals, onwards from a place of the annotator's own), each in an order of the annotator's own, which says
        nothing of rank or score. Left out is what the annotator has labelled, and what as many others as
        `AssignmentRules.overlap` have labelled or hold. What was skipped comes again when the rest is done, once.

        Args:
            annotator: who asks.
            only: ids to choose from (an audit's sample); None: all.

        Raises:
            UserError: the annotator is empty or too long.
            DatabaseUnavailable: the lease could not be saved.
        """
        with self._leases(annotator) as leases:
            return leases.claim(only)

    def lent(self, token: str, annotator: str) -> tuple[Candidate, str]:
        """Return the candidate that the token of an annotator's lease stands for, and since when (UTC).

        A token that was answered already stands for the same candidate still.

        Raises:
            LeaseRefused: there is no such lease, or it is somebody else's.
        """
        return lent(self.database, token, text("annotator", annotator))

    # Events

    def label(self, candidate_id: str, annotator: str, label: str, **facts: Unpack[Facts]) -> int:
        """Record a label and return its event id; the same token with the same content gives the same id.

        A second label of the same annotator supersedes the first.

        Args:
            candidate_id: what was judged.
            annotator: who judged it.
            label: one of `LABELS`.
            facts: what goes with it, see `Facts`. With a lease it counts if the lease is open, or expired but the
                candidate still has room. **Without a lease the overlap does not bind**, so that corrections and
                another team's answers can be recorded.

        Raises:
            UserError: an unknown label or candidate, or a bad text.
            TokenReused: the token stands for another candidate, annotator or answer.
            LeaseRefused: the lease does not cover it; nothing was changed.
            DatabaseUnavailable: it could not be saved.
        """
        event = new_event("label", candidate_id, annotator, label, **facts)
        with self._leases(annotator) as leases:
            return record(leases, event)

    def label_and_claim(
        self, candidate_id: str, annotator: str, label: str, *, only: Ids = None, **facts: Unpack[Facts]
    ) -> tuple[int, Lease | None]:
        """Do `label` and `claim` in one transaction: a key press.

        Sent again with the same token, it gives the same event id, and the candidate that is due now.
        """
        event = new_event("label", candidate_id, annotator, label, **facts)
        with self._leases(annotator) as leases:
            return record(leases, event), leases.claim(only)

    def skip(self, candidate_id: str, annotator: str, **facts: Unpack[Facts]) -> int:
        """Record that the annotator passes on a candidate; takes, returns and raises as `label`.

        A skip under an expired lease always counts: it takes nobody's place.
        """
        event = new_event("skip", candidate_id, annotator, **facts)
        with self._leases(annotator) as leases:
            return record(leases, event)

    def skip_and_claim(
        self, candidate_id: str, annotator: str, *, only: Ids = None, **facts: Unpack[Facts]
    ) -> tuple[int, Lease | None]:
        """Do `skip` and `claim` in one transaction, as `label_and_claim`."""
        event = new_event("skip", candidate_id, annotator, **facts)
        with self._leases(annotator) as leases:
            return record(leases, event), leases.claim(only)

    def undo(self, annotator: str, *, token: str | None = None) -> Candidate | None:
        """Take back the annotator's latest label or skip that stands; return its candidate (None: nothing).

        What the annotator had said of that candidate before, if anything, stands again. The candidate is lent
        to the annotator again if there is room: `claim` gives it. A token makes a repeated call harmless.

        Raises:
            TokenReused: the token stands for another event.
            LeaseRefused: a label from before the skip would stand again, but others have its place.
            DatabaseUnavailable: it could not be saved.
        """
        with self._leases(annotator) as leases:
            undone = take_back(leases, token)
        return None if undone is None else self.candidate(undone)

    def undone(self, token: str) -> dict[str, Any] | None:
        """Return the note, confidence and flag of the answer that the undo with this token took back."""
        sql = (
            "SELECT e.note, e.confidence, e.flagged FROM events u JOIN events e ON e.id = u.undoes "
            "WHERE u.token = ?"
        )
        return next(iter(self.database.rows(sql, [token])), None)

    def events(self) -> list[dict[str, Any]]:
        """Return every event as it was written, oldest first."""
        return self.database.rows("SELECT * FROM events ORDER BY id")

    @contextmanager
    def _leases(self, annotator: str) -> Iterator[Leases]:
        """Hold a write transaction, in the name of an annotator."""
        name = text("annotator", annotator)
        with self.database.write():
            yield Leases(self.database, name, self.clock())
