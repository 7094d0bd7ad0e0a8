"""Push the event log and daily snapshots elsewhere while the app runs, and fetch them from there.

A destination holds, and so does the outbox, the folder beside the snapshots that is pushed to it:

    events/<group>/<part>.jsonl    the event log in parts that only ever grow
    snapshots/<group>/<time>.db    one a day, the newest seven

A group is named by the time of a data directory's first push. A directory that was restored from a group goes on in
it, in parts of its own name, so that no directory ever writes another's files; what two of them added both comes back.
"""

import atexit
import logging
import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from annotations.backup.destinations import Destination, destination_from_environment
from annotations.backup.snapshot import (
    STAMP,
    BackupError,
    RestoreReport,
    backups,
    move_aside,
    outbox,
    restore,
    snapshot,
)
from annotations.database.errors import NotALabelDatabase
from annotations.database.eventlog import hold, log_path
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError

NOW_SECONDS = 3600.0  # for a push that was asked for
EVERY = 5.0  # minutes between pushes; a hub takes 128 commits an hour
PART_BYTES = 4_000_000  # after which a part is left as it is; a part that has grown is pushed whole
SNAPSHOTS_KEPT = 7
_EVENTS = re.compile(r"events/([\w-]+)/[\w-]+\.jsonl", re.ASCII)
log = logging.getLogger(__name__)


class Outbox:
    """The folder of copies that is pushed: never a live database."""

    def __init__(self, store: LabelStore) -> None:
        self.store, self.folder = store, outbox(store.path)
        self._begin(sorted(path.name for path in self.folder.glob("events/*")))

    def _begin(self, groups: list[str]) -> None:
        run = uuid.uuid4().hex[:4]
        self.group = groups[-1] if groups else f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}-{run}"
        self.events = self.folder / "events" / self.group
        self.events.mkdir(parents=True, exist_ok=True)
        self._own = f"-{run}.jsonl"

    def fill(self) -> int:
        """Copy the log's new lines into a part of this run; return how many they are. Raises DatabaseUnavailable."""
        events = log_path(self.store.path)
        with self.store.database.write():  # so that no line is half written, or taken back later
            parts = sorted(self.events.iterdir())
            end = sum(part.stat().st_size for part in parts)
            with events.open("rb") as file:
                tail = parts[-1].read_bytes()[-4096:] if parts else b""
                file.seek(max(end - len(tail), 0))
                if file.read(len(tail)) != tail:  # another log than the one that was copied
                    self._begin([])
                    file.seek(0)
                    parts = []
                text = file.read()
            text = text[: text.rfind(b"\n") + 1]
            if text:
                part = parts[-1] if parts else Path()
                if not part.name.endswith(self._own) or part.stat().st_size > PART_BYTES:
                    part = self.events / f"p{len(parts) + 1:06}{self._own}"
                with part.open("ab") as copy:
                    copy.write(text)
        return text.count(b"\n")

    def add_snapshot(self, *, now: bool = False) -> None:
        """Add a snapshot, `now` or where something is newer than the last, a day old; the newest seven stay.

        Raises:
            BackupError, DatabaseUnavailable: it could not be made.
        """
        folder, stem = self.folder / "snapshots" / self.group, Path(self.store.path).stem
        moment = datetime.now(UTC)
        name, yesterday = (f"{stem}-{at.strftime(STAMP)}.db" for at in (moment, moment - timedelta(days=1)))
        copies, parts = sorted(folder.glob("*.db")), sorted(self.events.iterdir())
        changed = bool(parts) and (not copies or copies[-1].stat().st_mtime < parts[-1].stat().st_mtime)
        if (now or (changed and (not copies or copies[-1].name < yesterday))) and not (
            folder / name
        ).exists():
            copies.append(snapshot(self.store, folder / name))
            for old in copies[:-SNAPSHOTS_KEPT]:
                old.unlink()


@dataclass(frozen=True)
class PushState:
    """How far the pushing is.

    Attributes:
        destination: the repository or folder.
        last_success: when the destination last had everything; None if it has not yet.
        error: why the last attempt failed; empty if it did not.
    """

    destination: str
    last_success: datetime | None = None
    error: str = ""


