"""Rows of files, each with its line: JSON lines or a JSON array, CSV or TSV, Parquet, a saved data set.

    for line, row in read_rows(Path("triples.csv")):
        print(line, row["query"])

The format is told by the content where it can be, else by the ending, whose case does not matter.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcs_demo.background import TRANSFORMERS
from vcs_demo.errors import UserError, quoted, reason
from vcs_demo.reading import parquet
from vcs_demo.reading.texts import check_file, encoding_of, head, opened
from vcs_demo.tables import unguard

JSON, TABLES, PARQUET = (".jsonl", ".ndjson", ".json"), (".csv", ".tsv"), ".parquet"
ENDINGS = (*JSON, *TABLES, PARQUET)
MAX_LINE = 32 * 1024**2  # characters of one line of JSON
MAX_COLUMNS = 1_000
EMPTY = ("", "nan", "null", "none", "na", "n/a", "#n/a", "<na>")  # what programs write into an empty cell
_DELIMITERS = (",", ";", "\t")
Numbered = Iterator[tuple[int, Any]]


@dataclass(frozen=True)
class Rows:
    """The rows of a file; iterating reads it, each time anew.

    A row that cannot be read is a string, the reason. The number beside it is its line, or its place from 1 in
    Parquet, in a JSON array and in a data set.

    Attributes:
        path: of the file.
        columns: of a table; empty for JSON, where each row has its own.
        read: what iterating calls.
        delimiter: what separates the cells of CSV, all of which are texts; empty for the other formats.
    """

    path: Path
    columns: tuple[str, ...]
    read: Callable[[], Numbered]
    delimiter: str = ""

    def __iter__(self) -> Numbered:
        return self.read()

    def number(self, cell: str, kind: type) -> int | float | None:
        """Return the number in a cell of CSV, None for an empty one (`NaN`, `null` too); raises ValueError.

        Args:
            cell: such as `7.5`, or `7,5` (with thousands `1.007,5` where no comma separates the cells).
            kind: int or float.
        """
        text = cell.strip()
        if "," in text and self.delimiter != ",":
            text = text.replace(".", "")
        if (
            text.count(",") == 1 and "." not in text
        ):  # a spreadsheet of a country that writes so quotes the cell
            text = text.replace(",", ".")
        if text.lower() in EMPTY:
            return None
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"{cell} is no number")
        return value if kind is float else int(value) if value.is_integer() else int(text)


def as_number(value: Any, kind: type) -> Any:
    """Return a number of Parquet or JSON as it was written first: pandas makes 3 into 3.0, and nothing into NaN.

    Args:
        value: of any type; what is no number comes back as it is.
        kind: int or float.

    Raises:
        ValueError: it is infinite.
    """
    if not isinstance(value, float):
        return value
    if math.isinf(value):
        raise ValueError(f"{value} is no number")
    return None if math.isnan(value) else int(value) if kind is int and value.is_integer() else value


def read_rows(path: Path) -> Rows:
    """Open a file of rows, or the folder of a data set that `save_to_disk` wrote.

    Raises:
        UserError: no such file, another format, too large, or a table without a header.
    """
    if path.is_dir():
        return _data_set(path)
    check_file(path)
    if head(path).startswith(b"PAR1") or path.suffix.lower() == PARQUET:
        return Rows(path, tuple(parquet.columns_of(path)), lambda: parquet.rows_of(path))
    if path.suffix.lower() in TABLES:
        return _table(path)
    if path.suffix.lower() in JSON:
        return Rows(path, (), _json(path))
    encoding_of(path)  # a compressed file or a workbook says so
    raise UserError(f"{quoted(path.name)} cannot be read; give a file that ends in {', '.join(ENDINGS)}.")


def _data_set(path: Path) -> Rows:
    if not (path / "dataset_info.json").is_file() or not (path / "state.json").is_file():
        raise UserError(f"{quoted(path)} is a folder, but not an exported data set (`save_to_disk`).")
    import datasets

    try:
        with TRANSFORMERS:
            data_set = datasets.load_from_disk(str(path))
    except Exception as error:  # datasets and pyarrow raise many kinds for a broken folder
        raise UserError(f"The data set {quoted(path)} cannot be read: {reason(error)}.") from error
    return Rows(path, tuple(data_set.column_names), lambda: enumerate(data_set, start=1))


def _json(path: Path) -> Callable[[], Numbered]:
    """Return what reads a file of JSON: as lines, unless it is whole an array (or one object on several lines)."""
    with opened(path, keep_broken=True) as file:
        first = next((line for line in file if line.strip()), "")
        if not first or isinstance(_value(first), dict):
            return lambda: _json_lines(path)
        file.seek(0)
        try:
            whole = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            if first.lstrip().startswith("[") and not isinstance(_value(first), list):
                raise UserError(f"{quoted(path.name)} is not JSON: {reason(error)}.") from error
            return lambda: _json_lines(path)
    if isinstance(whole, list):
        return lambda: ((n, _no_text(value)) for n, value in enumerate(whole, start=1))
    return lambda: iter([(1, _no_text(whole))])


def _json_lines(path: Path) -> Numbered:
    with opened(path, keep_broken=True) as file:
        for line, text in enumerate(file, start=1):
            if text.strip("\0 \t\r\n"):
                yield line, _value(text)


def _value(text: str) -> Any:
    if len(text) > MAX_LINE:
        return f"The line has over {MAX_LINE // 1024**2} MB; split it."
    if not text.isascii() and any("\udc80" <= c <= "\udcff" for c in text):
        return "The line is not UTF-8 text; save the file as UTF-8."
    try:
        return _no_text(json.loads(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError) as error:
        return f"The line is not JSON: {error}."


def _no_text(value: Any) -> Any:
    return "The line is a JSON string, not an object." if isinstance(value, str) else value


def _table(path: Path) -> Rows:
    delimiter, before = _layout(path)
    numbered = _records(path, delimiter, before)
    header = next((row for _, row in numbered), None)
    numbered.close()
    if isinstance(header, str):
        raise UserError(f"The header of {quoted(path.name)} cannot be read: {header}")
    if header is None:
        raise UserError(f"{quoted(path.name)} is empty; its first line must name the columns.")
    names = [name.replace("\0", "").strip() for name in header]
    if len(names) > MAX_COLUMNS:
        raise UserError(f"{quoted(path.name)} has {len(names):,} columns, over {MAX_COLUMNS:,}.")
    lowered = [name.lower() for name in names if name]
    if twice := next((name for name in lowered if lowered.count(name) > 1), None):
        raise UserError(f"{quoted(path.name)} has the column {quoted(twice)} twice; rename one.")

    def read() -> Numbered:
        rows = _records(path, delimiter, before)
        next(rows, None)
        for line, cells in rows:
            yield line, _record(names, cells)

    return Rows(path, tuple(filter(None, names)), read, delimiter)


def _layout(path: Path) -> tuple[str, int]:
    """Return what separates the columns, and how many lines stand before the header (`sep=;`)."""
    with opened(path, newline="") as file:
        for number, line in enumerate(file):
            text = line.strip("\0\r\n ")
            if text[:4].lower() == "sep=" and len(text) == 5:
                return text[4], number + 1
            if text:
                bare = "".join(text.split('"')[::2])  # what stands outside quotes
                return max(_DELIMITERS, key=bare.count), 0
    return ",", 0


def _records(path: Path, delimiter: str, before: int) -> Iterator[tuple[int, list[str] | str]]:
    """Yield line and cells of each record that is not blank, the header first; for a broken one, the reason."""
    with opened(path, newline="") as file:
        for _ in range(before):
            file.readline()
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = before + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, f"The row is not CSV: {error}."
                continue
            if any(cell.strip("\0 ") for cell in cells):
                yield line, cells


def _record(names: list[str], cells: list[str] | str) -> dict[str, str] | str:
    if isinstance(cells, str):
        return cells
    if len(cells) < len(names) or any(cells[len(names) :]):
        return f"The row has {len(cells)} cells, the header {len(names)}."
    return {name: unguard(cell) for name, cell in zip(names, cells, strict=False) if name}
