"""The commands of `python -m annotations`: thin skins, which import what they run when they run."""

import functools
from collections.abc import Callable
from pathlib import Path

import click

from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import database_path
from vcs_demo.terminal import SETTINGS


def command(name: str, example: str) -> Callable[[Callable], click.Command]:
    """Return a decorator that makes a command with an example below its help."""
    epilog = f"Example: python -m annotations {example}"
    return click.command(name, context_settings=SETTINGS, epilog=epilog)


def with_database(function: Callable) -> Callable:
    """Add `--database`; the function takes the path as `database`."""

    @click.option(
        "--database",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Label database.  [default: labels.db in the data directory]",
    )
    @functools.wraps(function)
    def run(*, database: Path | None, **options: object) -> object:
        if database is None:
            database = database_path()
        _check_path(database)
        return function(database=database, **options)

    return run


def _check_path(database: Path) -> None:
    """Raise UserError, before any work, where no database can be."""
    parent = next(folder for folder in database.absolute().parents if folder.exists())
    if database.is_dir() or not parent.is_dir():
        raise UserError(
            f"--database is {quoted(database)}, which cannot be a file; give the path of a labels.db."
        )


def check_exists(database: Path) -> None:
    """Raise UserError where there is no database."""
    if not database.is_file():
        raise UserError(f"There is no database at '{database}'; run `mine` or `import` first.")
