"""The label store: candidates and events in SQLite, nothing ever updated or deleted, the answer a view."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from annotations.assignment import ROUNDS, next_id
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
from annotations.database import LabelDatabase
from annotations.events import SAME, BadEvent, TokenReused, UnknownLabel, new_event, now, text
from annotations.schema import DatabaseUnavailable, NotALabelDatabase
from vcs_demo.errors import UserError, quoted

__all__ = [
    "LABELS",
    "BadCandidate",
    "BadEvent",
    "Candidate",
    "DatabaseUnavailable",
    "LabelStore",
    "LabelledCandidate",
    "NotALabelDatabase",
    "TokenReused",
    "UnknownCandidate",
    "UnknownLabel",
]


class UnknownCandidate(UserError, ValueError):
    """A candidate id that is not in the database."""


class LabelStore:
    """Candidates and what people said of them, in one SQLite file with an event log beside it.

    Labels, skips and undos are events; each annotator's latest answer that was not undone stands. An event is
    in the log (written and synced) before it is committed, and committed before the call returns. Safe to
    share between threads. The path `:memory:` keeps everything in memory, without a log.

    Args:
        path: the database; made if missing (unless read-only).
        read_only: open an existing one without changing anything.
        log: keep the event log; off only while restoring from it.

    Raises:
        NotALabelDatabase: the file is something else, or missing and read-only.
        DatabaseUnavailable: it cannot be opened now.
    """

    def __init__(self, path: Path | str, read_only: bool = False, *, log: bool = True) -> None:
        self.database = LabelDatabase(path, read_only=read_only, log=log)
        self.path = self.database.path

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
        records = [as_record(checked(candidate)) | {"at": now()} for candidate in candidates]
        with self.database.write():
            added = [
                r for r in records if self.database.insert("INSERT OR IGNORE INTO candidates", r).rowcount
            ]
            self.database.to_log([{"kind": "candidate"} | record for record in added])
        return len(added), len(records) - len(added)

    def candidate(self, candidate_id: str) -> Candidate:
        """Return a candidate by id; raises UnknownCandidate."""
        rows = self.database.rows("SELECT * FROM candidates WHERE id = ?", [candidate_id])
        if not rows:
            raise UnknownCandidate(f"There is no candidate {quoted(candidate_id)} in {quoted(self.path)}.")
        return _candidate(rows[0])

    def candidates(self) -> list[Candidate]:
        """Return all candidates, in the order they were added."""
        return [_candidate(row) for row in self.database.rows("SELECT * FROM candidates ORDER BY rowid")]

    def next_candidate(
        self, annotator: str, exclude: Collection[str] = (), *, only: Collection[str] | None = None
    ) -> Candidate | None:
        """Return what this annotator should judge next, or None when all is done.

        Left out: what the annotator has labelled, and `exclude`; what was skipped comes again in a second
        round, once. `only` narrows the choice to some ids (an audit's sample). Queries are finished one after
        the other; the next query is the one with fewest labels so far, then by an order of the annotator's
        own, so that annotators spread. The order says nothing of rank or score.
        """
        found = next_id(self.database, text("annotator", annotator), exclude, only)
        return None if found is None else self.candidate(found)

    # Events

    def label(
        self,
        candidate_id: str,
        annotator: str,
        label: str,
        *,
        token: str,
        note: str = "",
        seconds: float | None = None,
        interface: str = "",
    ) -> int:
        """Record a label and return its event id; the same token with the same content gives the same id.

        A second label of the same annotator supersedes the first. `seconds` (time taken) counts as unknown
        where it is negative or not finite.

        Raises:
            UnknownLabel, UnknownCandidate, BadEvent: see the classes.
            TokenReused: the token stands for another candidate, annotator, label or note.
            DatabaseUnavailable: it could not be saved.
        """
        return self._answer(
            new_event(
                "label",
                candidate_id,
                annotator,
                token,
                label=label,
                note=note,
                seconds=seconds,
                interface=interface,
            )
        )

    def skip(
        self,
        candidate_id: str,
        annotator: str,
        *,
        token: str,
        seconds: float | None = None,
        interface: str = "",
    ) -> int:
        """Record that the annotator passes on a candidate; returns and raises as `label`."""
        return self._answer(
            new_event("skip", candidate_id, annotator, token, seconds=seconds, interface=interface)
        )

    def undo(self, annotator: str, *, token: str | None = None) -> Candidate | None:
        """Take back the annotator's latest label or skip that stands; return its candidate (None: nothing).

        What the annotator had said of that candidate before, if anything, stands again. A token makes a
        repeated call harmless.

        Raises:
            TokenReused: the token stands for another event.
            DatabaseUnavailable: it could not be saved.
        """
        event = new_event("undo", "", annotator, uuid.uuid4().hex if token is None else token)
        with self.database.write():
            known = self._event(event["token"])
            if known and (known["kind"], known["annotator"]) != ("undo", event["annotator"]):
                raise TokenReused(event["token"], known)
            if not known:
                latest = self.database.rows(
                    "SELECT * FROM answers WHERE annotator = ? ORDER BY id DESC LIMIT 1",
                    [event["annotator"]],
                )
                if not latest:
                    return None
                known = event | {"candidate_id": latest[0]["candidate_id"]}
                self.database.insert("INSERT INTO events", known | {"undoes": latest[0]["id"]})
                self.database.to_log([known | {"undoes": latest[0]["token"]}])
        return self.candidate(known["candidate_id"])

    def events(self) -> list[dict[str, Any]]:
        """Return every event as it was written, oldest first."""
        return self.database.rows("SELECT * FROM events ORDER BY id")

    # What stands

    def labelled(self) -> list[LabelledCandidate]:
        """Return every candidate with a standing label: the majority's (`unsure` if tied), and the votes."""
        with self.database.lock:
            votes = self._votes()
            rows = self.database.rows("SELECT * FROM candidates ORDER BY rowid")
        return [
            LabelledCandidate(
                **as_record(_candidate(row)), label=majority(v), votes=v, annotators=sum(v.values())
            )
            for row in rows
            if (v := votes.get(row["id"]))
        ]

    def counts(self) -> dict[str, int]:
        """Return label → number of candidates whose majority says so; all four labels, in their order."""
        found = Counter(majority(votes) for votes in self._votes().values())
        return {label: found[label] for label in LABELS}

    def progress(self, annotator: str | None = None) -> dict[str, int]:
        """Count candidates, queries, labelled candidates, standing labels and annotators.

        With an annotator also that one's `answered`, `skipped` and `left` (what `next_candidate` offers).
        """
        counted = self.database.rows(
            """
            SELECT (SELECT count(*) FROM candidates) AS candidates,
                (SELECT count(*) FROM (SELECT DISTINCT task, source, query_id FROM candidates)) AS queries,
                count(DISTINCT candidate_id) AS labelled, count(*) AS labels,
                count(DISTINCT annotator) AS annotators
            FROM labels
            """
        )[0]
        if annotator is None:
            return counted
        mine = self.database.rows(
            """
            SELECT (SELECT count(*) FROM labels WHERE annotator = :annotator) AS answered,
                count(*) AS skipped, coalesce(sum(skips >= :rounds), 0) AS given_up
            FROM (SELECT count(*) AS skips FROM answers WHERE kind = 'skip' AND annotator = :annotator
                  AND candidate_id NOT IN (SELECT candidate_id FROM labels WHERE annotator = :annotator)
                  GROUP BY candidate_id)
            """,
            {"annotator": text("annotator", annotator), "rounds": ROUNDS},
        )[0]
        left = counted["candidates"] - mine["answered"] - mine.pop("given_up")
        return counted | mine | {"left": left}

    # Inside

    def _answer(self, event: dict[str, Any]) -> int:
        with self.database.write():
            known = self._event(event["token"])
            if known is None:
                self.candidate(event["candidate_id"])  # raises UnknownCandidate
                known = {"id": self.database.insert("INSERT INTO events", event).lastrowid}
                self.database.to_log([event])
            elif any(known[name] != event[name] for name in SAME):
                raise TokenReused(event["token"], known)
        return known["id"]

    def _event(self, token: str) -> dict[str, Any] | None:
        return next(iter(self.database.rows("SELECT * FROM events WHERE token = ?", [token])), None)

    def _votes(self) -> dict[str, dict[str, int]]:
        votes: dict[str, dict[str, int]] = {}
        for row in self.database.rows("SELECT candidate_id, label, count(*) AS n FROM labels GROUP BY 1, 2"):
            votes.setdefault(row["candidate_id"], {})[row["label"]] = row["n"]
        return votes


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(**{name: row[name] for name in CANDIDATE_FIELDS})
