"""What is relevant to a query, by labels and by the source: one rule for rows, for the loss and for the effects."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet

from annotations.candidates import LabelledCandidate
from vcs_demo.benchmark.tasks import Task, load_task
from vcs_demo.errors import UserError
from vcs_demo.text import content_hash

Pairs = AbstractSet[tuple[str, str]]  # (query, text), both as content hashes


class Relevance:
    """What labels and judgements say is relevant to each query, by content hashes.

    1. The positive of a candidate, and a passage called `false_negative`, are relevant, whoever called it `hard`.
    2. A passage called `hard` is not relevant otherwise.
    3. A passage that is `unsure`, and the positive of a candidate that is not trained on, may be relevant: they count
       as relevant unless somebody called them `hard`.
    4. What the source judges relevant is relevant.

    Attributes:
        positives: query → its positives to train on, as keys in the order of the labels.
        hard: query → the passages called hard, likewise.
    """

    def __init__(self, labelled: Iterable[LabelledCandidate] = (), judged: Pairs = frozenset()) -> None:
        self.positives: dict[str, dict[str, None]] = {}
        self.hard: dict[str, dict[str, None]] = {}
        self._maybe: set[tuple[str, str]] = set()
        self._judged = set(judged)
        for item in labelled:
            self.add(item)

    def add(self, item: LabelledCandidate, *, trained_on: bool = True) -> None:
        """Take in a label; one that is not trained on makes neither a positive nor a negative."""
        query, positive, passage = map(content_hash, (item.query, item.positive, item.passage))
        self._maybe.add((query, positive))
        if item.label == "unsure":
            self._maybe.add((query, passage))
        if trained_on and item.label in ("hard", "false_negative"):
            positives = self.positives.setdefault(query, {})
            positives[positive] = None
            (positives if item.label == "false_negative" else self.hard.setdefault(query, {}))[passage] = None

    def judge(self, pairs: Pairs) -> None:
        """Take in what a source judges relevant."""
        self._judged |= pairs

    def negatives(self, query: str) -> list[str]:
        """Return the passages called hard of a query that are none of its positives."""
        return [text for text in self.hard.get(query, ()) if text not in self.positives.get(query, ())]

    def pairs(self, queries: Collection[str]) -> set[tuple[str, str]]:
        """Return (query, text) of everything that is or may be relevant to these queries."""
        called_hard = {(query, text) for query, texts in self.hard.items() for text in texts}
        positives = {(query, text) for query, texts in self.positives.items() for text in texts}
        everything = positives | (self._maybe - called_hard) | self._judged
        return {(query, text) for query, text in everything if query in queries}


def judged_splits(name: str, source: str) -> list[Task]:
    """Load the splits of a task that labels can come from, as far as the source has them."""
    splits: list[Task] = []
    for split in ("train", "validation"):
        try:
            splits.append(load_task(name, source, split))
        except UserError:
            continue
    return splits


def judged_pairs(tasks: Iterable[Task], queries: Collection[str]) -> set[tuple[str, str]]:
    """Return (query, text) of what tasks judge relevant to these queries, all as content hashes."""
    return {
        (digest, content_hash(task.passages[passage_id]))
        for task in tasks
        for query_id, query in task.queries.items()
        if (digest := content_hash(query)) in queries
        for passage_id in task.qrels[query_id]
    }
