"""The settings of a retraining: they check themselves, and the command's options are made from their fields."""

import os
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from training.retraining.base import check_base
from vcs_demo.benchmark.sources import check_source
from vcs_demo.benchmark.tasks import TASK_NAMES
from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import data_dir, database_path, found
from vcs_demo.rankers.catalog import CATALOG, OURS
from vcs_demo.settings import Settings, setting
from vcs_demo.text import nfc

MIN_COVERAGE, MIN_ALPHA = 0.1, 0.4
RETRIEVAL_TASKS = tuple(name for name in TASK_NAMES if name.startswith("vimedretrieve"))
_OF_THE_RUN = {"save_steps", "restart", "overwrite"}  # they say how the run goes, not what comes out


@dataclass(frozen=True)
class LossSettings(Settings):
    """Which loss is trained with; see `training.losses.ContextSearchLoss`.

    Raises:
        UserError: a value outside its choices or range, or `authors` directions with `hard` negatives.
    """

    loss: str = setting("modified", "the paper's loss, or InfoNCE", choices=("modified", "infonce"))
    negatives: str = setting(
        "both",
        "the batch's other passages, its own hard negatives, or both",
        choices=("in-batch", "hard", "both"),
    )
    directions: str = setting(
        "paper", "query to document alone, or the authors' four directions", choices=("paper", "authors")
    )
    temperature: float = setting(0.1, "temperature of the softmax", above=0, metavar="τ")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directions == "authors" and self.negatives == "hard":
            raise UserError(
                "--directions authors does not go with --negatives hard, which has one direction; "
                "give --directions paper or --negatives both."
            )


@dataclass(frozen=True)
class FitSettings(Settings):
    """How the training runs."""

    epochs: float = setting(3.0, "passes over the rows", above=0)
    batch_size: int = setting(32, "rows of a batch", low=1)
    learning_rate: float = setting(5e-5, "highest learning rate", above=0)
    max_length: int = setting(224, "tokens of a text", low=8)
    query_prompt: str | None = setting(
        None, "prefix of queries, such as '<|query|> ' [default: the base's own]", metavar="TEXT"
    )
    seed: int = setting(42, "of the order of the rows and of whatever is drawn")
    save_steps: int | None = setting(
        None, "steps between checkpoints [default: a tenth of the run, at most 50]", low=1
    )


@dataclass(frozen=True)
class EffectSettings(Settings):
    """The loss, and the in-batch negatives, for which `effects` tells what a label does."""

    loss: str = setting("modified", "the paper's loss, or InfoNCE", choices=("modified", "infonce"))
    temperature: float = setting(0.1, "temperature of the softmax", above=0, metavar="τ")
    batch_size: int = setting(32, "one more than the in-batch negatives", low=1)
    seed: int = setting(42, "of the draw of in-batch negatives")


@dataclass(frozen=True)
class StartSettings(Settings):
    """What a retraining starts from, and where it goes; None becomes the default path that the help names."""

    labels: Path = setting(None, "label database or export [default: the app's database]", metavar="PATH")
    base: str = setting(OURS, "ranker name or SentenceTransformer directory", metavar="MODEL")
    output: Path = setting(
        None, "directory to write [default: <base>-retrained in the app's models folder]", metavar="DIR"
    )


