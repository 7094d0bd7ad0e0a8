"""What each label does to the loss, before anything is trained.

python training/effects.py --labels data/labels.db --base vcs-20m
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vcs_demo.errors import carried_out
from vcs_demo.rankers.catalog import OURS


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, 1 after one clear line on standard error, 130 when it was stopped."""
    options = parser().parse_args(arguments)
    return carried_out(lambda: _report(options), "stopped; nothing was written")


def _report(options: argparse.Namespace) -> int:
    from training.retraining.effects_report import report

    print(report(options))
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command = argparse.ArgumentParser(
        prog="python training/effects.py",
        description="Show what each label does to the loss, before anything is trained.",
        epilog="Example: python training/effects.py --labels labels.jsonl --base vcs-20m --show 10 --csv effects.csv",
    )
    add = command.add_argument
    add("--labels", type=Path, help="label database or export (default: the app's database)")
    add("--base", default=OURS, help="ranker name or SentenceTransformer directory (default: %(default)s)")
    add("--loss", choices=("modified", "infonce"), default="modified")
    add("--temperature", type=float, default=0.1, metavar="τ")
    add("--batch-size", type=int, default=32, help="one more than the in-batch negatives (default: 32)")
    add("--seed", type=int, default=42, help="of the draw of in-batch negatives (default: 42)")
    add(
        "--source",
        help="mini, hub or a folder: what it judges relevant is no negative (default: mini's labels')",
    )
    add("--show", type=int, default=20, metavar="N", help="also the N labels of largest effect (default: 20)")
    add("--csv", type=Path, metavar="OUT", help="write the effect of every label to this file")
    add("--json", type=Path, metavar="OUT", help="write all of it to this file")
    return command


if __name__ == "__main__":
    sys.exit(main())
