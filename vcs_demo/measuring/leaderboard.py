"""The leaderboard's rows: the newest run of every ranker, then the figures that the paper reports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vcs_demo.benchmark.paper_figures import REPORTED
from vcs_demo.benchmark.tasks import Task, main_measure
from vcs_demo.errors import UserError
from vcs_demo.measuring.metrics import ACCURACY_AT
from vcs_demo.measuring.run_store import Run, kept_runs, values_by_query
from vcs_demo.measuring.significance import groups
from vcs_demo.rankers.catalog import load_ranker


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard; `run` is None where the figure is the paper's own.

    Rows of one source that share a letter of `group` cannot be told apart (`significance.groups`).
    """

    ranker: str
    metrics: dict[str, float]
    run: Run | None
    group: str = ""


def rows(task: str, source: str | None = None, here: Task | None = None) -> list[Row]:
    """List a task's newest test run per model and source, best first by its main measure, then the reported.

    Left out: runs on an earlier state of a source, and runs of a listed model that has changed since. Different models
    of one name have the first digits of their fingerprints after it.

    Args:
        task: a task's name.
        source: only runs on this source (a `source_label`); None for all.
        here: the task as a source has it now; runs on it are recognised by its fingerprint, whatever the source was
            called then, and listed under its name of today.
    """
    newest: dict[tuple[str, str, str], Run] = {}
    of_source: dict[str, str] = (
        {here.source: here.fingerprint} if here else {}
    )  # source → what it is measured on
    for run in kept_runs():
        if here and run.task_fingerprint == here.fingerprint:
            run = replace(run, source=here.source)
        if run.task != task or run.split != "test" or source not in (None, run.source):
            continue
        same_passages = of_source.setdefault(run.source, run.task_fingerprint) == run.task_fingerprint
        if same_passages and not _changed(run):
            newest.setdefault((run.ranker, run.ranker_fingerprint, run.source), run)
    measure = main_measure(task)
    runs = sorted(_told_apart(newest.values()), key=lambda run: -run.metrics[measure])
    reported: dict[str, dict[str, float]] = {}
    for figure in REPORTED:
        if figure.task == task:
            reported.setdefault(figure.ranker, {})[figure.measure] = figure.value
    letters = _groups(runs, measure)
    listed = [Row(run.ranker, run.metrics, run, letters.get((run.source, run.ranker), "")) for run in runs]
    return listed + [Row(name, metrics, None) for name, metrics in reported.items()]


def _told_apart(runs: Collection[Run]) -> list[Run]:
    """Return the runs, with the fingerprint's first digits after a name that several models have."""
    models: dict[str, set[str]] = {}
    for run in runs:
        models.setdefault(run.ranker, set()).add(run.ranker_fingerprint)
    return [
        replace(run, ranker=f"{run.ranker} ({run.ranker_fingerprint[:6]})")
        if len(models[run.ranker]) > 1
        else run
        for run in runs
    ]


def measures(task: str, paper: bool) -> list[str]:
    """List the measures that say something about a task, the main one first; `paper`: also by the authors' evaluator.

    `mrr` and `ndcg` have no counterpart there.
    """
    names = [main_measure(task), "accuracy@1", "map", "mrr@10", "ndcg@10"]
    if task.startswith("vimedretrieve"):
        names += [f"accuracy@{k}" for k in ACCURACY_AT]
    listed = []
    for name in dict.fromkeys(names):
        listed += [name, f"{name} (paper)"] if paper and not name.startswith(("mrr", "ndcg")) else [name]
    return listed


def measured(task: str, source: str, here: Task | None = None) -> dict[str, Run]:
    """Return ranker → its newest test run of a task on a source, best first by the main measure; see `rows`."""
    return {row.ranker: row.run for row in rows(task, source, here) if row.run}


def _groups(runs: Sequence[Run], measure: str) -> dict[tuple[str, str], str]:
    letters = {}
    for source in {run.source for run in runs}:
        values = {run.ranker: values_by_query(run, measure) for run in runs if run.source == source}
        values = {ranker: by_query for ranker, by_query in values.items() if by_query}
        common = sorted(set.intersection(*map(set, values.values()))) if values else []
        if len(values) > 1 and common:
            arrays = {ranker: np.array([by_query[q] for q in common]) for ranker, by_query in values.items()}
            letters |= {(source, ranker): group for ranker, group in groups(arrays).items()}
    return letters


def is_listed(name: str) -> bool:
    """Tell whether a ranker is among those that can be chosen; that of a folder, or a deleted model, is not."""
    try:
        load_ranker(name, allow_paths=False)
    except UserError:
        return False
    return True


def _changed(run: Run) -> bool:
    if not is_listed(run.ranker):
        return False
    return load_ranker(run.ranker, allow_paths=False).fingerprint != run.ranker_fingerprint
