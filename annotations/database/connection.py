"""The open label database: one connection behind a lock, one writer at a time, the event log beside it."""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from annotations.database.errors import DatabaseUnavailable, NotALabelDatabase
from annotations.database.eventlog import EventLog, log_path
from annotations.database.seen import Seen
from vcs_demo.errors import quoted
from vcs_demo.files import make_private, make_private_folder, unsaved
from vcs_demo.words import problem

MEMORY = ":memory:"
BUSY_SECONDS = 30
APPLICATION_ID = 0x56435341  # "VCSA", in the file's header: tells our databases from other programs'
SCHEMA_VERSION = 3  # the number of the last migration in schema.py
LOGGED = {  # kind in the log → table
    "candidate": "candidates",
    "setting": "settings",
    "gold": "gold",
    "calibration": "calibration",
    "decision": "decisions",
}
KEYS = {"candidates": "id"} | dict.fromkeys(
    ("settings", "gold", "calibration", "decisions", "events"), "token"
)
logger = logging.getLogger(__name__)


class LabelDatabase:
    """Rows in, rows out, for several threads; arguments and errors as of `LabelStore`.

    Attributes:
        reconcile: brings database and log together, inside `write`; called where one of the two was replaced, cut or
            deleted while it was in use.
    """

    def __init__(self, path: Path | str, *, read_only: bool, log: bool = True) -> None:
        self.path = MEMORY if str(path) == MEMORY else Path(path)
        self.lock = RLock()
        self.db = connect(path, read_only=read_only)
        self.log: EventLog | None = None
        self.reconcile: Callable[[LabelDatabase], list[str]] | None = None
        self._seen: Seen | None = None
        if log and not read_only and isinstance(self.path, Path):
            try:
                self.log = EventLog(log_path(self.path))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection and let go of the log."""
        with self.lock:
            self.db.close()
            if self.log:
                self.log.close()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock and an immediate transaction, committed at the end; any error undoes it, in the log too.

        Raises:
            DatabaseUnavailable: SQLite or the disk refused.
        """
        with self.lock:
            try:
                strange = self._seen is not None and self._reopened()
                self.db.execute("BEGIN IMMEDIATE")
                logged = self.log.size() if self.log else 0
                try:
                    if self._seen and self.reconcile and (strange or self._seen.is_behind(self.db, logged)):
                        for sentence in self.reconcile(self):
                            logger.warning("Something was replaced while in use. %s", sentence)
                    yield
                    seen = Seen.of(self.db, Path(self.path), KEYS, self.log.size()) if self.log else None
                    self.db.commit()
                    self._seen = seen
                except BaseException:
                    try:
                        if self.log:
                            self.log.cut(logged)  # before the rollback: nobody else has written to it yet
                    finally:
                        self.db.rollback()
                    raise
            except sqlite3.Error as error:
                raise unsaved(error, self.path, DatabaseUnavailable) from error
            except OSError as error:
                raise unsaved(error, self.log.path if self.log else self.path, DatabaseUnavailable) from error

    def look(self) -> None:
        """Bring database and log together if one was replaced, cut or deleted meanwhile; raises DatabaseUnavailable."""
        with self.lock:
            if self._seen and self.log and not self.db.in_transaction:
                try:
                    same = self._seen.is_there(self.db, SCHEMA_VERSION)
                    same = same and not self._seen.is_behind(self.db, self.log.size())
                except (sqlite3.Error, OSError):
                    same = False  # said by `write`
                if not same:
                    with self.write():
                        pass

    def _reopened(self) -> bool:
        """Open the database anew if another file, or none, is in its place; raises UserError where it cannot be."""
        if self._seen.is_there(self.db, SCHEMA_VERSION):
            return False
        if self.log.size() < self._seen.logged:  # its log is gone too, so somebody means it
            raise problem("unsaved.moved", DatabaseUnavailable, path=quoted(self.path, 300), reason="")
        opened = connect(self.path)
        self.db.close()
        self.db = opened
        return True

    def rows(self, sql: str, params: list | dict | None = None) -> list[dict[str, Any]]:
        """Return a query's rows; raises DatabaseUnavailable."""
        with self.lock:
            self.look()
            try:
                cursor = self.db.execute(sql, params or ())
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor]
            except sqlite3.Error as error:
                facts = {"path": quoted(self.path, 300), "reason": str(error)}
                raise problem("unsaved.unreadable", DatabaseUnavailable, **facts) from error

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
        if event.get("kind") == "undo":
            rows = self.rows("SELECT id FROM events WHERE token = ?", [str(event.get("undoes"))])
            event = event | {"undoes": rows[0]["id"] if rows else None}
        else:
            sql = "DELETE FROM leases WHERE candidate_id = ? AND annotator = ?"
            self.db.execute(sql, [event.get("candidate_id"), event.get("annotator")])
        return self.insert("INSERT INTO events", event).lastrowid

    def add_event(self, event: dict[str, Any]) -> int:
        """Insert an event as `insert_event` and log it; inside `write`."""
        id = self.insert_event(event)
        self.to_log([event])
        return id

    def to_log(self, records: list[dict[str, Any]]) -> None:
        """Append to the event log; inside `write`, before its commit, so that the log never lacks a row."""
        if self.log:
            self.log.append(records)


