"""Where labels came from: the source to evaluate on, and what it judges relevant."""

import os
from collections.abc import Collection, Iterable

from vcs_demo.benchmark.tasks import Task, load_task
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import content_hash


def evaluation_source(asked: str | None, found: set[str]) -> str:
    """Return the source to evaluate on: the one asked for, else where the labels came from.

    Raises:
        UserError: they came from a folder, whose path labels do not tell.
    """
    if asked:
        return asked
    named = {source for source in found if source in ("mini", "hub")}
    if found and not found <= {"mini", "hub"} and "VCS_SOURCE" not in os.environ:
        raise UserError(
            f"The labels came from {', '.join(map(quoted, sorted(found)))}; "
            "name the folder to evaluate on with --source."
        )
    return os.environ.get("VCS_SOURCE") or (named.pop() if len(named) == 1 else "mini")


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
    """Return (query hash, text hash) of what tasks judge relevant to these queries (content hashes)."""
    return {
        (digest, content_hash(task.passages[passage_id]))
        for task in tasks
        for query_id, query in task.queries.items()
        if (digest := content_hash(query)) in queries
        for passage_id in task.qrels[query_id]
    }
