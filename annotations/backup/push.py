"""The log and the snapshots pushed elsewhere while the app runs, and had back from there."""

import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from annotations.backup.destinations import Place, RemoteError, place_from_environment, sync
from annotations.backup.histories import History, LogReader, histories
from annotations.backup.snapshot import BackupError, RestoreReport, restore, snapshot
from annotations.database.eventlog import log_path
from annotations.database.schema import NotALabelDatabase
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted

PART_BYTES = 4_000_000  # of a part; a hub keeps what is larger than 10 MB in another way
SNAPSHOTS_KEPT = 7
SNAPSHOT_AGE = timedelta(days=1)
SNAPSHOT_LINES = 20_000
EVERY = 300.0  # seconds between pushes; a hub takes 128 commits an hour
RETRY, RETRY_MOST = 30.0, 3600.0  # seconds until the next attempt, doubled by every failure
log = logging.getLogger(__name__)


class Pusher:
    """Pushes a store's log and snapshots to a place; where it left off is read off the place itself."""

    def __init__(self, store: LabelStore, place: Place) -> None:
        self.store, self.place = store, place
        self.reader = LogReader(log_path(store.path))
        self._history = ""  # empty: the place has not been asked yet, or a push failed

    def push(self, copy: Path | None = None) -> int:
        """Push the log's new lines, and a snapshot where one is due (or `copy`); return how many lines it were.

        Raises:
            RemoteError: see its kinds. What was pushed before stays, and the next push goes on after it.
            BackupError, DatabaseUnavailable: a snapshot could not be made.
        """
        if self._history and copy is None and not self.reader.behind():
            return 0
        pushed = 0
        try:
            with _alone(Path(self.store.path)):
                size = self.reader.size()  # what is written while this pushes is for the next time
                while True:
                    history = self._find(histories(self.place.files()))
                    after = self.reader.copy()
                    part = after.read(PART_BYTES) if self.reader.offset < size else b""
                    if not part:
                        break
                    self.place.add(
                        {history.part_path(self.reader.lines + 1, after.lines, after.digest): part}
                    )
                    pushed += after.lines - self.reader.lines
                    self.reader = after
                self._push_snapshot(history, copy)
        except BaseException:
            self._history = ""
            raise
        return pushed

    def _find(self, found: list[History]) -> History:
        """Put the reader behind what the place has of this log; return its history, a new one if it has nothing."""
        for history in found:
            if history.name == self._history and history.end == (self.reader.lines, self.reader.digest):
                return history
        reader, fitting = LogReader(self.reader.path), []
        for history in sorted(found, key=lambda h: h.end):
            reader.skip_to(history.end[0])
            if history.end == (reader.lines, reader.digest):
                fitting.append(history)
        if not fitting and found:
            log.warning(
                "the log in %s is another than the one here; this one is put beside it", self.place.name
            )
        history = max(fitting, key=lambda h: h.name) if fitting else History.begin()
        self.reader = LogReader(self.reader.path)
        self.reader.skip_to(history.end[0])
        self._history = history.name
        return history

    def _push_snapshot(self, history: History, copy: Path | None) -> None:
        at, lines = history.snapshots[-1][:2] if history.snapshots else (datetime.min.replace(tzinfo=UTC), 0)
        new = self.reader.lines - lines
        due = new > 0 and (datetime.now(UTC) - at > SNAPSHOT_AGE or new >= SNAPSHOT_LINES)
        if copy is None and not due:
            return
        with TemporaryDirectory(prefix=".push-", dir=Path(self.store.path).parent) as folder:
            copy = copy or snapshot(self.store, Path(folder) / "copy.db")
            old = [path for _, _, path in history.snapshots[: 1 - SNAPSHOTS_KEPT]]
            self.place.add({history.snapshot_path(self.reader.lines): copy}, old)


@dataclass(frozen=True)
class PushState:
    """How far the pushing is.

    Attributes:
        place: the repository or folder.
        last_push: when the place last had everything; None if it has not yet.
        lag: lines of the log (candidates and events) that the place does not have yet.
        error: why the last attempt failed; empty if it did not.
    """

    place: str
    last_push: datetime | None
    lag: int
    error: str


