"""Rankers side by side: search and rerank with several of them, and evaluate them, on the tasks of one source.

    library = Library("mini")
    for ranking in library.search("Đau họng thì uống gì?", ["bm25", "vcs-20m"]):
        print(ranking.ranker, ranking.hits[0].text)

The page's room Compare and the HTTP API are made of these.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import numpy as np

from vcs_demo.background import Progress, watched
from vcs_demo.benchmark.tasks import RerankingTask, RetrievalTask, Task, load_task
from vcs_demo.errors import UserError, quoted
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.measuring.run_store import Run
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.catalog import available, fusions, load_ranker
from vcs_demo.rankings import Ranking, ranked
from vcs_demo.text import content_hash, folded, nfc
from vcs_demo.words import problem

MAX_QUERY = 1_000  # characters
MAX_PASSAGE = 5_000
MAX_CANDIDATES = 50
MAX_RANKERS = 4
MAX_K = 100
_INDEXES = 6


@dataclass(frozen=True)
class Step:
    """Where `Library.compute` is: a task and ranker, and how much of it is done; `run` once it is finished."""

    task: str
    ranker: str
    done: int
    total: int
    run: Run | None


class Library:
    """The tasks of one source, and rankers' indexes over them, made at first use and kept in memory.

    Rankers are those that a visitor may name: nothing is read from a path or downloaded.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._indexes: OrderedDict[tuple[str, str], PassageIndex] = OrderedDict()
        self._locks: dict[tuple[str, str], Lock] = {}
        self._lock = Lock()
        self._task_lock = Lock()

    def task(self, name: str, split: str = "test") -> Task:
        """Load a task of this source; raises UserError as `load_task` does."""
        with self._task_lock:
            return load_task(name, self.source, split)

    def here(self, name: str) -> Task | None:
        """Return a test task of a source that may have been renamed, a folder's; None if it has none."""
        with suppress(UserError):
            return None if self.source in ("mini", "hub") else self.task(name)
        return None

    def index(self, ranker: str | Ranker, task: Task, progress: Progress | None = None) -> PassageIndex:
        """Return a ranker's index over all passages of a task; two callers never build the same one."""
        if isinstance(ranker, str):
            ranker = load_ranker(ranker, allow_paths=False)
        key = (ranker.fingerprint, task.fingerprint)
        with self._lock:
            building = self._locks.setdefault(key, Lock())
        with building:
            with self._lock:
                if key in self._indexes:
                    self._indexes.move_to_end(key)
                    return self._indexes[key]
            index = ranker.index(list(task.passages.values()), progress)
            with self._lock:
                self._indexes[key] = index
                while len(self._indexes) > _INDEXES:
                    self._locks.pop(self._indexes.popitem(last=False)[0], None)
            return index

    def search(
        self,
        query: str,
        rankers: Sequence[str],
        task_name: str = "vimedretrieve",
        split: str = "test",
        k: int = 10,
        progress: Progress | None = None,
    ) -> Iterator[Ranking]:
        """Search all passages of a retrieval task with each ranker, in the order given; yield its best k.

        A query of the benchmark, however it is written, has its relevant passages marked. Passages that a ranker does
        not find are no hits of it (BM25: those that share no word with the query). `progress` is called with (0, 0) as
        each ranker begins, then with (done, total) while it encodes the passages; it may raise to cancel.

        Raises:
            UserError: a value out of bounds, an unknown task, split or ranker, a reranking task.
        """
        query, chosen, k = checked_query(query), _loaded(rankers), checked_k(k)
        task = self.task(task_name, split)
        if not isinstance(task, RetrievalTask):
            raise UserError(
                f"{quoted(task_name)} is a reranking task; search vimedretrieve or one of its subsets."
            )
        asked = content_hash(query)
        relevant_ids = next(
            (task.qrels[i] for i, t in task.queries.items() if content_hash(t) == asked), None
        )
        ids, texts = list(task.passages), list(task.passages.values())
        relevant = None if relevant_ids is None else np.array([i in relevant_ids for i in ids])

        def ready(ranker: Ranker) -> Callable[[], np.ndarray]:
            if progress:
                progress(0, 0)
            index = self.index(ranker, task, progress)
            return lambda: index.score([query])[0]

        yield from ranked(chosen, ready, ids, texts, relevant, k)

    def rerank(
        self,
        query: str,
        passages: Sequence[str],
        rankers: Sequence[str],
        relevant: Sequence[bool] | None = None,
    ) -> Iterator[Ranking]:
        """Order passages for a query with each ranker; `relevant` marks some of them, or the query has no judgements.

        Raises:
            UserError: a value out of bounds, not one mark a passage, an unknown ranker.
        """
        query, chosen, texts = checked_query(query), _loaded(rankers), _checked_passages(passages)
        if relevant is not None and len(relevant) not in (0, len(texts)):
            raise UserError(
                f"{len(relevant)} marks were given for {len(texts)} candidates; give one for each."
            )
        marks = np.array(relevant, dtype=bool) if relevant is not None and any(relevant) else None

        def ready(ranker: Ranker) -> Callable[[], np.ndarray]:
            ranker.index([])  # loads the model where it is not yet, which is not this query's time
            return lambda: ranker.index(texts).score([query])[0]

        numbers = [str(number) for number in range(1, len(texts) + 1)]
        yield from ranked(chosen, ready, numbers, texts, marks, None)

    def compute(self, tasks: Sequence[str], rankers: Sequence[str]) -> Iterator[Step]:
        """Evaluate rankers on tasks, yielding where it is; closing the iterator stops the work.

        Finished runs are kept on disk at once; an unfinished one leaves nothing.

        Raises:
            UserError: an unknown ranker, a task that the source does not have.
        """
        chosen = [load_ranker(name, allow_paths=False) for name in rankers]
        for name in tasks:
            task = self.task(name)
            for ranker in chosen:
                for state in watched(lambda report, r=ranker, t=task: evaluate_kept(t, r, progress=report)):
                    yield Step(name, ranker.name, state.done, state.total, state.result)

    def group(self, task_name: str, query_id: str) -> tuple[str, list[str], list[str], list[bool]]:
        """Return a reranking group: its query, candidate ids, texts and marks."""
        task = self.task(task_name)
        if not isinstance(task, RerankingTask) or query_id not in task.queries:
            raise UserError(f"{quoted(task_name)} has no group {quoted(query_id)}; choose one from the list.")
        ids = list(task.candidates[query_id])
        marks = [i in task.qrels[query_id] for i in ids]
        return task.queries[query_id], ids, [task.passages[i] for i in ids], marks


