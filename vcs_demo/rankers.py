"""What a ranker is: it scores queries against passages. BM25, dense, and the fusion of two."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from vcs_demo.errors import UserError, quoted
from vcs_demo.imports import TRANSFORMERS
from vcs_demo.index import kept_vectors
from vcs_demo.text import nfc, syllables

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Progress = Callable[[int, int], None]
_ENCODING = 2  # raise when our own encoding or rounding changes
RRF_K = 60  # Cormack et al., SIGIR 2009
RRF_DEPTH = 1000
KEPT_FROM = 64  # passages: fewer are encoded anew faster than they are worth keeping


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
    """

    name: str
    fingerprint: str

    @abstractmethod
    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Make passages ready; `progress(done, total)` is called as work is done and may raise to cancel."""


class BM25Ranker(Ranker):
    """BM25 (Lucene's form, k1 = 1.5, b = 0.75) over lower-cased NFC syllables, by bm25s."""

    name = "bm25"

    @property
    def fingerprint(self) -> str:
        """Return the library's version and our way of cutting, which decide the scores."""
        from importlib.metadata import version

        return f"bm25s-{version('bm25s')}-syllables"

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
            known = [i for t in syllables(query) if (i := self._vocabulary.get(t)) is not None]
            if known:
                scores[row] = self._bm25.get_scores_from_ids(known)
        return scores


class DenseRanker(Ranker):
    """A SentenceTransformer directory: cosine similarity of its vectors, with the model's own prompts."""

    def __init__(self, name: str, path: str | Path) -> None:
        self.name = name
        self.path = Path(path)
        self._loading = Lock()
        if not (self.path / "modules.json").is_file() and not (self.path / "config.json").is_file():
            raise RankerError(
                f"{quoted(self.path)} is not a SentenceTransformer directory (no modules.json); "
                "give the folder that save_pretrained wrote."
            )

    @cached_property
    def fingerprint(self) -> str:
        """Hash what decides a vector: weights, tokenizer, configuration with its prompts, library versions."""
        from importlib.metadata import version

        digest = hashlib.sha256(
            f"{_ENCODING} {version('sentence-transformers')} {version('transformers')}".encode()
        )
        for path in sorted(self.path.rglob("*")):
            if path.is_file() and path.suffix in {".safetensors", ".json", ".txt", ".model", ".bin"}:
                if path.name in {"training_queries.txt", "training.json"}:
                    continue
                digest.update(f"{path.relative_to(self.path)}\n".encode())
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]

    @cached_property
    def bm25_weight(self) -> float | None:
        """Return the weight that BM25 has in a fusion with this model, chosen on held-out data; None: not chosen.

        Raises:
            RankerError: `fusion.json` beside the model says something else than a weight in [0, 1].
        """
        path = self.path / "fusion.json"
        if not path.is_file():
            return None
        try:
            weight = float(json.loads(path.read_text("utf-8"))["bm25_weight"])
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise RankerError(
                f"{quoted(path.name)} of {self.name} holds no bm25_weight; delete it."
            ) from error
        if not 0 <= weight <= 1:
            raise RankerError(f"The bm25_weight of {self.name} is {weight}; it must be between 0 and 1.")
        return weight

    @property
    def model(self) -> "SentenceTransformer":
        """Load the model at its first use (a second or two), once."""
        with self._loading:
            return self._model

    @cached_property
    def _model(self) -> "SentenceTransformer":
        with TRANSFORMERS:
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        try:
            model = SentenceTransformer(
                str(self.path),
                local_files_only=True,
                trust_remote_code=False,
            )
        except Exception as error:  # transformers and safetensors raise many kinds for a broken directory
            raise RankerError(
                f"The model in {quoted(self.path)} cannot be loaded ({quoted(error, 160)}); "
                "give a complete SentenceTransformer directory."
            ) from error
        # Weights may be kept in half precision, which a CPU is slow in and which an optimizer's steps are lost in.
        return model.float().eval()

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Encode the passages, equal texts once."""
        return _DenseIndex(self, passages, progress)

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None, batch: int = 32
    ) -> np.ndarray:
        """Return L2-normalised vectors, float32 of shape (n, dimensions), with the query or document prompt.

        Texts are encoded once each, in batches of similar length, so that progress is even and padding small.
        """
        unique = sorted(set(map(nfc, texts)), key=lambda text: (len(text), text))
        encode = self.model.encode_query if query else self.model.encode_document
        parts = []
        for start in range(0, len(unique), batch):
            parts.append(
                encode(
                    unique[start : start + batch],
                    batch_size=batch,
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            )
            if progress:
                progress(min(start + batch, len(unique)), len(unique))
        if not unique:
            return np.zeros((0, self.model.get_embedding_dimension() or 0), dtype=np.float32)
        vectors = np.concatenate(parts).astype(np.float32)
        row = {text: i for i, text in enumerate(unique)}
        return vectors[[row[nfc(text)] for text in texts]]


class _DenseIndex(PassageIndex):
    def __init__(self, ranker: DenseRanker, passages: Sequence[str], progress: Progress | None) -> None:
        self._ranker = ranker
        if len(passages) < KEPT_FROM:
            self._vectors = ranker.encode(passages, progress=progress)
        else:
            self._vectors = kept_vectors(
                ranker.fingerprint, passages, lambda texts: ranker.encode(texts, progress=progress)
            )

    def score(self, queries: Sequence[str]) -> np.ndarray:
        # Rounded, so that vectors that differ by the noise of a batch (1e-7) count as the tie that they are.
        return np.round(self._ranker.encode(queries, query=True) @ self._vectors.T, 6)


class FusionRanker(Ranker):
    """The fusion of two rankers: by weighted scores where weights were chosen, else by reciprocal ranks.

    Weighted: each ranker's scores of a query are standardised over the passages (mean 0, deviation 1) and added with
    their weights. Reciprocal ranks: Σ 1 / (60 + rank), over each one's first 1,000; equal scores share the worst of
    their ranks, so what one ranker cannot tell apart it does not decide; a passage that shares no word with the query
    gets nothing from BM25.

    Args:
        first, second: the rankers.
        weights: of their scores, or None for reciprocal ranks.
    """

    def __init__(self, first: Ranker, second: Ranker, weights: tuple[float, float] | None = None) -> None:
        self.parts, self.weights = (first, second), weights
        self.name = f"{first.name}+{second.name}"

    @classmethod
    def of(cls, first: Ranker, second: Ranker) -> "FusionRanker":
        """Fuse two rankers, with the weights that came with a dense one if the other is BM25."""
        for dense, other in ((first, second), (second, first)):
            if (
                isinstance(dense, DenseRanker)
                and isinstance(other, BM25Ranker)
                and dense.bm25_weight is not None
            ):
                lexical = dense.bm25_weight
                return cls(
                    first, second, (1 - lexical, lexical) if dense is first else (lexical, 1 - lexical)
                )
        return cls(first, second)

    @property
    def fingerprint(self) -> str:
        """Join the parts' fingerprints with the constants of the fusion."""
        how = f"rrf{RRF_K}-{RRF_DEPTH}" if self.weights is None else "z{:g}:{:g}".format(*self.weights)
        return f"{how}({','.join(part.fingerprint for part in self.parts)})"

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Index the passages with both parts."""
        parts = [part.index(passages, progress) for part in self.parts]
        if self.weights is not None:
            return _WeightedIndex(parts, self.weights)
        return _ReciprocalIndex(parts, self.parts)


class _WeightedIndex(PassageIndex):
    def __init__(self, parts: Sequence[PassageIndex], weights: Sequence[float]) -> None:
        self._parts, self._weights = parts, weights

    def score(self, queries: Sequence[str]) -> np.ndarray:
        scores = [
            w * standardised(part.score(queries)) for part, w in zip(self._parts, self._weights, strict=True)
        ]
        return np.round(sum(scores), 5).astype(np.float32)


class _ReciprocalIndex(PassageIndex):
    def __init__(self, parts: Sequence[PassageIndex], rankers: Sequence[Ranker]) -> None:
        self._parts = parts
        self._lexical = [isinstance(ranker, BM25Ranker) for ranker in rankers]

    def score(self, queries: Sequence[str]) -> np.ndarray:
        total: np.ndarray | None = None
        for part, lexical in zip(self._parts, self._lexical, strict=True):
            scores = part.score(queries)
            rank = worst_ranks(scores)
            gain = np.where(rank <= RRF_DEPTH, 1 / (RRF_K + rank), 0.0)
            if lexical:
                gain[scores <= 0] = 0.0
            total = gain if total is None else total + gain
        return np.asarray(total, dtype=np.float32)


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
