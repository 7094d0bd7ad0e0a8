"""Metrics of a ranking, for one query at a time, and intervals over queries.

**Ties are settled pessimistically**: of passages with equal scores, the irrelevant ones are ranked first. So a
ranker cannot gain from ties (MiniLM gives the same vector to texts that differ in tone marks only).

The authors' own evaluator is kept beside the correct metrics under the name `… (paper)`; see `paper_accuracy`.
"""

from collections.abc import Sequence

import numpy as np

ACCURACY_AT = (1, 5, 10, 20, 50, 100)
MEASURES = (*(f"accuracy@{k}" for k in ACCURACY_AT), "map", "mrr@10", "ndcg@10")
PAPER_MEASURES = (*(f"accuracy@{k} (paper)" for k in ACCURACY_AT), "map (paper)")
FEWEST = 6  # queries that can tell anything: of 5, the least p of an exact test is 2 / 2⁵ = .0625
Interval = tuple[float, float] | tuple[None, None]


def relevant_ranks(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return the ranks (from 1, ascending) of the relevant passages of one query.

    Args:
        scores: shape (n,), higher is better.
        relevant: boolean, shape (n,), with at least one True.
    """
    order = pessimistic_order(scores, relevant)
    return np.flatnonzero(relevant[order]) + 1


def pessimistic_order(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return positions by descending score, the irrelevant first where scores are equal."""
    return np.lexsort((relevant, -scores))


def query_metrics(scores: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Compute every measure for one query, the correct ones and the authors'.

    Args:
        scores: shape (n,), one per passage that is ranked; higher is better.
        relevant: boolean, shape (n,).

    Returns:
        Measure → value in [0, 1], in the order of `MEASURES` and `PAPER_MEASURES`.
    """
    ranks = relevant_ranks(scores, relevant)
    best, top = ranks[0], ranks[ranks <= 10]
    ideal = 1 / np.log2(np.arange(2, min(len(ranks), 10) + 2))
    values = {f"accuracy@{k}": float(best <= k) for k in ACCURACY_AT}
    values["map"] = float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    values["mrr@10"] = float(1 / best) if best <= 10 else 0.0
    values["ndcg@10"] = float(np.sum(1 / np.log2(top + 1)) / np.sum(ideal))
    values |= {f"accuracy@{k} (paper)": paper_accuracy(scores, relevant, k) for k in ACCURACY_AT}
    values["map (paper)"] = paper_average_precision(scores, relevant)
    return values


def paper_accuracy(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Compute Accuracy@k as the authors' evaluator does, defects included.

    It takes `max(score × label)` for the best relevant score, so where every relevant score is negative the zeros
    of the irrelevant passages win; and it asks for strictly more than the k-th best score, so a hit at rank k is
    a miss: Accuracy@1 is always 0 and Accuracy@k is really Accuracy@(k − 1).
    """
    place = len(scores) - min(k, len(scores))
    kth_best = np.partition(scores, place)[place]
    return float(np.max(scores * relevant) > kth_best)


def paper_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Compute average precision with tied scores pooled, as the scikit-learn function that the authors call."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(relevant[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    precision = hits[last_of_tie] / (last_of_tie + 1)
    recall = hits[last_of_tie] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def bootstrap_interval(
    values: Sequence[float],
    seed: int = 0,
    samples: int = 2000,
    level: float = 0.95,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Interval:
    """Return the percentile bootstrap interval of a mean, resampling queries.

    Resamples of a few queries, or of equal values, look more certain than they are. So fewer than `FEWEST` queries give
    the bounds, all that is known; and of n equal values, the interval is Clopper and Pearson's: it reaches as far
    as the mean of queries a share of which, 1 − (α / 2)^(1 / n), is at a bound.

    Args:
        values: one value per query.
        seed: of the resampling.
        samples: how many resamples.
        level: of confidence, in (0, 1).
        bounds: least and greatest possible value; None: not known, and few queries have no interval.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < FEWEST:
        return bounds or (None, None)
    if bounds and np.ptp(array) == 0:
        value, share = float(array[0]), 1 - ((1 - level) / 2) ** (1 / len(array))
        return value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    generator = np.random.default_rng(seed)
    means = np.empty(samples)
    for start in range(0, samples, 200):  # in blocks: 200 × 10,000 indices are 16 MB
        picks = generator.integers(0, len(array), size=(min(200, samples - start), len(array)))
        means[start : start + len(picks)] = array[picks].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    after: Sequence[float],
    before: Sequence[float],
    seed: int = 0,
    bounds: tuple[float, float] | None = (-1.0, 1.0),
) -> tuple[float, float | None, float | None]:
    """Return the mean of `after − before` over the same queries and its 95 % interval (see `bootstrap_interval`)."""
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    low, high = bootstrap_interval(difference, seed, bounds=bounds)
    return float(difference.mean()), low, high
