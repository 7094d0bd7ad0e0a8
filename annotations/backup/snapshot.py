"""Snapshots of the label database, and its restoring from a snapshot, the event log, or both."""

import fcntl
import shutil
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotations.candidates import CANDIDATE_FIELDS
from annotations.database import counters as tally
from annotations.database.connection import LOGGED
from annotations.database.eventlog import hold, log_path, read_log
from annotations.database.events import DEFAULTS, EVENT_FIELDS, now
from annotations.database.schema import connect
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted

FIELDS = {
    "events": EVENT_FIELDS,
    "settings": ("token", "at", "name", "value", "by"),
    "gold": ("token", "at", "candidate_id", "label", "note"),
    "calibration": ("token", "at", "candidate_id", "position"),
    "decisions": ("token", "at", "candidate_id", "adjudicator", "label", "cause", "note", "saw"),
}


class BackupError(UserError, ValueError):
    """A snapshot that exists already, is missing, or is damaged; or nothing to restore from."""


@dataclass(frozen=True)
class RestoreReport:
    """What was restored.

    Attributes:
        candidates: how many candidates there are now.
        events: how many events there are now.
        replayed: how many of the events came out of the log.
        unreadable: lines of the log that could not be read, or that fit nothing.
        moved_aside: where the former database is now; None if there was none.
    """

    candidates: int
    events: int
    replayed: int
    unreadable: int
    moved_aside: Path | None


def snapshot(store: LabelStore, path: Path | str) -> Path:
    """Write a consistent copy of an open store to a new file, checked, while others may go on labelling.

    Raises:
        BackupError: the file exists, or the copy is damaged.
        DatabaseUnavailable: the store cannot be read.
    """
    path = Path(path)
    if path.exists():
        raise BackupError(f"{quoted(path)} exists already; give a path that does not.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    try:
        with store.database.lock, closing(sqlite3.connect(part)) as copy:
            store.database.db.conn.backup(copy)
        check(part)
        part.replace(path)
    except sqlite3.Error as error:
        raise BackupError(f"{quoted(store.path)} cannot be copied: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def default_path(folder: Path) -> Path:
    """Return a snapshot's name in a folder, by the time in UTC: labels-20250131T093000Z.db."""
    return folder / f"labels-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.db"


def check(path: Path | str) -> None:
    """Check that a file is a sound label database; raises BackupError or NotALabelDatabase."""
    db = connect(path, read_only=True, older=True)
    try:
        verdict = [row[0] for row in db.execute("PRAGMA integrity_check")]
        orphans = db.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        verdict, orphans = [str(error)], []
    finally:
        db.close()
    if verdict != ["ok"] or orphans:
        raise BackupError(f"{quoted(path)} is damaged ({quoted(verdict[0])}); take another snapshot.")


def restore(
    database: Path | str, snapshot: Path | str | None = None, *, replay: bool = True
) -> RestoreReport:
    """Put a snapshot in the database's place, and the log's newer events on top.

    The new database is made and checked beside the old one; then the old one is moved aside, never
    overwritten. Without a snapshot, all is made out of the log. With `replay` off, the log is moved aside too
    and begins anew, so that the events after the snapshot do not come back.

    Raises:
        BackupError: the snapshot is missing or damaged, or there is nothing to restore from.
        NotALabelDatabase: the snapshot is something else.
        DatabaseUnavailable: the app or another command has the database open.
    """
    database, log = Path(database), log_path(database)
    if snapshot is None and not (replay and log.is_file() and log.stat().st_size):
        raise BackupError(f"There is nothing to restore {quoted(database)} from: give a snapshot.")
    if snapshot is not None:
        check(snapshot)
    database.parent.mkdir(parents=True, exist_ok=True)
    part = _part(database)
    try:
        with hold(log, fcntl.LOCK_EX):
            if snapshot is not None:
                shutil.copyfile(snapshot, part)
            replayed = unreadable = 0
            with LabelStore(part, log=False) as store:
                if replay:
                    replayed, unreadable = replay_log(store, log)
                with store.database.write():
                    tally.rebuild(store.database.db)
                candidates, events = store.progress()["candidates"], len(store.events())
            check(part)
            aside = _move_aside(database, log if not replay else None)
            part.replace(database)
    finally:
        part.unlink(missing_ok=True)
    return RestoreReport(candidates, events, replayed, unreadable, aside)


def replay_log(store: LabelStore, log: Path) -> tuple[int, int]:
    """Add the log's candidates that are missing, and of each table its rows newer than the last one that is here.

    An unknown row *before* one that is here was never acknowledged (its commit failed) and stays out.
    Returns the number of events added, and of lines that could not be.
    """
    rows = {table: store.database.rows(f"SELECT id, token FROM {table}") for table in FIELDS}
    here = {table: {row["token"]: row["id"] for row in known} for table, known in rows.items()}
    newer: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in FIELDS}
    added = unreadable = 0
    with store.database.write():
        for record in read_log(log):
            if record is None:
                unreadable += 1
                continue
            if record.get("kind") == "candidate":
                row = {name: record.get(name) for name in CANDIDATE_FIELDS} | {
                    "at": record.get("at") or now()
                }
                unreadable += _insert(store, "INSERT OR IGNORE INTO candidates", row) is None
                continue
            table, token = LOGGED.get(str(record.get("kind")), "events"), str(record.get("token"))
            if token in here[table]:
                newer[table].clear()
            else:
                newer[table].pop(
                    token, None
                )  # the last line of a token is the one that can have been committed
                newer[table][token] = record
        for table, records in newer.items():
            for token, record in records.items():
                row = {name: record.get(name, DEFAULTS.get(name)) for name in FIELDS[table]}
                if table == "events":
                    row["undoes"] = here[table].get(str(record.get("undoes")))
                row_id = _insert(store, f"INSERT INTO {table}", row)
                if row_id is None:
                    unreadable += 1
                else:
                    here[table][token] = row_id
                    added += table == "events"
    return added, unreadable


def _insert(store: LabelStore, verb: str, row: dict[str, Any]) -> int | None:
    """Insert a row and return its id; None where the schema refuses it."""
    try:
        return store.database.insert(verb, row).lastrowid
    except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError):
        return None


def _move_aside(database: Path, log: Path | None) -> Path | None:
    """Rename the database, a journal it may have left, and the log if given; return the database's new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S") + f"-{uuid.uuid4().hex[:4]}"
    aside = database.with_name(f"{database.stem}.replaced-{stamp}{database.suffix}")
    there = database.exists()
    # The journal first: left behind, SQLite would roll it back into the new database.
    for suffix in ("-journal", "-wal", "-shm", ""):
        old = database.with_name(database.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    if log and log.exists():
        log.rename(log_path(aside))
    return aside if there else None


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