def connect(path: Path | str, *, read_only: bool = False, older: bool = False) -> sqlite3.Connection:
    """Open a label database, made if need be; for use by several threads behind one lock.

    One of an older version is brought up to date, also where it is to be read only, unless `older` takes it as it is.

    Raises:
        NotALabelDatabase: see the class.
        DatabaseUnavailable: it cannot be opened, or another process holds it for too long.
    """
    target = str(path)
    if target != MEMORY and read_only:
        if not Path(path).is_file():
            raise NotALabelDatabase(
                f"There is no database at {quoted(path)}; run `mine`, `import` or `restore` first."
            )
        target = f"{Path(path).resolve().as_uri()}?mode=ro"
    elif target != MEMORY:
        try:
            make_private_folder(Path(path).parent)
            make_private(Path(path))
        except OSError as error:
            raise unsaved(error, path, DatabaseUnavailable) from error
    db = None
    try:
        db = sqlite3.connect(
            target, BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=read_only
        )
        # Read before any pragma that writes: another program's file must not be touched.
        version = check_ours(db, path, empty=not read_only)
        if read_only and version < SCHEMA_VERSION and not older:
            connect(path).close()
        db.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = FULL")
            if version < SCHEMA_VERSION:
                from annotations.database.schema import migrate  # sqlite_utils takes a second to import

                migrate(db, APPLICATION_ID)
        return db
    except BaseException as error:
        if db:
            db.close()
        if isinstance(error, sqlite3.OperationalError):
            raise unsaved(error, path, DatabaseUnavailable) from error
        if isinstance(error, sqlite3.DatabaseError):
            raise NotALabelDatabase(
                f"{quoted(path)} is not a label database ({error}); if it was one, restart the app or run `restore`."
            ) from error
        raise


def check_ours(db: sqlite3.Connection, path: Path | str, *, empty: bool) -> int:
    """Check that a database is one of labels, or, where that is allowed, empty; return its schema's version.

    Raises:
        NotALabelDatabase: it is another program's, or a newer version's.
        sqlite3.DatabaseError: it is damaged, or no database.
    """
    db.execute("BEGIN")  # one view of the file: another process may be making it at this moment
    try:
        unused = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        version = db.execute("PRAGMA user_version").fetchone()[0]
        ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    finally:
        db.rollback()
    if not ours and not (empty and unused):
        raise NotALabelDatabase(
            f"{quoted(path)} is a database, but not one of labels; give the path of a labels.db."
        )
    if ours and version > SCHEMA_VERSION:
        raise NotALabelDatabase(
            f"{quoted(path)} was written by a newer version of this program (schema {version}, "
            f"this one knows {SCHEMA_VERSION}); update the program."
        )
    return version
