"""How an experiment is carried out: its arms, its data, one run of an arm, and the database of what came out."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import numpy as np

from annotations.mining import mine
from annotations.store.label_store import LabelledCandidate
from training.losses import ContextSearchLoss
from training.paper.warning_signs import Point, signs
from training.retraining.base import fresh, trainable
from training.retraining.dataset import TrainingSet, training_set
from vcs_demo.benchmark.tasks import MAIN_TASKS, RerankingTask, RetrievalTask, Task, load_task, retrieval_task
from vcs_demo.errors import UserError, quoted
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.measuring.metrics import bootstrap_interval
from vcs_demo.paths import data_dir
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.terminal import say
from vcs_demo.text import nfc

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sqlite_utils import Database

MEASURES = {"vimedretrieve": ("accuracy@1", "accuracy@5", "accuracy@20", "accuracy@100"), "": ("map",)}
WATCHED = "mrr@10"  # after every epoch, on the validation split
_PACKAGES = ("sentence-transformers", "transformers", "torch")


@dataclass(frozen=True)
class Arm:
    """One way of training that an experiment compares with others."""

    name: str
    weight: str = "modified"
    negatives: str = "in-batch"
    directions: str = "paper"
    temperature: float = 0.1
    data: str = "medical"
    prompt: bool = True
    pooling: str = "mean"


def arms(options: argparse.Namespace) -> list[Arm]:
    """Return an experiment's arms; the first is what the others are compared with."""
    if options.experiment == "temperature":
        first = sorted(options.temperatures, key=lambda value: (value != 0.1, value))
        return [Arm(f"τ = {value:g}", temperature=value) for value in first]
    base = Arm("InfoNCE, in-batch", weight="infonce", temperature=options.temperature)
    if options.experiment == "baseline":
        return [base]
    if options.experiment == "domain":
        return [replace(base, name=f"{data} text", data=data) for data in ("medical", "general", "mixed")]
    found = [
        base,
        replace(base, name="modified, in-batch", weight="modified"),
        replace(base, name="InfoNCE, in-batch, four directions", directions="authors"),
        replace(base, name="modified, in-batch, four directions", weight="modified", directions="authors"),
        replace(base, name="InfoNCE, hard negatives", negatives="hard"),
        replace(base, name="modified, hard negatives", weight="modified", negatives="hard"),
    ]
    if options.design:
        found += [
            replace(base, name="InfoNCE, in-batch, no prefix", prompt=False),
            replace(base, name="InfoNCE, in-batch, CLS pooling", pooling="cls"),
        ]
    return found


def run(options: argparse.Namespace) -> int:
    """Train and evaluate every arm with every seed that is not in the database yet."""
    base = trainable(options.base)
    tasks = _evaluated(options)
    validation = _shortened(load_task("vimedretrieve", options.source, "validation"), options.evaluate_limit)
    with open_database() as database:
        untrained = _untrained(database, options, base, tasks)
        data: dict[tuple[str, str], TrainingSet] = {}
        chosen = arms(options)
        if not _poolings(base):
            for arm in chosen:
                if arm.pooling != "mean":
                    say(f"{arm.name} is left out: {base.name} pools no tokens")
            chosen = [arm for arm in chosen if arm.pooling == "mean"]
        todo = [(arm, seed) for seed in options.seeds for arm in chosen]
        began, done = time.monotonic(), 0
        for number, (arm, seed) in enumerate(todo, start=1):
            kind = (arm.data, "hard" if arm.negatives == "hard" else "in-batch")
            if kind not in data:
                data[kind] = _data(options, *kind, [*tasks, validation])
            config = _config(options, arm, seed, base, data[kind], [*tasks, validation])
            key = sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
            if is_done(database, key):
                say(f"run {number}/{len(todo)}: {arm.name}, seed {seed}: already done")
                continue
            left = (time.monotonic() - began) / done * (len(todo) - number + 1) / 60 if done else None
            about = "" if left is None else f"  (about {left:.0f} min left in all)"
            say(f"run {number}/{len(todo)}: {arm.name}, seed {seed}, {len(data[kind].rows)} rows{about}")
            _one(database, key, config, options, arm, seed, base, data[kind], tasks, validation, untrained)
            done += 1
    say("done; `python training/experiments.py report` lays it out")
    return 0


