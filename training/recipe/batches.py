"""Batches of tokenised pairs: which rows meet depends on the seed and the step alone, so a stopped run can go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.recipe.corpus import Pair

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Tokens = list[np.ndarray]  # one int32 array of token ids a text


@dataclass(frozen=True)
class Ragged:
    """Token ids of many texts in one array; `self[i]` is an int32 array of the i-th."""

    flat: np.ndarray
    ends: np.ndarray

    def __getitem__(self, i: int) -> np.ndarray:
        if not 0 <= i < len(self.ends):
            raise IndexError(i)
        return self.flat[(self.ends[i - 1] if i else 0) : self.ends[i]]

    def __len__(self) -> int:
        return len(self.ends)


def tokenised(tokenizer: "Tokenizer", texts: Sequence[str], longest: int) -> Ragged:
    """Cut texts into at most `longest` token ids each, without special tokens."""
    parts: Tokens = []
    for start in range(0, len(texts), 20_000):
        encoded = tokenizer.encode_batch_fast(list(texts[start : start + 20_000]), add_special_tokens=False)
        parts += [np.asarray(e.ids[:longest], dtype=np.int32) for e in encoded]
    flat = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    return Ragged(flat, np.cumsum([len(part) for part in parts], dtype=np.int64))


@dataclass(frozen=True)
class Kind:
    """The pairs of one kind, tokenised; equal texts have equal numbers.

    Attributes:
        texts: token ids by text number.
        query, passage, negative: text numbers by row, int64 of shape (n,); negative is -1 where a row has none.
    """

    texts: Ragged
    query: np.ndarray
    passage: np.ndarray
    negative: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Pair], tokenizer: "Tokenizer", longest: int) -> "Kind":
        """Number and tokenise pairs."""
        numbers: dict[str, int] = {}

        def number(text: str) -> int:
            return numbers.setdefault(text, len(numbers)) if text else -1

        table = np.array(
            [(number(r.query), number(r.passage), number(r.negative)) for r in rows], dtype=np.int64
        )
        return cls(tokenised(tokenizer, list(numbers), longest), *table.T)


@dataclass(frozen=True)
class Batch:
    """Token ids of one batch: `passages[i]` answers `queries[i]`; `negatives` answer none of them."""

    queries: Tokens
    passages: Tokens
    negatives: Tokens


class Batches:
    """Draws batches, each of one kind, the kinds in proportion to their weights.

    Args:
        kinds: kind → its pairs.
        weights: kind → its share of the steps, on any scale; kinds without one are left out.
        size: rows of a batch.
        seed: of everything drawn.
        query_token: id of the token set before every query.
        longest: tokens of a text at most.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        weights: Mapping[str, float],
        *,
        size: int,
        seed: int,
        query_token: int,
        longest: int,
    ) -> None:
        self.kinds = {name: kind for name, kind in kinds.items() if weights.get(name, 0) > 0}
        shares = np.array([weights[name] for name in self.kinds], dtype=float)
        self._shares = shares / shares.sum()
        self._size, self._seed = size, seed
        self._query = np.array([query_token], dtype=np.int32)
        self._longest = longest

    def draw(self, step: int) -> Batch:
        """Return the batch of a step: no text is in it twice as a query or as a passage."""
        rng = np.random.default_rng([self._seed, step])
        name = list(self.kinds)[rng.choice(len(self.kinds), p=self._shares)]
        kind = self.kinds[name]
        rows = self._distinct(kind, rng.integers(len(kind.query), size=2 * self._size))
        negatives = {int(n) for n in kind.negative[rows] if n >= 0} - set(kind.passage[rows].tolist())
        return Batch(
            [np.append(self._query, kind.texts[i])[: self._longest] for i in kind.query[rows]],
            [kind.texts[i][: self._longest] for i in kind.passage[rows]],
            [kind.texts[i][: self._longest] for i in sorted(negatives)],
        )

    def _distinct(self, kind: Kind, candidates: np.ndarray) -> np.ndarray:
        rows: list[int] = []
        seen: set[int] = set()
        for row in candidates:
            texts = {int(kind.query[row]), int(kind.passage[row])}
            if not texts & seen:
                seen |= texts
                rows.append(int(row))
            if len(rows) == self._size:
                break
        return np.array(rows)


def rarity(kinds: Mapping[str, Kind], vocabulary: int, sample: int = 20_000) -> np.ndarray:
    """Return the square root of each token's inverse document frequency, mean about 1, float64 of shape (vocabulary,).

    Where both texts of a pair are sums of vectors of such lengths, a shared token counts by its inverse document
    frequency, as in tf-idf.
    """
    seen, total = np.ones(vocabulary), 1
    for kind in kinds.values():
        for i in range(min(len(kind.texts), sample)):
            seen[np.unique(kind.texts[i])] += 1
        total += min(len(kind.texts), sample)
    idf = np.log(total / seen)
    return np.sqrt(np.clip(idf / idf.mean(), 0.05, 3))
