"""Train and evaluate the arms of an experiment, each with every seed; what is finished is never repeated."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import numpy as np

from training.losses import ContextSearchLoss
from training.paper.arms import Arm, arms
from training.paper.data import evaluated_tasks, shortened, training_rows
from training.paper.results import Result, is_done, keep, key_of, open_database, read_curve
from training.paper.settings import ExperimentSettings
from training.paper.warning_signs import WATCHED, signs
from training.retraining.base import fresh, trainable
from training.retraining.dataset import TrainingSet
from training.retraining.settings import FitSettings
from vcs_demo.benchmark.tasks import Task, load_task
from vcs_demo.files import json_line
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.paths import data_dir
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.terminal import say

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sqlite_utils import Database

MEASURES = {"vimedretrieve": ("accuracy@1", "accuracy@5", "accuracy@20", "accuracy@100"), "": ("map",)}
_FIT = ("epochs", "batch_size", "learning_rate", "max_length")
_PACKAGES = ("sentence-transformers", "transformers", "torch")


def run(settings: ExperimentSettings) -> None:
    """Train and evaluate every arm with every seed that is not in the database yet.

    Raises:
        UserError: a base that cannot be trained, or data that cannot be read.
    """
    load_ranker(settings.miner)  # a wrong name is refused before any work
    base, tasks = trainable(settings.base), evaluated_tasks(settings)
    validation = shortened(load_task("vimedretrieve", settings.source, "validation"), settings.evaluate_limit)
    experiment = _Experiment(settings, base, tasks, validation)
    chosen = experiment.arms()
    rows: dict[tuple[str, bool], TrainingSet] = {}
    for arm in chosen:  # before any work, since a file of text may be at fault
        if (arm.data, arm.negatives == "hard") not in rows:
            rows[arm.data, arm.negatives == "hard"] = training_rows(settings, arm, [*tasks, validation])
    with open_database() as database:
        untrained = experiment.untrained(database)
        todo = [(arm, seed) for seed in settings.seeds for arm in chosen]
        began, done = time.monotonic(), 0
        for number, (arm, seed) in enumerate(todo, start=1):
            kind = (arm.data, arm.negatives == "hard")
            config = experiment.config(arm, seed, rows[kind])
            name = f"run {number}/{len(todo)}: {arm.name}, seed {seed}"
            if is_done(database, key_of(config)):
                say(f"{name}: already done")
                continue
            left = (time.monotonic() - began) / done * (len(todo) - number + 1) / 60 if done else None
            about = "" if left is None else f"  (about {left:.0f} min left in all)"
            say(f"{name}, {len(rows[kind].rows)} rows{about}")
            experiment.train(database, config, arm, rows[kind], untrained)
            done += 1
    say("done; `python training/experiments.py report` prints the results")


@dataclass(frozen=True)
class _Experiment:
    """What the runs of an experiment share: settings, base, test tasks, validation task."""

    settings: ExperimentSettings
    base: DenseRanker
    tasks: Sequence[Task]
    validation: Task

    def arms(self) -> list[Arm]:
        """Return the arms that the base can be trained in: a static table pools no tokens."""
        chosen = arms(self.settings)
        if _poolings(self.base.model):
            return chosen
        for arm in chosen:
            if arm.pooling != "mean":
                say(f"{arm.name} is left out: {self.base.name} pools no tokens")
        return [arm for arm in chosen if arm.pooling == "mean"]

    def facts(self) -> dict[str, Any]:
        """Return what the configuration of every run has."""
        base = [self.base.name, self.base.fingerprint]
        return {"experiment": self.settings.name, "base": base, "source": self.tasks[0].source}

    def config(self, arm: Arm, seed: int, data: TrainingSet) -> dict[str, Any]:
        """Return all that decides a run's outcome; its hash is the run's key, so one more fact is another run."""
        tasks = [*self.tasks, self.validation]
        config = self.facts() | {"arm": asdict(arm), "seed": seed, "data": data.fingerprint}
        config["tasks"] = {f"{task.name} {task.split}": task.fingerprint for task in tasks}
        config |= {name: getattr(self.settings, name) for name in _FIT}
        config["query_prompt"] = self.settings.query_prompt if arm.prompt else ""
        config["versions"] = {name: version(name) for name in _PACKAGES}
        return config

    def row(self, config: dict[str, Any], arm: str, seed: int) -> dict[str, Any]:
        """Return what a row of the table of runs says of a run before it is trained."""
        row = {"experiment": self.settings.name, "arm": arm, "seed": seed, "setting": self.setting}
        row["config"] = json.dumps(config, ensure_ascii=False)
        row["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        return row | {"command": self.settings.command()}

    @property
    def setting(self) -> str:
        """What arms and seeds have in common: only runs of one setting are compared."""
        return f"{self.settings.command('seeds')} (base {self.base.fingerprint[:8]})"

    def untrained(self, database: "Database") -> dict[str, float]:
        """Return the base's figures, "task measure" → mean; it is evaluated once, as an arm of its own."""
        tasks = {task.name: task.fingerprint for task in self.tasks}
        key = key_of([self.base.fingerprint, tasks, self.setting])
        if not is_done(database, key):
            say(f"evaluating {self.base.name}, untrained …")
            row = self.row(self.facts(), "untrained", -1)
            row |= {"key": key, "state": "done", "signs": "[]", "seconds": 0.0}
            keep(database, row, self.results(self.base), [])
        rows = database["results"].rows_where("key = ?", [key])
        return {f"{row['task']} {row['measure']}": row["mean"] for row in rows}

    def results(self, ranker: DenseRanker) -> list[Result]:
        """Evaluate a ranker on every test task."""
        results: list[Result] = []
        for task in self.tasks:
            per_query = evaluate(task, ranker).per_query
            measures = MEASURES.get(task.name, MEASURES[""])
            results += [(task.name, measure, per_query[measure]) for measure in measures]
        return results

    def train(
        self,
        database: "Database",
        config: dict[str, Any],
        arm: Arm,
        data: TrainingSet,
        untrained: dict[str, float],
    ) -> None:
        """Train the run of a configuration, evaluate it, look for warning signs, and keep it all."""
        from training.retraining.trainer import TrainingDiverged, fine_tune

        folder = data_dir() / "experiments" / key_of(config)  # a stopped run goes on from what is in it
        folder.mkdir(parents=True, exist_ok=True)
        notes = folder / "curve.jsonl"
        model = self.model(arm)
        ranker = DenseRanker.of(arm.name, model, self.base)
        ways = {name: getattr(arm, name) for name in ("weight", "temperature", "directions", "negatives")}
        loss = ContextSearchLoss(model, **ways, known=data.known())
        fit = FitSettings(**{name: getattr(self.settings, name) for name in _FIT}, seed=config["seed"])

        def note(state: dict[str, object]) -> None:
            with notes.open("a", encoding="utf-8") as file:
                file.write(json_line(state))

        def each_step(**state: object) -> None:
            if "step" in state:
                note({name: state[name] for name in ("step", "loss", "positive", "gradient")})

        def each_epoch(step: int) -> None:
            note({"step": step, "validation": evaluate(self.validation, ranker).metrics[WATCHED]})

        began, state, steps = time.monotonic(), "done", None
        try:
            rows = data.as_dataset(with_negatives=arm.negatives == "hard")
            steps = fine_tune(model, loss, rows, fit, folder / "checkpoints", each_step, each_epoch)
        except TrainingDiverged as error:
            say(str(error))
            state = "diverged"
        seconds = round(time.monotonic() - began, 1)
        results = self.results(ranker) if state == "done" else []
        curve = read_curve(notes)
        means = {
            f"{task} {measure}": float(np.mean([*by_query.values()])) for task, measure, by_query in results
        }
        warnings = signs(
            curve, arm.temperature, arm.negatives, arm.weight, results=means, untrained=untrained
        )
        for sign in warnings:
            say(f"warning sign{'' if sign.step is None else f' at step {sign.step}'}: {sign.text}")
        row = self.row(config, arm.name, config["seed"])
        row |= {"key": key_of(config), "rows": len(data.rows), "seconds": seconds, "state": state}
        row["steps"] = steps or (curve[-1].step if curve else 0)
        row["signs"] = json.dumps([asdict(sign) for sign in warnings], ensure_ascii=False)
        keep(database, row, results, curve)
        rmtree(folder)

    def model(self, arm: Arm) -> "SentenceTransformer":
        """Return the base loaded anew, with the arm's prompt and pooling."""
        prompt = self.settings.query_prompt if arm.prompt else ""
        if arm.prompt and not hasattr(self.base.model[0], "auto_model"):
            prompt = None  # a static table has no vocabulary that a prompt's token could be added to
        model = fresh(self.base, max_length=self.settings.max_length, query_prompt=prompt)
        if arm.pooling != "mean":
            place = _poolings(model)[0]
            model[place] = type(model[place])(model[place].embedding_dimension, pooling_mode=arm.pooling)
        return model


def _poolings(model: "SentenceTransformer") -> list[int]:
    """Return the places of the pooling modules of a model; a static table has none."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    return [place for place, module in enumerate(model) if isinstance(module, Pooling)]
