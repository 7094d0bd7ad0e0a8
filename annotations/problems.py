"""Rows of a file that could not be imported, each with its line and the reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = 20


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out: its line in the file (its row, in Parquet; both from 1), and why."""

    line: int
    reason: str


def listed(path: Path, problems: Sequence[RowProblem], rows: str = "rows") -> Iterator[str]:
    """Yield a line for each of the first problems, and one that counts the rest.

    Args:
        path: the file they are of.
        problems: in the order of their lines.
        rows: what the rest are called.
    """
    for problem in problems[:SHOWN]:
        reason = "".join(
            c if c.isprintable() else "\ufffd" for c in problem.reason
        )  # no escapes in a terminal
        yield f"{path}:{problem.line}: {reason}"
    if len(problems) > SHOWN:
        yield f"… and {len(problems) - SHOWN} more {rows} left out."
