"""The command line of the comparing side: `python -m vcs_demo evaluate …`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vcs_demo.background import Progress
from vcs_demo.benchmark.labelled_qrels import judged_passages, read_judgements, with_labels
from vcs_demo.benchmark.paper_figures import CAVEAT, REPORTED, SOURCE
from vcs_demo.benchmark.tasks import (
    MAIN_TASKS,
    RETRIEVAL_SPLITS,
    TASK_NAMES,
    load_task,
    main_measure,
    subset_queries,
)
from vcs_demo.errors import UserError, carried_out
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.measuring.run_store import Run
from vcs_demo.measuring.trec import write_trec
from vcs_demo.text import cell

if TYPE_CHECKING:
    from vcs_demo.measuring.comparison import Comparison

_SHOWN = ("accuracy@1", "accuracy@10", "accuracy@20", "map", "mrr@10", "ndcg@10")
_PAPERS = ("accuracy@1 (paper)", "accuracy@10 (paper)", "accuracy@20 (paper)", "map (paper)")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 1 after one clear line on standard error."""
    options = _parser().parse_args(arguments)
    return carried_out(lambda: options.run(options), "cancelled; finished runs are kept")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vcs_demo", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "evaluate",
        help="metrics of rankers on tasks",
        description="Evaluate rankers on tasks; runs are kept in the data directory and reused.",
        epilog="Example: python -m vcs_demo evaluate --source mini --task vimedretrieve --ranker bm25 "
        "--ranker minilm --ranker bm25+minilm --json results.json",
    )
    _common(command)
    command.add_argument(
        "--task", action="append", help=f"one of {', '.join(TASK_NAMES)}; repeatable; default: the four tasks"
    )
    command.add_argument(
        "--paper",
        action="store_true",
        help="also the authors' own evaluator, and the figures the paper reports",
    )
    command.add_argument("--trec", type=Path, metavar="DIR", help="write TREC run files and qrels there")
    command.set_defaults(run=_evaluate)
    command = commands.add_parser(
        "compare",
        help="is one ranker better than another, by how much, and where",
        description="Compare rankers on one task, query by query: paired bootstrap intervals, paired t-tests with "
        "Holm's correction, groups that cannot be told apart, subsets, overlap of the rankings.",
        epilog="Example: python -m vcs_demo compare --task vimedretrieve --measure accuracy@1 --ranker bm25 "
        "--ranker vcs-20m --ranker bm25+vcs-20m",
    )
    _common(command)
    command.add_argument("--task", default=MAIN_TASKS[0], help=f"one of {', '.join(TASK_NAMES)}")
    command.add_argument("--measure", help="default: the task's main measure")
    command.add_argument(
        "--show", type=int, default=0, metavar="N", help="also the N queries that the best two differ most on"
    )
    command.set_defaults(run=_compare)
    command = commands.add_parser(
        "rankers",
        help="the rankers known by name",
        description="List the rankers known by name, and which of them are on this machine.",
    )
    command.set_defaults(run=_rankers)
    return parser


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--source", default=os.environ.get("VCS_SOURCE") or "mini", help="mini, hub or a folder"
    )
    command.add_argument(
        "--ranker", action="append", required=True, help="name, directory or a+b; repeatable"
    )
    command.add_argument(
        "--split", default="test", help=f"one of {', '.join(RETRIEVAL_SPLITS)} (default: test)"
    )
    command.add_argument(
        "--labels", type=Path, metavar="JSONL", help="export of labels; false negatives count as relevant too"
    )
    command.add_argument("--json", type=Path, metavar="OUT", help="write the results to this file")


def _evaluate(options: argparse.Namespace) -> int:
    from vcs_demo.rankers.catalog import load_ranker

    _writable(options.json)
    rankers = [load_ranker(name) for name in options.ranker]
    names = options.task or (MAIN_TASKS if options.split == "test" else MAIN_TASKS[:1])
    labels = read_judgements(options.labels) if options.labels else []
    measured = []
    for task in [load_task(name, options.source, options.split) for name in names]:
        notes = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in task.notes.items())
        sys.stderr.write(
            f"{task.name}: {len(task.queries)} queries, {len(task.passages)} passages ({notes})\n"
        )
        changed, added = with_labels(task, labels)
        if labels:
            sys.stderr.write(
                f"{task.name}: {added} confirmed false negatives counted as relevant beside it\n"
            )
        for version in [task, changed] if added else [task]:
            for ranker in rankers:
                run = evaluate_kept(version, ranker, progress=_bar(f"{task.name} {ranker.name}"))
                measured.append((version, run))
                if sys.stderr.isatty():
                    sys.stderr.write("\r\033[K")
    print(_table([run for _, run in measured], options.paper))
    if options.paper:
        print("\n" + _reported_table(names))
    if options.trec:
        for task, run in measured:
            write_trec(options.trec, run, task)
    _write_json(options.json, [run.as_json() for _, run in measured])
    return 0


def _rankers(options: argparse.Namespace) -> int:
    from vcs_demo.rankers.catalog import CATALOG, available, retrained
    from vcs_demo.rankers.hub_models import HUB

    here = set(available())
    print("| ranker | what | licence | where |\n|---|---|---|---|")
    for entry in CATALOG.values():
        where = "here" if entry.name in here else f"hub, {HUB[entry.name].model.repository}"
        print(f"| {entry.name} | {entry.about} | {entry.licence} | {where} |")
    for name in retrained():
        print(f"| {name} | in the models folder | see its card | here |")
    print(
        "Those of the hub are fetched when `evaluate` or `compare` first names them; then the app lists them too."
    )
    return 0


