"""Where backups are pushed: a private data set repository of the hub, or a folder such as a mounted volume."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import make_private_folder

FIRST_SECONDS, ANSWER_SECONDS = 20.0, 60.0  # the client itself would wait for ever
SNAPSHOTS_KEPT = 7


class Folder:
    """A folder; the copies are made in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)

    def box(self, _: Path) -> Path:
        """Return where the copies are; raises UserError where the folder is missing."""
        # Not made here: a volume that was not mounted must not become a folder of the disk that does not last.
        if not self.path.is_dir():
            raise UserError(f"VCS_BACKUP_DIR is {quoted(self.path)}, which is no folder; mount or make it.")
        return self.path

    fetch = box


class Repository:
    """A private data set repository, by the hub's own client and its token (HF_TOKEN)."""

    def __init__(self, name: str) -> None:
        from vcs_demo.rankers.hub import is_hub_id

        if not is_hub_id(name) or "@" in name:
            raise UserError(f"VCS_BACKUP_REPO is {quoted(name)}; give owner/name of a data set repository.")
        self.name = name

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

    def box(self, folder: Path) -> Path:
        """Return where the copies are made that are committed: in a folder of this disk."""
        make_private_folder(folder)
        return folder

    def commit(self, operations: list) -> None:
        """Add files, and delete the snapshots beyond the newest seven of their group; raises UserError."""
        from huggingface_hub import CommitOperationDelete, HfApi

        new = {operation.path_in_repo for operation in operations}
        copies: dict[str, list[str]] = {}
        for path in sorted({*new, *self.files()}, reverse=True):
            if path.startswith("snapshots/"):
                copies.setdefault(path.split("/")[1], []).append(path)
        old = [path for paths in copies.values() for path in paths[SNAPSHOTS_KEPT:] if path not in new]
        operations = [*operations, *map(CommitOperationDelete, old)]
        with self._explained():
            HfApi().create_commit(self.name, operations, commit_message="Labels", repo_type="dataset")

    def fetch(self, folder: Path) -> Path:
        """Download the newest group's log and its newest snapshot into a folder, and return it; raises UserError."""
        from huggingface_hub import snapshot_download

        files = sorted(self.files())
        group = max((path.split("/")[1] for path in files if path.startswith("events/")), default="")
        copies = [path for path in files if path.startswith(f"snapshots/{group}/")]
        with self._explained():
            snapshot_download(
                self.name,
                repo_type="dataset",
                allow_patterns=[f"events/{group}/*", *copies[-1:]],
                local_dir=folder,
                etag_timeout=FIRST_SECONDS,
            )
        return folder

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the client's many errors into one sentence."""
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

        here = quoted(self.name)
        try:
            yield
        except OfflineModeIsEnabled as error:
            raise UserError(
                f"HF_HUB_OFFLINE forbids to reach {here}; unset it, or VCS_BACKUP_REPO."
            ) from error
        except RepositoryNotFoundError as error:
            raise UserError(
                f"There is no data set repository {here} that we may see; make a private one, and set HF_TOKEN to a "
                "token that may write to it."
            ) from error
        except Exception as error:
            status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
            if status in (401, 403):
                message = f"The hub refused {here} ({status}); set HF_TOKEN to a token that may write to it."
            else:
                text = " ".join(str(error).split()) or type(error).__name__
                message = f"The hub cannot be reached for {here}: {text[:160].rstrip('.')}."
            raise UserError(message) from error


Destination = Folder | Repository


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
        return Folder(Path(folder))
    return Repository(repository) if repository else None
