"""Paths in the data directory, which is $VCS_DATA_DIR (default ./data)."""

import os
import unicodedata
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
        return bool(path) and found(path).is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def found(path: Path | str) -> Path:
    """Return a path as it is on disk: `~` expanded, its letters composed or decomposed as its folders have them.

    Where nothing is there, the path is returned as it was given.
    """
    given = Path(path).expanduser()
    if str(given).isascii() or given.exists():
        return given
    there = Path(given.anchor)
    for part in given.parts[len(there.parts) :]:
        step = there / part
        if not os.path.lexists(step):
            names = os.listdir(there) if os.access(there, os.R_OK) and there.is_dir() else []
            step = next((there / name for name in sorted(names) if _composed(name) == _composed(part)), None)
            if step is None:
                return given
        there = step
    return there


def tail(path: Path, parts: int = 1) -> str:
    """Return the last parts of a path as a name to show: composed letters, printable, never from the root on."""
    names = [part for part in path.parts if part != path.anchor][-parts:]
    return "".join(c if c.isprintable() else "\ufffd" for c in _composed("/".join(names))) or "folder"


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
