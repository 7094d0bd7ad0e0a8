"""Every annotator's own answers, out and in: the whole history as JSONL, or the labels that count as CSV.

An import files people as `sender:pseudonym`, so never under the name of somebody who labels here. An event keeps its
token wherever it goes: what is here already is not added again, and who was filed under one sender stays there.
"""

from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS, Candidate, as_record
from annotations.database.events import stamp
from annotations.exchange.answer_rows import answer_rows, candidate_of, event_of, open_import
from annotations.exchange.files import write_csv
from annotations.people.pseudonyms import first_tokens, is_pseudonym, pseudonym, pseudonyms
from annotations.rows import ImportReport, RowProblem
from annotations.store.label_store import LabelStore
from annotations.store.record import find
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import write_jsonl, written_whole
from vcs_demo.reading.rows import JSON

CSV_COLUMNS = (*CANDIDATE_FIELDS, "annotator", "label", "note", "token")
MAX_ROWS = 300_000
MAX_SENDER = 60  # characters


def export_answers(store: LabelStore, path: Path | str, *, names: bool = False) -> int:
    """Write every annotator's own answers; return how many.

    As JSONL: a line a candidate and a line an event (label, skip, undo), in the order in which they came. As CSV (by
    the path's ending): a row a label that counts, with its candidate. Annotators are pseudonyms that stay the same
    from export to export, and notes, which can hold names, are left out.

    Args:
        store: the answers.
        path: where to; what is there is replaced.
        names: also write the annotators' names (in JSONL) and the notes.

    Raises:
        UserError: the path's ending is neither of JSON lines nor of CSV, so it would be read as something else.
    """
    path = Path(path)
    if path.suffix.lower() not in (*JSON, ".csv"):
        raise UserError(
            f"Answers are written as .jsonl or .csv, not as {quoted(path.name)}; give such a name."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.database.lock:
        called, candidates, events = pseudonyms(store), store.candidates(), store.events()
        standing = {row["id"] for row in store.database.rows("SELECT id FROM labels")}
    if path.suffix.lower() == ".csv":
        by_id = {candidate.id: as_record(candidate) for candidate in candidates}
        rows = (
            by_id[event["candidate_id"]]
            | {"annotator": called[event["annotator"]], "note": event["note"] if names else ""}
            | {name: event[name] for name in ("label", "token")}
            for event in events
            if event["id"] in standing
        )
        with written_whole(path, encoding="utf-8-sig", newline="") as file:
            write_csv(file, CSV_COLUMNS, rows)
        return len(standing)
    lines = [{"kind": "candidate"} | as_record(candidate) for candidate in candidates]
    tokens = {event["id"]: event["token"] for event in events}
    for event in events:
        name = called[event["annotator"]]
        line = event | {"annotator": name, "undoes": tokens.get(event["undoes"])}
        if names and event["annotator"] != name:
            line["name"] = event["annotator"]
        lines.append({k: v for k, v in line.items() if k != "id" and (names or k != "note")})
    write_jsonl(path, lines)
    return len(events)


def import_answers(store: LabelStore, path: Path | str, *, sender: str = "") -> ImportReport:
    """Add the answers of an export: the good rows in one transaction, the bad ones reported.

    Candidates are added where they are new, answers where their token is. The answers of people who label here are
    never added to: those count as there, or are refused.

    Args:
        store: where to.
        path: a file that `export_answers` wrote.
        sender: who it is from: people are filed as `sender:pseudonym`; by default the file's name without its ending.

    Raises:
        UserError: no such file, not an export of answers, or an unusable sender.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    path = Path(path)
    rows = open_import(path)
    stem = "".join(c for c in path.stem if c.isprintable())[:MAX_SENDER]
    sender = sender.strip() or stem.strip() or "import"
    if len(sender) > MAX_SENDER or not sender.isprintable():
        raise UserError(f"The sender {quoted(sender)} must have 1 to {MAX_SENDER} printable characters.")
    candidates: dict[str, Candidate] = {}
    events: list[tuple[int, dict[str, Any]]] = []
    problems: list[RowProblem] = []
    count = 0
    for line, row in answer_rows(rows):
        count += 1
        if count > MAX_ROWS:
            raise UserError(f"{quoted(path.name)} has over {MAX_ROWS:,} rows; import a part of it.")
        try:
            if not isinstance(row, dict):  # a string is the reason why there is no row
                raise UserError(row if isinstance(row, str) else "The line is not a JSON object.")
            if row.get("kind") == "candidate" or "query" in row:
                candidate = candidate_of(row)
                candidates.setdefault(candidate.id, candidate)
            if row.get("kind") != "candidate":
                events.append((line, event_of(row)))
        except UserError as error:
            problems.append(RowProblem(line, str(error)))
    at = stamp(store.clock())
    with store.database.write():
        records = [as_record(candidate) | {"at": at} for candidate in candidates.values()]
        verb = "INSERT OR IGNORE INTO candidates"
        fresh = [record for record in records if store.database.insert(verb, record).rowcount]
        filed = _Filed(store, sender, events)
        added = []
        for place, (line, event) in enumerate(events):
            try:
                if new := filed.new(place, event):
                    added.append(new | {"at": min(new.get("at", at), at)})  # never in the future
                    store.database.insert_event(added[-1])
            except UserError as error:
                problems.append(RowProblem(line, str(error)))
        store.database.to_log([{"kind": "candidate"} | record for record in fresh] + added)
    return ImportReport(
        rows=count,
        added=len(fresh),
        already_there=len(candidates) - len(fresh),
        answers_added=len(added),
        answers_there=filed.there,
        problems=sorted(problems, key=lambda problem: problem.line),
    )


class _Filed:
    """Whom this database files the annotators of a file under, and which of their events are new; inside `write`."""

    def __init__(self, store: LabelStore, sender: str, events: list[tuple[int, dict[str, Any]]]) -> None:
        self.database, self.sender, self.there = store.database, sender, 0
        self.local = {name for name, token in first_tokens(store).items() if not _is_imported(name, token)}
        self.name_of: dict[str, str] = {}  # the file's pseudonym → the name here, known by a token of both
        self.newest: dict[
            tuple[str, str], int
        ] = {}  # pseudonym, candidate → place of the last event that is here
        for place, (_, event) in enumerate(events):
            if (same := find(self.database, event["token"])) and _alike(event, same):
                self.name_of.setdefault(event["annotator"], same["annotator"])
                self.newest[event["annotator"], event["candidate_id"]] = place

    def new(self, place: int, event: dict[str, Any]) -> dict[str, Any] | None:
        """Return the event under its annotator's name here, None if it is there; raises UserError."""
        called, candidate_id, database = event["annotator"], event["candidate_id"], self.database
        same = find(database, event["token"])
        if same and not _alike(event, same):
            raise UserError(
                f"The token {quoted(event['token'])} is already the token of another {same['kind']} "
                f"(candidate {same['candidate_id']}); that one stays."
            )
        name = self.name_of.get(called, f"{self.sender}:{called}")
        if not same and name in self.local:
            raise UserError(f"{called} labels in this database, and said no such thing here; not imported.")
        # An older event than one that is here would, appended now, pass for a newer one.
        if same or place < self.newest.get((called, candidate_id), -1):
            self.there += 1
            return None
        if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [candidate_id]):
            raise UserError(f"There is no candidate {quoted(candidate_id)}, neither here nor in the file.")
        if event["kind"] == "undo":
            answer = "SELECT 1 FROM answers WHERE token = ? AND annotator = ? AND candidate_id = ?"
            if not database.rows(answer, [event["undoes"], name, candidate_id]):
                raise UserError(
                    f"The event {quoted(event['undoes'])} cannot be undone: it is neither here nor in the file, "
                    "somebody else's, of another candidate, or undone already."
                )
        return event | {"annotator": name}


def _alike(event: dict[str, Any], same: dict[str, Any]) -> bool:
    return all(event[name] == same[name] for name in ("kind", "candidate_id", "label"))


def _is_imported(name: str, first_token: str) -> bool:
    """Tell whether a name is of an import; earlier versions filed people under the pseudonym alone."""
    sender, _, last = name.rpartition(":")
    return is_pseudonym(last) and (bool(sender) or name == pseudonym(first_token))
