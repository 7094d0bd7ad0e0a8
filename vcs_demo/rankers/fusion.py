"""The fusion of two rankers."""

from collections.abc import Sequence

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.dense import DenseRanker

RRF_K = 60  # Cormack et al., SIGIR 2009
RRF_DEPTH = 1000


class FusionRanker(Ranker):
    """The fusion of two rankers: by weighted scores where weights were chosen, else by reciprocal ranks.

    Weighted: each ranker's scores of a query are standardised over the passages (mean 0, deviation 1) and added with
    their weights. Reciprocal ranks: Σ 1 / (60 + rank), over each one's first 1,000; equal scores share the worst of
    their ranks, so what one ranker cannot tell apart it does not decide; a passage that a ranker did not find gets
    nothing from it.

    Args:
        first, second: the rankers.
        weights: of their scores, or None for reciprocal ranks.
    """

    def __init__(self, first: Ranker, second: Ranker, weights: tuple[float, float] | None = None) -> None:
        self.parts, self.weights = (first, second), weights

    @property
    def name(self) -> str:
        """Join the parts' names."""
        return "+".join(part.name for part in self.parts)

    @classmethod
    def of(cls, first: Ranker, second: Ranker) -> "FusionRanker":
        """Fuse two rankers, with the weights that came with a dense one if the other is BM25."""
        for dense, other in ((first, second), (second, first)):
            if (
                isinstance(dense, DenseRanker)
                and isinstance(other, BM25Ranker)
                and dense.bm25_weight is not None
            ):
                weights = {dense: 1 - dense.bm25_weight, other: dense.bm25_weight}
                return cls(first, second, (weights[first], weights[second]))
        return cls(first, second)

    @property
    def fingerprint(self) -> str:
        """Join the parts' fingerprints with the constants of the fusion."""
        how = f"rrf{RRF_K}-{RRF_DEPTH}" if self.weights is None else "z{:g}:{:g}".format(*self.weights)
        return f"{how}({','.join(part.fingerprint for part in self.parts)})"

    @property
    def training_hashes(self) -> frozenset[str]:
        """Return what either part was trained on."""
        return self.parts[0].training_hashes | self.parts[1].training_hashes

    @property
    def training_known(self) -> bool:
        """Tell whether it is known of both parts."""
        return all(part.training_known for part in self.parts)

    def found(self, scores: np.ndarray) -> np.ndarray:
        """Return which passages it found; by reciprocal ranks, those that a part found."""
        return super().found(scores) & ((scores > 0) | (self.weights is not None))

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Index the passages with both parts."""
        return _FusedIndex(self, [part.index(passages, progress) for part in self.parts])


class _FusedIndex(PassageIndex):
    def __init__(self, ranker: FusionRanker, indexes: Sequence[PassageIndex]) -> None:
        self._ranker, self._indexes = ranker, indexes

    def score(self, queries: Sequence[str]) -> np.ndarray:
        first, second = (index.score(queries) for index in self._indexes)
        if self._ranker.weights is not None:
            a, b = self._ranker.weights
            return np.round(a * standardised(first) + b * standardised(second), 5).astype(np.float32)
        one, other = self._ranker.parts
        return (_gain(first, one) + _gain(second, other)).astype(np.float32)


def _gain(scores: np.ndarray, ranker: Ranker) -> np.ndarray:
    """Return 1 / (60 + rank) for a ranker's first 1,000 passages, else 0; shape as `scores`."""
    rank = worst_ranks(scores)
    found = np.array([ranker.found(row) for row in scores]).reshape(scores.shape)
    counted = (rank <= RRF_DEPTH) & found
    return np.where(counted, 1 / (RRF_K + rank), 0.0)


def standardised(scores: np.ndarray) -> np.ndarray:
    """Return each row with mean 0 and deviation 1, float64 of the same shape; a row of equal scores becomes zeros."""
    wide = scores.astype(np.float64)
    if not wide.shape[1]:
        return wide
    centred = wide - wide.mean(axis=1, keepdims=True)
    deviation = wide.std(axis=1, keepdims=True)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9)


def worst_ranks(scores: np.ndarray) -> np.ndarray:
    """Return each passage's rank (from 1) in its row, equal scores sharing the worst; shape as `scores`."""
    from scipy.stats import rankdata

    return rankdata(-scores, method="max", axis=1)
