"""Recovery by one rule: what the event log has and the database lacks is replayed, by token (candidates by id).

The log is written before the commit, so a process that is killed between the two leaves an event of which nobody was
told that it is saved. It is replayed at the next start, before anybody can label: it is what the person said, it ends
the lease it was given under, and the same token sent again finds it. (A write that fails takes its lines back at once.
Only where another process goes on meanwhile, and gives the candidate to somebody else after the lease has ended, can
there be one label more than the overlap.) Of several lines with one token the last counts; no other was committed.

The other way round, rows that the log lacks, because it was lost or a snapshot was copied here alone, are appended to
it, and what came after them again, so that the log stays in the order of the database.
"""

import json
import re
import sqlite3
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import Any

from annotations.database.connection import LOGGED, LabelDatabase
from annotations.database.eventlog import read_log
from vcs_demo.errors import quoted

_REFUSED = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
KINDS = {table: kind for kind, table in LOGGED.items()} | {"events": ""}
_KEY = re.compile(rb'\{(?:"kind": "(\w+)", )?"(?:id|token)": "([^"\\]+)"')  # of a line as we write it


@dataclass
class Gap:
    """What an event log and a database do not share.

    Attributes:
        missing: (table, key) → the log's record of a row that the database lacks, in the log's order.
        unlogged: table → keys of the rows that the log lacks.
        unreadable: how many lines are damaged, or fit nothing.
        cut: how many of these are not JSON, as a write leaves it that was cut off.
    """

    missing: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    unlogged: dict[str, set[str]] = field(default_factory=dict)
    unreadable: int = 0
    cut: int = 0


def compare(database: LabelDatabase, log: Path) -> Gap:
    """Read the log once and return what it and the database do not share."""
    sql = {table: f"SELECT {_key(table)} FROM {table}" for table in KINDS}
    here = {table: {row[0] for row in database.db.execute(query)} for table, query in sql.items()}
    gap = Gap(unlogged={table: set(keys) for table, keys in here.items()})
    tables = {kind.encode(): table for kind, table in LOGGED.items()}
    for line in read_log(log):
        start = _KEY.match(line) if line.endswith(b"}\n") else None
        if start:  # known without reading the rest: nearly every line, at nearly every start
            table, key = tables.get(start[1], "events"), start[2].decode("utf-8", "replace")
        if not start or key not in here[table]:
            record = _record(line)
            if record is None:
                gap.unreadable += 1
                gap.cut += 1
                continue
            table = LOGGED.get(str(record.get("kind")), "events")
            key = record.get(_key(table))
            if not isinstance(key, str):
                gap.unreadable += 1
                continue
            if key not in here[table]:
                gap.missing.pop((table, key), None)
                gap.missing[table, key] = record
        gap.unlogged[table].discard(key)
    return gap


def insert_missing(database: LabelDatabase, gap: Gap) -> int:
    """Insert the rows that are missing, inside `write`; return how many of them are events."""
    events, columns = 0, {table: _columns(database, table) for table in KINDS}
    waiting = list(gap.missing.items())
    while waiting:
        refused = []
        for (table, key), record in waiting:
            row = {name: record[name] for name in columns[table] if name in record}
            try:
                if table == "events":
                    database.insert_event(row)
                    events += 1
                else:
                    database.insert(f"INSERT INTO {table}", row)
            except (*_REFUSED, OverflowError, TypeError, ValueError):
                refused.append(((table, key), record))
        if len(refused) == len(waiting):  # the schema refuses these, or SQLite such a value
            gap.unreadable += len(refused)
            break
        waiting = (
            refused  # a line may stand before the one that it needs, as in a log that was sorted or merged
        )
    return events


def catch_up(database: LabelDatabase) -> list[str]:
    """Bring into the database what its log has, and into the log what the database has; return what was done.

    Raises:
        DatabaseUnavailable: one of the two cannot be read or written.
    """
    if database.log is None:
        return []
    database.reconcile = reconcile
    with database.write():  # nobody writes to either meanwhile
        return reconcile(database)


def reconcile(database: LabelDatabase) -> list[str]:
    """Do what `catch_up` does, inside `write`."""
    gap = compare(database, database.log.path)
    unreadable = gap.unreadable
    insert_missing(database, gap)
    database.to_log(_unlogged(database, gap))
    here, sentences = quoted(database.path), []
    if gained := len(gap.missing) - (gap.unreadable - unreadable):
        sentences.append(f"{gained} lines of the event log were not in {here}; they are now.")
    if lacking := sum(map(len, gap.unlogged.values())):
        sentences.append(f"{lacking} rows of {here} were not in the event log; they are now.")
    if odd := gap.unreadable - gap.cut:
        sentences.append(f"{odd} lines of {quoted(database.log.path)} fit no table; they were left out.")
    return sentences


def _unlogged(database: LabelDatabase, gap: Gap) -> list[dict[str, Any]]:
    """Return the records of each table from the first row on that the log lacks."""
    records = []
    for table, kind in KINDS.items():
        keys, key, names = gap.unlogged[table], _key(table), _columns(database, table)
        rows = database.rows(f"SELECT * FROM {table} ORDER BY rowid") if keys else []
        tokens = {row["id"]: row[key] for row in rows}  # to name an undone event
        for row in dropwhile(lambda row, keys=keys, key=key: row[key] not in keys, rows):
            record = {name: row[name] for name in names}
            records.append(
                {"kind": kind} | record if kind else record | {"undoes": tokens.get(row["undoes"])}
            )
    return records


def _key(table: str) -> str:
    return "id" if table == "candidates" else "token"


def _columns(database: LabelDatabase, table: str) -> list[str]:
    """Return the columns that the log has: all but the numbers, which a restored database gives anew."""
    names = [row["name"] for row in database.rows(f"SELECT name FROM pragma_table_info('{table}')")]
    return [name for name in names if name != "id" or table == "candidates"]


def _record(line: bytes) -> dict[str, Any] | None:
    """Return a line's record; None for one that was cut off."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
