"""The open label database: one connection behind a lock, one writer at a time, the event log beside it."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from annotations.database.eventlog import EventLog, log_path
from annotations.database.schema import MEMORY, DatabaseUnavailable, connect
from vcs_demo.errors import quoted

LOGGED = {  # kind in the log → table
    "setting": "settings", "gold": "gold", "calibration": "calibration", "decision": "decisions"
}  # fmt: skip


class LabelDatabase:
    """Rows in, rows out, for several threads; arguments and errors as of `LabelStore`."""

    def __init__(self, path: Path | str, *, read_only: bool, log: bool) -> None:
        self.path = MEMORY if str(path) == MEMORY else Path(path)
        self.lock = RLock()
        self.db = connect(path, read_only=read_only)
        self._log: EventLog | None = None
        if log and not read_only and isinstance(self.path, Path):
            try:
                self._log = EventLog(log_path(self.path))
                self._fill_empty_log()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection and let go of the log."""
        with self.lock:
            self.db.close()
            if self._log:
                self._log.close()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock and an immediate transaction, committed at the end; any error undoes it, in the log too.

        Raises:
            DatabaseUnavailable: SQLite or the disk refused.
        """
        with self.lock:
            try:
                self.db.execute("BEGIN IMMEDIATE")
                logged = self._log.size() if self._log else 0
                try:
                    yield
                    self.db.commit()
                except BaseException:
                    try:
                        if self._log:
                            self._log.cut(logged)  # before the lock goes: nobody else has written to it yet
                    finally:
                        self.db.rollback()
                    raise
            except (sqlite3.Error, OSError) as error:
                raise DatabaseUnavailable(f"Not saved in {quoted(self.path)}: {error}.") from error

    def rows(self, sql: str, params: list | dict | None = None) -> list[dict[str, Any]]:
        """Return a query's rows; raises DatabaseUnavailable."""
        with self.lock:
            try:
                return list(self.db.query(sql, params))
            except sqlite3.Error as error:
                raise DatabaseUnavailable(f"{quoted(self.path)} cannot be read: {error}.") from error

    def insert(self, verb: str, record: dict[str, Any]) -> sqlite3.Cursor:
        """Insert one row (`verb` such as `INSERT INTO events`), inside `write`."""
        values = ", ".join("?" * len(record))
        return self.db.execute(f"{verb} ({', '.join(record)}) VALUES ({values})", list(record.values()))

    def add(self, kind: str, records: list[dict[str, Any]]) -> None:
        """Insert rows of a kind of `LOGGED`, each with a token of its own, and log them; inside `write`."""
        rows = [{"token": uuid.uuid4().hex} | record for record in records]
        for row in rows:
            self.insert(f"INSERT INTO {LOGGED[kind]}", row)
        self.to_log([{"kind": kind} | row for row in rows])

    def insert_event(self, event: dict[str, Any]) -> int:
        """Insert an event, `undoes` a token, and return its id; an answer ends its annotator's leases of it."""
        if event["kind"] == "undo":
            row = self.rows("SELECT id FROM events WHERE token = ?", [event["undoes"]])
            event = event | {"undoes": row[0]["id"] if row else None}
        else:
            sql = "DELETE FROM leases WHERE candidate_id = ? AND annotator = ?"
            self.db.execute(sql, [event["candidate_id"], event["annotator"]])
        return self.insert("INSERT INTO events", event).lastrowid

    def add_event(self, event: dict[str, Any]) -> int:
        """Insert an event and log it; inside `write`."""
        id = self.insert_event(event)
        self.to_log([event])
        return id

    def to_log(self, records: list[dict[str, Any]]) -> None:
        """Append to the event log; inside `write`, before its commit, so that the log never lacks a row."""
        if self._log:
            self._log.append(records)

    def _fill_empty_log(self) -> None:
        """Write what the database holds into a log that is empty: of a snapshot copied here alone, say."""
        if not self._log or self._log.size():
            return
        with self.write():
            candidates = self.rows("SELECT * FROM candidates ORDER BY rowid")
            events = self.rows("SELECT * FROM events ORDER BY id")
            token = {event["id"]: event["token"] for event in events}
            records = [{"kind": "candidate"} | row for row in candidates]
            records += [event | {"undoes": token.get(event["undoes"])} for event in events]
            for kind, table in LOGGED.items():
                records += [{"kind": kind} | row for row in self.rows(f"SELECT * FROM {table} ORDER BY id")]
            self.to_log(records)
