"""The tasks of VCS as the paper builds them: `load_task("vimedretrieve").queries`, `.passages`, `.qrels`."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from vcs_demo.benchmark.sources import files_of, read_rows, source_label
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import state_of
from vcs_demo.text import content_hash, folded, nfc, written_hash

WINDOW_WORDS, WINDOW_STRIDE = 96, 64  # the paper's windows: 96 words, each starting 64 after the last
VIMED_SUBSETS = ("drug", "medicine", "disease", "body-part")
RETRIEVAL_SPLITS = ("train", "validation", "test")

DATASETS = {  # main task → the hub's data set
    "vimedretrieve": "tmnam20/ViMedAQA",
    "virerank": "ContextSearchLM/ViNLI_reranking",
    "mnli-r": "ContextSearchLM/ViGLUE-R",
    "qnli-r": "ContextSearchLM/ViGLUE-R",
}
_RERANKING = {"virerank": "test", "mnli-r": "mnli_r", "qnli-r": "qnli_r"}  # task → the data set's split
MAIN_TASKS = tuple(DATASETS)
TASK_NAMES = ("vimedretrieve", *(f"vimedretrieve/{s}" for s in VIMED_SUBSETS), *_RERANKING)


@dataclass(frozen=True)
class Task:
    """Queries, passages and relevance judgements of one split of one source.

    Attributes:
        name: the task's name, one of `TASK_NAMES`.
        source: `mini`, `hub` or the folder's name.
        split: `train`, `validation` or `test`.
        queries: query id → text, without any prefix (a ranker adds its own prompt).
        passages: passage id → text.
        qrels: query id → ids of its relevant passages, never empty.
        notes: what was counted while building (rows, windows, empty windows dropped, …).
        fingerprint: sha256 (16 hex) of all of the above but the notes.
    """

    name: str
    source: str
    split: str
    queries: dict[str, str]
    passages: dict[str, str]
    qrels: dict[str, frozenset[str]]
    notes: dict[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """Hash the content, so that a run is reused only when nothing changed."""
        content = [self.queries, self.passages, {q: sorted(ids) for q, ids in self.qrels.items()}]
        content.append({q: list(ids) for q, ids in getattr(self, "candidates", {}).items()})
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RetrievalTask(Task):
    """Every query searches all passages."""


@dataclass(frozen=True)
class RerankingTask(Task):
    """Every query orders its own candidates (query id → passage ids)."""

    candidates: dict[str, tuple[str, ...]] = field(default_factory=dict)


def windows(context: str) -> list[str]:
    """Cut a context into the paper's windows: word-segmented by pyvi, 96 words each, starting 64 apart.

    A context of n words gives n // 64 + 1 windows, so the last one can be short or empty (the authors' code
    keeps the empty ones). The segmenter's underscores are turned back into spaces.
    """
    from pyvi import ViTokenizer

    words = ViTokenizer.tokenize(context).split()
    starts = range(0, len(words) // WINDOW_STRIDE * WINDOW_STRIDE + 1, WINDOW_STRIDE)
    return [" ".join(words[start : start + WINDOW_WORDS]).replace("_", " ") for start in starts]


def load_task(name: str, source: str = "mini", split: str = "test") -> Task:
    """Load a task by name from a source; the result is kept in memory until a file changes, and must not be changed.

    Raises:
        UserError: an unknown task or split, rows that cannot be read, or no usable row.
    """
    if name not in TASK_NAMES:
        raise UserError(f"There is no task {quoted(name)}; the tasks are {', '.join(TASK_NAMES)}.")
    valid = ("test",) if name in _RERANKING else RETRIEVAL_SPLITS
    if split not in valid:
        raise UserError(f"The task {name} has no split {quoted(split)}; it has {', '.join(valid)}.")
    dataset, config = DATASETS[name.partition("/")[0]], name.partition("/")[2] or "all"
    if name in _RERANKING:
        where = (dataset, None, _RERANKING[name], ())
    else:
        where = (dataset, config, split, VIMED_SUBSETS if config == "all" else ())
    try:
        states = tuple((str(path), *state_of(path)) for path in files_of(source, *where))
    except OSError as error:
        raise UserError(f"A file of {quoted(source)} cannot be read: {error.strerror}.") from error
    return _load(name, source, split, where, states)


def main_measure(task: str) -> str:
    """Return the measure that the paper reports for a task: accuracy@20 for retrieval, map for reranking."""
    return "accuracy@20" if task.startswith("vimedretrieve") else "map"


def subset_queries(source: str, split: str) -> dict[str, frozenset[str]]:
    """Return the query ids of each ViMedRetrieve subset that a source has; ids are the same in the whole task."""
    queries = {}
    for subset in VIMED_SUBSETS:
        with suppress(UserError):  # a source may hold the whole task in one file
            queries[subset] = frozenset(load_task(f"vimedretrieve/{subset}", source, split).queries)
    return queries


@lru_cache(maxsize=16)
def _load(name: str, source: str, split: str, where: tuple, states: tuple) -> Task:
    dataset, config, file, parts = where
    if name in _RERANKING:
        rows = read_rows(source, dataset, config, file, ("anchor", "pos", "neg"))
        return reranking_task(name, source_label(source), rows)
    rows = read_rows(source, dataset, config, file, ("question", "context"), parts)
    return retrieval_task(name, source_label(source), split, rows)


def retrieval_task(name: str, source: str, split: str, rows: Iterable[dict]) -> RetrievalTask:
    """Build ViMedRetrieve out of rows with `question` and `context`: every window of the context is relevant.

    A passage whose text equals a relevant window counts as relevant too; a question asked of several contexts
    is one query. Texts are equal where their `content_hash` is.
    """
    questions_by_context: dict[str, list[str]] = {}
    notes = dict.fromkeys(
        ("rows", "empty_contexts", "empty_questions", "contexts", "windows", "empty_windows"), 0
    )
    for row in rows:
        notes["rows"] += 1
        place = f"{notes['rows']} of {name} ({source})"
        question, context = _text(row, "question", place), _text(row, "context", place)
        if question and context:
            questions_by_context.setdefault(context, []).append(question)
        else:
            notes["empty_questions" if context else "empty_contexts"] += 1
    notes["contexts"] = len(questions_by_context)
    queries: dict[str, str] = {}
    passages: dict[str, str] = {}
    relevant: dict[str, set[str]] = {}
    same_text: dict[str, set[str]] = {}
    query_ids: dict[str, str] = {}
    for context, questions in questions_by_context.items():
        cut = {f"c{written_hash(context)[:12]}-{i}": window for i, window in enumerate(windows(context))}
        texts = {passage_id: window for passage_id, window in cut.items() if folded(window)}
        notes["windows"] += len(cut)
        notes["empty_windows"] += len(cut) - len(texts)
        for passage_id, window in texts.items():
            same_text.setdefault(content_hash(window), set()).add(passage_id)
        passages |= texts
        for question in questions:
            query_id = query_ids.setdefault(content_hash(question), f"q{written_hash(question)[:12]}")
            queries[query_id] = question
            relevant.setdefault(query_id, set()).update(texts)
    if not queries:
        raise UserError(f"No row of {name} ({source}, {split}) has both a question and a context.")
    qrels = {
        q: frozenset(twin for passage_id in ids for twin in same_text[content_hash(passages[passage_id])])
        for q, ids in relevant.items()
    }
    return RetrievalTask(name, source, split, queries, passages, qrels, notes)


def reranking_task(name: str, source: str, rows: Iterable[dict]) -> RerankingTask:
    """Build a reranking task out of rows with `anchor: str`, `pos: list[str]`, `neg: list[str]`.

    Groups without a positive or without a negative cannot be ranked and are dropped, counted in the notes.
    """
    queries: dict[str, str] = {}
    passages: dict[str, str] = {}
    qrels: dict[str, frozenset[str]] = {}
    candidates: dict[str, tuple[str, ...]] = {}
    notes = {"rows": 0, "dropped_groups": 0}
    for number, row in enumerate(rows):
        notes["rows"] += 1
        place = f"{number + 1} of {name} ({source})"
        anchor = _text(row, "anchor", place)
        positive = _texts(row, "pos", place)
        same = set(map(content_hash, positive.values()))
        negative = {
            i: text for i, text in _texts(row, "neg", place).items() if content_hash(text) not in same
        }
        if not (anchor and positive and negative):
            notes["dropped_groups"] += 1
            continue
        query_id = f"a{number:05d}"
        queries[query_id] = anchor
        passages |= positive | negative
        qrels[query_id] = frozenset(positive)
        # By id, not positives first: a ranker that ties everything must not look good by the file's order.
        candidates[query_id] = tuple(sorted(positive | negative))
    if not queries:
        raise UserError(f"No row of {name} ({source}) has an anchor, a positive and a negative.")
    return RerankingTask(name, source, "test", queries, passages, qrels, notes, candidates)


def _text(row: dict, column: str, place: str) -> str:
    """Return a text as it is written; empty where there is none or nothing of it shows."""
    return _checked(row.get(column), column, place)


def _texts(row: dict, column: str, place: str) -> dict[str, str]:
    value = row.get(column)
    if not isinstance(value, str | list | tuple | None) and value == value:  # NaN is pandas' empty cell
        raise UserError(
            f"Row {place} has {quoted(value)} where a list of texts belongs ({column}); mend the file."
        )
    if isinstance(value, str) and value.lstrip()[:2] in ('["', "['"):
        raise UserError(
            f"Row {place} has a list written as text, {quoted(value)} ({column}); save it as a list, in "
            "JSON lines or Parquet."
        )
    items = value if isinstance(value, list | tuple) else [value]
    texts = (_checked(item, column, place) for item in items)
    different = {content_hash(text): text for text in texts if text}
    return {f"p{written_hash(text)[:12]}": text for text in different.values()}


def _checked(value: object, column: str, place: str) -> str:
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        raise UserError(f"Row {place} has {quoted(value)} where a text belongs ({column}); mend the file.")
    text = nfc(value).strip()
    return text if folded(text) else ""
