"""Typed settings that check themselves: a dataclass whose fields say what they mean and what they may be.

    @dataclass(frozen=True)
    class LossSettings(Settings):
        temperature: float = setting(0.1, "τ of the softmax", above=0)

The command line makes its options from the same fields (`vcs_demo.terminal.options_of`), so that a default, a range
and a help text stand in one place.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vcs_demo.errors import UserError, quoted


def setting(
    default: Any,
    about: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    metavar: str | None = None,
    several: bool = False,
) -> Any:
    """Return a dataclass field for `Settings`.

    Args:
        default: its value where none is given; None may be allowed by the type.
        about: one line for `--help`.
        choices: the values it may have.
        low: least value, itself included.
        high: greatest value, itself included.
        above: it must be greater than this.
        metavar: what the help calls its value.
        several: it is a tuple of values, each of which must fit.
    """
    facts = {"about": about, "choices": choices, "low": low, "high": high, "above": above}
    return field(default=default, metadata=facts | {"metavar": metavar, "several": several})


@dataclass(frozen=True)
class Settings:
    """Settings that are checked when they are made.

    Raises:
        UserError: a value outside its range or choices; the sentence names the setting, the value and the remedy.
    """

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if "about" in item.metadata and value is not None:
                for one in value if item.metadata["several"] else (value,):
                    _check("--" + item.name.replace("_", "-"), one, item.metadata)


def _check(name: str, value: Any, facts: Mapping[str, Any]) -> None:
    choices, low, high, above = (facts[key] for key in ("choices", "low", "high", "above"))
    if choices and value not in choices:
        raise UserError(f"{name} is {quoted(value)}; it must be one of {', '.join(choices)}.")
    if low is None and high is None and above is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (
        number
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
    ):
        raise UserError(f"{name} is {quoted(value)}; it must be {_range(low, high, above)}.")


def _range(low: float | None, high: float | None, above: float | None) -> str:
    if above is not None:
        return f"above {above:g}" + (f" and at most {high:g}" if high is not None else "")
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    return f"{low:g} or more" if low is not None else f"{high:g} or less"
