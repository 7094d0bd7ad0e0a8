"""The folder in which a retraining works until its model is whole, and what it tells while it does."""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from vcs_demo.errors import UserError
from vcs_demo.terminal import say


class Workplace:
    """The folder `<output>.partial` in which a run works, one at a time, until it is moved into place."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".partial")
        self.model = self.folder / "model"
        self._aside = output.with_name(output.name + ".old.partial")

    def __enter__(self) -> "Workplace":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise UserError(
                f"{self.output.name} is being trained already; wait for it or give another --output."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def prepare(self, config: dict[str, Any], *, restart: bool) -> None:
        """Start a run, or go on with the one that was stopped if it is the same; raises UserError if it is not."""
        path = self.folder / "config.json"
        if self._aside.exists() and not self.output.exists():  # killed between the two moves of an overwrite
            os.replace(self._aside, self.output)
        if restart:
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        elif path.exists():
            try:
                earlier = json.loads(path.read_text("utf-8"))
            except ValueError:
                earlier = None
            if earlier != json.loads(json.dumps(config)):
                raise UserError(
                    f"An unfinished run of {self.output.name} has other settings, labels or base; give those again, "
                    "--restart to forget it, or another --output."
                )
        shutil.rmtree(self.model, ignore_errors=True)
        _write(path, config)

    def progress(self, **state: Any) -> None:
        """Write where the run is, for whoever watches."""
        _write(self.folder / "progress.json", {"at": time.time(), **state})
        if "step" not in state:
            say(state["stage"] + " …")

    def finish(self, *, overwrite: bool) -> None:
        """Move the finished model into place and delete the rest."""
        if self.output.exists():
            if not overwrite:
                raise UserError(
                    f"{self.output.name} has appeared meanwhile; the new model is in {self.model}."
                )
            shutil.rmtree(self._aside, ignore_errors=True)
            os.replace(self.output, self._aside)
            os.replace(self.model, self.output)
            shutil.rmtree(self._aside, ignore_errors=True)
        else:
            os.replace(self.model, self.output)
        shutil.rmtree(self.folder, ignore_errors=True)


def _write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    os.replace(temporary, path)
