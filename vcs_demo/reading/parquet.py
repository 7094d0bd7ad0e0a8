"""Parquet, bounded: what a small file unpacks to is told by its metadata, and read a few rows at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vcs_demo.errors import UserError, quoted, reason

MAX_ROWS = 2_000_000
MAX_VALUES = 5_000_000  # of one column, in all lists
MAX_UNPACKED = 512 * 1024**2  # bytes
_AT_ONCE = 128 * 1024**2  # bytes that a batch may come to, should every cell be as large as its row group
_BATCH = 1_000  # rows


def columns_of(path: Path) -> list[str]:
    """Return the names of the columns.

    Raises:
        UserError: not Parquet, or too much to be read.
    """
    with _blamed(path), _file(path) as file:
        facts = file.metadata
        groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
        values = [group.column(n).num_values for group in groups for n in range(group.num_columns)]
        if (
            facts.num_rows > MAX_ROWS
            or sum(group.total_byte_size for group in groups) > MAX_UNPACKED
            or max(values, default=0) > MAX_VALUES
        ):
            raise _too_much(path)
        return file.schema_arrow.names


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number (from 1) and values of each row.

    Raises:
        UserError: it cannot be read to its end, or unpacks to more than `MAX_UNPACKED`.
    """
    row = unpacked = 0
    with _blamed(path), _file(path) as file:
        for number in range(file.num_row_groups):
            size = file.metadata.row_group(number).total_byte_size
            batch_size = max(1, min(_BATCH, _AT_ONCE // max(size, 1)))
            for batch in file.iter_batches(batch_size, row_groups=[number]):
                unpacked += batch.nbytes
                if unpacked > MAX_UNPACKED:
                    raise _too_much(path)
                for content in batch.to_pylist():
                    row += 1
                    yield row, content


def _too_much(path: Path) -> UserError:
    return UserError(
        f"{quoted(path.name)} unpacks to over {MAX_ROWS:,} rows or {MAX_UNPACKED // 1024**2:,} MB; give a part of it."
    )


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        yield file


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{quoted(path.name)} cannot be read as Parquet: {reason(error)}.") from error
