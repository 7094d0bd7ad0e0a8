"""Open the label database, restored first where it is missing or damaged."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from annotations.backup.destinations import destination_from_environment
from annotations.backup.outbox import outbox_folder
from annotations.backup.push import restore_from
from annotations.backup.snapshot import BackupError, RestoreReport, backups, restore
from annotations.database.connection import BUSY_SECONDS, MEMORY, check_ours
from annotations.database.errors import DatabaseUnavailable, NotALabelDatabase
from annotations.database.eventlog import log_path
from annotations.store.label_store import LabelStore
from vcs_demo.errors import quoted
from vcs_demo.files import unsaved

log = logging.getLogger(__name__)


def open_store(path: Path | str) -> LabelStore:
    """Open a label database, restored first where it is missing or damaged; what it replaces is moved aside.

    It is restored from the newest sound snapshot and the event log, or from the log alone; where this disk has
    neither, from the destination that the environment names.

    Raises:
        BackupError: it is damaged, and there is nothing to restore it from; nothing was changed.
        UserError: nothing is here, and the destination cannot be reached.
        NotALabelDatabase, DatabaseUnavailable: as of `LabelStore`.
    """
    if str(path) != MEMORY:
        for sentence in repair(Path(path)):
            log.warning("%s", sentence)
    return LabelStore(path)


def repair(path: Path) -> list[str]:
    """Restore a database that is missing or damaged; return what was done. Raises as `open_store`."""
    is_file = path.exists() and path.stat().st_size > 0
    trouble = _trouble(path) if is_file else "missing"
    if not trouble:
        return []
    what = f"The database {quoted(path)} was {f'damaged ({trouble})' if is_file else 'missing'}"
    events = log_path(path)
    logged = events.is_file() and events.stat().st_size > 0
    name = f"{path.stem}-*.db"
    copies = [*backups(path).glob(name), *outbox_folder(path).rglob(name)]
    copies.sort(key=lambda copy: copy.name, reverse=True)
    if not logged and not copies:
        destination = destination_from_environment()
        report = restore_from(destination, path) if destination else None
        if report:
            return [_sentence(what, quoted(destination.name), report)]
    sentences = []
    for copy in [*copies, None] if logged else copies:
        try:
            report = restore(path, copy)
        except (BackupError, NotALabelDatabase) as error:
            sentences.append(f"A snapshot was passed over: {error}")
            continue
        return [
            *sentences,
            _sentence(what, f"the snapshot {quoted(copy)} and the log" if copy else "the event log", report),
        ]
    if is_file:
        raise BackupError(
            f"The database {quoted(path)} is damaged ({trouble}), and there is neither a log nor a sound snapshot; "
            "put a snapshot into backups/ beside it, or move it away to begin anew."
        )
    return sentences


def _trouble(path: Path) -> str:
    """Return what is wrong with a database's file; empty where nothing is.

    Raises:
        NotALabelDatabase: it is sound, but not ours to repair.
        DatabaseUnavailable: it cannot be opened.
    """
    try:
        with closing(sqlite3.connect(path, BUSY_SECONDS)) as db:
            check_ours(db, path, empty=True)
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise unsaved(error, path, DatabaseUnavailable) from error
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if verdict == "ok" else " ".join(verdict.split())


def _sentence(what: str, source: str, report: RestoreReport) -> str:
    aside = f"; the former one is {quoted(report.moved_aside)}" if report.moved_aside else ""
    lost = f"; {report.unreadable} lines of the log could not be used" if report.unreadable else ""
    return f"{what}; it was restored from {source}: {report.events} events{lost}{aside}."
