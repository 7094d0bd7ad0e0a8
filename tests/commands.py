"""Every command and option of a command line made by click, for tests of help and READMEs."""

from collections.abc import Iterator

import click


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield name (`python -m annotations account add`) and command of each command that is no group."""
    name = name or command.name or ""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for child in command.list_commands(context):
        yield from leaves(command.get_command(context, child), f"{name} {child}")


def options(command: click.Command) -> list[str]:
    """Return the names of a command's options: `--database`, …"""
    return [name for param in command.params if isinstance(param, click.Option) for name in param.opts]
