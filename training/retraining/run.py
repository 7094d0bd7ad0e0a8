"""One retraining from labels to a finished model directory: prepare, train, evaluate, put in place."""

import argparse
import math
from importlib.metadata import version
from typing import TYPE_CHECKING

from annotations.exchange.manifest import Manifest
from training.losses import ContextSearchLoss
from training.retrain import SETTINGS, as_command, checked
from training.retraining.base import fresh, trainable
from training.retraining.card import comparison, verdict, write_files
from training.retraining.dataset import TrainingSet, training_set
from training.retraining.effects import Effect, effects
from training.retraining.gains import gains
from training.retraining.labels import check_floors, read_labels
from training.retraining.origin import evaluation_source, judged_splits
from training.retraining.output import Workplace
from vcs_demo.benchmark.sources import source_label
from vcs_demo.benchmark.tasks import RetrievalTask, load_task, main_measure
from vcs_demo.errors import UserError, quoted
from vcs_demo.measuring.evaluate import evaluate, training_hashes
from vcs_demo.paths import models_dir
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.terminal import say

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets")


def retrain(options: argparse.Namespace) -> int:
    """Carry out `training/retrain.py`; return the exit code.

    Raises:
        UserError: options, labels or base that cannot be used; an unfinished run with other settings.
    """
    options = checked(options)
    frozen = read_labels(options.labels)
    check_floors(frozen.manifest, options.min_coverage, options.min_alpha)
    say(f"Labels: {frozen.manifest.sentence()}")
    source = evaluation_source(options.source, {item.source for item in frozen.labelled})
    task = load_task(options.task, source, "test")
    if not isinstance(task, RetrievalTask):
        raise UserError(
            f"{quoted(options.task)} is a reranking task; evaluate on vimedretrieve or one of its subsets."
        )
    pairs = load_task("vimedretrieve", options.pairs, "train") if options.pairs else None
    gold = judged_splits(task.name, source)
    data = training_set(frozen.labelled, negatives=options.negatives, pairs=pairs, held_out=[task], gold=gold)
    _check_batch(options, data)
    say(f"{len(data.rows)} training rows: " + ", ".join(f"{n} {name}" for name, n in data.counts.items()))
    base = trainable(options.base)
    _loss(None, options, data)  # settings that do not go together are to be said before anything is loaded
    with Workplace(options.output) as place:
        config = {
            "settings": {name: getattr(options, name) for name in SETTINGS},
            "base": base.fingerprint,
            "data": data.fingerprint,
            "evaluation": task.fingerprint,
        }
        place.prepare(config, restart=options.restart)
        _run(options, place, base, frozen.manifest, data, task)
        place.finish(overwrite=options.overwrite)
    listed = options.output.parent == models_dir()
    say(
        f"The model is in {options.output}"
        + (
            f"; the app lists it as “{options.output.name}”."
            if listed
            else ", outside the app's models folder."
        )
    )
    return 0


def _run(
    options: argparse.Namespace,
    place: "Workplace",
    base: DenseRanker,
    manifest: Manifest,
    data: TrainingSet,
    task: RetrievalTask,
) -> None:
    from training.retraining.trainer import fine_tune

    skip = training_hashes(base) | set(data.query_hashes)
    place.progress(stage="evaluating the base model")
    before = evaluate(task, base, skip_hashes=skip)
    effects_before = _effects(base, options, data)
    model = fresh(base, max_length=options.max_length, query_prompt=options.query_prompt)
    place.progress(stage="training")
    steps = fine_tune(
        model,
        _loss(model, options, data),
        data.as_dataset(with_negatives=options.negatives != "in-batch"),
        options,
        place.folder / "checkpoints",
        place.progress,
    )
    place.progress(stage="evaluating the new model")
    model.save_pretrained(str(place.model), create_model_card=False)
    trained = DenseRanker(options.output.name, place.model)
    after = evaluate(task, trained, skip_hashes=skip)
    compared = comparison(before, after)
    main = main_measure(task.name)
    facts = {
        "name": options.output.name,
        "base": {"name": base.name, "fingerprint": base.fingerprint},
        "dimensions": model.get_embedding_dimension(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "prompts": model.prompts,
        "tokens": model.max_seq_length if math.isfinite(model.max_seq_length or math.inf) else None,
        "settings": {name: getattr(options, name) for name in SETTINGS},
        "steps": steps,
        "labels": manifest.as_json() | {"sentence": manifest.sentence()},
        "data": {
            "fingerprint": data.fingerprint,
            "counts": data.counts,
            "sources": sorted(f"{source} ({name})" for source, name in data.sources),
            "pairs": source_label(options.pairs) if options.pairs else None,
        },
        "evaluation": {
            "task": task.name,
            "source": task.source,
            "fingerprint": task.fingerprint,
            "queries": after.queries,
            "skipped": after.skipped,
            "main": main,
        },
        "metrics": compared,
        "gains": gains(effects_before, _effects(trained, options, data)),
        "versions": {name: version(name) for name in _PACKAGES},
        "command": as_command(options),
    }
    # What an earlier retraining of the base saw stays trained on.
    write_files(place.model, facts, sorted(training_hashes(base) | set(data.query_hashes)))
    say(verdict(compared, main).replace("**", ""))


def _loss(
    model: "SentenceTransformer | None", options: argparse.Namespace, data: TrainingSet
) -> ContextSearchLoss:
    return ContextSearchLoss(
        model,
        weight=options.loss,
        temperature=options.temperature,
        directions=options.directions,
        negatives=options.negatives,
        known=data.known(),
    )


def _effects(ranker: DenseRanker, options: argparse.Namespace, data: TrainingSet) -> list[Effect]:
    return effects(
        data.labels,
        ranker,
        temperature=options.temperature,
        weight=options.loss,
        batch_size=options.batch_size,
        seed=options.seed,
        known=data.relevant,
    )


def _check_batch(options: argparse.Namespace, data: TrainingSet) -> None:
    """Raise UserError where no row would ever meet a negative, which trains nothing."""
    alone = options.batch_size == 1 or len(data.rows) == 1
    own = any(negative is not None for _, _, negative in data.rows)
    if alone and (options.negatives == "in-batch" or not own):
        raise UserError(
            f"With {len(data.rows)} rows in batches of {options.batch_size} and no explicit negative, no row has a "
            "negative; take a larger --batch-size, more labels, or --pairs."
        )
