"""Files made for a visitor to take along: each in a folder of its own, removed after a while."""

import os
import shutil
import tempfile
import time
from pathlib import Path

KEPT = 3600  # seconds


def new_folder() -> Path:
    """Return a new temporary folder that only this user can read; those of an hour ago are removed."""
    root = Path(tempfile.gettempdir()) / f"vcs-downloads-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    for old in root.iterdir():
        if old.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=root))
