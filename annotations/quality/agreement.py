"""Measure how far annotators agree: raw agreement, kappas, alpha and AC1, with bootstrap intervals over queries.

The sums are ours and are checked against published examples: scikit-learn and statsmodels know only complete tables,
krippendorff and irrCAC only whole data sets, and none resamples queries, while of sums over queries a thousand
resamples are one matrix product.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np

from annotations.candidates import LABELS
from annotations.quality.agreement_report import OVERALL, AgreementReport, Estimate, PairAgreement
from annotations.quality.coefficients import (
    candidate_terms,
    coefficients,
    draw_queries,
    pair_coefficients,
    pair_terms,
    resampled,
)
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted

DEFINED = 0.95  # least share of the resamples in which a coefficient with an interval is defined
Row = tuple[str, str, str, str]  # query, candidate, annotator, label


def label_rows(store: LabelStore, *, names: bool = False) -> list[Row]:
    """Return the standing labels as (query, candidate id, annotator, label); the query as JSON of its key.

    Without `names` annotators are A1, A2, …: in the order of the random token of each one's first event, which
    tells neither name nor rank and stays as it is until somebody new joins.
    """
    with store.database.lock:
        labels = store.database.rows(
            "SELECT json_array(c.task, c.source, c.query_id) AS query, c.id, l.annotator, l.label "
            "FROM labels l JOIN candidates c ON c.id = l.candidate_id"
        )
        first = store.database.rows("SELECT annotator, token, min(id) FROM events GROUP BY annotator")
    first.sort(key=lambda event: event["token"])
    digits = len(str(len(first)))
    shown = {event["annotator"]: f"A{number:0{digits}}" for number, event in enumerate(first, start=1)}
    return [
        (row["query"], row["id"], row["annotator"] if names else shown[row["annotator"]], row["label"])
        for row in labels
    ]


def agreement(
    rows: Iterable[Row],
    *,
    labels: Sequence[str] = LABELS,
    unsure: bool = True,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 1000,
) -> AgreementReport:
    """Measure the agreement of annotators on nominal labels, any number of them per candidate.

    The coefficients: see `coefficients` and `pair_coefficients` in `annotations.quality.coefficients`.
    Intervals are percentiles over resampled queries, all candidates of a query together (Efron & Tibshirani 1993,
    chapter 13). Resamples in which a coefficient is undefined are left out, up to 5 % of them.

    Args:
        rows: query, candidate, annotator, label; in any order.
        labels: what annotators choose from.
        unsure: `unsure` counts as a label like the others; if False, as no answer.
        level: of the intervals, in (0, 1).
        seed: of the resampling, 0 or more.
        resamples: how many, 1 or more.

    Raises:
        UserError: rows that contradict each other, an unknown label, or a level, seed or number out of range.
    """
    if not unsure:
        labels = [label for label in labels if label != "unsure"]
        rows = [row for row in rows if row[3] != "unsure"]
    sums = _Sums(rows, labels, level=level, seed=seed, resamples=resamples)
    counts, given = sums.counts, sums.counts.sum(axis=0).tolist()

    def overall(counts: np.ndarray) -> dict[str, Estimate]:
        return sums.estimates(coefficients, sums.by_query(candidate_terms(counts)))

    def against_the_rest(k: int) -> dict[str, Estimate]:
        if len(counts) and not given[k]:
            return dict.fromkeys(OVERALL, Estimate(None, None, None, sums.shared, "never_given"))
        return overall(np.column_stack([counts[:, k], np.delete(counts, k, axis=1).sum(axis=1)]))

    def pair(first: np.ndarray, second: np.ndarray) -> dict[str, Estimate]:
        both = np.flatnonzero((first >= 0) & (second >= 0))
        return sums.estimates(
            pair_coefficients, *pair_terms(first[both], second[both], sums.query[both], len(sums.labels))
        )

    return AgreementReport(
        annotators=tuple(sums.annotators),
        queries=len(sums.starts),
        candidates=len(counts),
        given=dict(zip(sums.labels, given, strict=True)),
        overall=overall(counts),
        by_label={label: against_the_rest(k) for k, label in enumerate(sums.labels)},
        pairs=tuple(
            PairAgreement(sums.annotators[a], sums.annotators[b], pair(sums.matrix[a], sums.matrix[b]))
            for a, b in combinations(range(len(sums.annotators)), 2)
        ),
        level=level,
        seed=seed,
        resamples=resamples,
    )


def alpha(rows: Iterable[Row], labels: Sequence[str] = LABELS, resamples: int = 1000) -> Estimate:
    """Return Krippendorff's α alone, the same as `agreement` says; takes and raises as that."""
    sums = _Sums(rows, labels, level=0.95, seed=0, resamples=resamples)
    return sums.estimates(coefficients, sums.by_query(candidate_terms(sums.counts)))["alpha"]


