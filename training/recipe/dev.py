"""Figures of a tower on held-out tasks, while it is trained: the tasks and metrics that every ranker is measured by."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.functional import normalize

from training.recipe.batches import tokenised
from training.recipe.encoders import MAX_TOKENS, Tower
from training.recipe.tokenizer import QUERY
from vcs_demo.background import Progress
from vcs_demo.benchmark.tasks import Task, load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.vectors import VectorIndex

WATCHED = {("vimedretrieve", "validation"): ("accuracy@1", "accuracy@20"), ("mnli-r", "test"): ("map",)}
PART = 512  # texts that are encoded at once


class TowerRanker(Ranker):
    """A tower in training as a ranker: cosines of its own vectors, in bfloat16, all texts of a task encoded at once."""

    name, fingerprint = "in training", ""

    def __init__(self, tower: Tower, tokenizer: Tokenizer, task: Task) -> None:
        queries = (f"{QUERY} {query}" for query in task.queries.values())
        texts = list(dict.fromkeys([*task.passages.values(), *queries]))
        parts = [tokenised(tokenizer, texts[i : i + PART], MAX_TOKENS) for i in range(0, len(texts), PART)]
        with torch.no_grad():
            vectors = np.concatenate([normalize(tower(part), dim=-1).numpy() for part in parts])
        self._vectors = dict(zip(texts, vectors, strict=True))

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Look the passages up."""
        return VectorIndex(
            self.name, lambda queries: self._of([f"{QUERY} {q}" for q in queries]), self._of(passages)
        )

    def _of(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vectors[text] for text in texts])


def dev_figures(tower: Tower, tokenizer: Tokenizer, source: str) -> dict[str, list[float]]:
    """Return each watched measure's mean with its 95 % interval, on ViMedAQA's validation split and MNLI-R."""
    figures = {}
    for (name, split), measures in WATCHED.items():
        task = load_task(name, source, split)
        run = evaluate(task, TowerRanker(tower, tokenizer, task))
        for measure in measures:
            mean, interval = run.metrics[measure], run.intervals[measure]
            figures[f"{name} {measure}"] = [round(x, 4) for x in (mean, *interval)]
    return figures
