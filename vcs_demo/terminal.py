"""What the commands share: click's settings and types, one-line errors, progress on a terminal."""

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_type_hints

import click

from vcs_demo.background import Progress
from vcs_demo.errors import UserError
from vcs_demo.files import is_full, unsaved
from vcs_demo.paths import found
from vcs_demo.settings import Settings
from vcs_demo.words import explain

LANGUAGE = "_VCS_LANGUAGE"  # set by the page for the commands that it starts
SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
FILE = click.Path(dir_okay=False, path_type=Path)  # to write

NO_ROOM = 1024**2  # bytes


class Input(click.Path):
    """A path to read, found whichever Unicode form it was typed in; the reader says what is wrong with the file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path as it is on disk."""
        return found(super().convert(value, param, ctx))


INPUT = Input(path_type=Path)


class Finite(click.FloatRange):
    """A number in a range that is neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fails with one line."""
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)


class SpreadCommand(click.Command):
    """A command whose options with `multiple` also take several values after one name: `--seeds 0 1 2`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option's name before each further value."""
        several = {
            name for option in self.params if getattr(option, "multiple", False) for name in option.opts
        }
        spread: list[str] = []
        option, values = "", 0
        for word in args:
            if word.startswith("--"):
                option, values = word if word in several else "", 0
            elif option:
                spread += [option] if values else []
                values += 1
            spread.append(word)
        return super().parse_args(ctx, spread)


def run(command: click.Command, arguments: Sequence[str] | None, interrupted: str = "stopped") -> int:
    """Run a click command; return its exit code after at most one clear line on standard error.

    0: done (or what the command returned); 1: a UserError or a file that cannot be used; 2: options that do not fit;
    130: stopped by Ctrl-C.

    Args:
        command: made by click.
        arguments: without the program's name; None: those of the process.
        interrupted: what to say when it was stopped.
    """
    try:
        result = command.main(
            None if arguments is None else list(arguments),
            prog_name=command.name if " " in (command.name or "") else None,
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:  # whoever reads has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return 2
    except click.UsageError as error:
        hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        sys.stderr.write(f"error: {error.format_message().rstrip('.')}{hint}\n")
        return 2
    except click.ClickException as error:
        sys.stderr.write(f"error: {error.format_message()}\n")
        return 1
    except UserError as error:
        language = os.environ.get(LANGUAGE, "en")
        sys.stderr.write(f"error: {error if language == 'en' else explain(error, language)}\n")
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        full = is_full(error) and unsaved(error, error.filename or _full_folder())
        sys.stderr.write(f"error: {full or f'{where}{error.strerror or error}'}\n")
        return 1
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write(f"\n{interrupted}\n")
        return 130


def _full_folder() -> Path:
    """Return the folder whose disk is full, of those that a command writes to."""
    folders = [Path(os.environ.get("VCS_DATA_DIR") or "data"), Path(tempfile.gettempdir()), Path()]
    full = (folder for folder in folders if folder.is_dir() and shutil.disk_usage(folder).free < NO_ROOM)
    return next(full, folders[0]).absolute()


def say(text: str) -> None:
    """Tell whoever watches, on standard error, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def bar(label: str) -> Progress | None:
    """Return a progress function that redraws one line of a terminal; None where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def progress(done: int, total: int) -> None:
        sys.stderr.write(f"\r{label}: {done}/{total}" + ("\r\033[K" if done >= total else ""))

    return progress


def options_of(settings: type[Settings], *without: str) -> Callable:
    """Return a decorator that adds a click option for each field of a settings class, in their order.

    Args:
        settings: a subclass of `Settings`; fields made by `setting` become options of the same name.
        without: names of fields that get no option.
    """

    def decorate(function: Callable) -> Callable:
        types = get_type_hints(settings)
        for item in reversed(fields(settings)):
            if "about" in item.metadata and item.name not in without:
                function = _option(item, types[item.name])(function)
        return function

    return decorate


def _option(item: Field, kind: Any) -> Callable:
    facts = item.metadata
    name = "--" + item.name.replace("_", "-")
    if kind is bool:
        return click.option(name, is_flag=True, help=facts["about"], default=item.default, show_default=False)
    base = next(t for t in (int, float, Path, str) if t.__name__ in str(kind))
    given: Any = click.Choice(facts["choices"]) if facts["choices"] else INPUT if base is Path else base
    if base in (int, float) and any(facts[end] is not None for end in ("low", "high", "above")):
        ends = {"min": facts["above"] if facts["low"] is None else facts["low"], "max": facts["high"]}
        given = click.IntRange(**ends) if base is int else Finite(min_open=facts["above"] is not None, **ends)
    more = {"multiple": True} if facts["several"] else {}
    default = list(item.default) if facts["several"] and item.default is not None else item.default
    return click.option(
        name, type=given, default=default, help=facts["about"], metavar=facts["metavar"], **more
    )
