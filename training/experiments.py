"""The paper's experiments, each one command, on a task source and a base of your choice.

    python training/experiments.py baseline
    python training/experiments.py ablation    --seeds 0 1 2
    python training/experiments.py temperature --temperatures 0.05 0.1 0.2 0.4 0.7
    python training/experiments.py domain      --general pairs.jsonl
    python training/experiments.py report      --html report.html

Every run is kept in a database (`experiments.db` in the data directory) as soon as it is done; the same command goes on
where it was stopped and repeats nothing. `report` writes the tables and curves as one HTML file, and as CSV.
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vcs_demo.errors import UserError, carried_out

EXPERIMENTS = {
    "baseline": "InfoNCE, τ = 0.1, in-batch; every task, beside the paper's figures",
    "ablation": "{InfoNCE, modified} × {in-batch, hard negatives}, and weight and directions apart",
    "temperature": "the modified loss at several τ, with validation after every epoch",
    "domain": "medical text alone against general text and a mixture of the two, equally many pairs",
}


def main(arguments: list[str] | None = None) -> int:
    """Run an experiment; return 0, 1 after one clear line on standard error, 130 when it was stopped."""
    options = parser().parse_args(arguments)
    return carried_out(lambda: _run(options), "stopped; the same command goes on, finished runs are kept")


def _run(options: argparse.Namespace) -> int:
    from training.paper import report
    from training.paper import run as laboratory

    if options.experiment == "report":
        return report.write(options)
    _check(options)
    return laboratory.run(options)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command = argparse.ArgumentParser(
        prog="python training/experiments.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = command.add_subparsers(required=True, metavar="EXPERIMENT", dest="experiment")
    for name, text in EXPERIMENTS.items():
        add = names.add_parser(name, help=text, description=text).add_argument
        add("--source", default="mini", help="mini, hub or a folder: train, validation and test splits")
        add("--base", default="minilm", help="ranker name or SentenceTransformer directory to start from")
        add("--miner", default="bm25", help="ranker that mines the hard negatives of the train split")
        add("--seeds", type=int, nargs="+", default=[0, 1, 2])
        add("--epochs", type=float, default=10 if name == "temperature" else 3)
        add("--batch-size", type=int, default=32)
        add("--learning-rate", type=float, default=5e-5)
        add("--max-length", type=int, default=224, help="tokens of a text")
        add("--query-prompt", default="<|query|> ", help="prefix of queries; '' for none")
        add("--limit", type=int, help="pairs to train on at most")
        add("--evaluate-limit", type=int, help="queries of a task to evaluate on at most")
        if name == "temperature":
            add("--temperatures", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.4, 0.7], metavar="τ")
        else:
            add("--temperature", type=float, default=0.1, metavar="τ")
        if name == "ablation":
            add("--design", action="store_true", help="also no prefix, and CLS pooling")
        if name == "domain":
            add("--general", type=Path, help="JSONL of query, positive (default: the reranking tasks' pairs)")
    add = names.add_parser("report", help="tables and curves of all that was run").add_argument
    add("--html", type=Path, default=Path("experiments.html"), help="file to write")
    add("--csv", type=Path, help="folder for results.csv and curves.csv")
    return command


def _check(options: argparse.Namespace) -> None:
    for name in ("epochs", "learning_rate", "temperature", "temperatures"):
        values = getattr(options, name, [])
        for value in values if isinstance(values, list) else [values]:
            if not 0 < value < float("inf"):
                raise UserError(f"--{name.replace('_', '-')} is {value}; it must be above 0.")
    for name, lowest in (("batch_size", 2), ("max_length", 8), ("limit", 2), ("evaluate_limit", 2)):
        value = getattr(options, name)
        if value is not None and value < lowest:
            raise UserError(f"--{name.replace('_', '-')} is {value}; it must be {lowest} or more.")
    if len(set(options.seeds)) < len(options.seeds):
        raise UserError(f"--seeds are {' '.join(map(str, options.seeds))}; give each once.")


if __name__ == "__main__":
    sys.exit(main())
