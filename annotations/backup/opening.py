"""How the app opens its label database: checked, held against the event log, and restored where it must be."""

import fcntl
import json
import logging
import sqlite3
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotations.backup.destinations import place_from_environment
from annotations.backup.push import restore_from
from annotations.backup.snapshot import FIELDS, BackupError, RestoreReport, replay_log, restore
from annotations.database.connection import LOGGED
from annotations.database.eventlog import hold, log_path, read_log
from annotations.database.schema import (
    APPLICATION_ID,
    BUSY_SECONDS,
    MEMORY,
    SCHEMA_VERSION,
    DatabaseUnavailable,
    NotALabelDatabase,
)
from annotations.store.label_store import LabelStore
from vcs_demo.errors import quoted

CHECK_SECONDS = 30.0  # a check that takes longer is given up; the app is to start
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeepingReport:
    """What was found and done before a database was opened.

    Attributes:
        action: `new`, `sound`, `mended` (events moved between it and its log), `restored` (from snapshot or log) or
            `fetched` (from the place elsewhere).
        facts: a sentence each; none where all was well.
        seconds: how long it took.
    """

    action: str
    facts: tuple[str, ...]
    seconds: float


def open_store(path: Path | str) -> LabelStore:
    """Open a label database that is sound and agrees with its event log, restored first where it must be.

    Raises:
        BackupError: it is damaged, and there is nothing to restore it from; nothing was changed.
        RemoteError: nothing is here, and the place elsewhere cannot be asked.
        NotALabelDatabase, DatabaseUnavailable: as of `LabelStore`.
    """
    if str(path) != MEMORY:
        for fact in make_sound(path).facts:
            log.warning("%s", fact)
    return LabelStore(path)


def make_sound(path: Path | str) -> KeepingReport:
    """Check a database and mend or restore it; what it replaces is moved aside. Raises as `open_store`."""
    began, path = time.monotonic(), Path(path)
    action, facts = "sound", []
    there = path.exists() and path.stat().st_size > 0
    if there and _foreign(path):
        return KeepingReport("sound", (), time.monotonic() - began)  # LabelStore says what it is
    trouble = _trouble(path, facts) if there else "it is missing"
    if trouble:
        action = _restored(path, trouble if there else "", facts)
    if action != "new" and (mended := _agree(path)):
        facts += mended
        action = "mended" if action == "sound" else action
    return KeepingReport(action, tuple(facts), time.monotonic() - began)


def _foreign(path: Path) -> bool:
    """Tell whether it is sound SQLite, but another program's or a newer version's."""
    try:
        with closing(sqlite3.connect(path, BUSY_SECONDS)) as db:
            ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
            newer = db.execute("PRAGMA user_version").fetchone()[0] > SCHEMA_VERSION
            used = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
            return newer if ours else used
    except sqlite3.DatabaseError:
        return False


def _trouble(path: Path, facts: list[str]) -> str:
    """Return what is wrong with a database's file; empty where nothing is."""
    try:
        with closing(sqlite3.connect(path, BUSY_SECONDS, check_same_thread=False)) as db:
            clock = threading.Timer(CHECK_SECONDS, db.interrupt)
            clock.start()
            try:
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            finally:
                clock.cancel()
                clock.join()
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            facts.append(
                f"The check of {quoted(path)} was given up after {CHECK_SECONDS:.0f} s; nothing was found."
            )
            return ""
        raise DatabaseUnavailable(f"The database {quoted(path)} cannot be opened: {error}.") from error
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if verdict == "ok" else " ".join(verdict.split())


def _restored(path: Path, trouble: str, facts: list[str]) -> str:
    """Restore what is missing (no trouble) or damaged; return the action."""
    events = log_path(path)
    logged = events.is_file() and events.stat().st_size > 0
    copies = sorted((path.parent / "backups").glob(f"{path.stem}-*.db"), reverse=True)
    what = f"The database {quoted(path)} was {f'damaged ({trouble})' if trouble else 'missing'}"
    if not logged and not copies:
        place = place_from_environment()
        report = restore_from(place, path) if place else None
        if report:
            facts.append(f"{what}; it was fetched from {quoted(place.name)}: {report.events} events.")
            return "fetched"
    for copy in copies:
        try:
            if not _same_origin(copy, events):
                facts.append(f"The snapshot {quoted(copy)} is of another database; it was passed over.")
                continue
            report = restore(path, copy)
        except (BackupError, NotALabelDatabase) as error:
            facts.append(f"A snapshot was passed over: {error}")
            continue
        facts.append(_said(what, f"the snapshot {quoted(copy)} and the log", report))
        return "restored"
    if logged:
        facts.append(_said(what, "the event log", restore(path)))
        return "restored"
    if trouble:
        raise BackupError(
            f"The database {quoted(path)} is damaged ({trouble}), and there is neither a log nor a sound snapshot; "
            "put a snapshot into backups/ beside it, or move it away to begin anew."
        )
    return "new"