def database_file() -> Path:
    """Return where the experiments' database is, or will be."""
    return data_dir() / "experiments.db"


def open_database() -> "Database":
    """Open the experiments' database in the data directory, making its tables."""
    from sqlite_utils import Database

    database = Database(database_file())
    run = {"key": str}
    tables = {
        "runs": run | {"experiment": str, "setting": str, "arm": str, "seed": int, "rows": int}
        | {"seconds": float, "steps": int}
        | {"state": str, "signs": str, "config": str, "created": str, "command": str},
        "results": run | {"task": str, "measure": str, "mean": float, "low": float, "high": float, "queries": int},
        "per_query": run | {"task": str, "measure": str, "query": str, "value": float},
        "curves": run | {"step": int, "loss": float, "positive": float, "gradient": float, "validation": float},
    }  # fmt: skip
    for name, columns in tables.items():
        database[name].create(columns, pk="key" if name == "runs" else None, if_not_exists=True)
    return database


def is_done(database: "Database", key: str) -> bool:
    """Tell whether a run is in the database."""
    return database["runs"].count_where("key = ?", [key]) > 0


def _evaluated(options: argparse.Namespace) -> list[Task]:
    found: list[Task] = []
    # Where the reranking tasks' pairs are the general text, only retrieval is left to be measured on.
    names = MAIN_TASKS[:1] if options.experiment == "domain" and not options.general else MAIN_TASKS
    for name in names:
        try:
            found.append(_shortened(load_task(name, options.source, "test"), options.evaluate_limit))
        except UserError as error:
            if name == MAIN_TASKS[0]:
                raise
            say(f"{name} is left out: {error}")
    return found


def _shortened(task: Task, limit: int | None) -> Task:
    """Return the task with its first queries alone, by id; the passages stay, so it is no easier."""
    if limit is None or len(task.queries) <= limit:
        return task
    kept = sorted(task.queries)[:limit]
    changes = {"queries": {q: task.queries[q] for q in kept}, "qrels": {q: task.qrels[q] for q in kept}}
    if isinstance(task, RerankingTask):
        changes["candidates"] = {q: task.candidates[q] for q in kept}
    return replace(task, **changes)


