"""Fine-tune an embedding model on labelled hard negatives, and evaluate it before and after.

    python training/retrain.py --labels data/labels.db --base vcs-20m --output data/models/mine

The output is a SentenceTransformer directory with a model card; it appears whole or not at all. A run that was
stopped is continued from its last checkpoint when the same command is given again.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from any directory

from training.retraining.settings import RetrainSettings
from vcs_demo.terminal import SETTINGS, options_of, run


@click.command(
    "python training/retrain.py",
    context_settings=SETTINGS,
    epilog="Example: python training/retrain.py --labels data/labels.db --base vcs-20m --loss modified "
    "--negatives both --temperature 0.1 --epochs 3 --output data/models/mine",
)
@options_of(RetrainSettings)
def command(**options: Any) -> None:
    """Fine-tune an embedding model on labelled hard negatives."""
    settings = RetrainSettings(**options)
    from training.retraining.run import retrain

    retrain(settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code (see `vcs_demo.terminal.run`), 130 also after SIGTERM."""
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return run(command, arguments, "stopped; the same command goes on from the last checkpoint")
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