@dataclass(frozen=True)
class RetrainSettings(FitSettings, LossSettings, StartSettings):
    """All settings of one retraining, checked before anything is read.

        RetrainSettings(labels="labels.jsonl", base="vcs-20m", output="data/models/mine", epochs=1)

    Raises:
        UserError: a value outside its range, settings that do not go together, a base that cannot be trained, an
            output that exists, cannot be written, or has the name of a shipped ranker or of an unfinished run.
    """

    task: str = setting("vimedretrieve", "retrieval task to evaluate on", choices=RETRIEVAL_TASKS)
    min_coverage: float = setting(
        MIN_COVERAGE, "least share of the candidates that must be labelled", low=0, high=1, metavar="SHARE"
    )
    min_alpha: float = setting(
        MIN_ALPHA, "least Krippendorff's α of the labels, where it is defined", low=-1, high=1, metavar="α"
    )
    anyway: bool = setting(False, "train whatever the coverage and α: --min-coverage 0 --min-alpha -1")
    pairs: str | None = setting(
        None, "add the (query, passage) pairs of this source's train split", metavar="SOURCE"
    )
    source: str | None = setting(
        None, "mini, hub or a folder to evaluate on [default: where the labels came from]", metavar="SOURCE"
    )
    restart: bool = setting(False, "forget an unfinished run of this output")
    overwrite: bool = setting(False, "replace a finished model of this output")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_base(self.base)
        for source in filter(None, (self.source, self.pairs)):
            check_source(source)
        set_ = object.__setattr__  # the dataclass is frozen
        set_(self, "labels", Path(self.labels or database_path()))
        set_(self, "output", _checked_output(self.output, self.base, self.overwrite))
        if self.anyway:
            set_(self, "min_coverage", 0.0)
            set_(self, "min_alpha", -1.0)

    def as_facts(self) -> dict[str, object]:
        """Return what decides which model comes out of the same base and labels."""
        names = [item.name for kind in (LossSettings, FitSettings) for item in fields(kind)]
        return {name: getattr(self, name) for name in (*names, "task") if name not in _OF_THE_RUN}

    def as_arguments(self) -> list[str]:
        """Return the arguments of `training/retrain.py` that give these settings."""
        return [word for name, value in self._given() for word in _option(name, value)]

    def as_command(self) -> str:
        """Write the command that gives this model, folders by their names: a card says nothing about a machine."""
        paths = {"labels", "base", "output", "pairs", "source"}
        words = [
            word
            for name, value in self._given()
            if name not in _OF_THE_RUN
            for word in _option(name, Path(value).name if name in paths else value)
        ]
        return "python training/retrain.py " + shlex.join(words)

    def _given(self) -> list[tuple[str, Any]]:
        values = [(item.name, getattr(self, item.name)) for item in fields(self)]
        floors = ("min_coverage", "min_alpha") if self.anyway else ()
        return [(n, v) for n, v in values if v is not None and v is not False and n not in floors]


def is_model(folder: Path) -> bool:
    """Tell whether a folder is what a retraining wrote, or empty: all that may be replaced."""
    return folder.is_dir() and ((folder / "training.json").is_file() or not any(folder.iterdir()))


def _checked_output(output: Path | str | None, base: str, overwrite: bool) -> Path:
    """Return the absolute output folder; raises UserError where no model may be written."""
    if output is not None and Path(output).name in ("", ".", ".."):
        raise UserError(f"--output is {quoted(output)}, which names no folder; give the folder to write.")
    named = f"{Path(base).name.replace('+', '-')}-retrained"
    path = found(output or data_dir() / "models" / named).resolve()
    name = nfc(path.name)
    path = path if path.exists() else path.with_name(name)
    if "+" in name or not name.isprintable() or name != name.strip():
        raise UserError(
            f"{quoted(path.name)} cannot be a model's name: '+' joins rankers in a fusion, and blanks at its ends and "
            "control characters do not show; give another --output."
        )
    if name.lower() in CATALOG:
        raise UserError(f"{quoted(name)} is the name of a ranker that ships; give another --output.")
    if name.endswith(".partial"):
        raise UserError(f"--output ends in '.partial' ({name}), which marks unfinished runs; rename it.")
    if path.exists() and not overwrite:
        raise UserError(f"{name} exists already; give another --output, or --overwrite to replace it.")
    if path.exists() and not is_model(path):
        raise UserError(
            f"{name} holds something else than a retrained model, which --overwrite does not replace; "
            "give another --output."
        )
    parent = next(folder for folder in path.parents if folder.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise UserError(f"The folder of {path} cannot be written; give another --output.")
    return path


def _option(name: str, value: object) -> list[str]:
    return ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
