"""The paper's experiments, each one command, on a task source and a base of your choice.

Every run is kept in `experiments.db` in the data directory as soon as it is done; the same command goes on where it was
stopped and repeats nothing. `report` prints tables of all that was run; their curves are on the page.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from any directory

from training.paper.settings import EXPERIMENTS, ExperimentSettings
from vcs_demo.terminal import SETTINGS, SpreadCommand, options_of, run, say

NAME = "python training/experiments.py"
EXAMPLE = f"Example: {NAME} ablation --base vcs-static --seeds 0 1 2 --epochs 1"
command = click.Group(NAME, help=__doc__, context_settings=SETTINGS, epilog=EXAMPLE)


def _add(kind: type[ExperimentSettings]) -> None:
    epilog = f"Example: {NAME} {kind.name} {kind.example}"

    @command.command(kind.name, SpreadCommand, help=kind.__doc__, short_help=kind.__doc__, epilog=epilog)
    @options_of(kind)
    @click.pass_context
    def experiment(context: click.Context, /, **values: object) -> None:
        from training.paper.run import run as carry_out

        # Only what was given: a default stays as the settings have it, also in the JSON that tells runs apart.
        source = context.get_parameter_source
        carry_out(
            kind(**{n: value for n, value in values.items() if source(n) is not ParameterSource.DEFAULT})
        )


for _kind in EXPERIMENTS.values():
    _add(_kind)


FOLDER = click.Path(file_okay=False, path_type=Path)


@command.command("report", epilog=f"Example: {NAME} report --csv results")
@click.option("--csv", type=FOLDER, help="folder for results.csv and curves.csv")
def report(csv: Path | None) -> None:
    """Print tables of all that was run, with intervals, warning signs and the paper's figures, as Markdown."""
    from training.paper.report import report as markdown

    click.echo(markdown(csv))
    if csv:
        say(f"CSV in {csv}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 or 2 after one clear line on standard error, 130 when it was stopped."""
    return run(command, arguments, "stopped; the same command goes on, finished runs are kept")


if __name__ == "__main__":
    sys.exit(main())
