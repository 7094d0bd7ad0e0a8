"""Where backups are pushed: a private data set repository of the hub, or a folder such as a mounted volume."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import written_whole

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

FIRST_SECONDS, ANSWER_SECONDS = 20.0, 60.0  # the client itself would wait for ever


class Destination(Protocol):
    """Files by path. Each method raises UserError where the destination is out of reach or refused."""

    name: str

    def files(self) -> list[str]:
        """Return the paths of all files."""

    def add(self, files: "Sequence[CommitOperationAdd]", delete: Sequence[str]) -> None:
        """Add or replace files, and delete others."""

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Copy the files that match into a folder, under their paths."""


def destination_from_environment() -> Destination | None:
    """Return what $VCS_BACKUP_REPO or $VCS_BACKUP_DIR names; None where neither is set.

    Raises:
        UserError: both are set, or the repository's name is malformed.
    """
    repository = os.environ.get("VCS_BACKUP_REPO", "").strip()
    folder = os.environ.get("VCS_BACKUP_DIR", "").strip()
    if repository and folder:
        raise UserError("VCS_BACKUP_REPO and VCS_BACKUP_DIR are both set; unset one of them.")
    if folder:
        return FolderDestination(Path(folder))
    return HubDestination(repository) if repository else None


class FolderDestination:
    """A folder; its files are written beside, synced and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def files(self) -> list[str]:
        """Return the paths of all files; raises UserError where the folder is missing."""
        # Not made here: a volume that was not mounted must not become a folder of the disk that does not last.
        if not self.folder.is_dir():
            raise UserError(f"VCS_BACKUP_DIR is {quoted(self.folder)}, which is no folder; mount or make it.")
        return [p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()]

    def add(self, files: "Sequence[CommitOperationAdd]", delete: Sequence[str]) -> None:
        """Write files that are new or have grown, then delete; raises UserError."""
        with self._explained("written"):
            for file in files:
                target = self.folder / file.path_in_repo
                if not target.is_file() or target.stat().st_size != file.upload_info.size:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with written_whole(target, "wb") as copy, file.as_file() as content:
                        shutil.copyfileobj(content, copy)
            for path in delete:
                (self.folder / path).unlink(missing_ok=True)

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Copy the files that match; raises UserError."""
        with self._explained("read"):
            for path in self.files():
                if any(fnmatch(path, pattern) for pattern in patterns):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.folder / path, folder / path)

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"{quoted(self.folder)} cannot be {done}: {error.strerror or error}.") from error


class HubDestination:
    """A private data set repository, by the hub's own client and its token (HF_TOKEN)."""

    def __init__(self, repository: str) -> None:
        from vcs_demo.rankers.hub import is_hub_id

        if not is_hub_id(repository) or "@" in repository:
            raise UserError(
                f"VCS_BACKUP_REPO is {quoted(repository)}; give owner/name of a data set repository."
            )
        self.name = repository

    def files(self) -> list[str]:
        """Return the paths of all files; raises UserError, also where the repository is public."""
        from huggingface_hub import HfApi, get_session

        with self._explained():
            get_session().timeout = ANSWER_SECONDS
            info = HfApi().dataset_info(self.name, timeout=FIRST_SECONDS)
        if info.private is not True:
            raise UserError(
                f"The data set repository {quoted(self.name)} is public, and the event log holds names and notes; "
                "make it private."
            )
        return [file.rfilename for file in info.siblings or ()]

    def add(self, files: "Sequence[CommitOperationAdd]", delete: Sequence[str]) -> None:
        """Commit the files that are new or have grown, and deletions with them; raises UserError."""
        from huggingface_hub import CommitOperationDelete, HfApi

        with self._explained():
            HfApi().create_commit(
                self.name,
                [*files, *map(CommitOperationDelete, delete)],
                commit_message="Labels",
                repo_type="dataset",
            )

    def fetch(self, patterns: list[str], folder: Path) -> None:
        """Download the files that match; raises UserError."""
        from huggingface_hub import snapshot_download

        with self._explained():
            snapshot_download(
                self.name,
                repo_type="dataset",
                allow_patterns=patterns,
                local_dir=folder,
                etag_timeout=FIRST_SECONDS,
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the client's many errors into one sentence."""
        try:
            yield
        except Exception as error:
            raise UserError(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

        here = quoted(self.name)
        status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response else 0
        if isinstance(error, OfflineModeIsEnabled):
            return f"HF_HUB_OFFLINE forbids to reach {here}; unset it, or VCS_BACKUP_REPO."
        if isinstance(error, RepositoryNotFoundError) or status == 404:
            return (
                f"There is no data set repository {here} that we may see; make a private one, and set HF_TOKEN to a "
                "token that may write to it."
            )
        if status in (401, 403):
            return f"The hub refused {here} ({status}); set HF_TOKEN to a token that may write to it."
        text = " ".join(str(error).split()) or type(error).__name__
        return f"The hub cannot be reached for {here}: {text[:160].rstrip('.')}."
