"""Answers that people gave elsewhere, merged in: each once, and never over what a person of this database said.

The rule. Whoever labels here is filed under a name. An import files people under two other kinds of name only:

- `p-…`, a pseudonym: the hash of the token of that annotator's first event. Tokens are random, so a file can
  add to a pseudonym only if it holds that token, which is to have the annotator's history. A pseudonym of
  somebody who labels *here* is never added to: their answers are known by token, and others are refused.
- `sender:name`, for tools that keep no history (Argilla, Potato, a spreadsheet): every event under such a name
  was made by an import, which its token says; a name under which anybody has labelled here is refused.

So nothing an import writes can supersede, undo or pass for an answer of a person of this database.
"""

import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from annotations.candidates import Candidate, as_record
from annotations.database.events import BadEvent, UnknownLabel, new_event, stamp
from annotations.exchange.files import RowProblem
from annotations.people.pseudonyms import pseudonym, pseudonyms, user_id
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted

IMPORTED = "import:"  # begins the tokens of events that an import made
SAME = ("kind", "candidate_id", "label")
FACTS = ("note", "confidence", "flagged")  # the same, unless one side does not have them


class BadAnswer(UserError, ValueError):
    """A line that is no answer, or one that this database cannot take."""


@dataclass(frozen=True)
class AnswersReport:
    """What came in: rows read, candidates and events added and already there, and the rows left out."""

    rows: int
    candidates_added: int
    candidates_there: int
    answers_added: int
    answers_there: int
    problems: list[RowProblem] = field(default_factory=list)


@dataclass(frozen=True)
class Given:
    """A label that a tool without a history has: how things stand there.

    Attributes:
        annotator: `sender:name`.
        known_as: what the tool calls the annotator; a pseudonym or user id of ours where we told it.
        candidate_id: of what.
        label: one of the four.
        note: what was noted.
        interface: the tool.
    """

    annotator: str
    known_as: str
    candidate_id: str
    label: str
    note: str = ""
    interface: str = ""


