"""Runs of one task held against one another: which differ, by how much, where, and whether the queries can show it.

Everything is paired: only queries that every run was measured on count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vcs_demo.errors import UserError
from vcs_demo.measuring.metrics import bootstrap_interval, paired_difference
from vcs_demo.measuring.run_store import Run

LEVEL = 0.05  # of the tests, after Holm's correction
OVERLAP_AT = 10
RBO_P = 0.9  # Webber et al., TOIS 2010: the first ten ranks have 86 % of the weight


@dataclass(frozen=True)
class Standing:
    """One run among the compared ones.

    Attributes:
        mean, interval: of the measure over the common queries, the interval 95 % by bootstrap.
        groups: letters; runs that share one cannot be told apart.
        unjudged: share of the first ten passages of a query that nobody has judged, in [0, 1].
    """

    ranker: str
    mean: float
    interval: tuple[float, float]
    groups: str
    unjudged: float


@dataclass(frozen=True)
class Pair:
    """Two runs, `first − second`.

    Attributes:
        difference, interval: mean over queries and its 95 % paired bootstrap interval.
        p: two-sided paired t-test, Holm-corrected over all pairs; 1.0 where no query differs.
        wins, ties, losses: queries on which the first is better, equal, worse.
        jaccard: mean share of passages that both have among their first ten.
        rbo: mean rank-biased overlap (extrapolated, p = 0.9) of the kept rankings.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    p: float
    wins: int
    ties: int
    losses: int
    jaccard: float
    rbo: float


@dataclass(frozen=True)
class Comparison:
    """Runs of one task by one measure, best first, and every pair of them."""

    task: str
    source: str
    split: str
    measure: str
    queries: int
    left_out: int
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]


def compare(
    runs: Sequence[Run],
    measure: str,
    judged: Mapping[str, frozenset[str]] | None = None,
    queries: frozenset[str] | None = None,
) -> Comparison:
    """Compare runs of one task, best first.

    Args:
        runs: two or more, with their per-query values and rankings.
        measure: one that every run has.
        judged: query id → ids of the passages that somebody has judged; None: unjudged is not a number.
        queries: only these queries; None for all.

    Raises:
        UserError: fewer than two runs, the same ranker twice, an unknown measure, runs of different tasks or of
            different states of one, no query in common.
    """
    names = [run.ranker for run in runs]
    if len(set(names)) < max(2, len(names)):
        raise UserError(
            f"A comparison takes two or more different rankers, not {', '.join(names) or 'none'}."
        )
    if len({(run.task, run.split, run.task_fingerprint) for run in runs}) > 1:
        raise UserError("The runs are of different tasks or of different states of one; evaluate them anew.")
    for run in runs:
        if measure not in run.per_query:
            raise UserError(f"There is no measure {measure!r}; there are {', '.join(run.per_query)}.")
    everywhere = [set(run.per_query[measure]) for run in runs]
    shared = set.intersection(*everywhere) & (everywhere[0] if queries is None else queries)
    # In the task's order, as a run's own interval: the bootstrap is seeded, and the two should say the same.
    common = [query for query in runs[0].per_query[measure] if query in shared]
    if not common:
        raise UserError("The runs have no query in common.")
    values = {run.ranker: np.array([run.per_query[measure][q] for q in common]) for run in runs}
    ordered = sorted(runs, key=lambda run: -values[run.ranker].mean())
    pairs = _pairs(ordered, values, common)
    letters = groups(values)
    standings = tuple(
        Standing(
            run.ranker,
            float(values[run.ranker].mean()),
            bootstrap_interval(values[run.ranker]),
            letters[run.ranker],
            _unjudged(run, common, judged),
        )
        for run in ordered
    )
    left_out = len(set.union(*everywhere)) - len(common) if queries is None else 0
    first = ordered[0]
    return Comparison(
        first.task, first.source, first.split, measure, len(common), left_out, standings, tuple(pairs)
    )


def by_subset(
    runs: Sequence[Run], measure: str, subsets: Mapping[str, frozenset[str]]
) -> dict[str, Comparison]:
    """Compare the runs on each subset (name → its query ids) that they were measured on."""
    common = frozenset.intersection(*(frozenset(run.per_query[measure]) for run in runs))
    return {name: compare(runs, measure, None, ids) for name, ids in subsets.items() if ids & common}


