"""Rankers side by side on one query: what the Search and Rerank tabs and their API show."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.benchmark.tasks import RerankingTask, RetrievalTask, Task, load_task
from vcs_demo.errors import UserError, quoted
from vcs_demo.measuring.metrics import pessimistic_order, query_metrics
from vcs_demo.rankers.base import PassageIndex
from vcs_demo.rankers.catalog import available, load_ranker
from vcs_demo.text import nfc, tidy

MAX_QUERY = 1_000  # characters
MAX_PASSAGE = 5_000
MAX_CANDIDATES = 50
MAX_RANKERS = 4
MAX_K = 100
_INDEXES = 6


class BadRequest(UserError):
    """A request outside its bounds."""


@dataclass(frozen=True)
class Hit:
    """One ranked passage.

    Attributes:
        rank: from 1.
        passage_id: the task's id, or the candidate's number.
        text: the passage, spaces around punctuation tidied.
        score: the ranker's own; comparable within one ranking only.
        relevant: None where the query has no judgements.
        other_rank: its rank by the first ranker; None for the first ranker itself.
    """

    rank: int
    passage_id: str
    text: str
    score: float
    relevant: bool | None
    other_rank: int | None


@dataclass(frozen=True)
class Ranking:
    """One ranker's answer.

    Attributes:
        milliseconds: for this query, passages already indexed (reranking: encoding the candidates included).
        first_relevant: rank of the first relevant passage among all; None without judgements.
        average_precision: over all passages; None without judgements.
    """

    ranker: str
    milliseconds: float
    hits: list[Hit]
    first_relevant: int | None
    average_precision: float | None


class Library:
    """The tasks of one source, and rankers' indexes over them, made at first use and kept."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._indexes: OrderedDict[tuple[str, str], PassageIndex] = OrderedDict()
        self._locks: dict[tuple[str, str], Lock] = {}
        self._lock = Lock()
        self._task_lock = Lock()

    def task(self, name: str, split: str = "test") -> Task:
        """Load a task of this source; raises TaskError or SourceError."""
        with self._task_lock:
            return load_task(name, self.source, split)

    def index(self, ranker_name: str, task: Task, progress: Progress | None = None) -> PassageIndex:
        """Return a ranker's index over all passages of a task; two callers never build the same one."""
        ranker = load_ranker(ranker_name, allow_paths=False)
        key = (ranker.fingerprint, f"{task.name}/{task.split}")
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
    ) -> Iterator[Ranking]:
        """Search all passages of a retrieval task with each ranker, in the order given.

        A query of the benchmark, word for word, has its relevant passages marked.

        Raises:
            BadRequest: an empty or over-long query, too many rankers, k out of range, a task of another kind.
            UserError: an unknown task, split or ranker.
        """
        query, names, k = checked_query(query), checked_rankers(rankers), checked_k(k)
        task = self.task(task_name, split)
        if not isinstance(task, RetrievalTask):
            raise BadRequest(
                f"{quoted(task_name)} is a reranking task; search vimedretrieve or one of its subsets."
            )
        query_id = next((i for i, text in task.queries.items() if text == query), None)
        relevant_ids = task.qrels.get(query_id) if query_id else None
        ids, texts = list(task.passages), list(task.passages.values())
        relevant = None if relevant_ids is None else np.array([i in relevant_ids for i in ids])
        first: dict[int, int] | None = None
        for name in names:
            index = self.index(name, task)
            begin = time.perf_counter()
            scores = index.score([query])[0]
            elapsed = time.perf_counter() - begin
            ranking, order = _ranking(name, elapsed, scores, relevant, ids, texts, k, first)
            if first is None:
                first = {int(position): rank for rank, position in enumerate(order, start=1)}
            yield ranking

    def rerank(
        self,
        query: str,
        passages: Sequence[str],
        rankers: Sequence[str],
        relevant: Sequence[bool] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Iterator[Ranking]:
        """Order some passages for a query with each ranker.

        Raises:
            BadRequest: an empty or over-long text, fewer than 2 or more than 50 passages, too many rankers.
            RankerError: an unknown ranker.
        """
        query, names = checked_query(query), checked_rankers(rankers)
        if not isinstance(passages, list | tuple):
            raise BadRequest(f"The candidates are {quoted(passages)}, not a list of texts; give a list.")
        if not 2 <= len(passages) <= MAX_CANDIDATES:
            raise BadRequest(
                f"{len(passages)} candidates were given; give 2 to {MAX_CANDIDATES}, one a line.",
                "error.candidates",
                count=len(passages),
                most=MAX_CANDIDATES,
            )
        texts = [nfc(text).strip() if isinstance(text, str) else "" for text in passages]
        for number, text in enumerate(texts, start=1):
            if not text or len(text) > MAX_PASSAGE:
                raise BadRequest(
                    f"Candidate {number} has {len(text):,} characters; give 1 to {MAX_PASSAGE:,}.",
                    "error.candidate_length",
                    number=number,
                    count=len(text),
                    most=MAX_PASSAGE,
                )
        marks = np.array(relevant, dtype=bool) if relevant is not None and any(relevant) else None
        first: dict[int, int] | None = None
        for name in names:
            ranker = load_ranker(name, allow_paths=False)
            ranker.index([])  # loads the model where it is not yet, which is not this query's time
            begin = time.perf_counter()
            scores = ranker.index(texts).score([query])[0]
            elapsed = time.perf_counter() - begin
            own_ids = list(ids) if ids else [str(i + 1) for i in range(len(texts))]
            ranking, order = _ranking(name, elapsed, scores, marks, own_ids, texts, len(texts), first)
            if first is None:
                first = {int(position): rank for rank, position in enumerate(order, start=1)}
            yield ranking

    def group(self, task_name: str, query_id: str) -> tuple[str, list[str], list[str], list[bool]]:
        """Return a reranking group: its query, candidate ids, texts and marks."""
        task = self.task(task_name)
        if not isinstance(task, RerankingTask) or query_id not in task.queries:
            raise BadRequest(
                f"{quoted(task_name)} has no group {quoted(query_id)}; choose one from the list."
            )
        ids = list(task.candidates[query_id])
        marks = [i in task.qrels[query_id] for i in ids]
        return task.queries[query_id], ids, [task.passages[i] for i in ids], marks


def ranker_choices() -> list[str]:
    """List the rankers a visitor can pick: those that are here, then the fusions of any two of them."""
    names = available()
    return names + [f"{a}+{b}" for i, a in enumerate(names) for b in names[i + 1 :]]


def checked_query(query: str) -> str:
    """Return the query in NFC, stripped; raises BadRequest if empty or over-long."""
    text = nfc(query).strip() if isinstance(query, str) else ""
    if not text:
        raise BadRequest("The query is empty; type one, or choose one of the benchmark's.", "error.no_query")
    if len(text) > MAX_QUERY:
        raise BadRequest(
            f"The query has {len(text):,} characters; at most {MAX_QUERY:,} are taken.",
            "error.long_query",
            count=len(text),
            most=MAX_QUERY,
        )
    return text


def checked_rankers(rankers: Sequence[str]) -> list[str]:
    """Return the rankers' names, each once; raises BadRequest for none or too many."""
    given = rankers if isinstance(rankers, list | tuple) else [rankers] if isinstance(rankers, str) else []
    names = list(dict.fromkeys(map(str, given)))
    if not 1 <= len(names) <= MAX_RANKERS:
        raise BadRequest(
            f"{len(names)} rankers were chosen; choose 1 to {MAX_RANKERS}.",
            "error.rankers",
            count=len(names),
            most=MAX_RANKERS,
        )
    return names


def checked_k(k: object) -> int:
    """Return k as an integer in [1, 100]; raises BadRequest otherwise."""
    try:
        number = int(k) if float(k) == int(k) else 0
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not 1 <= number <= MAX_K:
        raise BadRequest(f"k is {quoted(k)}; give a whole number from 1 to {MAX_K}.")
    return number


def _ranking(
    name: str,
    elapsed: float,
    scores: np.ndarray,
    relevant: np.ndarray | None,
    ids: Sequence[str],
    texts: Sequence[str],
    k: int,
    first: dict[int, int] | None,
) -> tuple[Ranking, np.ndarray]:
    marks = relevant if relevant is not None else np.zeros(len(scores), dtype=bool)
    order = pessimistic_order(scores, marks)
    hits = [
        Hit(
            rank=rank,
            passage_id=ids[i],
            text=tidy(texts[i]),
            score=float(scores[i]),
            relevant=None if relevant is None else bool(relevant[i]),
            other_rank=None if first is None else first[int(i)],
        )
        for rank, i in enumerate(order[:k], start=1)
    ]
    judged = relevant is not None and relevant.any()
    return Ranking(
        ranker=name,
        milliseconds=round(elapsed * 1000, 1),
        hits=hits,
        first_relevant=int(np.flatnonzero(marks[order])[0]) + 1 if judged else None,
        average_precision=query_metrics(scores, marks)["map"] if judged else None,
    ), order
