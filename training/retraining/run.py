"""One retraining from labels to a finished model directory: prepare, train, evaluate, put in place."""

import math
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from annotations.exchange.manifest import Manifest, read_labels
from training.losses import ContextSearchLoss
from training.retraining.base import fresh, trainable
from training.retraining.card import comparison, verdict, write_files
from training.retraining.dataset import TrainingSet, training_set
from training.retraining.effects import effects
from training.retraining.gains import gains
from training.retraining.labels import check_floors, evaluation_source
from training.retraining.output import UnfinishedRun, check_room, kept_if_unwritable
from training.retraining.relevance import judged_splits
from training.retraining.settings import RetrainSettings
from vcs_demo.benchmark.sources import source_label
from vcs_demo.benchmark.tasks import RetrievalTask, load_task, main_measure
from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.paths import models_dir
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.terminal import say

_PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets")


@dataclass(frozen=True)
class Result:
    """A finished retraining.

    Attributes:
        output: the model's directory.
        facts: the content of its `training.json`, such as `metrics`, `gains`, `data` and `labels`.
    """

    output: Path
    facts: dict[str, Any]

    @property
    def verdict(self) -> str:
        """Say in one sentence whether the model got better, by the task's main measure."""
        return verdict(self.facts["metrics"], self.facts["evaluation"]["main"])


def retrain(settings: RetrainSettings) -> Result:
    """Retrain a model on labels; it appears in `settings.output` whole or not at all.

        result = retrain(RetrainSettings(labels="labels.jsonl", base="vcs-20m", output="data/models/mine"))
        print(result.verdict)

    A run that was stopped is continued from its last checkpoint when it is called with the same settings.

    Raises:
        UserError: labels or a base that cannot be used; an unfinished run with other settings; no room on the disk.
        BelowFloor: too few labels, or too little agreement.
        TrainingDiverged: the loss is no longer a number.
    """
    base = trainable(settings.base)
    frozen = read_labels(settings.labels)
    check_floors(frozen.manifest, settings.min_coverage, settings.min_alpha)
    say(f"Labels: {frozen.manifest.sentence()}")
    source = evaluation_source(settings.source, {item.source for item in frozen.labelled})
    task = load_task(settings.task, source, "test")
    data = training_set(
        frozen.labelled,
        negatives=settings.negatives,
        pairs=load_task("vimedretrieve", settings.pairs, "train") if settings.pairs else None,
        held_out=[task],
        gold=judged_splits(task.name, source),
    )
    _check_batch(settings, data)
    say(f"{len(data.rows)} training rows: " + ", ".join(f"{n} {name}" for name, n in data.counts.items()))
    if not base.training_known:
        say(
            f"What {base.name} was trained on is not known: queries that it saw may be among those it is measured on."
        )
    check_room(base.model, settings.output)
    with UnfinishedRun(settings.output) as run, kept_if_unwritable(run.folder):
        config = {"settings": settings.as_facts(), "base": base.fingerprint, "data": data.fingerprint}
        run.prepare(config | {"evaluation": task.fingerprint}, restart=settings.restart)
        result = Result(settings.output, _train(settings, run, base, frozen.manifest, data, task))
        say(result.verdict)
        run.finish(overwrite=settings.overwrite)
    name, listed = result.output.name, result.output.parent == models_dir()
    where = f"; the app lists it as “{name}”." if listed else ", outside the app's models folder."
    say(f"The model is in {result.output}{where}")
    return result


def _train(
    settings: RetrainSettings,
    run: UnfinishedRun,
    base: DenseRanker,
    manifest: Manifest,
    data: TrainingSet,
    task: RetrievalTask,
) -> dict[str, Any]:
    """Train and evaluate, write the model's directory, and return the facts in its `training.json`."""
    from training.retraining.trainer import fine_tune

    trained_on = base.training_hashes | set(data.query_hashes)  # what an earlier retraining saw stays in
    run.progress(stage="evaluating the base model")
    before = evaluate(task, base, skip_hashes=trained_on)
    effects_before = effects(data.labels, base, settings, data.relevant)
    model = fresh(base, max_length=settings.max_length, query_prompt=settings.query_prompt)
    run.progress(stage="training")
    loss = ContextSearchLoss(
        model,
        weight=settings.loss,
        temperature=settings.temperature,
        directions=settings.directions,
        negatives=settings.negatives,
        known=data.known(),
    )
    rows = data.as_dataset(with_negatives=settings.negatives != "in-batch")
    steps = fine_tune(model, loss, rows, settings, run.folder / "checkpoints", run.progress)
    run.progress(stage="evaluating the new model")
    model.save_pretrained(str(run.model), create_model_card=False)
    trained = DenseRanker(settings.output.name, run.model)
    after = evaluate(task, trained, skip_hashes=trained_on)
    facts = {
        "name": settings.output.name,
        "base": {
            "name": base.name,
            "fingerprint": base.fingerprint,
            "training_known": base.training_known,
        },
        "dimensions": model.get_embedding_dimension(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "prompts": model.prompts,
        "tokens": model.max_seq_length if math.isfinite(model.max_seq_length or math.inf) else None,
        "settings": settings.as_facts(),
        "steps": steps,
        "labels": manifest.as_json() | {"sentence": manifest.sentence()},
        "data": {
            "fingerprint": data.fingerprint,
            "counts": data.counts,
            "sources": sorted(f"{source} ({name})" for source, name in data.sources),
            "pairs": source_label(settings.pairs) if settings.pairs else None,
        },
        "evaluation": {
            "task": task.name,
            "source": task.source,
            "fingerprint": task.fingerprint,
            "queries": after.queries,
            "skipped": after.skipped,
            "main": main_measure(task.name),
        },
        "metrics": comparison(before, after),
        "gains": gains(effects_before, effects(data.labels, trained, settings, data.relevant)),
        "versions": {name: version(name) for name in _PACKAGES},
        "command": settings.as_command(),
    }
    write_files(run.model, facts, sorted(trained_on))
    return facts


def _check_batch(settings: RetrainSettings, data: TrainingSet) -> None:
    """Raise UserError where no row would ever meet a negative, which trains nothing."""
    alone = settings.batch_size == 1 or len(data.rows) == 1
    explicit = any(negative is not None for _, _, negative in data.rows)
    if alone and (settings.negatives == "in-batch" or not explicit):
        raise UserError(
            f"With {len(data.rows)} rows in batches of {settings.batch_size} and no explicit negative, no row has a "
            "negative; give a larger --batch-size, more labels, or --pairs."
        )
