"""Snapshots of the label database, and restoring it from a snapshot, the event log, or both."""

import shutil
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotations.database.connection import LabelDatabase, connect
from annotations.database.errors import DatabaseUnavailable
from annotations.database.eventlog import hold, log_path
from annotations.database.replay import Gap, compare, insert_missing
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import make_private, make_private_folder, partial, unsaved
from vcs_demo.words import problem

STAMP = "%Y%m%dT%H%M%SZ"


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
        log_aside: where the former event log is now; None if it stayed in its place.
    """

    candidates: int
    events: int
    replayed: int
    unreadable: int
    moved_aside: Path | None
    log_aside: Path | None = None


def backups(database: Path | str) -> Path:
    """Return the folder of a database's snapshots."""
    return Path(database).parent / "backups"


def default_path(database: Path | str) -> Path:
    """Return the name of a snapshot made now, by the time in UTC: backups/labels-20250131T093000Z.db."""
    return backups(database) / f"{Path(database).stem}-{datetime.now(UTC).strftime(STAMP)}.db"


def snapshot(store: LabelStore, path: Path | str) -> Path:
    """Write a consistent copy of an open store to a new file, checked, while others may go on labelling.

    Raises:
        BackupError: the file exists, or the copy is damaged.
        DatabaseUnavailable: the store cannot be read.
    """
    path = Path(path)
    if path.exists():
        raise BackupError(f"{quoted(path)} exists already; give a path that does not.")
    part = partial(path)
    try:
        make_private_folder(path.parent)
        make_private(part)
        with store.database.lock, closing(sqlite3.connect(part)) as copy:
            store.database.db.backup(copy)
        check(part)
        part.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise unsaved(error, path, BackupError) from error
    finally:
        for left in (part, part.with_name(f"{part.name}-journal")):
            left.unlink(missing_ok=True)
    return path


def check(path: Path | str) -> None:
    """Check that a file is a sound label database; raises BackupError or NotALabelDatabase."""
    with closing(connect(path, read_only=True, older=True)) as db:
        try:
            verdict = [row[0] for row in db.execute("PRAGMA integrity_check")]
            orphans = db.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.Error as error:
            verdict, orphans = [str(error)], []
    if verdict != ["ok"] or orphans:
        raise BackupError(f"{quoted(path)} is damaged ({quoted(verdict[0])}); take another snapshot.")


def restore(
    database: Path | str, snapshot: Path | str | None = None, *, replay: bool = True
) -> RestoreReport:
    """Put a snapshot in the database's place, and on top what only the log has.

    The new database is made and checked beside the old one; then the old one is moved aside, never overwritten.

    Args:
        database: the path of the database.
        snapshot: None: all is made out of the log.
        replay: off, what only the log has is left out: the log is moved aside too, and what is restored is also the
            newest snapshot, so that what was left out does not come back when the database is lost.

    Raises:
        BackupError: the snapshot is missing or damaged, or there is nothing to restore from.
        NotALabelDatabase: the snapshot is something else.
        DatabaseUnavailable: the app or another command has the database open, or the disk refused.
    """
    try:
        return _restore(Path(database), snapshot, replay)
    except DatabaseUnavailable as error:
        if "path" not in error.values:
            raise
        facts = error.values | {"path": quoted(database)}  # not the name that only we know
        raise problem(error.key, DatabaseUnavailable, **facts) from error
    except OSError as error:
        raise unsaved(error, database, DatabaseUnavailable) from error


def _restore(database: Path, snapshot: Path | str | None, replay: bool) -> RestoreReport:
    log = log_path(database)
    if snapshot is None and not (replay and log.is_file() and log.stat().st_size):
        raise BackupError(f"There is nothing to restore {quoted(database)} from: give a snapshot.")
    if snapshot is not None:
        check(snapshot)
    make_private_folder(database.parent)
    part = partial(database)
    with closing(hold(log, alone=True)):
        try:
            make_private(part)
            if snapshot is not None:
                shutil.copyfile(snapshot, part)
            with closing(LabelDatabase(part, read_only=False, log=False)) as made:
                gap, events = Gap(), 0
                if replay:
                    with made.write():
                        gap = compare(made, log)
                        events = insert_missing(made, gap)
                count = (
                    "SELECT (SELECT count(*) FROM candidates) AS candidates, count(*) AS events FROM events"
                )
                counts = made.rows(count)[0]
            check(part)
            if not replay:
                make_private_folder(backups(database))
                make_private(copy := default_path(database))
                shutil.copyfile(part, copy)
            aside, log_aside = move_aside(database, *([] if replay else [log]))
            part.replace(database)
        finally:
            for left in (part, part.with_name(f"{part.name}-journal")):
                left.unlink(missing_ok=True)
    return RestoreReport(
        **counts, replayed=events, unreadable=gap.unreadable, moved_aside=aside, log_aside=log_aside
    )


def move_aside(database: Path, *more: Path) -> tuple[Path | None, Path | None]:
    """Rename a database with the journal it may have left, and `more` beside it.

    Returns:
        Where the database and its log are now, each None where it was not moved.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S") + f"-{uuid.uuid4().hex[:4]}"
    aside = database.with_name(f"{database.stem}.replaced-{stamp}{database.suffix}")
    moved: dict[Path, Path] = {}
    # The journal first: left behind, SQLite would roll it back into the new database.
    journals = [database.with_name(database.name + suffix) for suffix in ("-journal", "-wal", "-shm")]
    for old in (*journals, *more, database):
        if old.exists():
            moved[old] = old.rename(old.with_name(old.name.replace(database.stem, aside.stem, 1)))
    return moved.get(database), moved.get(log_path(database))
