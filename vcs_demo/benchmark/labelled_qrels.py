"""Labels of people beside the benchmark's own judgements: confirmed false negatives count as relevant."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from vcs_demo.benchmark.tasks import RerankingTask, Task
from vcs_demo.text import content_hash


class Judgement(NamedTuple):
    """A query and a passage by their content hashes, and the label that people gave."""

    query: str
    passage: str
    label: str

    @classmethod
    def of(cls, query: str, passage: str, label: str) -> "Judgement":
        """Return the judgement of a query and a passage given by their texts."""
        return cls(content_hash(query), content_hash(passage), label)


def with_labels(task: Task, judgements: Iterable[Judgement]) -> tuple[Task, int]:
    """Return the task with confirmed false negatives counted as relevant, and how many there are.

    Passages are recognised by their text, so a label counts for every copy of its query and passage. The
    task's source gets the suffix ` + labels`, so that its runs are never mistaken for those on the published benchmark.
    """
    queries: dict[str, list[str]] = {}
    for query, text in task.queries.items():
        queries.setdefault(content_hash(text), []).append(query)
    passages: dict[str, list[str]] = {}
    for passage, text in task.passages.items():
        passages.setdefault(content_hash(text), []).append(passage)
    qrels, added = dict(task.qrels), 0
    for item in judgements:
        for query in queries.get(item.query, ()) if item.label == "false_negative" else ():
            new = set(passages.get(item.passage, ())) - qrels[query]
            if isinstance(task, RerankingTask):
                new &= set(task.candidates[query])
            qrels[query] |= new
            added += len(new)
    return (replace(task, qrels=qrels, source=f"{task.source} + labels") if added else task), added


def judged_passages(task: Task, judgements: Iterable[Judgement] = ()) -> dict[str, frozenset[str]]:
    """Return query id → ids of the passages that the benchmark judged, or people.

    The benchmark judged a group's candidates, or of all passages the relevant windows alone.
    """
    judged = (
        {query: frozenset(ids) for query, ids in task.candidates.items()}
        if isinstance(task, RerankingTask)
        else dict(task.qrels)
    )
    labelled: dict[str, set[str]] = {}  # hash of a query → hashes of its passages
    for item in judgements:
        labelled.setdefault(item.query, set()).add(item.passage)
    if labelled:
        hashes = {passage: content_hash(text) for passage, text in task.passages.items()}
        for query, text in task.queries.items():
            if of_query := labelled.get(content_hash(text)):
                judged[query] |= {passage for passage, digest in hashes.items() if digest in of_query}
    return judged
