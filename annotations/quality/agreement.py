"""How far annotators agree: raw agreement, kappas, alpha and AC1, with bootstrap intervals over queries.

Our own sums, held against published examples in the tests: scikit-learn and statsmodels know only complete tables,
krippendorff and irrCAC only whole data sets, and none resamples queries, while of sums over queries a thousand
resamples are one matrix product.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np

from annotations.candidates import LABELS
from annotations.quality.agreement_report import OVERALL, REASONS, AgreementReport, Estimate, PairAgreement
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

__all__ = [
    "REASONS",
    "AgreementReport",
    "BadAgreementRequest",
    "Estimate",
    "PairAgreement",
    "agreement",
    "label_rows",
]

DEFINED = 0.95  # least share of the resamples in which a coefficient with an interval is defined
Row = tuple[str, str, str, str]  # query, candidate, annotator, label


class BadAgreementRequest(UserError, ValueError):
    """Rows that contradict each other, an unknown label, or a level, seed or number of resamples out of range."""


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
        BadAgreementRequest: see the class.
    """
    labels = [label for label in labels if unsure or label != "unsure"]
    if not 0 < level < 1 or seed < 0 or resamples < 1 or not 2 <= len(set(labels)) == len(labels):
        raise BadAgreementRequest(
            f"The level ({level}) must be between 0 and 1, the seed ({seed}) 0 or more, the resamples ({resamples}) "
            f"1 or more, the labels ({', '.join(labels)}) two or more and different."
        )
    rows = [row for row in rows if unsure or row[3] != "unsure"]
    annotators, matrix, query = _matrix(rows, labels)
    counts = np.stack([(matrix == k).sum(axis=0) for k in range(len(labels))], axis=1)
    given = counts.sum(axis=0).tolist()
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    drawn = draw_queries(len(starts), resamples, seed)
    missing = "no_labels" if not rows else "one_annotator" if len(annotators) == 1 else "nothing_shared"

    def estimates(of: Callable, sums: np.ndarray, queries: np.ndarray) -> dict[str, Estimate]:
        items = int(sums[:, 0].sum())
        clusters = np.count_nonzero(sums[:, 0])
        values = of(sums.sum(axis=0, dtype=np.float64))
        samples = resampled(of, sums, queries, drawn) if clusters > 1 else dict.fromkeys(values)
        return {
            name: _estimate(float(value), samples[name], items, level, missing)
            for name, value in values.items()
        }

    def overall(counts: np.ndarray) -> dict[str, Estimate]:
        return estimates(
            coefficients, np.add.reduceat(candidate_terms(counts), starts), np.arange(len(starts))
        )

    def against_the_rest(k: int) -> dict[str, Estimate]:
        if rows and not given[k]:
            return dict.fromkeys(OVERALL, Estimate(None, None, None, items, "never_given"))
        return overall(np.column_stack([counts[:, k], np.delete(counts, k, axis=1).sum(axis=1)]))

    def pair(first: np.ndarray, second: np.ndarray) -> dict[str, Estimate]:
        shared = np.flatnonzero((first >= 0) & (second >= 0))
        return estimates(
            pair_coefficients, *pair_terms(first[shared], second[shared], query[shared], len(labels))
        )

    items = int((counts.sum(axis=1) > 1).sum())
    return AgreementReport(
        annotators=tuple(annotators),
        queries=len(starts),
        candidates=len(query),
        given=dict(zip(labels, given, strict=True)),
        overall=overall(counts),
        by_label={label: against_the_rest(k) for k, label in enumerate(labels)},
        pairs=tuple(
            PairAgreement(annotators[a], annotators[b], pair(matrix[a], matrix[b]))
            for a, b in combinations(range(len(annotators)), 2)
        ),
        level=level,
        seed=seed,
        resamples=resamples,
    )


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
        raise BadAgreementRequest(f"{quoted(min(unknown))} is no label; the labels are {', '.join(labels)}.")
    _, query = _numbered([row[0] for row in rows])
    candidates, candidate = _numbered([row[1] for row in rows])
    annotators, annotator = _numbered([row[2] for row in rows])
    number = {label: n for n, label in enumerate(labels)}
    query_of = np.zeros(len(candidates), dtype=np.intp)
    query_of[candidate] = query
    good = np.zeros(len(rows), dtype=bool)
    good[np.unique(annotator * len(candidates) + candidate, return_index=True)[1]] = True
    good &= query_of[candidate] == query
    if not good.all():
        _, name, who, _ = rows[int(np.argmin(good))]
        raise BadAgreementRequest(
            f"Candidate {quoted(name)} stands under two queries, or twice with annotator {quoted(who)}; "
            "give every standing label once."
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
