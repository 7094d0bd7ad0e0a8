"""Import of (query, positive, negative) triples that exist already: JSONL, CSV or Parquet, row by row."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from annotations.candidates import Candidate
from annotations.exchange.files import unguard
from annotations.rows import ImportReport, RowProblem, check_file, read_csv, read_jsonl
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import content_hash

COLUMNS = {
    "query": ("query", "anchor", "question"),
    "positive": ("positive", "pos"),
    "passage": ("negative", "neg"),
}
PROVENANCE = ("query_id", "positive_id", "passage_id", "task", "source", "split", "miner")
MAX_TRIPLES = 100_000
MAX_PER_ROW = 1_000  # triples that the lists of one row can make


def import_triples(
    store: LabelStore,
    path: Path | str,
    *,
    task: str = "imported",
    split: str = "train",
    miner: str = "imported",
) -> ImportReport:
    """Add the triples of a file as candidates: the good rows in one transaction, the bad ones reported.

    Columns are `query` (or `anchor`, `question`), `positive` (`pos`) and `negative` (`neg`). A positive or
    negative can be a list (in CSV a JSON list); every pair of the two is a candidate. Columns `query_id`,
    `positive_id`, `passage_id`, `task`, `source`, `split` and `miner` are kept where a row has them; otherwise
    the arguments hold, the source is the file's name, and ids come from the texts.

    Raises:
        UserError: no such file, not .jsonl, .csv or .parquet, too large, or unreadable.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    check_file(path)
    if read is None:
        raise UserError(f"{quoted(path.name)} cannot be imported; give a .jsonl, .csv or .parquet file.")
    defaults = {"task": task, "source": path.name, "split": split, "miner": miner}
    candidates: list[Candidate] = []
    problems: list[RowProblem] = []
    rows = 0
    for line, row in read(path):
        rows += 1
        try:
            candidates += _candidates(row, defaults)
        except UserError as error:
            problems.append(RowProblem(line, str(error)))
        if len(candidates) > MAX_TRIPLES:
            raise UserError(f"{quoted(path.name)} has over {MAX_TRIPLES:,} triples; import a part of it.")
    added, already_there = store.add_candidates(candidates)
    return ImportReport(rows, added, already_there, problems)


def _candidates(row: Any, defaults: dict[str, str]) -> list[Candidate]:
    """Return a row's candidates; raises UserError with the reason. A string as row is a reason already."""
    if isinstance(row, str):
        raise UserError(row)
    if not isinstance(row, dict):
        raise UserError("The line is not a JSON object; write {'query': …, 'positive': …, 'negative': …}.")
    row = {str(name).strip().lower(): value for name, value in row.items()}
    texts = {}
    for name, aliases in COLUMNS.items():
        value = next((row[alias] for alias in aliases if row.get(alias) is not None), None)
        if value is None:
            raise UserError(f"There is no {aliases[0]} (it can also be named {' or '.join(aliases[1:])}).")
        texts[name] = value if isinstance(value, list) and name != "query" else [value]
        if not texts[name] or not all(isinstance(text, str) for text in texts[name]):
            raise UserError(f"The {aliases[0]} is {quoted(value)}; it must be text.")
    given = {name: row[name] for name in PROVENANCE if isinstance(row.get(name), str) and row[name]}
    facts = defaults | given
    if facts["split"].lower() == "test":
        raise UserError("The row is of a test split, which models are evaluated on; leave it out.")
    if len(texts["positive"]) * len(texts["passage"]) > MAX_PER_ROW:
        raise UserError(f"The row's lists make over {MAX_PER_ROW:,} triples; split it.")
    if len(texts["positive"]) * len(texts["passage"]) > 1:
        facts = {name: value for name, value in facts.items() if name not in ("positive_id", "passage_id")}
    positives = {content_hash(text) for text in texts["positive"]}
    if any(content_hash(text) in positives for text in texts["passage"]):
        raise UserError("A negative has the same text as a positive; one of the two is wrong.")
    return [
        Candidate.create(query=texts["query"][0], positive=positive, passage=passage, **facts)
        for positive, passage in product(texts["positive"], texts["passage"])
    ]


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    return read_csv(path, lambda header: _check_header(header, path), _cell)


def _cell(cell: str) -> Any:
    """Return a cell's text, or the list of a JSON list; an export's guarding apostrophe is taken away."""
    if cell.startswith("["):
        try:
            texts = json.loads(cell)
        except (ValueError, RecursionError):
            texts = None
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return texts
    return unguard(cell) or None


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    import pyarrow.parquet

    row = 0
    try:
        file = pyarrow.parquet.ParquetFile(path)
        _check_header(file.schema_arrow.names, path)
        for batch in file.iter_batches(1_000):
            for content in batch.to_pylist():
                row += 1
                yield row, content
    except pyarrow.ArrowException as error:
        raise UserError(f"{quoted(path.name)} is not a Parquet file ({quoted(error)}).") from error


def _check_header(names: list[str], path: Path) -> None:
    columns = {name.strip().lower() for name in names}
    for aliases in COLUMNS.values():
        if columns.isdisjoint(aliases):
            raise UserError(
                f"{quoted(path.name)} has no column {' or '.join(aliases)}; it has {quoted(', '.join(names))}."
            )


_READERS = {".jsonl": read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
