"""The outbox: copies of the event log and of the database, which are pushed instead of the live files.

    events/<group>/<part>.jsonl    the event log in parts; no part is ever written again
    snapshots/<group>/<time>.db    one a day, the newest seven

A group is one log, named by the time of its first part. Each run of the app gives its parts names of its own, so no
data directory overwrites another's; what two have added that were restored from one group comes back from both.
"""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from annotations.backup.destinations import SNAPSHOTS_KEPT
from annotations.backup.snapshot import STAMP, backups, snapshot
from annotations.database.eventlog import log_path
from annotations.store.label_store import LabelStore
from vcs_demo.files import written_whole


def outbox_folder(database: Path | str) -> Path:
    """Return where the copies for a repository lie."""
    return backups(database) / f"{Path(database).stem}.push"


class Outbox:
    """The copies of one store in a folder: beside its snapshots, or a folder elsewhere that exists."""

    def __init__(self, store: LabelStore, folder: Path) -> None:
        self.store, self.folder, self._run = store, folder, uuid.uuid4().hex[:4]
        groups = sorted(folder.glob("events/*"), reverse=True)
        own = ((group.name, end) for group in groups if (end := self._end(group)))
        new = f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}-{self._run}"
        self.group, self._copied = next(own, (new, 0))

    def fill(self) -> int:
        """Copy the log's new lines into a new part; return how many. Raises DatabaseUnavailable."""
        with (
            self.store.database.write(),
            log_path(self.store.path).open("rb") as log,
        ):  # no line is half written
            log.seek(self._copied)
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        if text:
            folder = self.folder / "events" / self.group
            folder.mkdir(parents=True, exist_ok=True)
            number = len(list(folder.glob("*.jsonl"))) + 1
            # "p": so that it sorts after the parts of an older version, which begin with a digit.
            with written_whole(folder / f"p{number:06}-{self._run}.jsonl", "wb", private=True) as part:
                part.write(text)
            self._copied += len(text)
        return text.count(b"\n")

    def add_snapshot(self, *, now: bool = False) -> None:
        """Add a snapshot `now`, or where the last is a day old and something is newer; the newest seven stay.

        Raises:
            BackupError, DatabaseUnavailable: it could not be made.
        """
        folder, stem = self.folder / "snapshots" / self.group, Path(self.store.path).stem
        moment = datetime.now(UTC)
        name, yesterday = (f"{stem}-{at.strftime(STAMP)}.db" for at in (moment, moment - timedelta(days=1)))
        # Names of the future are from before the clock was set back; they must not keep off new ones.
        copies, parts = sorted(folder.glob("*.db")), sorted(self.folder.glob(f"events/{self.group}/*"))
        last = max((copy for copy in copies if copy.name <= name), default=None)
        due = (
            bool(parts)
            if last is None
            else last.name < yesterday and last.stat().st_mtime < parts[-1].stat().st_mtime
        )
        if (now or due) and not (folder / name).exists():
            copies.append(snapshot(self.store, folder / name))
            for old in copies[:-SNAPSHOTS_KEPT]:
                old.unlink()

    def _end(self, group: Path) -> int:
        """Return how many bytes of the log a group has; parts that another data directory added are passed over."""
        end = 0
        with log_path(self.store.path).open("rb") as log:
            for part in sorted(group.glob("*.jsonl")):
                content = part.read_bytes()
                log.seek(end)
                if log.read(len(content)) == content:
                    end += len(content)
        return end