def _data(options: argparse.Namespace, kind: str, negatives: str, held_out: Sequence[Task]) -> TrainingSet:
    """Make the rows of an arm: pairs of the train split, general pairs, or half of each, equally many."""
    medical = load_task("vimedretrieve", options.source, "train")
    wanted = options.limit
    if options.experiment == "domain":
        own, other = (
            training_set([], negatives="in-batch", pairs=task, held_out=held_out)
            for task in (medical, _general(options))
        )
        size = min(filter(None, (wanted, len(own.rows), len(other.rows))))
        shares = {"medical": (size, 0), "general": (0, size), "mixed": (size // 2, size - size // 2)}[kind]
        rows = own.rows[: shares[0]] + other.rows[: shares[1]]
        return TrainingSet(rows, own.relevant | other.relevant, {"rows": len(rows)})
    task = _shortened(medical, wanted)
    if negatives == "in-batch":
        return training_set([], negatives="in-batch", pairs=task, held_out=held_out)
    found = mine(task, load_ranker(options.miner), per_query=1).candidates
    # Mined and not judged: what the paper trains on. Labels of people would take their place in retrain.py.
    labelled = [LabelledCandidate(**asdict(c), label="hard", votes={}) for c in found]
    return training_set(labelled, negatives="hard", held_out=held_out, gold=[medical])


def _general(options: argparse.Namespace) -> RetrievalTask:
    if options.general:
        rows = list(_jsonl(options.general))
    else:
        rows = [
            {"question": task.queries[query], "context": task.passages[min(task.qrels[query])]}
            for name in MAIN_TASKS[1:]
            for task in [load_task(name, options.source, "test")]
            for query in task.queries
        ]
    return retrieval_task(
        "vimedretrieve", options.general.name if options.general else "general", "train", rows
    )


def _jsonl(path: Path) -> Iterator[dict[str, str]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{quoted(path.name)} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            yield {"question": nfc(row["query"]), "context": nfc(row["positive"])}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"Line {number} of {quoted(path.name)} is no object with the texts `query` and `positive`."
            ) from error


def _config(
    options: argparse.Namespace,
    arm: Arm,
    seed: int,
    base: DenseRanker,
    data: TrainingSet,
    tasks: Sequence[Task],
) -> dict:
    """Return all that decides a run's outcome."""
    return {
        "experiment": options.experiment,
        "arm": asdict(arm),
        "seed": seed,
        "base": [base.name, base.fingerprint],
        "data": data.fingerprint,
        "tasks": {f"{task.name} {task.split}": task.fingerprint for task in tasks},
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "max_length": options.max_length,
        "query_prompt": options.query_prompt if arm.prompt else "",
        "source": tasks[0].source,
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _untrained(
    database: "Database", options: argparse.Namespace, base: DenseRanker, tasks: Sequence[Task]
) -> dict[str, float]:
    """Evaluate the base once, as an arm of its own."""
    setting = _setting(options, base.fingerprint)
    facts = [base.fingerprint, {task.name: task.fingerprint for task in tasks}, setting]
    key = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    if not is_done(database, key):
        say(f"evaluating {base.name}, untrained …")
        config = {
            "experiment": options.experiment,
            "base": [base.name, base.fingerprint],
            "source": tasks[0].source,
        }
        row = _row(key, config, options, "untrained", -1) | {"state": "done", "signs": "[]", "seconds": 0.0}
        _keep(database, row, _results(base, tasks), [])
    return {
        f"{row['task']} {row['measure']}": row["mean"]
        for row in database["results"].rows_where("key = ?", [key])
    }


def _one(
    database: "Database",
    key: str,
    config: dict,
    options: argparse.Namespace,
    arm: Arm,
    seed: int,
    base: DenseRanker,
    data: TrainingSet,
    tasks: Sequence[Task],
    validation: Task,
    untrained: dict[str, float],
) -> None:
    from training.retraining.trainer import TrainingDiverged, fine_tune

    folder = data_dir() / "experiments" / key
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "curve.jsonl"
    model = _model(base, options, arm)
    ranker = DenseRanker.of(arm.name, model, base)
    loss = ContextSearchLoss(
        model, weight=arm.weight, temperature=arm.temperature, directions=arm.directions,
        negatives=arm.negatives, known=data.known(),
    )  # fmt: skip
    settings = argparse.Namespace(
        epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.learning_rate,
        seed=seed, save_steps=None,
    )  # fmt: skip

    def note(**state: float | None) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(state) + "\n")

    def report(**state: object) -> None:
        if "step" in state:
            note(**{name: state[name] for name in ("step", "loss", "positive", "gradient")})

    def each_epoch(step: int) -> None:
        note(step=step, validation=evaluate(validation, ranker).metrics[WATCHED])

    began, state, steps = time.monotonic(), "done", None
    try:
        rows = data.as_dataset(with_negatives=arm.negatives == "hard")
        steps = fine_tune(model, loss, rows, settings, folder / "checkpoints", report, each_epoch)
    except TrainingDiverged as error:
        say(str(error))
        state = "diverged"
    seconds = time.monotonic() - began
    results = _results(ranker, tasks) if state == "done" else []
    curve = read_curve(path)
    found = signs(
        curve,
        temperature=arm.temperature,
        negatives=arm.negatives,
        weight=arm.weight,
        results={
            f"{task} {measure}": float(np.mean(list(values.values()))) for task, measure, values in results
        },
        untrained=untrained,
    )
    for sign in found:
        say(f"warning sign{'' if sign.step is None else f' at step {sign.step}'}: {sign.text}")
    row = _row(key, config, options, arm.name, seed) | {
        "rows": len(data.rows), "seconds": round(seconds, 1), "steps": steps or (curve[-1].step if curve else 0),
        "state": state, "signs": json.dumps([asdict(sign) for sign in found], ensure_ascii=False),
    }  # fmt: skip
    _keep(database, row, results, curve)
    rmtree(folder)


def _row(key: str, config: dict, options: argparse.Namespace, arm: str, seed: int) -> dict:
    return {
        "key": key,
        "experiment": options.experiment,
        "arm": arm,
        "seed": seed,
        "config": json.dumps(config, ensure_ascii=False),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(options),
        "setting": _setting(options, config["base"][1]),
    }


def _command(options: argparse.Namespace) -> str:
    """Write the command anew, with folders by their names."""
    words = [f"python training/experiments.py {options.experiment}"]
    for name, value in vars(options).items():
        if name == "experiment" or value is None or value is False:
            continue
        shown = Path(value).name if name in ("source", "base", "general") else value
        shown = " ".join(map(str, shown)) if isinstance(shown, list) else shown
        words.append(
            f"--{name.replace('_', '-')}"
            + ("" if value is True else f" {shown!r}" if name == "query_prompt" else f" {shown}")
        )
    return " ".join(words)


def _setting(options: argparse.Namespace, base: str) -> str:
    """Return what arms and seeds have in common, so that only runs of one setting are put side by side."""
    alike = argparse.Namespace(**vars(options) | {"seeds": None})
    return f"{_command(alike)} (base {base[:8]})"


def _model(base: DenseRanker, options: argparse.Namespace, arm: Arm) -> "SentenceTransformer":
    prompt = options.query_prompt if arm.prompt else ""
    if not hasattr(
        base.model[0], "auto_model"
    ):  # a table has no vocabulary that grows; it keeps its own prompt
        prompt = None if arm.prompt else ""
    model = fresh(base, max_length=options.max_length, query_prompt=prompt)
    if arm.pooling != "mean":
        place = _poolings(base)[0]
        model[place] = type(model[place])(model[place].embedding_dimension, pooling_mode=arm.pooling)
    return model


def _poolings(base: DenseRanker) -> list[int]:
    """Return where a model's pooling is among its modules; a static table has none."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    return [place for place, module in enumerate(base.model) if isinstance(module, Pooling)]


Result = tuple[str, str, dict[str, float]]  # task, measure, query id → value


def _results(ranker: DenseRanker, tasks: Sequence[Task]) -> list[Result]:
    found = []
    for task in tasks:
        run = evaluate(task, ranker)
        for measure in MEASURES.get(task.name, MEASURES[""]):
            found.append((task.name, measure, run.per_query[measure]))
    return found


def _keep(database: "Database", row: dict, results: Sequence[Result], curve: Sequence[Point]) -> None:
    """Write a run, all of it or nothing."""
    key = row["key"]
    with database.atomic():
        database["results"].insert_all(
            {
                "key": key, "task": task, "measure": measure, "mean": float(np.mean(list(values.values()))),
                **dict(zip(("low", "high"), bootstrap_interval(list(values.values())), strict=True)),
                "queries": len(values),
            }
            for task, measure, values in results
        )  # fmt: skip
        database["per_query"].insert_all(
            {"key": key, "task": task, "measure": measure, "query": query, "value": value}
            for task, measure, values in results
            for query, value in values.items()
        )
        database["curves"].insert_all({"key": key, **asdict(point)} for point in curve)
        database["runs"].insert(row)


def read_curve(path: Path) -> list[Point]:
    """Read a run's notes, merged by step; a resumed run's later notes take the place of earlier ones."""
    found: dict[int, dict] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        state = json.loads(line)
        found.setdefault(state["step"], {}).update(state)
    return [Point(**state) for _, state in sorted(found.items())]
