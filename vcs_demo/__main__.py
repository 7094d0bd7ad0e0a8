"""The command line of the comparing side: `python -m vcs_demo evaluate …`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vcs_demo.benchmark.labelled_qrels import Judgement, judged_passages, with_labels
from vcs_demo.benchmark.paper_figures import CAVEAT, REPORTED, SOURCE
from vcs_demo.benchmark.sources import check_source
from vcs_demo.benchmark.tasks import (
    MAIN_TASKS,
    RETRIEVAL_SPLITS,
    TASK_NAMES,
    load_task,
    main_measure,
    subset_queries,
)
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import check_writable, write_json
from vcs_demo.tables import Table, figure, markdown
from vcs_demo.terminal import FILE, INPUT, SETTINGS, bar, run, say
from vcs_demo.text import cell

if TYPE_CHECKING:
    from vcs_demo.measuring.run_store import Run
    from vcs_demo.rankers.base import Ranker

_FOLDER = click.Path(file_okay=False, path_type=Path)
_MEASURES = ("accuracy@1", "accuracy@10", "accuracy@20", "map", "mrr@10", "ndcg@10")
_PAPERS = ("accuracy@1 (paper)", "accuracy@10 (paper)", "accuracy@20 (paper)", "map (paper)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code, after one clear line on standard error where it failed."""
    return run(cli, arguments, "cancelled; finished runs are kept")


@click.group("python -m vcs_demo", context_settings=SETTINGS)
def cli() -> None:
    """Compare embedding models on the Vietnamese Context Search benchmark."""


def _common(command: Callable) -> Callable:
    name = "Name, directory, owner/name of the hub, or a+b; repeatable."
    labels = "Label database or export of labels; confirmed false negatives count as relevant too."
    for option in (
        click.option("--json", "json_path", type=FILE, metavar="OUT", help="Write the results there."),
        click.option("--labels", type=INPUT, metavar="PATH", help=labels),
        click.option("--split", type=click.Choice(RETRIEVAL_SPLITS), default="test"),
        click.option("--ranker", "rankers", multiple=True, required=True, help=name),
        click.option("--source", default="mini", envvar="VCS_SOURCE", help="mini, hub or a folder."),
    ):
        command = option(command)
    return command


def _example(rest: str) -> str:
    return f"\b\nExample:\n  python -m vcs_demo {rest}"


@cli.command(
    epilog=_example(
        "evaluate --source mini --task vimedretrieve --ranker bm25 \\\n"
        "    --ranker minilm --ranker bm25+minilm --json results.json"
    )
)
@_common
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Choice(TASK_NAMES),
    help="Repeatable; default: the four main tasks, or vimedretrieve alone on another split.",
)
@click.option("--paper", is_flag=True, help="Also the authors' own evaluator, and the figures of the paper.")
@click.option(
    "--trec",
    type=_FOLDER,
    metavar="DIR",
    help="Write TREC run files and qrels there, which give these figures.",
)
def evaluate(
    source: str,
    rankers: tuple[str, ...],
    split: str,
    labels: Path | None,
    json_path: Path | None,
    tasks: tuple[str, ...],
    paper: bool,
    trec: Path | None,
) -> None:
    """Metrics of rankers on tasks.

    Runs are kept in the data directory and reused while task and ranker are unchanged.
    """
    from vcs_demo.measuring.evaluate import evaluate_kept
    from vcs_demo.measuring.trec import write_qrels, write_run

    if trec:
        check_writable(next(p for p in (trec.absolute(), *trec.absolute().parents) if p.exists()) / "qrels")
    chosen, judgements = _prepared(source, rankers, labels, json_path)
    names = tasks or (MAIN_TASKS if split == "test" else MAIN_TASKS[:1])
    measured: list[Run] = []
    for task in [load_task(name, source, split) for name in names]:
        notes = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in task.notes.items())
        say(f"{task.name}: {len(task.queries)} queries, {len(task.passages)} passages ({notes})")
        versions = [task]
        if judgements:
            changed, added = with_labels(task, judgements)
            versions += [changed] if added else []
            say(f"{task.name}: {added} confirmed false negatives counted as relevant beside it")
        for version in versions:
            for ranker in chosen:
                show = bar(f"{task.name} {ranker.name}")
                result = evaluate_kept(version, ranker, whole=trec is not None, progress=show)
                if trec:
                    write_run(trec, result)
                measured.append(replace(result, ranking={}))
            if trec:
                write_qrels(trec, version, measured[-len(chosen) :])
    click.echo(_runs_table(measured, paper).markdown())
    if paper:
        click.echo("\n" + _reported(names))
    if json_path:
        write_json(json_path, [result.as_json() for result in measured])


