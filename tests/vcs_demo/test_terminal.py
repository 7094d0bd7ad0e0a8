"""Commands: typed settings become options, and every failure is one line with its exit code."""

from dataclasses import dataclass

import click
import pytest

from vcs_demo.errors import UserError
from vcs_demo.settings import Settings, setting
from vcs_demo.terminal import LANGUAGE, SETTINGS, SpreadCommand, options_of, run
from vcs_demo.words import problem, say


@dataclass(frozen=True)
class Brewing(Settings):
    """Settings of a pot of tea."""

    leaf: str = setting("green", "which leaf", choices=("green", "black"))
    degrees: float = setting(80.0, "of the water", above=0, high=100)
    minutes: int = setting(3, "how long", low=1)
    cups: tuple[int, ...] = setting((1,), "sizes", low=1, several=True)


@click.command("brew", cls=SpreadCommand, context_settings=SETTINGS)
@options_of(Brewing, "leaf")
@click.option("--fail")
def brew(fail: str | None, cups: tuple[int, ...], **values: object) -> None:
    if fail == "stop":
        raise KeyboardInterrupt
    if fail:
        raise {
            "user": UserError("The pot is empty; fill it."),
            "file": OSError(2, "gone", "pot.txt"),
            "full": OSError(28, "No space left on device"),
        }[fail]
    click.echo(Brewing(cups=cups, **values))


def test_settings_become_options_with_their_defaults(capsys):
    assert run(brew, ["--cups", "2", "3", "--degrees", "90"]) == 0
    assert capsys.readouterr().out == "Brewing(leaf='green', degrees=90.0, minutes=3, cups=(2, 3))\n"
    assert run(brew, ["--help"]) == 0
    assert "of the water  [default: 80.0; 0<x<=100]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--degrees", "nan"], 2, "not a finite number"),
        (["--degrees", "0"], 2, "0.0 is not in the range"),
        (["--minutes", "x"], 2, "not a valid integer"),
        (["--minutes", "1", "2"], 2, "unexpected extra argument"),
        (["--fail", "user"], 1, "error: The pot is empty; fill it."),
        (["--fail", "file"], 1, "error: pot.txt: gone"),
        (["--fail", "full"], 1, "error: Not saved: the disk has no room left for '/"),
        (["--fail", "stop"], 130, "the tea is cold"),
    ],
)
def test_a_failure_is_one_line_and_a_code(words, code, says, capsys):
    assert run(brew, words, "the tea is cold") == code
    error = capsys.readouterr().err
    assert says in error and len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"leaf": "oak"}, "--leaf is 'oak'; it must be one of green, black."),
        ({"degrees": 0}, "--degrees is '0'; it must be above 0 and at most 100."),
        ({"degrees": float("inf")}, "--degrees is 'inf'; it must be above 0 and at most 100."),
        ({"minutes": 0}, "--minutes is '0'; it must be 1 or more."),
        ({"minutes": True}, "--minutes is 'True'; it must be 1 or more."),
        ({"cups": (1, 0)}, "--cups is '0'; it must be 1 or more."),
    ],
)
def test_settings_check_themselves(values, says):
    with pytest.raises(UserError) as error:
        Brewing(**values)
    assert str(error.value) == says


def test_a_command_that_the_page_started_tells_errors_in_the_pages_language(monkeypatch, capsys):
    @click.command()
    def fail():
        raise problem("error.no_query")

    monkeypatch.setenv(LANGUAGE, "vi")
    assert run(fail, []) == 1
    assert capsys.readouterr().err == f"error: {say('vi', 'error.no_query')}\n"
