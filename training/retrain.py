"""Fine-tune an embedding model on labelled hard negatives, and say honestly whether it got better.

    python training/retrain.py --labels data/labels.db --base vcs-20m --output data/models/mine

The output is a SentenceTransformer directory with a model card; it appears whole or not at all. A run that was
stopped goes on from its last checkpoint when the same command is given again.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

if __package__ in (None, ""):  # run as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.retraining.labels import MIN_ALPHA, MIN_COVERAGE
from vcs_demo.errors import UserError, carried_out
from vcs_demo.paths import database_path, models_dir
from vcs_demo.rankers.catalog import CATALOG, OURS

SETTINGS = (
    "loss",
    "negatives",
    "directions",
    "temperature",
    "epochs",
    "batch_size",
    "learning_rate",
    "max_length",
    "query_prompt",
    "seed",
    "task",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, 1 after one clear line on standard error, 130 when it was stopped."""
    options = parser().parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return carried_out(
            lambda: _retrain(options), "stopped; the same command goes on from the last checkpoint"
        )
    finally:
        signal.signal(signal.SIGTERM, before)


def _retrain(options: argparse.Namespace) -> int:
    from training.retraining.run import retrain

    return retrain(options)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command = argparse.ArgumentParser(
        prog="python training/retrain.py",
        description="Fine-tune an embedding model on labelled hard negatives.",
        epilog="Example: python training/retrain.py --labels data/labels.db --base vcs-20m --loss modified "
        "--negatives both --temperature 0.1 --epochs 3 --output data/models/mine",
    )
    add = command.add_argument
    add("--labels", type=Path, help="label database or export (default: the app's database)")
    add("--base", default=OURS, help="ranker name or SentenceTransformer directory (default: %(default)s)")
    add(
        "--output",
        type=Path,
        help="directory to write (default: <base>-retrained in the app's models folder)",
    )
    add("--loss", choices=("modified", "infonce"), default="modified")
    add("--negatives", choices=("in-batch", "hard", "both"), default="both")
    add(
        "--directions",
        choices=("paper", "authors"),
        default="paper",
        help="one direction, or the authors' four",
    )
    add("--temperature", type=float, default=0.1, metavar="τ")
    add("--epochs", type=float, default=3)
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=5e-5)
    add("--max-length", type=int, default=224, help="tokens of a text (default: 224)")
    add("--pairs", metavar="SOURCE", help="add the (query, passage) pairs of this source's train split")
    add(
        "--query-prompt",
        metavar="TEXT",
        help="prefix of queries, such as '<|query|> '; default: the base's own",
    )
    add("--source", help="mini, hub or a folder to evaluate on (default: where the labels came from)")
    add("--task", default="vimedretrieve", help="retrieval task to evaluate on (default: vimedretrieve)")
    add(
        "--min-coverage",
        type=float,
        default=MIN_COVERAGE,
        metavar="SHARE",
        help="refuse labels of a smaller share of the candidates than this (default: %(default)s)",
    )
    add(
        "--min-alpha",
        type=float,
        default=MIN_ALPHA,
        metavar="α",
        help="refuse labels on which Krippendorff's α is under this, where it is defined (default: %(default)s)",
    )
    add("--seed", type=int, default=42)
    add("--save-steps", type=int, help="steps between checkpoints (default: a tenth of the run, at most 50)")
    add("--restart", action="store_true", help="forget an unfinished run of this output")
    add("--overwrite", action="store_true", help="replace a finished model of this output")
    return command


def checked(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in the defaults that depend on the data directory; raises UserError for a number out of range."""
    for name, lowest in (("batch_size", 1), ("max_length", 8), ("save_steps", 1)):
        value = getattr(options, name)
        if value is not None and value < lowest:
            raise UserError(f"--{name.replace('_', '-')} is {value}; it must be {lowest} or more.")
    for name in ("epochs", "learning_rate", "temperature"):
        if not 0 < getattr(options, name) < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} is {getattr(options, name)}; it must be above 0.")
    for name, lowest in (("min_coverage", 0), ("min_alpha", -1)):
        if not lowest <= getattr(options, name) <= 1:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is {getattr(options, name)}; it must be between {lowest} and 1.")
    options.labels = options.labels or database_path()
    if options.output is not None and options.output.name in ("", ".", ".."):
        raise UserError(
            f"--output is '{options.output}', which names no folder of its own; name one to be made."
        )
    output = options.output or models_dir() / f"{Path(options.base).name}-retrained"
    options.output = output.expanduser().resolve()
    if options.output.name in CATALOG:
        raise UserError(f"'{options.output.name}' is the name of a ranker that ships; give another --output.")
    if options.output.name.endswith(".partial"):
        raise UserError(
            f"--output ends in '.partial' ({options.output.name}), which marks unfinished runs; rename it."
        )
    if options.output.exists() and not options.overwrite:
        raise UserError(
            f"{options.output.name} exists already; give another --output, or --overwrite to replace it."
        )
    if options.output.exists() and not is_model(options.output):
        raise UserError(
            f"{options.output.name} holds something else than a retrained model, which --overwrite does not replace; "
            "give another --output."
        )
    parent = _existing_parent(options.output)
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise UserError(f"The folder of {options.output} cannot be written; give another --output.")
    return options


def as_command(options: argparse.Namespace) -> str:
    """Write the command anew, with folders by their names: a card says nothing about a machine."""
    words = [
        "python training/retrain.py",
        f"--labels {options.labels.name}",
        f"--base {Path(options.base).name}",
    ]
    words += [f"--output {options.output.name}"]
    for name in (*SETTINGS, "min_coverage", "min_alpha", "pairs", "source"):
        value = getattr(options, name)
        if value is not None:
            shown = Path(value).name if name in ("pairs", "source") else value
            shown = f"'{shown}'" if " " in str(shown) else shown
            words.append(f"--{name.replace('_', '-')} {shown}")
    return " ".join(words)


def is_model(folder: Path) -> bool:
    """Tell whether a folder is what a retraining wrote, or empty: all that may be replaced."""
    return folder.is_dir() and ((folder / "training.json").is_file() or not any(folder.iterdir()))


def _existing_parent(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.exists())


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
