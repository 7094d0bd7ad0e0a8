"""Compare runs of one task: paired differences, tests, groups that cannot be told apart, overlap of the rankings.

    runs = [evaluate_kept(task, load_ranker(name)) for name in ("bm25", "vcs-20m")]
    compare(runs, "map").pairs[0].difference

Everything is paired: only queries that every run was measured on count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vcs_demo.errors import UserError, quoted
from vcs_demo.measuring.metrics import FEWEST, MEASURES, PAPER_MEASURES, bootstrap_interval, paired_difference
from vcs_demo.measuring.run_store import Run
from vcs_demo.measuring.significance import EXACT, LEVEL, groups, tested
from vcs_demo.tables import Table, figure

OVERLAP_AT = 10


@dataclass(frozen=True)
class Standing:
    """One run among the compared ones.

    Attributes:
        mean, interval: of the measure over the common queries, the interval 95 % by bootstrap.
        groups: letters; runs that share one cannot be told apart. Empty: too few queries.
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
        p: of a two-sided paired test, Holm-corrected over all pairs (see `paired_p`); 1.0 where no query differs.
        wins, ties, losses: queries on which the first is better, equal, worse.
        jaccard: mean share of passages that both have among their first ten.
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

    @property
    def told_apart(self) -> bool:
        """Tell whether the test tells the two apart."""
        return self.p < LEVEL


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

    def standings_table(self) -> Table:
        """Return a row a ranker, best first: mean with its interval, group, share of unjudged passages."""
        rows = [
            [row.ranker, figure(row.mean, row.interval), row.groups, figure(row.unjudged, digits=2)]
            for row in self.standings
        ]
        return Table(["ranker", self.measure, "group", f"unjudged@{OVERLAP_AT}"], rows)

    def pairs_table(self) -> Table:
        """Return a row a pair: the difference with its interval, p, queries won, tied and lost, overlap."""
        rows = [
            [
                *(pair.first, pair.second, figure(pair.difference, pair.interval, signed=True)),
                *(figure(pair.p, digits=4), f"{pair.wins} / {pair.ties} / {pair.losses}"),
                figure(pair.jaccard, digits=2),
            ]
            for pair in self.pairs
        ]
        heads = ["first", "second", "difference", "p", "better / equal / worse", f"Jaccard@{OVERLAP_AT}"]
        return Table(heads, rows, notes=[_HOW])

    def subsets_table(self, subsets: Mapping[str, "Comparison"]) -> Table:
        """Return a row a ranker, in the order of all queries, and a column a subset (see `by_subset`)."""
        by_ranker = {
            name: {row.ranker: f"{figure(row.mean, row.interval)} {row.groups}" for row in part.standings}
            for name, part in subsets.items()
        }
        rows = [[row.ranker, *(cells[row.ranker] for cells in by_ranker.values())] for row in self.standings]
        heads = [f"{name} ({part.queries})" for name, part in subsets.items()]
        return Table([f"{self.measure} by subset", *heads], rows)


_HOW = (
    "Differences are the first minus the second, with 95 % paired bootstrap intervals; p: paired t-test (exact where "
    f"at most {EXACT} queries differ), corrected by Holm for the number of pairs. Rankers that share a group letter "
    f"cannot be told apart (p ≥ {f'{LEVEL:g}'.lstrip('0')}); fewer than {FEWEST} queries tell nothing apart and have "
    "no letters."
)


def check(rankers: Sequence[str], measure: str) -> None:
    """Check, before anything is evaluated, what is to be compared.

    Raises:
        UserError: fewer than two rankers, the same ranker twice, an unknown measure.
    """
    if len(set(rankers)) < max(2, len(rankers)):
        raise UserError(
            f"A comparison takes two or more different rankers, not {', '.join(rankers) or 'none'}."
        )
    if measure not in MEASURES + PAPER_MEASURES:
        raise UserError(
            f"There is no measure {quoted(measure)}; there are {', '.join(MEASURES + PAPER_MEASURES)}."
        )


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
    check([run.ranker for run in runs], measure)
    if len({(run.task, run.split, run.task_fingerprint) for run in runs}) > 1:
        raise UserError("The runs are of different tasks or of different states of one; evaluate them anew.")
    by_query = {run.ranker: run.per_query.get(measure, {}) for run in runs}
    everywhere = [set(values) for values in by_query.values()]
    shared = set.intersection(*everywhere) & (everywhere[0] if queries is None else queries)
    # In the task's order, as a run's own interval: the bootstrap is seeded, and the two should say the same.
    common = [query for query in next(iter(by_query.values())) if query in shared]
    if not common:
        raise UserError("The runs have no query in common.")
    values = {run.ranker: np.array([by_query[run.ranker][q] for q in common]) for run in runs}
    ordered = sorted(runs, key=lambda run: -values[run.ranker].mean())
    letters = groups(values)
    standings = []
    for run in ordered:
        mean, interval = float(values[run.ranker].mean()), bootstrap_interval(values[run.ranker])
        standings.append(
            Standing(run.ranker, mean, interval, letters[run.ranker], _unjudged(run, common, judged))
        )
    return Comparison(
        runs[0].task,
        ordered[0].source,
        runs[0].split,
        measure,
        queries=len(common),
        left_out=len(set.union(*everywhere)) - len(common) if queries is None else 0,
        standings=tuple(standings),
        pairs=tuple(_pairs(ordered, values, common)),
    )


def by_subset(
    runs: Sequence[Run], measure: str, subsets: Mapping[str, frozenset[str]]
) -> dict[str, Comparison]:
    """Compare the runs on each subset (name → its query ids) that they were measured on."""
    common = frozenset.intersection(*(frozenset(run.per_query[measure]) for run in runs))
    return {name: compare(runs, measure, None, ids) for name, ids in subsets.items() if ids & common}


def _pairs(runs: Sequence[Run], values: Mapping[str, np.ndarray], queries: Sequence[str]) -> Iterator[Pair]:
    p_values = tested([run.ranker for run in runs], values)
    for first, second in combinations(runs, 2):
        a, b = values[first.ranker], values[second.ranker]
        mean, low, high = paired_difference(a, b)
        shared = [jaccard(*([i for i, _ in run.ranking[q]] for run in (first, second))) for q in queries]
        yield Pair(
            first.ranker,
            second.ranker,
            difference=mean,
            interval=(low, high),
            p=p_values[first.ranker, second.ranker],
            wins=int(np.sum(a > b)),
            ties=int(np.sum(a == b)),
            losses=int(np.sum(a < b)),
            jaccard=float(np.mean(shared)),
        )


def jaccard(first: Sequence[str], second: Sequence[str], depth: int = OVERLAP_AT) -> float:
    """Return how much of the first `depth` passages two rankings share: |A ∩ B| / |A ∪ B|, in [0, 1]."""
    a, b = set(first[:depth]), set(second[:depth])
    return len(a & b) / len(a | b) if a | b else 1.0


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
