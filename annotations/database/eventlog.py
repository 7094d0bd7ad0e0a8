"""The event log: every candidate and event as a line of JSON beside the database, synced before it counts."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import ReadWriteLock, Timeout

from annotations.database.errors import DatabaseUnavailable
from vcs_demo.errors import quoted
from vcs_demo.files import json_line, make_private, unsaved

LOCK_SECONDS = 1.0


def log_path(database: Path | str) -> Path:
    """Return where the log of a database lies: labels.db → labels.events.jsonl."""
    return Path(database).with_suffix(".events.jsonl")


class EventLog:
    """Append-only JSON lines; a shared lock tells a restore that the database is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = hold(path)
        try:
            make_private(path)
            path.open("ab").close()
        except OSError as error:
            self.close()
            raise unsaved(error, path, DatabaseUnavailable) from error

    def size(self) -> int:
        """Return how many bytes have been written."""
        return self.path.stat().st_size if self.path.exists() else 0

    def append(self, records: Iterable[dict]) -> None:
        """Write records and wait until they are on disk; raises OSError."""
        lines = "".join(map(json_line, records)).encode()
        if not lines:
            return
        make_private(self.path)  # it may have been deleted meanwhile
        with self.path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a write that was cut off must not swallow the next one
                    lines = b"\n" + lines
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def cut(self, size: int) -> None:
        """Take back what was written after so many bytes; raises OSError."""
        if self.size() > size:
            os.truncate(self.path, size)

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()


def hold(log: Path, *, alone: bool = False) -> ReadWriteLock:
    """Lock the database beside a log, shared by all who use it or `alone` to replace it, until `close`.

    Raises:
        DatabaseUnavailable: it is locked the other way, or its folder cannot be written.
    """
    path = log.with_suffix("").with_suffix(".lock")
    try:
        lock = ReadWriteLock(path, timeout=LOCK_SECONDS, is_singleton=False)
        (lock.acquire_write if alone else lock.acquire_read)()
    except Timeout as error:
        raise DatabaseUnavailable(
            f"The database beside {quoted(log)} is in use by the app or another command; stop that first."
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnavailable(f"The lock {quoted(path)} cannot be written: {error}.") from error
    return lock


def read_log(path: Path) -> Iterator[bytes]:
    """Yield the lines of a log that are not empty, in order; the last may have been cut off."""
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
