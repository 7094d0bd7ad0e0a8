"""Import of (query, positive, negative) triples that exist already, row by row, in the layouts that others write."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotations.candidates import Candidate, check_length, checked_split
from annotations.rows import ImportReport, RowProblem
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.reading.rows import EMPTY, Rows, read_rows
from vcs_demo.text import content_hash

COLUMNS = {
    "query": ("query", "anchor", "question"),
    "positive": ("positive", "pos", "answer", "context"),
    "passage": ("negative", "neg"),
}
PROVENANCE = ("query_id", "positive_id", "passage_id", "task", "source", "split", "miner")
MAX_TRIPLES = 100_000
MAX_PER_ROW = 1_000  # triples that the lists of one row can make
_NUMBERED = re.compile(r"neg(?:ative)?_?\d+")
_BROKEN = re.compile(r"#(NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!|ERROR!|SPILL!)")  # of a formula that failed
_MARKS = {1: True, 0: False, "1": True, "0": False, "true": True, "false": False}


def import_triples(
    store: LabelStore,
    path: Path | str,
    *,
    task: str = "imported",
    split: str = "train",
    miner: str = "imported",
) -> ImportReport:
    """Add the triples of a file as candidates: the good rows in one transaction, the bad ones reported.

    Columns are `query` (or `anchor`, `question`), `positive` (`pos`, `answer`, `context`) and `negative` (`neg`). A
    positive or negative can be a list (in CSV a JSON list); every pair of the two is a candidate. The layouts that
    `mine_hard_negatives` of sentence-transformers writes are read too: `negative_1`, `negative_2`, …; and (query, text,
    label 1 or 0), with a row a text or with lists. Columns `query_id`, `positive_id`, `passage_id`, `task`, `source`,
    `split` and `miner` are kept where a row has them; otherwise the arguments hold, the source is the file's name, and
    ids come from the texts.

    Raises:
        UserError: no such file, not one of `vcs_demo.reading.rows.ENDINGS`, too large, unreadable, no triples, or a
            `split` that `checked_split` refuses.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    rows, split = read_rows(Path(path)), checked_split(split)
    if rows.columns:
        _check_columns(rows)
    defaults = {"task": task, "source": rows.path.name, "split": split, "miner": miner}
    candidates: list[Candidate] = []
    problems: list[RowProblem] = []
    dropped: dict[str, None] = {}
    count = 0
    pairs: dict[
        str, tuple[int, dict[str, Any], list[str], list[str]]
    ] = {}  # query → of its (text, label) rows

    def take(line: int, row: dict[str, Any]) -> None:
        try:
            candidates.extend(_candidates(row, defaults))
        except UserError as error:
            problems.append(RowProblem(line, str(error)))
        if len(candidates) > MAX_TRIPLES:
            raise UserError(
                f"{quoted(rows.path.name)} has over {MAX_TRIPLES:,} triples; import a part of it."
            )

    for line, content in rows:
        count += 1
        try:
            named = _named(content, rows)
            dropped |= dict.fromkeys(_dropped(named))
            row = _plain(named)
            if (mark := _pair_mark(row)) is not None:
                _, _, positives, negatives = pairs.setdefault(str(_first(row, "query")), (line, row, [], []))
                (positives if mark else negatives).append(_first(row, "positive"))
                continue
        except UserError as error:
            problems.append(RowProblem(line, str(error)))
            continue
        take(line, row)
    for line, row, positives, negatives in pairs.values():
        take(line, row | {"positive": positives, "negative": negatives})
    added, already_there = store.add_candidates(candidates)
    problems.sort(key=lambda problem: problem.line)
    return ImportReport(count, added, already_there, problems, dropped=tuple(dropped))