class Keeper:
    """A thread that pushes every few minutes and once more at the end; no label ever waits for it or fails by it."""

    def __init__(self, store: LabelStore, place: Place, every: float = EVERY, retry: float = RETRY) -> None:
        self._pusher, self._every, self._retry = Pusher(store, place), every, retry
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)
        self._last: datetime | None = None
        self._error = ""
        self._said: set[str] = set()

    def start(self) -> None:
        """Begin; the first push is made at once."""
        self._thread.start()

    def stop(self, seconds: float = 20.0) -> None:
        """Push what is left, and wait for it so long at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
            if self._thread.is_alive() or self._error:
                log.warning(
                    "not all was pushed to %s: %s", self._pusher.place.name, self._error or "no time left"
                )

    @property
    def state(self) -> PushState:
        """Return how far it is."""
        return PushState(self._pusher.place.name, self._last, self._pusher.reader.behind(), self._error)

    def _run(self) -> None:
        failures, pause = 0, 0.0
        while True:
            last = self._stopping.wait(pause)
            if self._attempt():
                failures, pause = 0, self._every
            else:
                pause = min(self._retry * 2**failures, RETRY_MOST)
                failures += 1
            if last:
                return

    def _attempt(self) -> bool:
        try:
            self._pusher.push()
        except Exception as error:  # whatever it is, the thread goes on and tries again
            self._error = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            kind = getattr(error, "kind", type(error).__name__)
            if kind not in self._said:
                self._said.add(kind)
                log.warning("not pushed, and tried again later: %s", self._error)
            return False
        if self._error:
            log.warning("pushed to %s again", self._pusher.place.name)
        self._last, self._error = datetime.now(UTC), ""
        return True


def keeper_from_environment(store: LabelStore) -> Keeper | None:
    """Return a keeper, not started, for the place that the environment names; None where it names none.

    Raises:
        RemoteError: it names two, or something that is no repository.
    """
    place = place_from_environment()
    return Keeper(store, place) if place and isinstance(store.path, Path) else None


def restore_from(place: Place, database: Path | str) -> RestoreReport | None:
    """Put the place's newest history in the database's place; None where the place has none.

    Database and log are made beside and checked first; those that were here are moved aside.

    Raises:
        RemoteError: the place is out of reach, or its files are not all there or not what was pushed.
        BackupError, DatabaseUnavailable: as of `backup.restore`.
    """
    database = Path(database)
    found = histories(place.files())
    if not found:
        return None
    history = found[-1]
    database.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".pull-", dir=database.parent) as name:
        folder = Path(name)
        fresh = folder / database.name
        copies = [path for _, _, path in reversed(history.snapshots)]
        place.fetch([f"events/{history.name}/*", *copies[:1]], folder)
        _join(history, folder, log_path(fresh), place.name)
        try:
            made = restore(fresh, folder / copies[0] if copies else None)
        except (BackupError, NotALabelDatabase) as error:
            log.warning("the snapshot in %s is passed over: %s", place.name, error)
            made = restore(fresh)
        aside = None
        if database.exists() or LogReader(log_path(database)).size():
            aside = restore(database, fresh, replay=False).moved_aside
        log_path(fresh).replace(log_path(database))
        if not database.exists():
            fresh.replace(database)
        sync(database.parent)
    return RestoreReport(made.candidates, made.events, made.replayed, made.unreadable, aside)


def _join(history: History, folder: Path, target: Path, name: str) -> None:
    """Write the parts, each checked, into one log."""
    reader = LogReader(target)
    with target.open("wb") as joined:
        for first, last, digest, path in history.parts:
            part = folder / path
            joined.write(part.read_bytes() if part.is_file() else b"")
            joined.flush()
            whole = first == reader.lines + 1
            reader.skip_to(last)
            if not whole or (reader.lines, reader.digest) != (last, digest) or reader.behind():
                raise RemoteError(
                    "damaged",
                    f"{quoted(path)} in {quoted(name)} is not what was pushed, or what came before is missing; "
                    "take an earlier state of that place, or a snapshot of it by `restore`.",
                )
    sync(target)


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold this data directory's right to push."""
    with database.with_suffix(".push-lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RemoteError(
                "busy", "The app or another command is pushing at the moment; try again."
            ) from error
        yield
