"""An unfinished run: the folder in which a model is trained until it is whole."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vcs_demo.errors import UserError
from vcs_demo.files import write_json
from vcs_demo.terminal import say


class UnfinishedRun:
    """The folder `<output>.partial`, locked while it is open, so that one process trains a model at a time.

    Attributes:
        output: where the finished model goes.
        folder: holds `checkpoints/`, `config.json` (what decides the model), `progress.json` and `lock`.
        model: the trained model's folder inside, before it is moved to `output`.

    Raises:
        UserError: on entering, another process trains this output.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".partial")
        self.model = self.folder / "model"
        self._aside = output.with_name(output.name + ".old.partial")
        self._lock = FileLock(self.folder / "lock", timeout=0)

    def __enter__(self) -> "UnfinishedRun":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{self.output.name} is being trained already; wait for it or give another --output."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def prepare(self, config: dict[str, Any], *, restart: bool) -> None:
        """Begin a run, or continue the one that was stopped if `config`, which decides the model, is the same.

        Raises:
            UserError: the run that was stopped is another one, and `restart` does not ask to forget it.
        """
        path = self.folder / "config.json"
        if self._aside.exists() and not self.output.exists():  # killed between the two moves of an overwrite
            os.replace(self._aside, self.output)
        if restart:
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        elif path.exists() and not _holds(path, config):
            raise UserError(
                f"An unfinished run of {self.output.name} has other settings, labels or base; give those again, "
                "--restart to forget it, or another --output."
            )
        shutil.rmtree(self.model, ignore_errors=True)
        write_json(path, config)

    def progress(self, **state: Any) -> None:
        """Write to `progress.json` the `stage`, and while training `step`, `total`, `loss` and `eta` (seconds)."""
        write_json(self.folder / "progress.json", {"at": time.time(), **state}, indent=None)
        if "step" not in state:
            say(state["stage"] + " …")

    def finish(self, *, overwrite: bool) -> None:
        """Move the finished model into place and delete the rest; raises UserError if `output` has appeared."""
        if self.output.exists():
            if not overwrite:
                raise UserError(
                    f"{self.output.name} has appeared meanwhile; the new model is in {self.model}."
                )
            shutil.rmtree(self._aside, ignore_errors=True)
            os.replace(self.output, self._aside)
        os.replace(self.model, self.output)
        shutil.rmtree(self._aside, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _holds(path: Path, config: dict[str, Any]) -> bool:
    try:
        return json.loads(path.read_text("utf-8")) == json.loads(json.dumps(config))
    except ValueError:
        return False
