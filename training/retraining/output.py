"""An unfinished run: the folder in which a model is trained until it is whole, its checkpoints, and their room."""

import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from vcs_demo.errors import UserError, reason
from vcs_demo.files import unsaved, write_json
from vcs_demo.terminal import say
from vcs_demo.words import problem

if TYPE_CHECKING:
    from torch import nn

_ASIDE = ".old.partial"
WHOLE = (
    "whole"  # a file that marks a checkpoint as completely written: the size and CRC-32 of each of its files
)
KEPT = 2
_BYTES = 12  # of a parameter in a checkpoint: its weight and AdamW's two moments
_MORE = 32_000_000  # tokenizer, states, progress


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
        self._aside = _aside(output)
        self._lock = FileLock(self.folder / "lock", timeout=0)

    def __enter__(self) -> "UnfinishedRun":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise problem("train.same_name", name=self.output.name) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def prepare(self, config: dict[str, Any], *, restart: bool) -> None:
        """Begin a run, or continue the one that was stopped if `config`, which decides the model, is the same.

        Raises:
            UserError: the run that was stopped is another one, and `restart` does not ask to forget it.
        """
        path = self.folder / "config.json"
        bring_back(self.output)
        if restart:
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        elif path.exists() and not _holds(path, config):
            raise problem("train.other_run", name=self.output.name)
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


def bring_back(output: Path) -> None:
    """Put a model back that was moved aside when the overwrite that was to replace it was killed."""
    if _aside(output).exists() and not output.exists():
        os.replace(_aside(output), output)


def bring_all_back(models: Path) -> None:
    """Do `bring_back` for every model of a folder."""
    for aside in models.glob(f"*{_ASIDE}"):
        bring_back(aside.with_name(aside.name.removesuffix(_ASIDE)))


def _aside(output: Path) -> Path:
    return output.with_name(output.name + _ASIDE)


def _holds(path: Path, config: dict[str, Any]) -> bool:
    try:
        return json.loads(path.read_text("utf-8")) == json.loads(json.dumps(config))
    except ValueError:
        return False


def step_of(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def mark_whole(checkpoint: Path) -> None:
    """Mark a checkpoint as complete, and delete all but the newest two; raises OSError."""
    (checkpoint / WHOLE).write_text(json.dumps(_sums(checkpoint)), "utf-8")
    whole = [folder for folder in checkpoint.parent.glob("checkpoint-*") if (folder / WHOLE).exists()]
    for old in sorted(whole, key=step_of)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def newest(checkpoints: Path) -> Path | None:
    """Return the newest checkpoint that is as it was written; those that are not are deleted."""
    for folder in sorted(checkpoints.glob("checkpoint-*"), key=step_of, reverse=True):
        if (mark := folder / WHOLE).exists():
            if _is_sound(folder, mark):
                return folder
            say(f"{folder.name} is damaged and left out")
        shutil.rmtree(folder, ignore_errors=True)
    return None


def check_room(model: "nn.Module", output: Path) -> None:
    """Check that the disk has room for the checkpoints and the model of a training; raises UserError.

    Args:
        model: what is trained.
        output: where the model goes; what an unfinished run of it has written already counts.
    """
    parameters = sum(weights.numel() for weights in model.parameters())
    need = (KEPT + 1) * _BYTES * parameters + 4 * parameters + _MORE
    unfinished = output.with_name(output.name + ".partial")
    need -= sum(file.stat().st_size for file in unfinished.rglob("*") if file.is_file())
    folder = next(path for path in output.parents if path.exists())
    free = shutil.disk_usage(folder).free
    if free < need:
        facts = {"path": str(folder), "need": f"{need / 1e6:,.0f}", "free": f"{free / 1e6:,.0f}"}
        raise problem("train.no_room", **facts)


@contextmanager
def kept_if_unwritable(folder: Path) -> Iterator[None]:
    """Say in one sentence why a training could not write, and that it goes on from its last checkpoint.

    Raises:
        UserError: the disk is full, or refuses.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        where = getattr(error, "filename", None) or folder
        if isinstance(error, OSError):
            told = unsaved(error, folder)
            if told.key == "unsaved.other":
                raise
            why = told.values["reason"]
        elif isinstance(error, SafetensorError) or "PytorchStreamWriter" in str(error):
            why = reason(error)
            if shutil.disk_usage(folder).free < 1_000_000:
                why = "No space left on device"
        else:
            raise
        raise problem("train.unsaved", path=str(where), reason=why) from error


def _is_sound(folder: Path, mark: Path) -> bool:
    text = mark.read_text("utf-8", "replace")
    if not text:  # as an earlier version marked it
        return True
    try:
        return json.loads(text) == _sums(folder)
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, list[int]]:
    """Return file → its size and CRC-32; reads some 300 MB for a model of 20 M parameters, in well under a second."""
    sums = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != WHOLE:
            crc = 0
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    crc = zlib.crc32(block, crc)
            sums[path.relative_to(folder).as_posix()] = [path.stat().st_size, crc]
    return sums
