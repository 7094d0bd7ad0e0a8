"""Coefficients of agreement as functions of sums over candidates, and what they become when queries are resampled."""

from collections.abc import Callable

import numpy as np

BLOCK = 1024  # queries in one matrix product: their weights stay in the cache
Coefficients = dict[str, np.ndarray]  # name → values, NaN where the coefficient is not defined


def candidate_terms(counts: np.ndarray) -> np.ndarray:
    """Return what `coefficients` sums over candidates.

    Args:
        counts: how often each candidate was given each label, (candidates, K), K ≥ 2, every row with a label.

    Returns:
        (candidates, 3 + 2K): is it shared (two labels or more); its share of pairs of labels that are equal, and
        that times its labels, both 0 if not shared; its share of each label; its count of each, 0 if not shared.
    """
    given = counts.sum(axis=1)
    shared = given > 1
    equal = (counts * (counts - 1)).sum(axis=1) / np.maximum(given - 1, 1)  # 0 where not shared
    return np.column_stack([shared, equal / given, equal, counts / given[:, None], counts * shared[:, None]])


def coefficients(sums: np.ndarray) -> Coefficients:
    """Return `raw`, `fleiss`, `alpha` and `ac1`, of any number of annotators.

    nᵢₖ of candidate i's rᵢ labels are k. Over the shared candidates, rᵢ ≥ 2, unless said otherwise:

    - `raw`: mean of Σₖ nᵢₖ(nᵢₖ − 1) / rᵢ(rᵢ − 1), the share of a candidate's pairs of labels that are equal; 0 to 1.
    - `fleiss`: chance Σₖ πₖ², πₖ the mean of nᵢₖ/rᵢ over all labelled candidates. Fleiss 1971 where all rᵢ are
      equal, else as Gwet generalises it (Handbook of Inter-Rater Reliability, 2014, and irrCAC). At most 1, and
      without a lower bound: candidates with a single label count towards πₖ alone.
    - `alpha`: nominal (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"); −1 to 1.
    - `ac1`: chance Σₖ πₖ(1 − πₖ) / (K − 1), K labels on offer, whether used or not (Gwet 2008, "Computing
      inter-rater reliability and its variance in the presence of high agreement"); −1 to 1. Where only one label
      was used it is 1, as is `raw`; the others are 0/0.

    Args:
        sums: sums of `candidate_terms`, (3 + 2K, …).
    """
    items, agreeing, coincident = sums[:3]
    shares, pooled = np.split(sums[3:], 2)
    shares = _ratio(shares, shares.sum(axis=0))
    raw = _ratio(agreeing, items)
    total = pooled.sum(axis=0)
    by_chance = total * (total - 1) - (pooled * (pooled - 1)).sum(axis=0)
    return {
        "raw": raw,
        "fleiss": _beyond(raw, (shares**2).sum(axis=0)),
        "alpha": 1 - _ratio((total - coincident) * (total - 1), by_chance),
        "ac1": _beyond(raw, (shares * (1 - shares)).sum(axis=0) / (len(shares) - 1)),
    }


def pair_terms(
    first: np.ndarray, second: np.ndarray, query: np.ndarray, K: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `pair_coefficients` sums, per query that two annotators share, and which queries these are.

    Args:
        first: one's label of each shared candidate, (shared,), 0 to K − 1.
        second: the other's.
        query: the candidate's query.
        K: how many labels there are.

    Returns:
        (queries, 2 + 2K): shared candidates; equal labels; each label's count by the first; by the second.
    """
    queries, row = np.unique(query, return_inverse=True)

    def table(column: np.ndarray, width: int) -> np.ndarray:
        return np.bincount(row * width + column, minlength=len(queries) * width).reshape(-1, width)

    # Whole numbers under 2²⁴, so float32 is exact.
    differ = table((first != second).astype(np.intp), 2)
    parts = [differ.sum(axis=1), differ[:, 0], table(first, K), table(second, K)]
    return np.column_stack(parts).astype(np.float32), queries


def pair_coefficients(sums: np.ndarray) -> Coefficients:
    """Return `raw`, `ac1` (as in `coefficients`) and `kappa` of two annotators, over what both labelled.

    `kappa`: chance Σₖ of the product of both's shares of k (Cohen 1960); −1 to 1.

    Args:
        sums: sums of `pair_terms`, (2 + 2K, …).
    """
    items, equal = sums[:2]
    first, second = np.split(sums[2:], 2)
    raw = _ratio(equal, items)
    by_chance = (first * second).sum(axis=0)
    shares = _ratio(first + second, 2 * items)
    return {
        "raw": raw,
        "kappa": _ratio(equal * items - by_chance, items**2 - by_chance),
        "ac1": _beyond(raw, (shares * (1 - shares)).sum(axis=0) / (len(shares) - 1)),
    }


def draw_queries(queries: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each query is drawn in each resample with replacement, (queries, resamples)."""
    generator = np.random.default_rng(seed)
    drawn = np.empty((queries, resamples), dtype=np.uint8)  # even of a million, none is drawn 20 times
    if queries == 0:
        return drawn
    for start in range(0, resamples, 64):  # 64 columns at once: one by one is slow to write
        block = [
            np.bincount(generator.integers(0, queries, queries), minlength=queries)
            for _ in range(min(64, resamples - start))
        ]
        drawn[:, start : start + 64] = np.array(block, dtype=np.uint8).T
    return drawn


def resampled(
    of: Callable[[np.ndarray], Coefficients], sums: np.ndarray, queries: np.ndarray, drawn: np.ndarray
) -> Coefficients:
    """Return coefficients in every resample.

    Args:
        of: `coefficients` or `pair_coefficients`.
        sums: their terms per query, (n, terms).
        queries: which rows of `drawn` these are, (n,).
        drawn: see `draw_queries`.
    """
    total = np.zeros((sums.shape[1], drawn.shape[1]))
    for start in range(0, len(sums), BLOCK):
        block = slice(start, start + BLOCK)
        # Not by BLAS: its threads, waiting for each other on busy cores, make this several times slower.
        total += np.einsum("qt,qr->tr", sums[block], drawn[queries[block]].astype(sums.dtype))
    return of(total)


def _beyond(observed: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return how far agreement goes beyond chance, of how far it could go."""
    return _ratio(observed - chance, 1 - chance)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
