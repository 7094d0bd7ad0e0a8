"""Labels as files and back: JSONL, CSV, Parquet and a `datasets` folder. Annotators are never named."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, LabelledCandidate, checked_split
from annotations.exchange.files import FORMATS, write_csv
from vcs_demo.background import TRANSFORMERS
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import json_line, partial
from vcs_demo.reading.rows import JSON, Rows, as_number, read_rows
from vcs_demo.text import folded

TEXT, INTEGER, REAL = "string", "int64", "float64"
# `votes` is JSON, label → number of annotators; `consensus` is how `label` came about: adjudicated or by majority.
_TEXTS = (
    *(
        "query",
        "positive",
        "negative",
        "label",
        "votes",
        "consensus",
        "candidate_id",
        "query_id",
        "positive_id",
    ),
    *("passage_id", "task", "source", "split", "miner"),
)
_NUMBERS = {
    "rank": INTEGER,
    "score": REAL,
    "positive_score": REAL,
    "annotators": INTEGER,
}  # how many, not who
COLUMNS = dict.fromkeys(_TEXTS, TEXT) | _NUMBERS
TRIPLE_COLUMNS = dict.fromkeys(("anchor", "positive", "negative"), TEXT)
_PYTHON = {TEXT: str, INTEGER: int | None, REAL: float | int | None}
_KINDS = {INTEGER: int, REAL: float}
_OWN_NAME = {"negative": "passage", "candidate_id": "id"}  # column → field, where they differ


def format_of(path: Path, format: str | None = None) -> str:
    """Return the format to write a path in: the one asked for, else the one of its ending, else `dataset`.

    Raises:
        UserError: an unknown format, an ending by which it would be read as another, or the path is a folder that
            holds something else.
    """
    format = format or path.suffix.lstrip(".").lower() or "dataset"
    if format not in FORMATS:
        raise UserError(f"{quoted(format)} is not a format; the formats are {', '.join(FORMATS)}.")
    if path.is_dir() and (format != "dataset" or (any(path.iterdir()) and not _is_dataset(path))):
        raise UserError(f"{quoted(path)} is a folder with something else in it; give another path.")
    endings = {"jsonl": JSON, "dataset": ()}.get(format, (f".{format}",))
    if path.suffix.lower() not in endings and (endings or path.suffix.lower().lstrip(".") in FORMATS):
        name = path.with_suffix(endings[0] if endings else "").name
        raise UserError(f"{quoted(path.name)} would not be read as {format}; name it {quoted(name)}.")
    return format


def write_rows(path: Path, rows: list[dict[str, Any]], format: str, *, triples: bool = False) -> None:
    """Write the rows of an export (see `rows_of`) to a path where nothing is.

    In CSV (UTF-8 with a mark, for spreadsheets) a text that a spreadsheet could take for a formula gets an
    apostrophe before it, and so does a text that begins with one; `read_export` takes exactly that apostrophe away.

    Raises:
        UserError: a `dataset` without rows.
    """
    columns = TRIPLE_COLUMNS if triples else COLUMNS
    if format == "jsonl":
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(map(json_line, rows))
        return
    if format == "csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            write_csv(file, columns, rows)
        return
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in columns.items()])
    table = pyarrow.Table.from_pylist(rows, schema=schema)
    if format == "parquet":
        pyarrow.parquet.write_table(table, path)
        return
    if not rows:  # datasets 5.2 saves an empty one, but cannot load it again
        raise UserError("There is nothing to export yet, and a data set cannot be empty; label first.")
    import datasets

    with TRANSFORMERS:
        datasets.Dataset(table).save_to_disk(path)


@contextmanager
def replacing(path: Path, stale: Path) -> Iterator[Path]:
    """Yield where to write a file or folder; when it is complete, sync it and move it into its place.

    Args:
        path: its place. A failure leaves what is there.
        stale: a file about what was there, removed before the move.
    """
    part = partial(path)
    old = _aside(path)
    bring_back(path)
    try:
        yield part
        for file in part.rglob("*") if part.is_dir() else [part]:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        stale.unlink(missing_ok=True)
        if path.is_dir():  # a folder cannot be replaced in one step: the old one is moved aside for a moment
            path.rename(old)
        part.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.filename and str(part) not in str(error.filename):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # not the name that only we know
    finally:
        shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
        bring_back(
            path
        )  # where that fails too, the old one stays whole under its other name until the next call


def bring_back(path: Path) -> None:
    """Put a data set folder back that was moved aside when its replacement was cut short, or delete it if that came."""
    old = _aside(path)
    if not old.is_dir():
        return
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(path)


def _aside(path: Path) -> Path:
    """Return where a folder is for a moment; always the same, so that what a kill leaves there is found."""
    return path.with_name(f".{path.name[:80]}.old.partial")


def rows_of(labelled: Iterable[LabelledCandidate], *, triples: bool = False) -> list[dict[str, Any]]:
    """Return the rows of an export, column → value."""
    if not triples:
        return [_row(item) for item in labelled]
    hard = (item for item in labelled if item.label == "hard")
    return [{"anchor": item.query, "positive": item.positive, "negative": item.passage} for item in hard]


def read_export(path: Path | str) -> list[LabelledCandidate]:
    """Read an export of labels in any of its formats, also as a spreadsheet saved it.

    Raises:
        UserError: missing, not an export, or a row that cannot be read (named by its number).
    """
    path = Path(path)
    if not path.exists():
        bring_back(path)
    if not path.exists():
        raise UserError(f"There is no export at {quoted(path)}.")
    rows = read_rows(path)
    return [_labelled(row, f"Row {n} of {quoted(path)}", rows) for n, (_, row) in enumerate(rows, start=1)]


def _row(item: LabelledCandidate) -> dict[str, Any]:
    values = {column: getattr(item, _OWN_NAME.get(column, column)) for column in COLUMNS}
    return values | {"votes": json.dumps(item.votes, sort_keys=True)}


def _labelled(row: Any, where: str, rows: Rows) -> LabelledCandidate:
    if isinstance(row, str):  # why there is no row
        raise UserError(f"{where} cannot be read: {row} Export it again.")
    if not isinstance(row, dict):
        raise UserError(f"{where} is not an object; it is not an export of labels.")
    if missing := [column for column in COLUMNS if column not in row]:
        hint = " (`--format answers` wrote it; export without)" if "annotator" in row or "kind" in row else ""
        raise UserError(f"{where} has no {', '.join(missing)}; it is not an export of labels{hint}.")
    if isinstance(row["label"], str):
        row = row | {"label": row["label"].strip().lower()}
    if row["label"] not in LABELS:
        raise UserError(f"{where} has the label {quoted(row['label'])}; the labels are {', '.join(LABELS)}.")
    try:
        if rows.delimiter:
            row = row | {column: rows.number(row[column], _KINDS[kind]) for column, kind in _NUMBERS.items()}
        else:
            row = row | {column: as_number(row[column], _KINDS[kind]) for column, kind in _NUMBERS.items()}
        wrong = [column for column, kind in COLUMNS.items() if not isinstance(row[column], _PYTHON[kind])]
        votes = None if wrong else json.loads(row["votes"])
    except (ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{where} is not as exported ({quoted(error)}); export it again.") from error
    if not isinstance(votes, dict) or not all(map(_is_vote, votes.items())):
        raise UserError(f"{where}: {', '.join(wrong) or 'votes'} is not as exported.")
    if empty := [name for name in ("query", "positive", "negative") if not folded(row[name])]:
        raise UserError(f"{where} has an empty {' and '.join(empty)}; every label needs its texts.")
    if row["split"]:
        checked_split(row["split"])
    return LabelledCandidate(**{_OWN_NAME.get(c, c): row[c] for c in COLUMNS} | {"votes": votes})


def _is_vote(vote: tuple[Any, Any]) -> bool:
    label, count = vote
    return label in LABELS and type(count) is int and count > 0


def _is_dataset(path: Path) -> bool:
    return (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