def _said(what: str, source: str, report: RestoreReport) -> str:
    aside = f"; the former one is {quoted(report.moved_aside)}" if report.moved_aside else ""
    lost = f"; {report.unreadable} lines of the log could not be used" if report.unreadable else ""
    return f"{what}; it was restored from {source}: {report.events} events{lost}{aside}."


def _same_origin(copy: Path, events: Path) -> bool:
    """Tell whether a snapshot and a log share an event; also where one of them has none."""
    try:  # plainly: it may be of an older version
        with closing(sqlite3.connect(f"{copy.resolve().as_uri()}?mode=ro", BUSY_SECONDS, uri=True)) as db:
            ends = db.execute(
                "SELECT token FROM events WHERE id IN ((SELECT min(id) FROM events), (SELECT max(id) FROM events))"
            ).fetchall()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{quoted(copy)} is damaged ({error}).") from error
    wanted, any_event = {token for (token,) in ends}, False
    for record in read_log(events):
        if record and "token" in record:
            any_event = True
            if record["token"] in wanted:
                return True
    return not (wanted and any_event)


def _agree(path: Path) -> list[str]:
    """Bring into the database what only the log has, and into the log what only the database has; say what it was."""
    events = log_path(path)
    try:
        held = hold(events, fcntl.LOCK_EX)
    except DatabaseUnavailable:
        return []  # another process is writing: the two differ for moments
    with held, LabelStore(path, log=False) as store:
        if _same_counts(store, events):
            return []
        if not events.stat().st_size:
            return [f"The event log {quoted(events)} was missing; it was written anew from the database."]
        facts = []
        before = _rows(store)
        replay_log(store, events)
        if gained := _rows(store) - before:
            facts.append(f"{gained} lines of the event log were not in {quoted(path)}; they are now.")
        if lacking := _lacking(store, events):
            aside = (
                f"{path.stem}.replaced-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}-{uuid.uuid4().hex[:4]}"
            )
            events.rename(events.with_name(f"{aside}.events.jsonl"))
            facts.append(
                f"{lacking} rows of {quoted(path)} were not in the event log; it was written anew, and the former "
                f"one is {quoted(aside + '.events.jsonl')}."
            )
        return facts  # where the log is gone now, LabelStore writes it


def _rows(store: LabelStore) -> int:
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in ("candidates", *FIELDS))
    return store.database.rows(f"SELECT {counts} AS n")[0]["n"]


def _same_counts(store: LabelStore, events: Path) -> bool:
    """Compare the numbers of each kind and the last event, without reading every line's content."""
    starts = {f'{{"kind": "{kind}"'.encode(): table for kind, table in LOGGED.items()}
    starts[b'{"kind": "candidate"'] = "candidates"
    counts = dict.fromkeys(("candidates", *FIELDS), 0)
    last = b"{}"
    with events.open("rb") as file:
        for line in file:
            if not line.endswith(b"}\n"):  # a write that was cut off
                continue
            table = next((table for start, table in starts.items() if line.startswith(start)), "events")
            counts[table] += 1
            if table == "events":
                last = line
    found = {table: store.database.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in counts}
    newest = store.database.rows("SELECT token FROM events ORDER BY id DESC LIMIT 1")
    try:
        token = json.loads(last).get("token")
    except ValueError:
        return False
    return counts == found and token == (newest[0]["token"] if newest else None)


def _lacking(store: LabelStore, events: Path) -> int:
    """Count the rows that the log does not have."""
    logged = {"id": set(), "token": set()}
    for record in read_log(events):
        if record:
            key = "id" if record.get("kind") == "candidate" else "token"
            logged[key].add(str(record.get(key)))
    ids = {row["id"] for row in store.database.rows("SELECT id FROM candidates")}
    tokens = {row["token"] for table in FIELDS for row in store.database.rows(f"SELECT token FROM {table}")}
    return len(ids - logged["id"]) + len(tokens - logged["token"])
