"""Batches of tokenised pairs: which rows meet depends on the seed and the step alone, so a stopped run can go on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.recipe.corpus import Pair

Tokens = list[np.ndarray]  # one int32 array of token ids a text


def tokenised(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> Tokens:
    """Cut texts into at most `longest` token ids each, without special tokens."""

    def arrays() -> Iterator[np.ndarray]:
        for start in range(0, len(texts), 20_000):
            part = list(texts[start : start + 20_000])
            for encoded in tokenizer.encode_batch_fast(part, add_special_tokens=False):
                yield np.asarray(encoded.ids[:longest], dtype=np.int32)

    return list(arrays())


@dataclass(frozen=True)
class Kind:
    """The pairs of one kind, tokenised; equal texts have equal numbers.

    Attributes:
        texts: token ids by text number.
        query, passage, negative: text numbers by row, int64 of shape (n,); negative is -1 where a row has none.
    """

    texts: Tokens
    query: np.ndarray
    passage: np.ndarray
    negative: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Pair], tokenizer: Tokenizer, longest: int) -> "Kind":
        """Number and tokenise pairs."""
        numbers: dict[str, int] = {}
        table = [[numbers.setdefault(text, len(numbers)) if text else -1 for text in row] for row in rows]
        return cls(tokenised(tokenizer, list(numbers), longest), *np.array(table, dtype=np.int64).T)

    def save(self, path: Path) -> None:
        """Write the pairs as an .npz file."""
        texts = {"flat": np.concatenate(self.texts), "ends": np.cumsum([len(ids) for ids in self.texts])}
        np.savez(path, **texts, query=self.query, passage=self.passage, negative=self.negative)

    @classmethod
    def load(cls, path: Path) -> "Kind":
        """Read what `save` wrote."""
        with np.load(path) as file:
            texts = np.split(file["flat"], file["ends"][:-1])
            return cls(texts, file["query"], file["passage"], file["negative"])


@dataclass(frozen=True)
class Batch:
    """Token ids of one batch: `passages[i]` answers `queries[i]`; `negatives` answer none of them."""

    queries: Tokens
    passages: Tokens
    negatives: Tokens


@dataclass(frozen=True)
class Batches:
    """Draws batches, each of one kind, the kinds in proportion to their weights.

    Attributes:
        kinds: kind → its pairs.
        weights: kind → its share of the steps, on any scale; kinds without one are left out.
        size: rows of a batch.
        seed: of everything drawn.
        query_token: id of the token set before every query.
        longest: tokens of a text at most.
    """

    kinds: Mapping[str, Kind]
    weights: Mapping[str, float]
    size: int
    seed: int
    query_token: int
    longest: int

    def draw(self, step: int) -> Batch:
        """Return the batch of a step: no text is in it twice as a query or as a passage."""
        rng = np.random.default_rng([self.seed, step])
        names = [name for name in self.kinds if self.weights.get(name, 0) > 0]
        shares = np.array([self.weights[name] for name in names], dtype=float)
        kind = self.kinds[names[rng.choice(len(names), p=shares / shares.sum())]]
        rows = self._distinct(kind, rng.integers(len(kind.query), size=2 * self.size))
        negatives = {int(n) for n in kind.negative[rows] if n >= 0} - set(kind.passage[rows].tolist())
        query = np.array([self.query_token], dtype=np.int32)
        return Batch(
            [np.append(query, kind.texts[i])[: self.longest] for i in kind.query[rows]],
            [kind.texts[i][: self.longest] for i in kind.passage[rows]],
            [kind.texts[i][: self.longest] for i in sorted(negatives)],
        )

    def _distinct(self, kind: Kind, candidates: np.ndarray) -> np.ndarray:
        rows: list[int] = []
        seen: set[int] = set()
        for row in candidates:
            texts = {int(kind.query[row]), int(kind.passage[row])}
            if not texts & seen:
                seen |= texts
                rows.append(int(row))
            if len(rows) == self.size:
                break
        return np.array(rows)
