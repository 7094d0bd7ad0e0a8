"""The Ranker interface: a ranker indexes passages, then scores queries against them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.errors import reason
from vcs_demo.words import problem

HASH_DIGITS = 16  # of a training query's sha256: a false alarm among millions is a one in 10^10 event


class PassageIndex(ABC):
    """Passages made ready to be scored by one ranker."""

    @abstractmethod
    def score(self, queries: Sequence[str]) -> np.ndarray:
        """Return scores, float32 of shape (n_queries, n_passages); higher is better."""


class Ranker(ABC):
    """A way to order passages for a query.

    Attributes:
        name: what people call it.
        fingerprint: changes when its scores can.
        block: queries that are scored between two reports of progress.
        training_hashes: content hashes (first `HASH_DIGITS` digits) of the queries that it was trained on.
        training_known: whether it is known what it was trained on; if not, it may be more than `training_hashes`.
    """

    name: str
    fingerprint: str
    block: int = 64

    @property
    def training_hashes(self) -> frozenset[str]:
        """Nothing was trained on, unless a subclass knows better."""
        return frozenset()

    @property
    def training_known(self) -> bool:
        """Nothing was trained on, and that is known."""
        return True

    def found(self, scores: np.ndarray) -> np.ndarray:
        """Return which passages it found for a query: none where it tells none from another, else all.

        Args:
            scores: of one query, shape (n_passages,).

        Returns:
            Boolean of the same shape.
        """
        return np.full(scores.shape, scores.size == 1 or (scores.size > 1 and bool(np.ptp(scores) > 0)))

    @abstractmethod
    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Make passages ready; `progress(done, total)` is called as work is done and may raise to cancel."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Raise UserError, naming the model, where it cannot read a text: its tokenizer and weights are of two models."""
    try:
        yield
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise problem("error.model_reads", model=name, reason=reason(error)) from error


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """Return a model's vectors or scores; raises UserError, naming the model, if one is NaN or infinite."""
    if not np.isfinite(values).all():
        raise problem("error.not_a_number", model=name)
    return values
