"""Paths in the data directory, which is $VCS_DATA_DIR (default ./data)."""

import os
from pathlib import Path

from vcs_demo.errors import UserError, quoted


def data_dir() -> Path:
    """Return the data directory, created if it is not there; raises UserError if it cannot be."""
    path = Path(os.environ.get("VCS_DATA_DIR") or "data").resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # labels and accounts are nobody else's
    except OSError as error:
        raise UserError(
            f"The data directory {quoted(path)} cannot be made ({error.strerror}); set VCS_DATA_DIR to another."
        ) from error
    return path


def database_path() -> Path:
    """Return the path of the label database (the file may not exist yet)."""
    return data_dir() / "labels.db"


def models_dir() -> Path:
    """Return the folder of retrained models; each sub-folder is a ranker by its own name."""
    path = data_dir() / "models"
    path.mkdir(exist_ok=True)
    return path


def runs_dir() -> Path:
    """Return the folder of evaluated runs."""
    path = data_dir() / "runs"
    path.mkdir(exist_ok=True)
    return path


def is_folder(path: str) -> bool:
    """Tell whether a text names a folder; an over-long or impossible name does not."""
    try:
        return bool(path) and Path(path).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False
