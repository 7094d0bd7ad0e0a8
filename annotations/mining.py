"""Mine hard negatives: passages that a ranker ranks high and the judgements do not call relevant.

In Python:

    result = mine(load_task("vimedretrieve", "mini", "train"), load_ranker("bm25"), limit=200)
    store.add_candidates(result.candidates)
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from annotations.candidates import Candidate, alike_ids
from vcs_demo.benchmark.tasks import RerankingTask, RetrievalTask
from vcs_demo.errors import UserError
from vcs_demo.rankers.base import Ranker
from vcs_demo.tables import Table
from vcs_demo.text import content_hash
from vcs_demo.words import say

BATCH = 64  # queries scored at a time
_WINDOW = re.compile(r"(c[0-9a-f]+)-\d+")


@dataclass(frozen=True)
class MiningResult:
    """The candidates, and what became of the queries and passages that gave none.

    Attributes:
        candidates: in the order they were taken: every query's best, then every query's second, …
        queries: how many queries were looked at (with a limit, mining stops once it is reached).
        dropped: reason → number of queries without a candidate.
        rejected: reason → number of passages passed over. Reasons are keys of `[mining]` in vcs_demo/words.
        unretrieved: how many queries have no positive within the depth; they are not dropped for it.
    """

    candidates: list[Candidate]
    queries: int
    dropped: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    unretrieved: int = 0

    def table(self, lang: str = "en") -> Table:
        """Return what was left out and why, and in the notes how many candidates came of how many queries."""
        heads = [say(lang, f"mining.{key}") for key in ("reason", "queries", "passages")]
        rows = [(say(lang, f"mining.{why}"), count, "–") for why, count in self.dropped.items()]
        rows += [(say(lang, f"mining.{why}"), "–", count) for why, count in self.rejected.items()]
        taken = len({candidate.query_id for candidate in self.candidates})
        notes = [say(lang, "mining.taken", count=len(self.candidates), taken=taken, queries=self.queries)]
        if self.unretrieved:
            notes.append(say(lang, "mining.unretrieved", count=self.unretrieved))
        return Table(heads if rows else (), rows, notes=notes)


def mine(
    task: RetrievalTask,
    ranker: Ranker,
    *,
    limit: int | None = None,
    per_query: int = 4,
    depth: int = 50,
    relative_margin: float = 0.05,
    seed: int = 0,
    skip: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> MiningResult:
    """Mine hard negatives, positive-aware as in NV-Retriever (Moreira et al. 2024, TopK-PercPos).

    1. The annotated positive is the query's best-scoring relevant window; it is what the annotator is shown.
    2. Of the first `depth` passages, those with s ≤ s⁺ − |s⁺| · relative_margin are kept, best first.
    3. Windows of the query's own context are never candidates, nor a passage with the text of a relevant one.
    4. With a `limit`, every query gives its best candidate before any gives its second, in an order of
       queries drawn by `seed`; so 200 candidates come from 200 queries where there are as many.

    Args:
        task: a retrieval task's train or validation split.
        ranker: scores all passages for every query.
        limit: most candidates in all; None for no limit.
        per_query: most candidates of one query.
        depth: how far down a ranking to look.
        relative_margin: in [0, 1); 0 keeps all that scores no better than the positive.
        seed: of the queries' order.
        skip: ids of candidates that are there already; passed over, so that `limit` counts new ones.
        progress: called as `progress(done, total)`, first while indexing, then over queries; may raise.

    Raises:
        UserError: a test split, a reranking task (they are test only), or a number outside its range.
    """
    if isinstance(task, RerankingTask) or task.split not in ("train", "validation"):
        raise UserError(
            f"The {task.split} split of {task.name} is what models are evaluated on, so it is not mined; "
            "take vimedretrieve's train or validation split."
        )
    if min(per_query, depth, 1 if limit is None else limit) < 1 or not 0 <= relative_margin < 1:
        raise UserError(
            f"Limit ({limit}), per query ({per_query}) and depth ({depth}) must be 1 or more, "
            f"and the relative margin ({relative_margin}) at least 0 and below 1."
        )
    miner = _Miner(task, ranker.name, per_query, depth, relative_margin, frozenset(skip))
    queries = sorted(task.queries)
    random.Random(seed).shuffle(queries)
    index = ranker.index(list(task.passages.values()), progress)
    by_query: list[list[Candidate]] = []
    looked_at, enough = 0, len(queries) if limit is None else limit
    for start in range(0, len(queries), BATCH):
        if len(by_query) >= enough:
            break
        batch = queries[start : start + BATCH]
        scores = index.score([task.queries[query_id] for query_id in batch])  # (len(batch), n_passages)
        for query_id, row in zip(batch, scores, strict=True):
            if len(by_query) < enough:
                looked_at += 1
                if candidates := miner.of_query(query_id, row):
                    by_query.append(candidates)
        if progress:
            progress(start + len(batch), len(queries))
    by_rank = [of[place] for place in range(per_query) for of in by_query if place < len(of)]
    dropped, rejected = dict(miner.dropped), dict(miner.rejected)
    return MiningResult(by_rank[:limit], looked_at, dropped, rejected, miner.unretrieved)


@dataclass
class _Miner:
    """What one run is asked for, and what it counts."""

    task: RetrievalTask
    name: str
    per_query: int
    depth: int
    margin: float
    skip: frozenset[str]
    dropped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    unretrieved: int = 0

    def __post_init__(self) -> None:
        self.ids = list(self.task.passages)
        self.position = {passage_id: i for i, passage_id in enumerate(self.ids)}
        origin = {name: getattr(self.task, name) for name in ("source", "split")}
        self.origin = origin | {"task": self.task.name, "miner": self.name}

    def of_query(self, query_id: str, scores: np.ndarray) -> list[Candidate]:
        """Return a query's candidates, best first; `scores` has one entry a passage."""
        texts, judged = self.task.passages, self.task.qrels[query_id]
        relevant = sorted(self.position[passage_id] for passage_id in judged)
        positive_id = self.ids[relevant[int(np.argmax(scores[relevant]))]]
        best = float(scores[self.position[positive_id]])
        top = np.argsort(-scores, kind="stable")[: self.depth].tolist()
        self.unretrieved += not set(relevant) & set(top)
        if not best > 0:
            self.dropped["positive_not_found"] += 1
            return []
        positive = {"positive_id": positive_id, "positive": texts[positive_id], "positive_score": best}
        facts = {"query_id": query_id, "query": self.task.queries[query_id]} | positive | self.origin
        highest = best - abs(best) * self.margin
        contexts = {_context(passage_id) for passage_id in judged}
        seen = {content_hash(texts[passage_id]) for passage_id in judged}
        candidates: list[Candidate] = []
        for rank, i in enumerate(top, start=1):
            passage_id, score = self.ids[i], float(scores[i])
            passage = texts[passage_id]
            if passage_id in judged:
                continue
            if _context(passage_id) in contexts:
                self.rejected["own_context"] += 1
            elif content_hash(passage) in seen:
                self.rejected["same_text"] += 1
            elif score > highest:
                self.rejected["too_close"] += 1
            elif not score > 0:
                self.rejected["nothing_shared"] += 1
            else:
                seen.add(content_hash(passage))
                hit = {"passage_id": passage_id, "passage": passage, "rank": rank, "score": score}
                candidate = Candidate.create(**facts | hit)
                if not self.skip.isdisjoint(alike_ids(candidate)):
                    self.rejected["already_there"] += 1
                else:
                    candidates.append(candidate)
            if len(candidates) == self.per_query:
                break
        if not candidates:
            self.dropped["no_candidate"] += 1
        return candidates


def _context(passage_id: str) -> str:
    """Return the context a passage is a window of; the passage itself where its id does not tell."""
    window = _WINDOW.fullmatch(passage_id)
    return window[1] if window else passage_id
