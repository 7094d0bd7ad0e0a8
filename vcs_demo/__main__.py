"""The command line of the comparing side: `python -m vcs_demo evaluate …`."""

import argparse
import json
import os
import sys
from pathlib import Path

from vcs_demo.errors import UserError, carried_out
from vcs_demo.rankers import Progress
from vcs_demo.runs import Run, evaluate_kept
from vcs_demo.tasks import MAIN_TASKS, RETRIEVAL_SPLITS, TASK_NAMES, load_task

_SHOWN = ("accuracy@1", "accuracy@10", "accuracy@20", "map", "mrr@10", "ndcg@10")


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
    command.add_argument(
        "--source", default=os.environ.get("VCS_SOURCE") or "mini", help="mini, hub or a folder"
    )
    command.add_argument(
        "--task", action="append", help=f"one of {', '.join(TASK_NAMES)}; repeatable; default: the four tasks"
    )
    command.add_argument(
        "--ranker", action="append", required=True, help="name, directory or a+b; repeatable"
    )
    command.add_argument(
        "--split", default="test", help=f"one of {', '.join(RETRIEVAL_SPLITS)} (default: test)"
    )
    command.add_argument("--json", type=Path, metavar="OUT", help="write a list of results to this file")
    command.set_defaults(run=_evaluate)
    return parser


def _evaluate(options: argparse.Namespace) -> int:
    from vcs_demo.catalog import load_ranker

    if options.json and (options.json.is_dir() or not options.json.parent.is_dir()):
        raise UserError(f"{options.json} cannot be written: it is a folder, or its folder does not exist.")
    rankers = [load_ranker(name) for name in options.ranker]
    names = options.task or (MAIN_TASKS if options.split == "test" else MAIN_TASKS[:1])
    runs = []
    for name, task in [(name, load_task(name, options.source, options.split)) for name in names]:
        notes = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in task.notes.items())
        sys.stderr.write(f"{name}: {len(task.queries)} queries, {len(task.passages)} passages ({notes})\n")
        for ranker in rankers:
            runs.append(evaluate_kept(task, ranker, progress=_bar(f"{name} {ranker.name}")))
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[K")
    print(_table(runs))
    if options.json:
        text = json.dumps([run.as_json() for run in runs], ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", "utf-8")
    return 0


def _bar(label: str) -> Progress | None:
    if not sys.stderr.isatty():
        return None
    return lambda done, total: sys.stderr.write(f"\r{label}: {done}/{total}") and None


def _table(runs: list[Run]) -> str:
    """Lay runs out as a Markdown table; each figure with its 95 % interval."""
    lines = [
        "| task | source | split | ranker | queries | " + " | ".join(_SHOWN) + " | ms/query |",
        "|" + "---|" * (len(_SHOWN) + 6),
    ]
    for run in runs:
        figures = [
            f"{run.metrics[m]:.3f} [{run.intervals[m][0]:.3f}, {run.intervals[m][1]:.3f}]" for m in _SHOWN
        ]
        lines.append(
            f"| {run.task} | {run.source} | {run.split} | {run.ranker} | {run.queries} | "
            + " | ".join(figures)
            + f" | {run.milliseconds:.1f} |"
        )
    return (
        "\n".join(lines)
        + "\nTies are settled pessimistically; brackets are 95 % bootstrap intervals over queries."
    )


if __name__ == "__main__":
    sys.exit(main())
