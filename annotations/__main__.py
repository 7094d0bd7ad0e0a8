"""The command line of the labelling side: `python -m annotations mine …`."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from vcs_demo.terminal import SETTINGS, run

COMMANDS = {  # name → the module of annotations.commands that defines it
    "mine": "mine",
    "import": "exchange",
    "export": "exchange",
    "settings": "study",
    "calibrate": "study",
    "gold": "study",
    "account": "account",
    "status": "report",
    "audit": "report",
    "agreement": "report",
    "backup": "backup",
    "restore": "backup",
}


class Commands(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command by name; None for an unknown one."""
        if name not in COMMANDS:
            return None
        module = import_module(f"annotations.commands.{COMMANDS[name]}")
        return next(c for c in vars(module).values() if isinstance(c, click.Command) and c.name == name)


@click.group("python -m annotations", cls=Commands, context_settings=SETTINGS)
def commands() -> None:
    """Mine, label, measure and exchange hard negatives."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code after at most one clear line on standard error."""
    return run(commands, arguments, "cancelled; nothing was added")


if __name__ == "__main__":
    sys.exit(main())
