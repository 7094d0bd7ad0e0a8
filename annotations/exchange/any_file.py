"""What kind of file comes in, by its first line: answers, another tool's labels, or triples to label."""

from pathlib import Path
from typing import Any

from annotations.exchange.answer_files import import_answers
from annotations.exchange.answer_rows import KINDS
from annotations.exchange.argilla import import_argilla
from annotations.exchange.files import check_file, read_csv, read_jsonl
from annotations.exchange.merging import AnswersReport
from annotations.exchange.potato import LINES, STATE, import_potato
from annotations.exchange.triples import ImportReport, import_triples
from annotations.store.label_store import LabelStore

LOOKED_AT = 20  # lines, where the first ones cannot be read


def import_file(
    store: LabelStore, path: Path | str, *, sender: str = "", **triples: str
) -> ImportReport | AnswersReport:
    """Import a file of any kind.

    Args:
        store: where to.
        path: triples, answers, Argilla's records, or Potato's output, which can be a folder.
        sender: whom another tool's annotators are filed under; see `annotations.exchange.merging`.
        triples: further arguments of `import_triples`.

    Raises:
        BadImport: no such file, or none that can be read.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    kind = kind_of(Path(path))
    if kind == "triples":
        return import_triples(store, path, **triples)
    take = {"answers": import_answers, "argilla": import_argilla, "potato": import_potato}[kind]
    return take(store, path, sender=sender)


def kind_of(path: Path) -> str:
    """Return `answers`, `argilla`, `potato` or `triples`; raises BadImport where there is no such file."""
    if path.is_dir() or path.name in (LINES, STATE):
        return "potato"
    check_file(path)
    if path.suffix.lower() == ".json":
        return "argilla"
    if path.suffix.lower() == ".csv":
        return "answers" if {"annotator", "label"} <= _header(path) else "triples"
    if path.suffix.lower() == ".jsonl":
        row = _first(path)
        if row.get("kind") in ("candidate", *KINDS):
            return "answers"
        if "label_annotations" in row:
            return "potato"
    return "triples"


def _first(path: Path) -> dict[str, Any]:
    for line, row in read_jsonl(path):
        if isinstance(row, dict):
            return row
        if line >= LOOKED_AT:
            break
    return {}


def _header(path: Path) -> set[str]:
    found: list[str] = []
    for _ in read_csv(path, found.extend):
        break
    return {name.strip().lower() for name in found}
