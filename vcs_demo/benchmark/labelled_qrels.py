"""What people said of passages, beside what the benchmark judged: the JSONL of `python -m annotations export`."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vcs_demo.benchmark.tasks import RerankingTask, Task
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import content_hash


class Judgement(NamedTuple):
    """A query and a passage by their content hashes, and the label that people gave."""

    query: str
    passage: str
    label: str


def read_judgements(path: Path) -> list[Judgement]:
    """Read a JSONL export of labels.

    Raises:
        UserError: no such file, or a line that is not a labelled candidate.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The labels {quoted(path.name)} cannot be read ({error}); give a file that "
            "`python -m annotations export labels.jsonl` wrote."
        ) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(
                Judgement(content_hash(row["query"]), content_hash(row["negative"]), str(row["label"]))
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"Line {number} of {quoted(path.name)} is no labelled candidate; give a file that "
                "`python -m annotations export labels.jsonl` wrote."
            ) from error
    return found


def with_labels(task: Task, judgements: Iterable[Judgement]) -> tuple[Task, int]:
    """Return the task with confirmed false negatives counted as relevant, and how many there are.

    Passages are told by their text, so a label counts wherever its passage stands. The task's source says that it was
    changed, so that its runs are never taken for those on the benchmark as published.
    """
    queries = {content_hash(text): query for query, text in task.queries.items()}
    passages: dict[str, list[str]] = {}
    for passage, text in task.passages.items():
        passages.setdefault(content_hash(text), []).append(passage)
    qrels, added = dict(task.qrels), 0
    for item in judgements:
        query = queries.get(item.query)
        if query is None or item.label != "false_negative":
            continue
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
    said: dict[str, set[str]] = {}
    for item in judgements:
        said.setdefault(item.query, set()).add(item.passage)
    if said:
        by_hash = {passage: content_hash(text) for passage, text in task.passages.items()}
        for query, text in task.queries.items():
            if own := said.get(content_hash(text)):
                judged[query] |= {passage for passage, digest in by_hash.items() if digest in own}
    return judged