class _Sums:
    """Labels as counts, the queries they are of, and how often each query is drawn.

    Attributes:
        labels: what annotators choose from, (K).
        annotators: all who gave a label, sorted.
        matrix: label of each annotator and candidate, (annotators, candidates); −1: none.
        query: of each candidate, (candidates,), ascending.
        counts: how often each candidate was given each label, (candidates, K).
        starts: where each query's candidates begin, (queries,).
        shared: how many candidates have two labels or more.
    """

    def __init__(
        self, rows: Iterable[Row], labels: Sequence[str], *, level: float, seed: int, resamples: int
    ) -> None:
        if not (0 < level < 1 and seed >= 0 and resamples >= 1 and 2 <= len(set(labels)) == len(labels)):
            raise UserError(
                f"The level ({level}) must be between 0 and 1, the seed ({seed}) 0 or more, the resamples "
                f"({resamples}) 1 or more, the labels ({', '.join(labels)}) two or more and different."
            )
        self.labels, self.level = labels, level
        self.annotators, self.matrix, self.query = _matrix(list(rows), labels)
        self.counts = np.stack([(self.matrix == k).sum(axis=0) for k in range(len(labels))], axis=1)
        self.starts = np.flatnonzero(np.diff(self.query, prepend=-1))
        self.shared = int((self.counts.sum(axis=1) > 1).sum())
        self._drawn = draw_queries(len(self.starts), resamples, seed)
        self._missing = ("no_labels", "one_annotator", "nothing_shared")[min(2, len(self.annotators))]

    def by_query(self, terms: np.ndarray) -> np.ndarray:
        """Add up the terms of each query's candidates, (queries, terms)."""
        return np.add.reduceat(terms, self.starts)

    def estimates(
        self, of: Callable, sums: np.ndarray, queries: np.ndarray | None = None
    ) -> dict[str, Estimate]:
        """Return what `of` makes of terms summed by query, with intervals; `queries`: which they are of, if not all."""
        queries = np.arange(len(self.starts)) if queries is None else queries
        items, clusters = int(sums[:, 0].sum()), np.count_nonzero(sums[:, 0])
        values = of(sums.sum(axis=0, dtype=np.float64))
        samples = resampled(of, sums, queries, self._drawn) if clusters > 1 else dict.fromkeys(values)
        return {
            name: _estimate(float(value), samples[name], items, self.level, self._missing)
            for name, value in values.items()
        }


def _estimate(value: float, samples: np.ndarray | None, items: int, level: float, missing: str) -> Estimate:
    if np.isnan(value):
        return Estimate(None, None, None, items, "one_label" if items else missing)
    if samples is None:
        return Estimate(value, None, None, items, "one_query")
    defined = samples[~np.isnan(samples)]
    if len(defined) < DEFINED * len(samples):
        return Estimate(value, None, None, items, "unsteady")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), items)


def _matrix(rows: list[Row], labels: Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return annotators, their labels (annotators, candidates; −1: none), and each candidate's query, ascending."""
    if unknown := {row[3] for row in rows} - set(labels):
        raise UserError(f"{quoted(min(unknown))} is not a label; the labels are {', '.join(labels)}.")
    _, query = _numbered([row[0] for row in rows])
    candidates, candidate = _numbered([row[1] for row in rows])
    annotators, annotator = _numbered([row[2] for row in rows])
    number = {label: n for n, label in enumerate(labels)}
    query_of = np.zeros(len(candidates), dtype=np.intp)
    query_of[candidate] = query
    once = np.unique(annotator * len(candidates) + candidate, return_index=True)[1]
    good = np.isin(np.arange(len(rows)), once) & (query_of[candidate] == query)
    if not good.all():
        _, name, who, _ = rows[int(np.argmin(good))]
        raise UserError(
            f"Candidate {quoted(name)} has two queries, or two labels of annotator {quoted(who)}; "
            "give every label that counts once."
        )
    matrix = np.full((len(annotators), len(candidates)), -1, dtype=np.int8)
    matrix[annotator, candidate] = [number[row[3]] for row in rows]
    order = np.argsort(query_of, kind="stable")
    return annotators, matrix[:, order], query_of[order]


def _numbered(values: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the different values, sorted, and where among them each value is."""
    different = sorted(set(values))
    number = {value: n for n, value in enumerate(different)}
    return different, np.array([number[value] for value in values], dtype=np.intp)
