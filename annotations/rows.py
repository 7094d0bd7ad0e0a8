"""Rows of files that people bring, each with its line; and what came of them."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcs_demo.errors import UserError, quoted

SHOWN = 20  # problems that are listed
MAX_BYTES = 512 * 1024**2
MAX_LINE = 32 * 1024**2  # bytes of one line of JSONL
MAX_COLUMNS = 1_000


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out: its line in the file (its row, in Parquet; both from 1), and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What came of a file: rows read, candidates (or gold answers) added and already there, rows left out.

    An export of answers also has the annotators' answers that were added and already there.
    """

    rows: int
    added: int
    already_there: int
    problems: list[RowProblem] = field(default_factory=list)
    answers_added: int = 0
    answers_there: int = 0


def listed(path: Path, problems: Sequence[RowProblem]) -> Iterator[str]:
    """Yield a line for each of the first problems of a file, and one that counts the rest."""
    for problem in problems[:SHOWN]:
        # No escapes in a terminal.
        reason = "".join(c if c.isprintable() else "\ufffd" for c in problem.reason)
        yield f"{path}:{problem.line}: {reason}"
    if len(problems) > SHOWN:
        yield f"… and {len(problems) - SHOWN} more rows left out."


def check_file(path: Path) -> None:
    """Raise UserError unless there is such a file, and not too large a one."""
    if not path.is_file():
        raise UserError(f"There is no file {quoted(path)} to import.")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{quoted(path.name)} is larger than {MAX_BYTES // 1024**2} MB; import a part of it.")


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield line and value of each line of JSON; for a line that cannot be read, the reason as a string."""
    with path.open("rb") as file:
        for line, content in enumerate(file, start=1):
            if content.strip():
                yield line, _json(content)


def _json(content: bytes) -> Any:
    if len(content) > MAX_LINE:
        return f"The line has over {MAX_LINE // 1024**2} MB; split it."
    try:
        value = json.loads(content.decode("utf-8-sig"))
        return "The line is a JSON string, not an object." if isinstance(value, str) else value
    except UnicodeDecodeError:
        return "The line is not UTF-8 text; save the file as UTF-8."
    except (ValueError, RecursionError) as error:
        return f"The line is not JSON: {error}."


def read_csv(
    path: Path, check_header: Callable[[list[str]], None], cell: Callable[[str], Any]
) -> Iterator[tuple[int, Any]]:
    """Yield line and cells by column of each row of CSV; for a row that cannot be read, the reason as a string.

    Args:
        path: the file, in UTF-8.
        check_header: called with the columns; raises where they do not fit.
        cell: makes a value of a cell's text.

    Raises:
        UserError: not UTF-8, or a header of too many columns.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise UserError(f"{quoted(path.name)} is not UTF-8 text; save it as UTF-8.") from error
            except csv.Error as error:
                yield line, f"The row is not CSV: {error}."
                continue
            if header is None:
                header = cells
                if len(header) > MAX_COLUMNS:
                    raise UserError(f"{quoted(path.name)} has {len(header):,} columns, over {MAX_COLUMNS:,}.")
                check_header(header)
            elif cells and len(cells) != len(header):
                yield line, f"The row has {len(cells)} cells, the header {len(header)}."
            elif cells:
                yield line, {name: cell(text) for name, text in zip(header, cells, strict=True)}
