"""Rows of files from elsewhere, each with its line, and whole files written for elsewhere."""

import csv
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotations.exchange.cells import unguard
from vcs_demo.errors import UserError, quoted

MAX_BYTES = 512 * 1024**2
MAX_LINE = 32 * 1024**2  # bytes of one line of JSONL
MAX_COLUMNS = 1_000
_ONE_LINE = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}  # line ends to some readers of JSONL


class BadImport(UserError, ValueError):
    """A file that cannot be imported at all."""


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out: its line in the file (its row, in Parquet and JSON; both from 1), and why."""

    line: int
    reason: str


def check_file(path: Path) -> None:
    """Raise BadImport unless there is such a file, and not too large a one."""
    if not path.is_file():
        raise BadImport(f"There is no file {quoted(path)} to import.")
    if path.stat().st_size > MAX_BYTES:
        raise BadImport(f"{quoted(path.name)} is larger than {MAX_BYTES // 1024**2} MB; import a part of it.")


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield line and value of each line of JSON; the reason, as a string, for a line that is none."""
    with path.open("rb") as file:
        line = 0
        while content := file.readline(MAX_LINE):
            line += 1
            if len(content) == MAX_LINE and not content.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield line, f"The line has over {MAX_LINE // 1024**2} MB; split it."
            elif content.strip():
                yield line, _json(content)


def _json(content: bytes) -> Any:
    try:
        value = json.loads(content.decode("utf-8-sig"))
        return "The line is a JSON string, not an object." if isinstance(value, str) else value
    except UnicodeDecodeError:
        return "The line is not UTF-8 text; save the file as UTF-8."
    except (ValueError, RecursionError) as error:
        return f"The line is not JSON: {error}."


def read_json(path: Path) -> Any:
    """Return the value of a file of JSON; raises BadImport."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadImport(f"{quoted(path.name)} is not UTF-8 text; save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise BadImport(f"{quoted(path.name)} is not JSON ({error}); export it again.") from error


def read_csv(
    path: Path, check_header: Callable[[list[str]], None], cell: Callable[[str], Any] = unguard
) -> Iterator[tuple[int, Any]]:
    """Yield line and cells by column of each row of CSV; the reason, as a string, for a row that is none.

    Raises:
        BadImport: no UTF-8, or a header of too many columns; and what `check_header` raises.
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
                raise BadImport(f"{quoted(path.name)} is not UTF-8 text; save it as UTF-8.") from error
            except csv.Error as error:
                yield line, f"The row is not CSV: {error}."
                continue
            if header is None:
                header = cells
                if len(header) > MAX_COLUMNS:
                    raise BadImport(
                        f"{quoted(path.name)} has {len(header):,} columns; at most {MAX_COLUMNS:,} are read."
                    )
                check_header(header)
            elif cells and len(cells) != len(header):
                yield line, f"The row has {len(cells)} cells, the header {len(header)}."
            elif cells:
                yield line, {name: cell(text) for name, text in zip(header, cells, strict=True)}


def json_line(record: dict[str, Any]) -> str:
    """Return a record as one line of JSON, whatever its reader takes for the end of a line."""
    return json.dumps(record, ensure_ascii=False).translate(_ONE_LINE) + "\n"


def write_lines(path: Path, lines: Iterable[str], encoding: str = "utf-8") -> None:
    """Write a file beside its place, synced, then move it there: it is complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with part.open("w", encoding=encoding, newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
