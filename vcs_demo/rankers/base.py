"""The interface of a ranker: it makes passages ready, then scores queries against them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.errors import UserError


class RankerError(UserError):
    """A ranker that is unknown, broken or not here."""


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
    """

    name: str
    fingerprint: str
    block: int = 64

    @abstractmethod
    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Make passages ready; `progress(done, total)` is called as work is done and may raise to cancel."""
