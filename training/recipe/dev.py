"""Figures of a tower on held-out tasks, while it is trained: the tasks and metrics that every ranker is measured by."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from training.recipe.batches import tokenised
from training.recipe.encoders import MAX_TOKENS, ContextEncoder, StaticTable
from training.recipe.tokenizer import QUERY
from vcs_demo.background import Progress
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.measuring.metrics import bootstrap_interval
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.vectors import VectorIndex

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WATCHED = {
    ("vimedretrieve", "validation"): ("accuracy@1", "accuracy@20"),
    ("mnli-r", "test"): ("map",),
}


class TowerRanker(Ranker):
    """A tower in training as a ranker: cosine similarity."""

    name, fingerprint = "in training", ""

    def __init__(self, tower: StaticTable | ContextEncoder, tokenizer: "Tokenizer") -> None:
        self._tower, self._tokenizer = tower, tokenizer
        self._kept: dict[str, np.ndarray] = {}

    def prepare(self, texts: Sequence[str]) -> None:
        """Encode many texts at once, for `vectors` to find."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        for start in range(0, len(new), 512):
            part = new[start : start + 512]
            with torch.no_grad():
                found = self._tower(list(tokenised(self._tokenizer, part, MAX_TOKENS)))
            self._kept.update(zip(part, torch.nn.functional.normalize(found, dim=-1).numpy(), strict=True))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32 of shape (n, 384)."""
        self.prepare(texts)
        return np.stack([self._kept[text] for text in texts])

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Encode the passages."""
        return VectorIndex(
            lambda queries: self.vectors([f"{QUERY} {query}" for query in queries]), self.vectors(passages)
        )


def dev_values(
    tower: StaticTable | ContextEncoder, tokenizer: "Tokenizer", source: str
) -> dict[str, list[float]]:
    """Return each watched measure's values by query, on ViMedAQA's validation split and the MNLI-R groups."""
    values = {}
    for (name, split), measures in WATCHED.items():
        task, ranker = load_task(name, source, split), TowerRanker(tower, tokenizer)
        ranker.prepare([*task.passages.values(), *(f"{QUERY} {query}" for query in task.queries.values())])
        run = evaluate(task, ranker)
        values |= {f"{name} {measure}": list(run.per_query[measure].values()) for measure in measures}
    return values


def dev_figures(
    tower: StaticTable | ContextEncoder, tokenizer: "Tokenizer", source: str
) -> dict[str, list[float]]:
    """Return each watched measure's mean with its 95 % interval."""
    return {
        measure: [round(float(x), 4) for x in (np.mean(values), *bootstrap_interval(values))]
        for measure, values in dev_values(tower, tokenizer, source).items()
    }
