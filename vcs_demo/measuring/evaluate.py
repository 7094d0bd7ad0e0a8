"""Evaluate a ranker on a task: `evaluate`, or `evaluate_kept`, which stores the run and reuses it while it holds."""

import json
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.benchmark.tasks import RerankingTask, Task
from vcs_demo.errors import UserError
from vcs_demo.measuring.metrics import bootstrap_interval, pessimistic_order, query_metrics
from vcs_demo.measuring.run_store import FORMAT, KEPT, Run, keep, read_run, skip_mark
from vcs_demo.paths import runs_dir
from vcs_demo.rankers.base import HASH_DIGITS, Ranker
from vcs_demo.text import content_hashes

ENOUGH = 5.0  # seconds of single queries tell how long one takes
_FOLDERS = re.compile(r"(?<![^+=])[~/][^+]*/")
_PACKAGES = ("bm25s", "numpy", "sentence-transformers", "torch")


def evaluate(
    task: Task,
    ranker: Ranker,
    *,
    skip_hashes: Collection[str] = (),
    whole: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Evaluate a ranker on a task, leaving out the queries that it was trained on.

    Args:
        task: a retrieval or reranking task.
        ranker: the ranker.
        skip_hashes: content hashes of further queries to leave out (to put two models on the same queries).
        whole: give each query's ranking down to its last relevant passage, not the first 100 alone.
        progress: called with (done, total); may raise to cancel.

    Raises:
        UserError: fewer than half of the task's queries are left.
    """
    skip = ranker.training_hashes | {digits[:HASH_DIGITS] for digits in skip_hashes}
    hashes = {
        query_id: {digits[:HASH_DIGITS] for digits in content_hashes(text)}
        for query_id, text in task.queries.items()
    }
    measured = [query_id for query_id in task.queries if hashes[query_id].isdisjoint(skip)]
    if not task.queries:
        raise UserError(
            f"{task.name} ({task.source}) has no query to measure on; take another source or task."
        )
    if len(measured) * 2 < len(task.queries):
        raise UserError(
            f"{ranker.name} was trained on {len(task.queries) - len(measured)} of the {len(task.queries)} queries of "
            f"{task.name} ({task.source}); a figure on the rest would mean nothing. Take another source or task."
        )
    per_query: dict[str, dict[str, float]] = {}
    ranking: dict[str, list[tuple[str, float]]] = {}
    seconds = []
    scored = _reranked if isinstance(task, RerankingTask) else _retrieved
    for query_id, ids, scores, elapsed in scored(task, ranker, measured, progress):
        relevant = np.fromiter((i in task.qrels[query_id] for i in ids), dtype=bool, count=len(ids))
        for measure, value in query_metrics(scores, relevant).items():
            per_query.setdefault(measure, {})[query_id] = value
        order = pessimistic_order(scores, relevant)
        depth = max(KEPT, int(np.flatnonzero(relevant[order])[-1]) + 1) if whole else KEPT
        ranking[query_id] = [(ids[i], float(scores[i])) for i in order[:depth]]
        seconds.append(elapsed)
    return Run(
        task=task.name,
        ranker=ranker.name,
        source=task.source,
        split=task.split,
        queries=len(measured),
        skipped=len(task.queries) - len(measured),
        metrics={m: float(np.mean(list(values.values()))) for m, values in per_query.items()},
        intervals={m: bootstrap_interval(list(values.values())) for m, values in per_query.items()},
        task_fingerprint=task.fingerprint,
        ranker_fingerprint=ranker.fingerprint,
        milliseconds=round(float(np.median(seconds)) * 1000, 3),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=" ".join(map(_without_folders, sys.argv))[:500],
        versions={package: version(package) for package in _PACKAGES},
        skipped_fingerprint=skip_mark(skip & set().union(*hashes.values())),
        training_known=ranker.training_known,
        per_query=per_query,
        ranking=ranking,
    )


def _without_folders(word: str) -> str:
    """Return a word of a command with its absolute paths cut to their last part: results are shared."""
    return _FOLDERS.sub("", word.rstrip("/"))


Scored = Iterator[tuple[str, list[str], np.ndarray, float]]  # query id, passage ids, scores, seconds


def _retrieved(task: Task, ranker: Ranker, query_ids: list[str], progress: Progress | None) -> Scored:
    ids = list(task.passages)
    total = len(ids) + len(query_ids)
    report = (lambda done, of: progress(round(done / max(of, 1) * len(ids)), total)) if progress else None
    index = ranker.index(list(task.passages.values()), report)
    latency = _time_alone(index.score, [task.queries[q] for q in query_ids[:20]])
    for start in range(0, len(query_ids), ranker.block):
        block = query_ids[start : start + ranker.block]
        for query_id, scores in zip(block, index.score([task.queries[q] for q in block]), strict=True):
            yield query_id, ids, scores, latency
        if progress:
            progress(len(ids) + start + len(block), total)


def _reranked(task: RerankingTask, ranker: Ranker, query_ids: list[str], progress: Progress | None) -> Scored:
    for number, query_id in enumerate(query_ids, start=1):
        ids = list(task.candidates[query_id])
        begin = time.perf_counter()
        scores = ranker.index([task.passages[i] for i in ids]).score([task.queries[query_id]])[0]
        yield query_id, ids, scores, time.perf_counter() - begin
        if progress:
            progress(number, len(query_ids))


def _time_alone(score: Callable[[list[str]], np.ndarray], queries: list[str]) -> float:
    times: list[float] = []
    for query in queries:
        begin = time.perf_counter()
        score([query])
        times.append(time.perf_counter() - begin)
        if sum(times) > ENOUGH:
            break
    return float(np.median(times))


def evaluate_kept(
    task: Task, ranker: Ranker, *, whole: bool = False, progress: Progress | None = None
) -> Run:
    """Return the run stored in the data directory if task and ranker are unchanged, else evaluate and store it.

    With `whole` a stored run serves only where its rankings have all relevant passages (see `evaluate`).
    """
    folder, known = _folder(task, ranker), ranker.training_known
    with suppress(OSError, ValueError, TypeError, KeyError):
        # A folder may have another name by now, and a list of training queries another beginning.
        run = replace(read_run(folder), source=task.source, training_known=known)
        if not whole or all(task.qrels[q] <= {i for i, _ in run.ranking[q]} for q in run.per_query["map"]):
            return run
    run = evaluate(task, ranker, whole=whole, progress=progress)
    keep(run, folder)
    return run


def _folder(task: Task, ranker: Ranker) -> Path:
    changing = [task.name, task.split, task.fingerprint, ranker.name, ranker.fingerprint]
    facts = json.dumps([FORMAT, *changing, skip_mark(ranker.training_hashes)])
    return runs_dir() / f"{task.name.replace('/', '-')}-{sha256(facts.encode()).hexdigest()[:12]}"
