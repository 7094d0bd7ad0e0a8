"""What every annotator said, out and in again: the whole history as JSONL, or the standing labels as CSV."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS
from annotations.exchange.answer_rows import NUMBERS, candidate_of, event_of, given_label, read
from annotations.exchange.cells import guard
from annotations.exchange.files import (
    BadImport,
    check_file,
    json_line,
    read_csv,
    read_jsonl,
    write_lines,
)
from annotations.exchange.merging import AnswersReport, BadAnswer, Incoming, merge
from annotations.people.pseudonyms import first_tokens, is_pseudonym, pseudonyms
from annotations.store.label_store import LabelStore
from vcs_demo.errors import quoted

CSV_COLUMNS = (*CANDIDATE_FIELDS, "annotator", "label", "note", "token", "first_token")


def export_answers(store: LabelStore, path: Path | str, *, names: bool = False) -> int:
    """Write every annotator's own answers; return how many.

    As JSONL: a line a candidate and a line an event (label, skip, undo), in the order in which they came. As
    CSV (by the path's ending): a row a standing label, with its candidate; `first_token` is what the
    annotator's pseudonym is made of. Annotators are pseudonyms that stay the same from export to export, and
    notes, which can hold names, are left out.

    Args:
        store: the answers.
        path: where to; what is there is replaced.
        names: also write the annotators' names (in JSONL) and the notes.
    """
    path = Path(path)
    called = pseudonyms(store)
    with store.database.lock:
        candidates = store.candidates()
        events = store.events()
        standing = {row["id"] for row in store.database.rows("SELECT id FROM labels")}
    if path.suffix.lower() == ".csv":
        by_id = {candidate.id: candidate for candidate in candidates}
        firsts = first_tokens(store)
        rows = [
            {name: getattr(by_id[event["candidate_id"]], name) for name in CANDIDATE_FIELDS}
            | {"annotator": called[event["annotator"]], "label": event["label"], "token": event["token"]}
            | {"note": event["note"] if names else "", "first_token": firsts[event["annotator"]]}
            for event in events
            if event["id"] in standing
        ]
        write_lines(path, _csv_lines(rows), "utf-8-sig")
        return len(rows)
    lines = [
        {"kind": "candidate"} | {name: getattr(c, name) for name in CANDIDATE_FIELDS} for c in candidates
    ]
    token = {event["id"]: event["token"] for event in events}
    for event in events:
        name = called[event["annotator"]]
        line = event | {"annotator": name, "undoes": token.get(event["undoes"])}
        if names and event["annotator"] != name:
            line["name"] = event["annotator"]
        lines.append({k: v for k, v in line.items() if k != "id" and (names or k != "note")})
    write_lines(path, map(json_line, lines))
    return len(events)


def import_answers(store: LabelStore, path: Path | str, *, sender: str = "") -> AnswersReport:
    """Merge a file of answers (.jsonl or .csv): the good lines in one transaction, the bad ones reported.

    Candidates are added where they are new. Events are known by their token: one that is there already counts
    as such, with another content it is refused. Who an event may be of, `annotations.exchange.merging` says; names in
    the file are not taken over. Rows of a CSV whose annotators are no pseudonyms are filed under
    `sender:annotator` (`csv:…` by default), and one of these changes only the label that an earlier one gave.

    Raises:
        BadImport: no such file, neither kind, too large, or unreadable.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() == ".csv":
        rows, take = read_csv(path, lambda header: _check_header(header, path)), _take_csv
    elif path.suffix.lower() == ".jsonl":
        rows, take = read_jsonl(path), _take_jsonl
    else:
        raise BadImport(f"{quoted(path.name)} holds no answers; give a .jsonl or .csv file.")
    return merge(store, read(rows, lambda line, row, into: take(line, row, into, sender), path))


def _take_jsonl(line: int, row: dict[str, Any], into: Incoming, sender: str) -> None:
    if row.get("kind") == "candidate":
        candidate = candidate_of(row)
        into.candidates.setdefault(candidate.id, candidate)
    else:
        event = event_of(row)
        into.tokens.add(event["token"])
        into.events.append((line, event))


def _take_csv(line: int, row: dict[str, Any], into: Incoming, sender: str) -> None:
    row = {str(name).strip().lower(): cell or None for name, cell in row.items()}
    row["passage"] = row.get("passage") or row.get("negative")
    for name, parse in NUMBERS.items():
        try:
            row[name] = parse(row[name]) if row.get(name) else None
        except ValueError as error:
            raise BadAnswer(f"The {name} is {quoted(row[name])}; it must be a number.") from error
    candidate = candidate_of(row)
    if is_pseudonym(row.get("annotator") or ""):
        event = event_of(row | {"kind": "label", "candidate_id": candidate.id, "at": None})
        into.tokens.add(row.get("first_token") or event["token"])
        into.events.append((line, event))
    else:
        given = given_label(
            sender,
            row.get("annotator"),
            candidate.id,
            row.get("label"),
            note=row.get("note") or "",
            interface="csv",
        )
        into.given.append((line, given))
    into.candidates.setdefault(candidate.id, candidate)


def _csv_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for cells in (dict(zip(CSV_COLUMNS, CSV_COLUMNS, strict=True)), *rows):
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
            guard(cells[name]) if isinstance(cells[name], str) else cells[name] for name in CSV_COLUMNS
        )
        yield line.getvalue()


def _check_header(header: list[str], path: Path) -> None:
    missing = {"query", "positive", "annotator", "label"} - {name.strip().lower() for name in header}
    if missing:
        raise BadImport(
            f"{quoted(path.name)} has no column {', '.join(sorted(missing))}; it holds no answers."
        )