def _compare(options: argparse.Namespace) -> int:
    from vcs_demo.measuring.comparison import by_subset, compare, where
    from vcs_demo.rankers.catalog import load_ranker

    _writable(options.json)
    rankers = [load_ranker(name) for name in options.ranker]
    labels = read_judgements(options.labels) if options.labels else []
    task, _ = with_labels(load_task(options.task, options.source, options.split), labels)
    measure = options.measure or main_measure(options.task)
    runs = [evaluate_kept(task, ranker, progress=_bar(ranker.name)) for ranker in rankers]
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    judged = judged_passages(task, labels)
    whole = compare(runs, measure, judged)
    parts = {}
    if options.task == MAIN_TASKS[0]:
        parts = by_subset(runs, measure, subset_queries(options.source, options.split))
    print(_compared(whole))
    if parts:
        print("\n" + _subsets_table(whole, parts))
    if options.show > 0:
        by_name = {run.ranker: run for run in runs}
        first, second = (by_name[standing.ranker] for standing in whole.standings[:2])
        print(f"\n| {first.ranker} | {second.ranker} | query |\n|---|---|---|")
        for query, a, b in where(first, second, measure, options.show):
            print(f"| {a:.2f} | {b:.2f} | {cell(task.queries[query])} |")
    _write_json(options.json, {"all": asdict(whole)} | {name: asdict(part) for name, part in parts.items()})
    return 0


def _compared(found: "Comparison") -> str:
    lines = [
        f"{found.task} ({found.source}, {found.split}), {found.queries} queries"
        + (f", {found.left_out} left out: not every ranker was measured on them" if found.left_out else ""),
        "",
        f"| ranker | {found.measure} | group | unjudged@10 |",
        "|---|---|---|---|",
    ]
    for row in found.standings:
        lines.append(
            f"| {row.ranker} | {row.mean:.3f} [{row.interval[0]:.3f}, {row.interval[1]:.3f}] "
            f"| {row.groups} | {row.unjudged:.2f} |"
        )
    return "\n".join([*lines, "", _pairs_table(found), "", _HOW])


_HOW = (
    "Differences are the first minus the second, with 95 % paired bootstrap intervals; p: paired t-test, corrected "
    "by Holm for the number of pairs. Rankers that share a group letter cannot be told apart (p ≥ .05)."
)


def _pairs_table(found: "Comparison") -> str:
    lines = [
        "| first | second | difference | p | better / equal / worse | Jaccard@10 | RBO |",
        "|" + "---|" * 7,
    ]
    for pair in found.pairs:
        lines.append(
            f"| {pair.first} | {pair.second} | {pair.difference:+.3f} "
            f"[{pair.interval[0]:+.3f}, {pair.interval[1]:+.3f}] | {pair.p:.4f} "
            f"| {pair.wins} / {pair.ties} / {pair.losses} | {pair.jaccard:.2f} | {pair.rbo:.2f} |"
        )
    return "\n".join(lines)


def _subsets_table(whole: "Comparison", parts: dict[str, "Comparison"]) -> str:
    heads = [f"{name} ({part.queries})" for name, part in parts.items()]
    lines = [f"| {whole.measure} by subset | " + " | ".join(heads) + " |", "|" + "---|" * (1 + len(parts))]
    for ranker in (row.ranker for row in whole.standings):
        own = [next(row for row in part.standings if row.ranker == ranker) for part in parts.values()]
        cells = [f"{row.mean:.3f} [{row.interval[0]:.3f}, {row.interval[1]:.3f}] {row.groups}" for row in own]
        lines.append(f"| {ranker} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _writable(path: Path | None) -> None:
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise UserError(f"{path} cannot be written: it is a folder, or its folder does not exist.")


def _write_json(path: Path | None, content: object) -> None:
    if path:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _bar(label: str) -> Progress | None:
    if not sys.stderr.isatty():
        return None
    return lambda done, total: sys.stderr.write(f"\r{label}: {done}/{total}") and None


def _table(runs: list[Run], paper: bool = False) -> str:
    """Lay runs out as a Markdown table; each figure with its 95 % interval."""
    measures = _SHOWN + (_PAPERS if paper else ())
    lines = [
        "| task | source | split | ranker | queries | left out | " + " | ".join(measures) + " | ms/query |",
        "|" + "---|" * (len(measures) + 7),
    ]
    for run in runs:
        figures = [
            f"{run.metrics[m]:.3f} [{run.intervals[m][0]:.3f}, {run.intervals[m][1]:.3f}]" for m in measures
        ]
        left_out = str(run.skipped) if run.training_known else f"{run.skipped}?"
        lines.append(
            f"| {run.task} | {run.source} | {run.split} | {run.ranker} | {run.queries} | {left_out} | "
            + " | ".join(figures)
            + f" | {run.milliseconds:.1f} |"
        )
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
    return "\n".join(lines + notes)


def _reported_table(tasks: Sequence[str]) -> str:
    figures = [figure for figure in REPORTED if figure.task in tasks]
    if not figures:
        return f"The paper ({SOURCE}) reports nothing on {', '.join(tasks)} that we have."
    lines = [
        f"Reported, not measured here ({SOURCE}, {CAVEAT}):",
        "",
        "| task | model | measure | reported |",
    ]
    lines.append("|" + "---|" * 4)
    lines += [f"| {f.task} | {f.ranker} | {f.measure} | {f.value:.4g} |" for f in figures]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
