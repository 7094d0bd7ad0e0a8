"""Rankers' answers to one query, side by side: ranks, scores, and how each differs from the first."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vcs_demo.measuring.metrics import pessimistic_order, query_metrics
from vcs_demo.rankers.base import Ranker
from vcs_demo.text import tidy


@dataclass(frozen=True)
class Hit:
    """One ranked passage.

    Attributes:
        rank: from 1; passages that the ranker did not find share the last one.
        passage_id: the task's id, or the candidate's number.
        text: the passage, spaces around punctuation tidied.
        score: the ranker's own; comparable within one ranking only.
        relevant: None where the query has no judgements.
        other_rank: its rank by the first ranker; None for that itself, and where one of the two did not find it.
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
        hits: best first; none where the ranker found no passage.
        milliseconds: for this query, passages already indexed (reranking: encoding the candidates included).
        first_relevant: rank of the first relevant passage among all; None without judgements.
        average_precision: over all passages; None without judgements.
    """

    ranker: str
    milliseconds: float
    hits: list[Hit]
    first_relevant: int | None
    average_precision: float | None


def ranked(
    rankers: Sequence[Ranker],
    ready: Callable[[Ranker], Callable[[], np.ndarray]],
    ids: Sequence[str],
    texts: Sequence[str],
    relevant: np.ndarray | None,
    k: int | None,
) -> Iterator[Ranking]:
    """Yield each ranker's first k passages of those that it found, with the ranks that the first ranker gave them.

    Args:
        rankers: in this order.
        ready: makes a ranker ready and returns what scores the passages, the part that is timed.
        ids: the passages' ids.
        texts: the passages.
        relevant: boolean, shape (n_passages,); None without judgements.
        k: most hits of a ranking; None: all passages, found or not.
    """
    marks = np.zeros(len(ids), dtype=bool) if relevant is None else relevant
    judged = bool(marks.any())
    first_ranks: dict[int, int] = {}
    for number, ranker in enumerate(rankers):
        score = ready(ranker)
        begin = time.perf_counter()
        scores = score()
        elapsed = time.perf_counter() - begin
        order = pessimistic_order(scores, marks)
        found = ranker.found(scores)
        count = int(np.count_nonzero(found))
        ranks = {int(i): min(place, count + 1) for place, i in enumerate(order, start=1)}
        hits = [
            Hit(
                rank=ranks[int(i)],
                passage_id=ids[i],
                text=tidy(texts[i]),
                score=float(scores[i]),
                relevant=None if relevant is None else bool(relevant[i]),
                other_rank=first_ranks.get(int(i)) if found[i] else None,
            )
            for i in (order if k is None else order[: min(k, count)])
        ]
        yield Ranking(
            ranker=ranker.name,
            milliseconds=round(elapsed * 1000, 1),
            hits=hits,
            first_relevant=int(np.flatnonzero(marks[order])[0]) + 1 if judged else None,
            average_precision=query_metrics(scores, marks)["map"] if judged else None,
        )
        if number == 0:
            first_ranks = {i: rank for i, rank in ranks.items() if found[i]}
