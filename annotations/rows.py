"""What came of the rows of an imported file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 20  # problems that are listed


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out: its number as `vcs_demo.reading.rows` counts it, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What came of a file: rows read, candidates (or gold answers) added and already there, rows left out.

    An export of answers also has the annotators' answers that were added and already there. `dropped` names the columns
    of which nothing was imported.
    """

    rows: int
    added: int
    already_there: int
    problems: list[RowProblem] = field(default_factory=list)
    answers_added: int = 0
    answers_there: int = 0
    dropped: tuple[str, ...] = ()


def listed(path: Path, problems: Sequence[RowProblem]) -> Iterator[str]:
    """Yield a line for each of the first problems of a file, and one that counts the rest."""
    for problem in problems[:SHOWN]:
        # No escapes in a terminal.
        reason = "".join(c if c.isprintable() else "\ufffd" for c in problem.reason)
        yield f"{path}:{problem.line}: {reason}"
    if len(problems) > SHOWN:
        yield f"… and {len(problems) - SHOWN} more rows left out."
