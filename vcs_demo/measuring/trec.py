"""TREC run files and qrels that reproduce our figures in trec_eval, pytrec_eval and `ir_measures`.

Those sort a query's passages by score, in single precision, and equal scores by id. So scores are written strictly
decreasing in our own order, in which ties are settled pessimistically.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from vcs_demo.benchmark.tasks import Task
from vcs_demo.errors import UserError, reason
from vcs_demo.files import write_text
from vcs_demo.measuring.run_store import Run, token, trec_lines

_NORMAL = 0x00800000  # bits of the least float32 that every reader keeps: below, some read 0


def write_run(folder: Path, run: Run) -> None:
    """Write `<task>-<split>.<ranker>.run`: each query's ranking as far as the run has it.

    To reproduce average precision it must reach the last relevant passage (`evaluate_kept(…, whole=True)`).

    Raises:
        UserError: the folder cannot be written.
    """
    ranking = {}
    for query, passages in run.ranking.items():
        scores = decreasing(np.array([score for _, score in passages], dtype=np.float32)).tolist()
        ranking[query] = [(passage, score) for (passage, _), score in zip(passages, scores, strict=True)]
    _write(folder / f"{_stem(run)}.{_name(run)}.run", trec_lines(replace(run, ranking=ranking)))


def write_qrels(folder: Path, task: Task, runs: Sequence[Run]) -> None:
    """Write `<task>-<split>.qrels`: the relevant passages of the queries that the runs, all of this task, measured.

    Where a ranker left out queries that another was measured on, each has its own, `<task>-<split>.<ranker>.qrels`.

    Raises:
        UserError: the folder cannot be written.
    """
    measured = {_name(run): list(run.per_query["map"]) for run in runs}
    if len({frozenset(queries) for queries in measured.values()}) == 1:
        measured = {"": next(iter(measured.values()))}
    for name, queries in measured.items():
        _write(folder / f"{_stem(runs[0])}{'.' if name else ''}{name}.qrels", "".join(_qrels(task, queries)))


def decreasing(scores: np.ndarray) -> np.ndarray:
    """Return scores that fall strictly, each the nearest float32 to the given one that is below the one before it.

    Args:
        scores: falling or equal, float32 of shape (n,).
    """
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)
    size = np.maximum((bits & 0x7FFFFFFF) - _NORMAL + 1, 0)  # one more is the next float
    steps = np.arange(len(scores))
    order = np.minimum.accumulate(np.where(bits < 0, -size, size) + steps) - steps
    size = np.where(order == 0, 0, np.abs(order) + _NORMAL - 1)
    return (size | np.where(order < 0, 0x80000000, 0)).astype(np.uint32).view(np.float32)


def _qrels(task: Task, queries: Iterable[str]) -> Iterable[str]:
    return (
        f"{token(query)} 0 {token(passage)} 1\n" for query in queries for passage in sorted(task.qrels[query])
    )


def _stem(run: Run) -> str:
    return f"{run.task.replace('/', '-')}-{run.split}{'-labels' if run.source.endswith(' + labels') else ''}"


def _name(run: Run) -> str:
    return "".join(c if c.isalnum() or c in "+-._" else quote(c, safe="") for c in run.ranker)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise UserError(f"{path.parent} cannot be written: {reason(error)}; give another folder.") from error
