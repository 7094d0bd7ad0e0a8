"""Push the outbox every few minutes while the app runs, and restore from where it was pushed to."""

import atexit
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from annotations.backup.destinations import Destination, Repository, destination_from_environment
from annotations.backup.outbox import Outbox, outbox_folder
from annotations.backup.snapshot import BackupError, RestoreReport, backups, move_aside, restore
from annotations.database.errors import NotALabelDatabase
from annotations.database.eventlog import hold, log_path
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.files import make_private_folder, sweep

EVERY = 5.0  # minutes between pushes; a hub takes 128 commits an hour
NOW_SECONDS = 3600.0  # for a push that was asked for
log = logging.getLogger(__name__)


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
    """Pushes a store every few minutes and once more at the end; no label ever waits for it or fails by it.

    The hub client's scheduler calls when it is time and finds the files that are new. To the scheduler this is its
    `HfApi`: one that never makes a repository, and works in threads that do not keep the app from ending.

    Args:
        store: what is backed up.
        destination: where to.
        every: minutes between pushes.
        snapshot: push a new snapshot at once, whether or not one is due.
    """

    def __init__(
        self, store: LabelStore, destination: Destination, *, every: float = EVERY, snapshot: bool = False
    ) -> None:
        self.store, self.destination, self.lines = store, destination, 0
        self._every, self._snapshot = every, snapshot
        self._outbox: Outbox | None = None
        self._state = PushState(destination.name)
        self._one_at_a_time = threading.Lock()
        self._scheduler: Any = None
        self._stopped = False

    def start(self) -> None:
        """Begin; the first push is made at once."""
        from huggingface_hub import CommitScheduler

        make_private_folder(outbox_folder(self.store.path))
        self._scheduler = CommitScheduler(
            repo_id=self.destination.name,
            folder_path=outbox_folder(self.store.path),
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
        idle = self._one_at_a_time.acquire(
            timeout=seconds
        )  # a push of the scheduler's own may have just begun
        self._stopped = True
        if idle:
            self._one_at_a_time.release()
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
                if not self._stopped:
                    self._push(push)
            future.set_result(None)

        threading.Thread(target=work, name="backup", daemon=True).start()
        return future

    def create_commit(self, *, operations: list, **_: object) -> None:
        """Commit files that are new to the repository."""
        self.destination.commit(operations)

    def _push(self, push: Callable[[], object]) -> None:
        try:
            folder = self.destination.box(outbox_folder(self.store.path))
            self._outbox = self._outbox or Outbox(self.store, folder)
            self.lines += self._outbox.fill()
            self._outbox.add_snapshot(now=self._snapshot)
            self._snapshot = False
            if isinstance(self.destination, Repository):
                push()
            self._state = PushState(self.destination.name, datetime.now(UTC))
        except Exception as error:  # whatever it is, it is tried again later
            message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            if message != self._state.error:
                log.warning("not pushed, and tried again later: %s", message)
            self._state = replace(self._state, error=message)


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
    make_private_folder(database.parent)
    sweep(database.parent)
    with TemporaryDirectory(prefix=".pull-", dir=database.parent) as name:
        pulled, fresh = Path(name) / "box", Path(name) / database.name
        box = destination.fetch(pulled)
        parts = sorted(box.glob("events/*/*.jsonl"))
        if not parts:
            return None
        group = parts[-1].parent.name
        with log_path(fresh).open("wb") as joined:
            joined.writelines(part.read_bytes() for part in parts if part.parent.name == group)
        copies = sorted(box.glob(f"snapshots/{group}/*.db"))
        try:
            report = restore(fresh, copies[-1] if copies else None)
        except (BackupError, NotALabelDatabase) as error:
            log.warning("the snapshot in %s is passed over: %s", destination.name, error)
            report = restore(fresh)
        with closing(hold(log_path(database), alone=True)):
            aside, log_aside = move_aside(database, log_path(database), outbox_folder(database))
            log_path(fresh).replace(log_path(database))  # first: with it alone, the next start makes the rest
            fresh.replace(database)
            if box == pulled:  # so that pushing goes on after what is there
                make_private_folder(backups(database))
                box.replace(outbox_folder(database))
    return replace(report, moved_aside=aside, log_aside=log_aside)