@dataclass
class Incoming:
    """What a file holds: each thing with its line; and the tokens that it shows."""

    rows: int = 0
    candidates: dict[str, Candidate] = field(default_factory=dict)
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # `undoes` is a token
    given: list[tuple[int, Given]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    problems: list[RowProblem] = field(default_factory=list)


def merge(store: LabelStore, incoming: Incoming) -> AnswersReport:
    """Add what is new, in one transaction and in the event log; see the module for what is refused.

    Raises:
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    problems, at = list(incoming.problems), stamp(store.clock())
    with store.database.write():
        fresh = [
            record
            for candidate in incoming.candidates.values()
            if store.database.insert(
                "INSERT OR IGNORE INTO candidates", record := as_record(candidate) | {"at": at}
            ).rowcount
        ]
        merger = _Merger(store, incoming, at)
        for add, items in ((merger.event, incoming.events), (merger.given, incoming.given)):
            for line, item in items:
                try:
                    add(item)
                except (BadAnswer, BadEvent, UnknownLabel) as error:
                    problems.append(RowProblem(line, str(error)))
        store.database.to_log([{"kind": "candidate"} | record for record in fresh] + merger.added)
    return AnswersReport(
        rows=incoming.rows,
        candidates_added=len(fresh),
        candidates_there=len(incoming.candidates) - len(fresh),
        answers_added=len(merger.added),
        answers_there=merger.there,
        problems=sorted(problems, key=lambda problem: problem.line),
    )


class _Merger:
    """Adds one answer after the other, inside a transaction."""

    def __init__(self, store: LabelStore, incoming: Incoming, at: str) -> None:
        self.database, self.at = store.database, at
        self.columns = {row["name"] for row in self._rows("PRAGMA table_info(events)", [])}
        self.pseudonym_of = pseudonyms(store)
        self.own = {p: name for name, p in self.pseudonym_of.items() if name != p}  # pseudonym → a name here
        self.called = {user_id(p): name for name, p in self.pseudonym_of.items()}
        self.called |= {p: name for name, p in self.pseudonym_of.items()}
        self.shown = {pseudonym(token) for token in incoming.tokens}
        self.added: list[dict[str, Any]] = []  # as in the log: `undoes` is a token
        self.there = 0
        # An older answer than one that is here already would, appended now, pass for a newer one.
        self.newest: dict[tuple[str, str], int] = {}
        for place, (_, event) in enumerate(incoming.events):
            if self._event(event["token"]):
                self.newest[event["annotator"], event["candidate_id"]] = place
        self.place = -1

    def event(self, event: dict[str, Any]) -> None:
        """Add an event of an annotator's history, unless it is there; raises BadAnswer."""
        self.place += 1
        annotator, token = event["annotator"], event["token"]
        known = self._event(token)
        if known:
            self._check_same(event, known)
            self.there += 1
            return
        if annotator in self.own:
            raise BadAnswer(
                f"{annotator} is somebody who labels in this database, and said no such thing here; left as it is."
            )
        if annotator not in self.shown:
            raise BadAnswer(
                f"The file does not hold the event that {annotator} is made of, so it cannot add to that "
                "annotator; export all answers again."
            )
        if self.newest.get((annotator, event["candidate_id"]), -1) > self.place:
            self.there += 1
            return
        if not self._rows("SELECT 1 FROM candidates WHERE id = ?", [event["candidate_id"]]):
            raise BadAnswer(
                f"There is no candidate {quoted(event['candidate_id'])}, neither here nor in the file."
            )
        undone = self._undone(event) if event["kind"] == "undo" else None
        self._insert(event, undone)

    def given(self, given: Given) -> None:
        """Add how an annotator's label stands in another tool, unless it stands so here; raises BadAnswer."""
        owner = self.called.get(given.known_as)
        stands = self._rows(
            "SELECT label FROM labels WHERE annotator = ? AND candidate_id = ?",
            [owner or given.annotator, given.candidate_id],
        )
        if stands and stands[0]["label"] == given.label:
            self.there += 1
            return
        if owner:
            raise BadAnswer(
                f"{quoted(given.known_as)} labels elsewhere or here, where their answer to {given.candidate_id} "
                f"is {stands[0]['label'] if stands else 'none'}; it is changed only there."
            )
        if self._rows(
            "SELECT 1 FROM events WHERE annotator = ? AND substr(token, 1, ?) <> ? LIMIT 1",
            [given.annotator, len(IMPORTED), IMPORTED],
        ):
            raise BadAnswer(
                f"{quoted(given.annotator)} is somebody who labels in this database; give another --sender."
            )
        if not self._rows("SELECT 1 FROM candidates WHERE id = ?", [given.candidate_id]):
            raise BadAnswer(
                f"There is no candidate {quoted(given.candidate_id)} here; import the candidates first."
            )
        self._insert(
            new_event(
                "label",
                given.candidate_id,
                given.annotator,
                IMPORTED + uuid.uuid4().hex,
                label=given.label,
                note=given.note,
                interface=given.interface,
            ),
            None,
        )

    def _check_same(self, event: dict[str, Any], known: dict[str, Any]) -> None:
        named = self.pseudonym_of.setdefault(known["annotator"], known["annotator"])
        undone = self._rows("SELECT token FROM events WHERE id = ?", [known["undoes"]])
        if (
            any(event[name] != known[name] for name in SAME)
            or any(event.get(name) and known.get(name) not in (None, "", 0, event[name]) for name in FACTS)
            or event["annotator"] != named
            or event.get("undoes") != (undone[0]["token"] if undone else None)
        ):
            raise BadAnswer(
                f"The token {quoted(event['token'])} already stands for another {known['kind']} "
                f"(candidate {known['candidate_id']}); that one stays."
            )

    def _undone(self, event: dict[str, Any]) -> dict[str, Any]:
        undone = self._event(event["undoes"])
        if not undone:
            raise BadAnswer(
                f"There is no event {quoted(event['undoes'])} to undo, neither here nor in the file."
            )
        if (undone["annotator"], undone["candidate_id"]) != (event["annotator"], event["candidate_id"]):
            raise BadAnswer(
                f"The event {quoted(event['undoes'])} is somebody else's, or of another candidate."
            )
        if undone["kind"] == "undo" or self._rows("SELECT 1 FROM events WHERE undoes = ?", [undone["id"]]):
            raise BadAnswer(f"The event {quoted(event['undoes'])} cannot be undone (again).")
        return undone

    def _insert(self, event: dict[str, Any], undone: dict[str, Any] | None) -> None:
        # Not in the future: what was decided later than the last answer counts as settled.
        event = event | {"at": min(event.get("at", self.at), self.at)}
        event = {name: value for name, value in event.items() if name in self.columns and name != "undoes"}
        try:
            self.database.insert("INSERT INTO events", event | ({"undoes": undone["id"]} if undone else {}))
        except sqlite3.IntegrityError as error:
            raise BadAnswer(
                f"The database does not take the event {quoted(event['token'])}: {error}."
            ) from error
        self.added.append(event | ({"undoes": undone["token"]} if undone else {}))

    def _event(self, token: str) -> dict[str, Any] | None:
        return next(iter(self._rows("SELECT * FROM events WHERE token = ?", [token])), None)

    def _rows(self, sql: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        return self.database.rows(sql, list(values))
