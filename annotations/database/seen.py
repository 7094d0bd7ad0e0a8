"""What an open database was when it was last written to, to notice that it or its log was replaced since."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Seen:
    """An open database and its log, as they were last seen.

    Attributes:
        path: of the database.
        file: which file it is, by device and number.
        version: SQLite's mark of what other connections have written; it changes with a copy over the file, too.
        latest: (table, its key column) → key of the table's latest row.
        logged: bytes of the log.
    """

    path: Path
    file: tuple[int, int] | None
    version: int
    latest: dict[tuple[str, str], str]
    logged: int

    @classmethod
    def of(cls, db: sqlite3.Connection, path: Path, keys: dict[str, str], logged: int) -> "Seen":
        """Look at an open database: six look-ups at the ends of its tables."""
        latest = {}
        for table, key in keys.items():
            row = db.execute(f"SELECT {key} FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
            if row:
                latest[table, key] = row[0]
        return cls(path, _file(path), _version(db), latest, logged)

    def is_there(self, db: sqlite3.Connection, schema: int) -> bool:
        """Tell whether the open file is still in its place, and not emptied."""
        return _file(self.path) == self.file and db.execute("PRAGMA user_version").fetchone()[0] == schema

    def is_behind(self, db: sqlite3.Connection, logged: int) -> bool:
        """Tell whether the log has lost lines, or the database a row that it had: an older copy lies over it.

        Another process that writes to it takes nothing away.
        """
        if logged < self.logged:
            return True
        return _version(db) != self.version and not all(
            db.execute(f"SELECT 1 FROM {table} WHERE {key} = ?", [value]).fetchone()
            for (table, key), value in self.latest.items()
        )


def _file(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA data_version").fetchone()[0]
