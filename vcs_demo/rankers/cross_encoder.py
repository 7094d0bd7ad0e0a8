"""Cross-encoders: rerankers that read query and passage together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.rankers.base import PassageIndex, finite, reading
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.dense import SAFE, ModelRanker

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

DEPTH = 100  # passages that BM25 hands to the model


class CrossEncoderRanker(ModelRanker):
    """A sequence classifier of one output: its logit, so that no sigmoid makes ties.

    Of more than 100 passages it orders BM25's first 100, as far as they share a word with the query; the others follow
    in BM25's order. On two cores a base-sized
    model takes seconds for a query, a large one a minute.
    """

    model: "CrossEncoder"
    block = 1

    def _load(self) -> "CrossEncoder":
        from sentence_transformers import CrossEncoder

        return CrossEncoder(str(self.path), num_labels=1, max_length=self.usage.max_length, **SAFE)

    @property
    def fingerprint(self) -> str:
        """Hash the model, and name what hands it the passages."""
        return f"{super().fingerprint}@{DEPTH}({BM25Ranker().fingerprint})"

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Index the passages for BM25; they are read when a query is there."""
        return _RerankedIndex(self, passages, progress)

    def read(self, query: str, passages: Sequence[str]) -> np.ndarray:
        """Return the logits of a query with each passage, float32 of shape (n_passages,); UserError as `encode`."""
        from torch.nn import Identity

        if not passages:
            return np.zeros(0, dtype=np.float32)
        first = self._cut(query)
        pairs = [(first, self._cut(passage)) for passage in passages]
        how = {"activation_fn": Identity(), "batch_size": 16, "show_progress_bar": False}
        model = self.model
        with reading(self.name):
            logits = model.predict(pairs, **how)
        # Rounded, as vectors are: what differs by the noise of a batch is a tie.
        return np.round(finite(np.asarray(logits, dtype=np.float32).reshape(-1), self.name), 5)


class _RerankedIndex(PassageIndex):
    def __init__(
        self, ranker: CrossEncoderRanker, passages: Sequence[str], progress: Progress | None
    ) -> None:
        self._ranker, self._passages = ranker, list(passages)
        self._bm25 = BM25Ranker().index(self._passages, progress) if len(self._passages) > DEPTH else None

    def score(self, queries: Sequence[str]) -> np.ndarray:
        scores = np.array([self._score(query) for query in queries], dtype=np.float32)
        return scores.reshape(len(queries), len(self._passages))

    def _score(self, query: str) -> np.ndarray:
        if self._bm25 is None:
            return self._ranker.read(query, self._passages)
        lexical = self._bm25.score([query])[0]
        chosen = np.argsort(-lexical, kind="stable")[: min(DEPTH, np.count_nonzero(lexical > 0))]
        if not len(chosen):
            return lexical
        logits = self._ranker.read(query, [self._passages[i] for i in chosen])
        # The rest below the lowest logit, by BM25: its scores folded into [−2, −1] under it.
        scores = logits.min() - 2 + lexical / float(lexical.max())
        scores[chosen] = logits
        return scores
