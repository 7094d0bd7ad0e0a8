"""What is measured of a saved model: how much BM25 should weigh beside it, and how fast it is."""

import time
from pathlib import Path

import numpy as np

from vcs_demo.benchmark.tasks import load_task
from vcs_demo.files import write_json
from vcs_demo.measuring.metrics import query_metrics
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.rankers.fusion import standardised
from vcs_demo.terminal import say


def choose_fusion(model: Path, dev: str) -> None:
    """Choose how much BM25 weighs in the fusion with a model, and write it beside the model as `fusion.json`.

    The weight with the highest accuracy@1 + accuracy@20 on the validation split of the task source `dev` is taken.
    """
    task = load_task("vimedretrieve", dev, "validation")
    ids, passages, texts = list(task.passages), list(task.passages.values()), list(task.queries.values())
    say("scoring the validation split …")
    rankers = (DenseRanker(model.name, model), BM25Ranker())
    dense, lexical = (standardised(ranker.index(passages).score(texts)) for ranker in rankers)
    relevant = [np.isin(ids, list(task.qrels[query])) for query in task.queries]
    sums = {}
    for weight in (round(0.05 * i, 2) for i in range(21)):
        fused = (1 - weight) * dense + weight * lexical
        rows = [query_metrics(scores, mask) for scores, mask in zip(fused, relevant, strict=True)]
        first, twenty = (
            float(np.mean([row[name] for row in rows])) for name in ("accuracy@1", "accuracy@20")
        )
        sums[weight] = first + twenty
        say(f"BM25 {weight:.2f}: accuracy@1 {first:.4f}, accuracy@20 {twenty:.4f}")
    best = max(sums, key=sums.__getitem__)
    chosen_on = f"vimedretrieve validation, {len(texts)} queries, accuracy@1 + @20"
    write_json(model / "fusion.json", {"bm25_weight": best, "chosen_on": chosen_on})
    say(f"BM25 weighs {best:.2f}")


def speed(model: Path, source: str, split: str, passages: int, runs: int) -> None:
    """Encode passages of ViMedRetrieve by a model and by MiniLM, in turns, and say how many times as fast it is."""
    import sentence_transformers  # noqa: F401, so that the first model's loading is not charged for it

    texts = list(load_task("vimedretrieve", source, split).passages.values())[:passages]
    rankers = [load_ranker(str(model)), load_ranker("minilm")]
    for ranker in rankers:
        begin = time.monotonic()
        _ = ranker.model
        say(f"{ranker.name}: loaded in {time.monotonic() - begin:.2f} s")
        ranker.encode(texts[:32])
    seconds = np.zeros((2, runs))
    for turn in range(runs):
        for row, ranker in enumerate(rankers):
            begin = time.monotonic()
            ranker.encode(texts)
            seconds[row, turn] = time.monotonic() - begin
    for ranker, times in zip(rankers, seconds, strict=True):
        say(f"{ranker.name}: {len(texts) / np.median(times):,.0f} passages a second (median of {runs})")
    ratios = seconds[1] / seconds[0]
    say(f"{np.median(ratios):.2f} times as fast as minilm ({ratios.min():.2f} to {ratios.max():.2f})")