class Pusher:
    """Pushes a store's outbox every few minutes and once more at the end; no label ever waits for it or fails by it.

    The hub client's scheduler calls when it is time and finds the files that have grown. To the scheduler this is
    its `HfApi`: it never makes a repository, and it works in threads that do not keep the app from ending.

    Args:
        store: what is backed up.
        destination: where to.
        every: minutes between pushes.
        snapshot: push a new snapshot at once, whether or not one is due.
    """

    def __init__(
        self, store: LabelStore, destination: Destination, *, every: float = EVERY, snapshot: bool = False
    ) -> None:
        self.destination, self.lines = destination, 0
        self._outbox, self._every, self._snapshot = Outbox(store), every, snapshot
        self._state = PushState(destination.name)
        self._one_at_a_time = threading.Lock()
        self._scheduler: Any = None

    def start(self) -> None:
        """Begin; the first push is made at once."""
        from huggingface_hub import CommitScheduler

        self._scheduler = CommitScheduler(
            repo_id=self.destination.name,
            folder_path=self._outbox.folder,
            every=self._every,
            repo_type="dataset",
            allow_patterns=["*.jsonl", "*.db"],
            hf_api=self,
        )
        atexit.unregister(self._scheduler._push_to_hub)  # which would wait for ever

    def stop(self, seconds: float = 20.0) -> None:
        """Push what is left, and wait for it so long at most."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            return
        try:
            scheduler.trigger().result(seconds)
        except TimeoutError:
            self._state = replace(self._state, error=self._state.error or f"no answer in {seconds:.0f} s")
        scheduler.stop()
        if self._state.error:
            log.warning("not all was pushed to %s: %s", self.destination.name, self._state.error)

    @property
    def state(self) -> PushState:
        """Return how far it is."""
        return self._state

    def create_repo(self, repo_id: str, **_: object) -> SimpleNamespace:
        """Return the repository's name: a mistyped one must not be made."""
        return SimpleNamespace(repo_id=repo_id)

    def run_as_future(self, push: Callable[[], object]) -> Future[None]:
        """Fill the outbox and push, one after the other, and note how it went."""
        future: Future[None] = Future()

        def work() -> None:
            with self._one_at_a_time:
                self._push(push)
            future.set_result(None)

        threading.Thread(target=work, name="backup", daemon=True).start()
        return future

    def create_commit(self, *, operations: list, **_: object) -> None:
        """Add files to the destination, and delete the snapshots beyond the newest seven."""
        there, new = self.destination.files(), {file.path_in_repo for file in operations}
        copies = sorted(p for p in {*there, *new} if p.startswith(f"snapshots/{self._outbox.group}/"))
        old = [path for path in copies[:-SNAPSHOTS_KEPT] if path not in new]
        self.destination.add(operations, old)

    def _push(self, push: Callable[[], object]) -> None:
        try:
            self.lines += self._outbox.fill()
            self._outbox.add_snapshot(now=self._snapshot)
            self._snapshot = False
            push()
            self._state = PushState(self.destination.name, datetime.now(UTC))
        except Exception as error:  # whatever it is, it is tried again later
            said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            if said != self._state.error:
                log.warning("not pushed, and tried again later: %s", said)
            self._state = replace(self._state, error=said)


def push_now(store: LabelStore, destination: Destination) -> int:
    """Push a new snapshot and what the log has; return how many lines of the log were new. Raises UserError."""
    pusher = Pusher(store, destination, snapshot=True)
    pusher.start()
    pusher.stop(NOW_SECONDS)
    if pusher.state.error:
        raise UserError(pusher.state.error)
    return pusher.lines


def pusher_from_environment(store: LabelStore) -> Pusher | None:
    """Return a pusher, not started, to what the environment names; None where it names nothing. Raises UserError."""
    destination = destination_from_environment()
    return Pusher(store, destination) if destination and isinstance(store.path, Path) else None


def restore_from(destination: Destination, database: Path | str) -> RestoreReport | None:
    """Put the destination's newest group in the database's place; None where the destination has none.

    Database and log are made beside and checked first; those that were here are moved aside.

    Raises:
        UserError: the destination is out of reach.
        BackupError, DatabaseUnavailable: as of `restore`.
    """
    database = Path(database)
    files = destination.files()
    groups = sorted({found[1] for path in files if (found := _EVENTS.fullmatch(path))})
    if not groups:
        return None
    copies = sorted(path for path in files if path.startswith(f"snapshots/{groups[-1]}/"))
    database.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".pull-", dir=database.parent) as name:
        fresh = Path(name) / database.name
        box = outbox(fresh)
        destination.fetch([f"events/{groups[-1]}/*", *copies[-1:]], box)
        with log_path(fresh).open("wb") as joined:
            for part in sorted((box / "events" / groups[-1]).iterdir()):
                joined.write(part.read_bytes())
        try:
            report = restore(fresh, box / copies[-1] if copies else None, chosen=False)
        except (BackupError, NotALabelDatabase) as error:
            log.warning("the snapshot in %s is passed over: %s", destination.name, error)
            report = restore(fresh)
        with closing(hold(log_path(database), alone=True)):
            aside = move_aside(database, log_path(database), outbox(database))
            log_path(fresh).replace(log_path(database))  # first: with it alone, the next start makes the rest
            fresh.replace(database)
            backups(database).mkdir(exist_ok=True)
            box.replace(outbox(database))
    return replace(report, moved_aside=aside)
