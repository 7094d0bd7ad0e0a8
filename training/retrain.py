"""Fine-tune an embedding model on labelled hard negatives, and evaluate it before and after.

    python training/retrain.py --labels data/labels.db --base vcs-20m --output data/models/mine

The output is a SentenceTransformer directory with a model card; it appears whole or not at all. A run that was
stopped is continued from its last checkpoint when the same command is given again.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from any directory

from training.retraining.settings import RetrainSettings
from vcs_demo.terminal import SETTINGS, options_of, run

ENDS_WITH_INPUT = "_VCS_ENDS_WITH_INPUT"  # set by the page
SECONDS_TO_END = 10.0


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
    if os.environ.get(ENDS_WITH_INPUT):
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        return run(command, arguments, "stopped; the same command goes on from the last checkpoint")
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_with_input() -> None:
    """End as after SIGTERM once standard input ends: the app that started this, and holds its other end, is gone."""
    while os.read(0, 4096):  # not by sys.stdin, whose lock Python waits for at its own end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os._exit(130)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