@cli.command(
    epilog=_example(
        "compare --task vimedretrieve --measure accuracy@1 --ranker bm25 \\\n"
        "    --ranker vcs-20m --ranker bm25+vcs-20m"
    )
)
@_common
@click.option("--task", "name", type=click.Choice(TASK_NAMES), default=MAIN_TASKS[0])
@click.option("--measure", metavar="NAME", help="Default: the task's main measure.")
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Also the N queries that the best two differ most on.",
)
def compare(
    source: str,
    rankers: tuple[str, ...],
    split: str,
    labels: Path | None,
    json_path: Path | None,
    name: str,
    measure: str | None,
    show: int,
) -> None:
    """Is one ranker better than another, by how much, and where.

    Compares rankers on one task, query by query: paired bootstrap intervals, paired tests with Holm's correction,
    groups that cannot be told apart, subsets, overlap of the rankings.
    """
    from vcs_demo.measuring import comparison
    from vcs_demo.measuring.evaluate import evaluate_kept

    measure = measure or main_measure(name)
    comparison.check(rankers, measure)
    chosen, judgements = _prepared(source, rankers, labels, json_path)
    comparison.check([ranker.name for ranker in chosen], measure)
    task, _ = with_labels(load_task(name, source, split), judgements)
    runs = [evaluate_kept(task, ranker, progress=bar(ranker.name)) for ranker in chosen]
    whole = comparison.compare(runs, measure, judged_passages(task, judgements))
    queries = subset_queries(source, split) if name == MAIN_TASKS[0] else {}
    subsets = comparison.by_subset(runs, measure, queries)
    tables = [whole.standings_table(), whole.pairs_table()]
    if subsets:
        tables.append(whole.subsets_table(subsets))
    if show:
        first, second = (next(r for r in runs if r.ranker == row.ranker) for row in whole.standings[:2])
        rows = [
            [figure(a, digits=2), figure(b, digits=2), cell(task.queries[query])]
            for query, a, b in comparison.where(first, second, measure, show)
        ]
        tables.append(Table([first.ranker, second.ranker, "query"], rows))
    left_out = f", {whole.left_out} left out: not every ranker was measured on them" if whole.left_out else ""
    click.echo(f"{whole.task} ({whole.source}, {whole.split}), {whole.queries} queries{left_out}\n")
    click.echo(markdown(tables))
    if json_path:
        write_json(json_path, {part: asdict(figures) for part, figures in {"all": whole, **subsets}.items()})


@cli.command(epilog=_example("rankers"))
def rankers() -> None:
    """The rankers known by name, and which are on this machine."""
    from vcs_demo.rankers.catalog import CATALOG, available, retrained

    present = set(available())
    rows = []
    for entry in CATALOG.values():
        where = "here" if entry.name in present else f"hub, {entry.hub.repository}"
        rows.append([entry.name, entry.about, entry.licence, where])
    rows += [[name, "in the models folder", "see its card", "here"] for name in retrained()]
    note = "Those of the hub are fetched when `evaluate` or `compare` first names them; then the app lists them too."
    click.echo(Table(["ranker", "what", "licence", "where"], rows, notes=[note]).markdown())


def _prepared(
    source: str, rankers: Sequence[str], labels: Path | None, json_path: Path | None
) -> tuple[list["Ranker"], list[Judgement]]:
    """Check what can be checked before any work; return the rankers and what people said."""
    from vcs_demo.rankers.catalog import load_rankers

    check_writable(json_path)
    check_source(source)
    judgements: list[Judgement] = []
    if labels:
        from annotations.exchange.manifest import read_labels

        judgements = [
            Judgement.of(item.query, item.passage, item.label) for item in read_labels(labels).labelled
        ]
        if not judgements:
            raise UserError(
                f"There are no labels in {quoted(labels)}; label some candidates first, or leave --labels out."
            )
    loaded = load_rankers(rankers)
    for ranker in loaded:
        _ = ranker.training_hashes  # refuses where nobody can tell them
    return loaded, judgements


def _runs_table(runs: Sequence["Run"], paper: bool) -> Table:
    measures = _MEASURES + (_PAPERS if paper else ())
    facts = ("task", "source", "split", "ranker", "queries", "left out")
    rows = [
        [
            *(run.task, run.source, run.split, run.ranker, run.queries),
            str(run.skipped) if run.training_known else f"{run.skipped}?",
            *(figure(run.metrics[measure], run.intervals[measure]) for measure in measures),
            figure(run.milliseconds, digits=1),
        ]
        for run in runs
    ]
    notes = ["Ties are settled pessimistically; brackets are 95 % bootstrap intervals over queries."]
    if any(run.skipped for run in runs):
        notes.append("Left out: queries that the ranker was trained on.")
    if not all(run.training_known for run in runs):
        notes.append("?: training data unknown; it may have been trained on some of these queries.")
    if paper:
        notes.append(
            "(paper): the authors' evaluator. Its strict comparison counts no hit at rank k, so accuracy@1 is 0 and "
            "accuracy@k is accuracy@(k − 1)."
        )
    return Table([*facts, *measures, "ms/query"], rows, notes=["\n".join(notes)])


def _reported(tasks: Sequence[str]) -> str:
    rows = [[f.task, f.ranker, f.measure, f"{f.value:.4g}"] for f in REPORTED if f.task in tasks]
    if not rows:
        return f"The paper ({SOURCE}) reports nothing on {', '.join(tasks)} that we have."
    table = Table(["task", "model", "measure", "reported"], rows)
    return f"Reported, not measured here ({SOURCE}, {CAVEAT}):\n\n{table.markdown()}"


if __name__ == "__main__":
    sys.exit(main())