def ranker_choices() -> list[str]:
    """List the rankers a visitor can pick: those that are here, then the fusions of any two of them."""
    names = available()
    return names + fusions(names)


def checked_query(query: str) -> str:
    """Return the query in NFC, stripped; raises UserError if nothing of it shows, or it is over-long."""
    text = nfc(query).strip() if isinstance(query, str) else ""
    if not folded(text):
        raise problem("error.no_query")
    if len(text) > MAX_QUERY:
        raise problem("error.long_query", count=len(text), most=MAX_QUERY)
    return text


def checked_rankers(rankers: Sequence[str]) -> list[str]:
    """Return the rankers' names, each once; raises UserError for none or too many."""
    given = rankers if isinstance(rankers, list | tuple) else [rankers] if isinstance(rankers, str) else []
    names = list(dict.fromkeys(map(str, given)))
    if not 1 <= len(names) <= MAX_RANKERS:
        raise problem("error.rankers", count=len(names), most=MAX_RANKERS)
    return names


def checked_k(k: object) -> int:
    """Return k as an integer in [1, 100]; raises UserError otherwise."""
    try:
        number = int(k) if float(k) == int(k) else 0
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not 1 <= number <= MAX_K:
        raise UserError(f"k is {quoted(k)}; give a whole number from 1 to {MAX_K}.")
    return number


def _loaded(rankers: Sequence[str]) -> list[Ranker]:
    return [load_ranker(name, allow_paths=False) for name in checked_rankers(rankers)]


def _checked_passages(passages: Sequence[str]) -> list[str]:
    if not isinstance(passages, list | tuple):
        raise UserError(f"The candidates are {quoted(passages)}, not a list of texts; give a list.")
    if not 2 <= len(passages) <= MAX_CANDIDATES:
        raise problem("error.candidates", count=len(passages), most=MAX_CANDIDATES)
    texts = [nfc(text).strip() if isinstance(text, str) and folded(text) else "" for text in passages]
    for number, text in enumerate(texts, start=1):
        if not text or len(text) > MAX_PASSAGE:
            raise problem("error.candidate_length", number=number, count=len(text), most=MAX_PASSAGE)
    return texts
