"""BM25 over syllables."""

from collections.abc import Sequence

import numpy as np

from vcs_demo.background import Progress
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.text import syllables


class BM25Ranker(Ranker):
    """BM25 (Lucene's form, k1 = 1.5, b = 0.75) over lower-cased syllables of the folded text, by bm25s."""

    name = "bm25"

    @property
    def fingerprint(self) -> str:
        """Return the library's version and our way of cutting, which decide the scores."""
        from importlib.metadata import version

        return f"bm25s-{version('bm25s')}-folded"

    def found(self, scores: np.ndarray) -> np.ndarray:
        """Return which passages share a word with the query."""
        return scores > 0

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Index the passages (about 25,000 a second)."""
        return _BM25Index(passages, progress)


class _BM25Index(PassageIndex):
    def __init__(self, passages: Sequence[str], progress: Progress | None) -> None:
        import bm25s

        tokens = [syllables(passage) for passage in passages]
        self._size = len(tokens)
        self._vocabulary: dict[str, int] = {}
        ids = [[self._vocabulary.setdefault(t, len(self._vocabulary)) for t in text] for text in tokens]
        self._bm25 = bm25s.BM25()
        if self._vocabulary:
            corpus = bm25s.tokenization.Tokenized(ids=ids, vocab=self._vocabulary)
            self._bm25.index(corpus, show_progress=False)
        if progress:
            progress(self._size, self._size)

    def score(self, queries: Sequence[str]) -> np.ndarray:
        scores = np.zeros((len(queries), self._size), dtype=np.float32)
        for row, query in enumerate(queries):
            terms = [i for t in syllables(query) if (i := self._vocabulary.get(t)) is not None]
            if terms:
                scores[row] = self._bm25.get_scores_from_ids(terms)
        return scores
