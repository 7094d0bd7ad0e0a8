"""What each label does to the loss, before anything is trained.

python training/effects.py --labels data/labels.db --base vcs-20m
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from any directory

from training.retraining.settings import EffectSettings
from vcs_demo.files import check_writable
from vcs_demo.rankers.catalog import OURS
from vcs_demo.terminal import FILE, INPUT, SETTINGS, options_of, run


@click.command(
    "python training/effects.py",
    context_settings=SETTINGS,
    epilog="Example: python training/effects.py --labels labels.jsonl --base vcs-20m --show 10 --csv effects.csv",
)
@click.option("--labels", type=INPUT, help="label database or export [default: the app's database]")
@click.option("--base", default=OURS, metavar="MODEL", help="ranker name or SentenceTransformer directory")
@options_of(EffectSettings)
@click.option(
    "--source",
    help="mini, hub or a folder whose judgements count as relevant [default: mini for labels of mini, else none]",
)
@click.option("--show", type=click.IntRange(0), default=20, help="also the labels of largest effect")
@click.option("--csv", type=FILE, help="write the effect of every label to this file")
@click.option("--json", type=FILE, help="write settings, means and effects to this file")
def command(
    labels: Path | None,
    base: str,
    source: str | None,
    show: int,
    csv: Path | None,
    json: Path | None,
    **settings: Any,
) -> None:
    """Show what each label does to the loss, before anything is trained."""
    check_writable(csv, json)
    from training.retraining.effect_report import effects_of

    report = effects_of(labels, base, EffectSettings(**settings), source=source)
    if csv:
        report.write_csv(csv)
    if json:
        report.write_json(json)
    click.echo(report.markdown(show))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code (see `vcs_demo.terminal.run`)."""
    return run(command, arguments, "stopped; nothing was written")


if __name__ == "__main__":
    sys.exit(main())
