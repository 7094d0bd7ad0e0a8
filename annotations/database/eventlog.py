"""The event log: every candidate and event as a line of JSON beside the database, synced before it counts."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from annotations.database.schema import DatabaseUnavailable
from vcs_demo.errors import quoted


def log_path(database: Path | str) -> Path:
    """Return where the log of a database lies: labels.db → labels.events.jsonl."""
    return Path(database).with_suffix(".events.jsonl")


class EventLog:
    """Append-only JSON lines; a shared lock on the file tells a restore that the database is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = hold(path, fcntl.LOCK_SH)

    def size(self) -> int:
        """Return how many bytes have been written."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, size: int) -> None:
        """Take back what was written after so many bytes; raises OSError."""
        if self.size() > size:
            os.truncate(self.path, size)

    def append(self, records: Iterable[dict]) -> None:
        """Write records and wait until they are on disk; raises OSError."""
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
        if not lines:
            return
        with self.path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a write that was cut off must not swallow the next one
                    lines = b"\n" + lines
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Release the lock."""
        self._held.close()


def hold(path: Path, kind: int) -> IO[bytes]:
    """Open a log and lock it (`fcntl.LOCK_SH` to use its database, `LOCK_EX` to replace it) until closed.

    Raises:
        DatabaseUnavailable: it is locked the other way, or cannot be opened.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise DatabaseUnavailable(
            f"The event log {quoted(path)} cannot be written: {error.strerror}."
        ) from error
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DatabaseUnavailable(
            f"The database beside {quoted(path)} is in use by the app or another command; stop that first."
        ) from error
    return file


def read_log(path: Path) -> Iterator[dict | None]:
    """Yield the records of a log in order; None for a line that cannot be read (a write that was cut off)."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            yield record if isinstance(record, dict) else None