def groups(values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return ranker → letters; rankers that share one cannot be told apart by paired t-tests, Holm-corrected.

    Args:
        values: ranker → values of a measure, float of shape (queries,), the same queries for all.
    """
    names = sorted(values, key=lambda name: -float(np.mean(values[name])))
    p_values = tested(names, values)
    return tie_groups(names, {pair for pair, p in p_values.items() if p < LEVEL})


def tested(names: Sequence[str], values: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Return (first, second) → p of a two-sided paired t-test, Holm-corrected; 1.0 where no query differs."""
    from scipy.stats import ttest_rel

    pairs, p_values = list(combinations(names, 2)), []
    for first, second in pairs:
        a, b = values[first], values[second]
        p = float(ttest_rel(a, b).pvalue) if len(a) > 1 and np.ptp(a - b) > 0 else float(np.all(a == b))
        p_values.append(p)
    return dict(zip(pairs, holm(p_values), strict=True))


def _pairs(runs: Sequence[Run], values: Mapping[str, np.ndarray], queries: Sequence[str]) -> list[Pair]:
    p_values = tested([run.ranker for run in runs], values)
    found = []
    for first, second in combinations(runs, 2):
        a, b = values[first.ranker], values[second.ranker]
        mean, low, high = paired_difference(a, b)
        tops = [([i for i, _ in first.ranking[q]], [i for i, _ in second.ranking[q]]) for q in queries]
        found.append(
            Pair(
                first.ranker,
                second.ranker,
                mean,
                (low, high),
                p_values[first.ranker, second.ranker],
                int(np.sum(a > b)),
                int(np.sum(a == b)),
                int(np.sum(a < b)),
                float(np.mean([jaccard(x, y) for x, y in tops])),
                float(np.mean([rank_biased_overlap(x, y) for x, y in tops])),
            )
        )
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm, Scandinavian Journal of Statistics 1979), in their order."""
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        worst = max(worst, min(1.0, p_values[i] * (len(p_values) - rank)))
        corrected[i] = worst
    return corrected


def tie_groups(names: Sequence[str], different: set[tuple[str, str]]) -> dict[str, str]:
    """Return letters by name: names that share a letter cannot be told apart.

    Args:
        names: best first.
        different: the pairs (better, worse) that a test tells apart.

    Returns:
        Name → its letters; `a` holds the best.
    """
    spans: list[tuple[int, int]] = []
    for start in range(len(names)):
        end = start
        while end + 1 < len(names) and not any(
            (name, names[end + 1]) in different for name in names[start : end + 1]
        ):
            end += 1
        if not spans or end > spans[-1][1]:
            spans.append((start, end))
    letters = dict.fromkeys(names, "")
    for number, (start, end) in enumerate(spans):
        for name in names[start : end + 1]:
            letters[name] += _letter(number)
    return letters


def _letter(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number] if number < 26 else f"({number})"


def jaccard(first: Sequence[str], second: Sequence[str], depth: int = OVERLAP_AT) -> float:
    """Return how much of the first `depth` passages two rankings share: |A ∩ B| / |A ∪ B|, in [0, 1]."""
    a, b = set(first[:depth]), set(second[:depth])
    return len(a & b) / len(a | b) if a | b else 1.0


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], p: float = RBO_P) -> float:
    """Return the extrapolated rank-biased overlap of two rankings (Webber et al., TOIS 2010, equation 32).

    Args:
        first: passage ids, best first.
        second: the same of the other ranking; the longer one is cut to the shorter one's length.
        p: persistence, in (0, 1): the weight of rank d is proportional to p^(d − 1).

    Returns:
        1 for equal rankings, 0 for disjoint ones.
    """
    depth = min(len(first), len(second))
    if not depth:
        return 1.0 if len(first) == len(second) else 0.0
    seen_a: set[str] = set()
    seen_b: set[str] = set()
    overlap, total = 0, 0.0
    for d, (a, b) in enumerate(zip(first, second, strict=False), start=1):
        overlap += a == b or (a in seen_b) + (b in seen_a)
        seen_a.add(a)
        seen_b.add(b)
        total += overlap / d * p**d
    return overlap / depth * p**depth + (1 - p) / p * total


def _unjudged(run: Run, queries: Sequence[str], judged: Mapping[str, frozenset[str]] | None) -> float:
    if judged is None:
        return float("nan")
    shares = [
        np.mean([i not in judged.get(q, frozenset()) for i, _ in run.ranking[q][:OVERLAP_AT]])
        for q in queries
        if run.ranking.get(q)
    ]
    return float(np.mean(shares)) if shares else float("nan")


def where(first: Run, second: Run, measure: str, limit: int = 20) -> list[tuple[str, float, float]]:
    """Return the queries on which two runs differ most: (query id, the first's value, the second's)."""
    common = first.per_query[measure].keys() & second.per_query[measure].keys()
    rows = [(q, first.per_query[measure][q], second.per_query[measure][q]) for q in sorted(common)]
    rows = [row for row in rows if row[1] != row[2]]
    return sorted(rows, key=lambda row: -abs(row[1] - row[2]))[:limit]