def _named(row: Any, rows: Rows) -> dict[str, Any]:
    """Return a row with its names in lower case, and in CSV lists for JSON lists; a string as row is a reason."""
    if isinstance(row, str):
        raise UserError(row)
    if not isinstance(row, dict):
        raise UserError("The line is not a JSON object; write {'query': …, 'positive': …, 'negative': …}.")
    return {
        str(name).strip().lower(): _cell(value) if rows.delimiter else value for name, value in row.items()
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in the layout of `COLUMNS`."""
    if _first(row, "passage") is not None:
        return row
    if numbered := _numbered(row):
        return row | {"negative": [row[name] for name in numbered]}
    texts, marks = _first(row, "positive"), row.get("labels", row.get("label"))
    if isinstance(texts, list) and isinstance(marks, list) and len(texts) == len(marks):
        marked = [(text, _mark(mark)) for text, mark in zip(texts, marks, strict=True)]
        sides = {side: [text for text, mark in marked if mark is side] for side in (True, False)}
        return row | {"positive": sides[True], "negative": sides[False]}
    return row


def _pair_mark(row: dict[str, Any]) -> bool | None:
    """Tell whether a (query, text, label) row is of a positive or a negative; None: it is no such row."""
    whole = _first(row, "passage") is None and isinstance(_first(row, "positive"), str)
    return _mark(row.get("label")) if whole and isinstance(_first(row, "query"), str) else None


def _mark(value: Any) -> bool | None:
    value = value.strip().lower() if isinstance(value, str) else value
    return _MARKS.get(value) if isinstance(value, str | int | float) else None


def _first(row: dict[str, Any], name: str) -> Any:
    return next((row[alias] for alias in COLUMNS[name] if row.get(alias) is not None), None)


def _numbered(row: dict[str, Any]) -> list[str]:
    """Return the names `negative_1`, `negative_2`, … that have a value, in their order."""
    names = [name for name, value in row.items() if value is not None and _NUMBERED.fullmatch(name)]
    return sorted(names, key=lambda name: int(re.sub(r"\D", "", name)))


def _dropped(row: dict[str, Any]) -> Iterator[str]:
    """Yield the columns of a row that make no part of a candidate."""
    used = {*itertools.chain(*COLUMNS.values()), *PROVENANCE, *_numbered(row)}
    if _first(row, "passage") is None and not _numbered(row):
        used |= {"label", "labels"}  # they tell positives from negatives
    yield from (name for name, value in row.items() if value is not None and name not in used)


def _candidates(row: dict[str, Any], defaults: dict[str, str]) -> list[Candidate]:
    """Return a row's candidates; raises UserError with the reason."""
    texts = {}
    for name, aliases in COLUMNS.items():
        value = _first(row, name)
        if value is None:
            raise UserError(f"There is no {aliases[0]} (it can also be named {' or '.join(aliases[1:])}).")
        texts[name] = value if isinstance(value, list) and name != "query" else [value]
        if not texts[name]:
            raise UserError(f"The query has no {aliases[0]}; a candidate needs one.")
        if not all(isinstance(text, str) for text in texts[name]):
            raise UserError(f"The {aliases[0]} is {quoted(value)}; it must be text.")
        if broken := next((text for text in texts[name] if is_broken(text)), None):
            raise UserError(
                f"The {aliases[0]} is {quoted(broken)}, which programs write into an empty or broken cell."
            )
    given = {name: row[name] for name in PROVENANCE if isinstance(row.get(name), str) and row[name].strip()}
    facts = defaults | given
    if len(texts["positive"]) * len(texts["passage"]) > MAX_PER_ROW:
        raise UserError(f"The row's lists make over {MAX_PER_ROW:,} triples; split it.")
    if len(texts["positive"]) * len(texts["passage"]) > 1:
        facts = {name: value for name, value in facts.items() if name not in ("positive_id", "passage_id")}
    for name, of_name in texts.items():
        check_length(name, *of_name)
    positives = {content_hash(text) for text in texts["positive"]}
    if any(content_hash(text) in positives for text in texts["passage"]):
        raise UserError("A negative has the same text as a positive; one of the two is wrong.")
    return [
        Candidate.create(query=texts["query"][0], positive=positive, passage=passage, **facts)
        for positive, passage in itertools.product(texts["positive"], texts["passage"])
    ]


def is_broken(text: str) -> bool:
    """Tell whether a text is what programs write into an empty or broken cell."""
    return text.strip().lower() in EMPTY[1:] or bool(_BROKEN.fullmatch(text.strip()))


def _cell(cell: str) -> Any:
    """Return the text of a cell of CSV, the list of a JSON list, or None for an empty one."""
    if cell.startswith("["):
        try:
            items = json.loads(cell)
        except (ValueError, RecursionError):
            items = None
        if isinstance(items, list) and all(isinstance(item, str | int) for item in items):
            return items
    return cell or None


def _check_columns(rows: Rows) -> None:
    columns = {name.strip().lower() for name in rows.columns}
    paired = bool(columns & {"label", "labels"}) or any(map(_NUMBERED.fullmatch, columns))
    for name, aliases in COLUMNS.items():
        if columns.isdisjoint(aliases) and not (name == "passage" and paired):
            raise UserError(
                f"{quoted(rows.path.name)} has no column {' or '.join(aliases)}; "
                f"it has {quoted(', '.join(rows.columns))}."
            )
