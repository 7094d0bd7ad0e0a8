"""The command line of the labelling side: `python -m annotations mine …`."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from annotations.commands.account import add_commands as add_account_commands
from annotations.commands.audit import add_options
from annotations.commands.audit import run as run_audit
from annotations.commands.backup import add_commands as add_backup_commands
from annotations.commands.exchange import add_commands as add_exchange_commands
from annotations.commands.study import add_commands as add_study_commands
from vcs_demo.errors import carried_out
from vcs_demo.paths import database_path


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 1 after one clear line on standard error."""
    options = _parser().parse_args(arguments)
    return carried_out(lambda: options.run(options), "cancelled; nothing was added")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m annotations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, about: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=about, description=f"{about}.", epilog=f"Example: python -m annotations {example}"
        )
        made.add_argument(
            "--database", type=Path, metavar="PATH", help="default: labels.db in the data directory"
        )
        made.set_defaults(run=run)
        return made

    mine = command(
        "mine",
        _mine,
        "Mine hard negatives to label, out of a ranker",
        "mine --source mini --task vimedretrieve --split train --ranker bm25 --limit 200",
    )
    mine.add_argument("--source", default=os.environ.get("VCS_SOURCE", "mini"), help="mini, hub or a folder")
    mine.add_argument("--task", default="vimedretrieve", help="a retrieval task (default: %(default)s)")
    mine.add_argument("--split", default="train", help="train or validation (default: %(default)s)")
    mine.add_argument("--ranker", default="bm25", help="name, directory or a+b (default: %(default)s)")
    mine.add_argument("--limit", type=int, help="most candidates in all (default: no limit)")
    mine.add_argument("--per-query", type=int, default=4, help="most of a query (default: %(default)s)")
    mine.add_argument("--depth", type=int, default=50, help="ranks looked at (default: %(default)s)")
    mine.add_argument(
        "--margin", type=float, default=0.05, help="relative margin under the positive (default: %(default)s)"
    )
    mine.add_argument("--seed", type=int, default=0, help="of the queries' order (default: %(default)s)")

    add_exchange_commands(command)
    add_study_commands(command)

    add_account_commands(commands)
    status = command("status", _status, "Show how far labelling is", "status")
    status.add_argument("--annotator", help="also how far this one is")

    audit = command(
        "audit",
        _audit,
        "Estimate from a random sample how good the mined negatives are",
        "audit --size 100 --strata miner,rank --html audit.html",
    )
    add_options(audit)

    agree = command(
        "agreement",
        _agreement,
        "Measure how far annotators agree: raw agreement, kappas, alpha and AC1, with intervals over queries",
        "agreement --json agreement.json",
    )
    agree.add_argument("--seed", type=int, default=0, help="of the resampling (default: %(default)s)")
    agree.add_argument("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    agree.add_argument("--without-unsure", action="store_true", help="count `unsure` as no answer")
    agree.add_argument("--names", action="store_true", help="name the annotators; else they are A1, A2, …")
    agree.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")

    add_backup_commands(command)
    return parser


def _mine(options: argparse.Namespace) -> None:
    from annotations.backup.opening import open_store
    from annotations.mining import mine
    from annotations.store.label_store import LabelStore
    from vcs_demo.benchmark.tasks import load_task
    from vcs_demo.rankers.catalog import load_ranker

    task = load_task(options.task, options.source, options.split)
    with open_store(_database(options)) as store:
        known = {candidate.id for candidate in store.candidates()}
    result = mine(
        task,
        load_ranker(options.ranker),
        limit=options.limit,
        per_query=options.per_query,
        depth=options.depth,
        relative_margin=options.margin,
        seed=options.seed,
        skip=known,
        progress=_progress if sys.stderr.isatty() else None,
    )
    with LabelStore(_database(options)) as store:
        added, there = store.add_candidates(result.candidates)
    print(result.report())
    print(f"Added to {_database(options)}: {added}; already there: {there}.")


def _status(options: argparse.Namespace) -> None:
    from annotations.store.label_store import LabelStore

    with LabelStore(_database(options), read_only=True) as store:
        progress, counts = store.progress(options.annotator), store.counts()
    print(f"{_database(options)}:")
    for name, number in progress.items():
        print(f"  {name}: {number}")
    print("candidates by the majority's label:")
    for label, number in counts.items():
        print(f"  {label}: {number}")


def _audit(options: argparse.Namespace) -> None:
    print(run_audit(options), end="")


def _agreement(options: argparse.Namespace) -> None:
    from annotations.quality.agreement import agreement, label_rows
    from annotations.store.label_store import LabelStore

    with LabelStore(_database(options), read_only=True) as store:
        rows = label_rows(store, names=options.names)
    report = agreement(rows, unsure=not options.without_unsure, level=options.level, seed=options.seed)
    if options.json:
        options.json.write_text(json.dumps(asdict(report), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(report.markdown())


def _database(options: argparse.Namespace) -> Path:
    return options.database or database_path()


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done}/{total} " + ("\n" if done >= total else ""))


if __name__ == "__main__":
    sys.exit(main())
