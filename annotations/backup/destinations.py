"""Where the event log and the snapshots are pushed: a private data set repository of the hub, or a folder."""

import os
import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

from vcs_demo.errors import UserError, quoted

ANSWER_SECONDS = 20.0  # the first answer of the hub
PUSH_SECONDS = 300.0  # a few megabytes; the client itself would wait for ever
COPY_SECONDS = 3600.0  # a snapshot, or everything on the way back


class RemoteError(UserError):
    """The place is refused, out of reach, or holds something damaged; nothing was changed here.

    Attributes:
        kind: tells failures of one sort from those of another: `setting`, `public`, `missing`, `refused`,
            `changed`, `unreachable`, `damaged` or `busy`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Place(Protocol):
    """Files by path; none is ever changed once it is there."""

    name: str

    def files(self) -> list[str]:
        """Return the paths of all files; raises RemoteError."""

    def add(self, files: Mapping[str, bytes | Path], delete: Collection[str] = ()) -> None:
        """Add files and delete others, all or none where the place can; raises RemoteError."""

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Copy the files that match into a folder, under their paths; raises RemoteError."""


def place_from_environment() -> Place | None:
    """Return the place that $VCS_BACKUP_REPO or $VCS_BACKUP_DIR names; None where neither is set.

    Raises:
        RemoteError: both are set, or the repository's name is none.
    """
    repository = os.environ.get("VCS_BACKUP_REPO", "").strip()
    folder = os.environ.get("VCS_BACKUP_DIR", "").strip()
    if repository and folder:
        raise RemoteError("setting", "VCS_BACKUP_REPO and VCS_BACKUP_DIR are both set; unset one of them.")
    if folder:
        return FolderPlace(Path(folder))
    return HubPlace(repository) if repository else None


class FolderPlace:
    """A folder, such as a bucket mounted as a volume: files are written beside, synced and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def files(self) -> list[str]:
        """Return the paths of all files; raises RemoteError where the folder is not there."""
        # Not made here: a volume that was not mounted must not become a folder of the disk that does not last.
        if not self.folder.is_dir():
            raise RemoteError(
                "missing", f"VCS_BACKUP_DIR is {quoted(self.folder)}, which is no folder; mount or make it."
            )
        return [p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()]

    def add(self, files: Mapping[str, bytes | Path], delete: Collection[str] = ()) -> None:
        """Add files one after the other, then delete; raises RemoteError."""
        part = None
        try:
            for path, content in files.items():
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.partial")
                if isinstance(content, Path):
                    shutil.copyfile(content, part)
                else:
                    part.write_bytes(content)
                sync(part)
                part.replace(target)
                sync(target.parent)
            for path in delete:
                (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            if part:
                part.unlink(missing_ok=True)
            raise RemoteError(
                "unreachable", f"{quoted(self.folder)} cannot be written: {error.strerror or error}."
            ) from error

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Copy the files that match; raises RemoteError."""
        try:
            for path in self.files():
                if any(fnmatch(path, pattern) for pattern in patterns):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.folder / path, folder / path)
        except OSError as error:
            raise RemoteError(
                "unreachable", f"{quoted(self.folder)} cannot be read: {error.strerror or error}."
            ) from error


class HubPlace:
    """A private data set repository, by the hub's own client and its token (HF_TOKEN)."""

    def __init__(self, repository: str) -> None:
        from vcs_demo.rankers.hub import is_hub_id

        if not is_hub_id(repository) or "@" in repository:
            raise RemoteError(
                "setting",
                f"VCS_BACKUP_REPO is {quoted(repository)}; give owner/name of a data set repository.",
            )
        self.name = repository
        self._head = "main"

    def files(self) -> list[str]:
        """Return the paths of all files; raises RemoteError, also where the repository is public."""

        def ask() -> Any:
            from huggingface_hub import HfApi

            return HfApi().dataset_info(self.name, timeout=ANSWER_SECONDS)

        info = self._within(3 * ANSWER_SECONDS, ask)
        if info.private is not True:
            raise RemoteError(
                "public",
                f"The data set repository {quoted(self.name)} is public, and the event log holds names and notes; "
                "make it private.",
            )
        self._head = info.sha or "main"
        return [file.rfilename for file in info.siblings or ()]

    def add(self, files: Mapping[str, bytes | Path], delete: Collection[str] = ()) -> None:
        """Commit on what `files` saw, all or nothing; raises RemoteError (`changed` if that is no longer the head)."""

        def commit() -> None:
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

            adding = [
                CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
                for path, content in files.items()
            ]
            HfApi().create_commit(
                self.name,
                [*adding, *(CommitOperationDelete(path) for path in delete)],
                commit_message=f"Add {', '.join(path.rpartition('/')[2] for path in files)}",
                repo_type="dataset",
                parent_commit=None if self._head == "main" else self._head,
            )

        large = any(isinstance(content, Path) for content in files.values())
        self._within(COPY_SECONDS if large else PUSH_SECONDS, commit)

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Download the files that match, as of the last `files`; raises RemoteError."""

        def download() -> None:
            from huggingface_hub import snapshot_download

            snapshot_download(
                self.name,
                repo_type="dataset",
                revision=self._head,
                allow_patterns=patterns,
                local_dir=folder,
                etag_timeout=ANSWER_SECONDS,
            )

        self._within(COPY_SECONDS, download)

    def _within(self, seconds: float, work: Callable[[], Any]) -> Any:
        """Do it in a thread that is left behind where it takes too long: some of the client's calls never give up."""
        result, failure = [], []

        def run() -> None:
            try:
                result.append(work())
            except BaseException as error:
                failure.append(error)

        worker = threading.Thread(target=run, name="hub", daemon=True)
        worker.start()
        worker.join(seconds)
        if failure:
            raise self._sentence(failure[0]) from failure[0]
        if not result:
            raise RemoteError(
                "unreachable", f"The hub gave no answer about {quoted(self.name)} in {seconds:.0f} s."
            )
        return result[0]

    def _sentence(self, error: BaseException) -> RemoteError:
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

        here = quoted(self.name)
        status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response else 0
        if isinstance(error, OfflineModeIsEnabled):
            return RemoteError(
                "setting", f"HF_HUB_OFFLINE forbids to reach {here}; unset it, or VCS_BACKUP_REPO."
            )
        if isinstance(error, RepositoryNotFoundError) or status == 404:
            return RemoteError(
                "missing",
                f"There is no data set repository {here} that we may see; make a private one, and set HF_TOKEN to a "
                "token that may write to it.",
            )
        if status in (401, 403):
            return RemoteError(
                "refused", f"The hub refused {here} ({status}); set HF_TOKEN to a token that may write to it."
            )
        if status in (409, 412):
            return RemoteError("changed", f"Somebody else pushed to {here} at the same moment; push again.")
        text = " ".join(str(error).split()) or type(error).__name__
        return RemoteError("unreachable", f"The hub cannot be reached for {here}: {text[:160].rstrip('.')}.")


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some mounted volumes cannot sync a folder
            raise
    finally:
        os.close(handle)
