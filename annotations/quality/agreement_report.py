"""The report of annotators' agreement: estimates with intervals, or why there is none, and tables of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vcs_demo.tables import Table, figure

NAMES = {
    "raw": "raw agreement",
    "kappa": "Cohen's κ",
    "fleiss": "Fleiss' κ",
    "alpha": "Krippendorff's α",
    "ac1": "Gwet's AC1",
}
OVERALL = ("raw", "fleiss", "alpha", "ac1")
OF_A_PAIR = ("raw", "kappa", "ac1")
REASONS = {
    "no_labels": "There are no labels.",
    "one_annotator": "There is only one annotator, and agreement needs two.",
    "nothing_shared": "No candidate has labels of two annotators.",
    "one_label": "The shared candidates have one label only: agreement by chance is certain, the coefficient is 0/0.",
    "never_given": "Nobody gave this label.",
    "one_query": "All shared candidates are of one query, so there is nothing to resample for an interval.",
    "unsteady": "The coefficient is undefined in over 5 % of the resamples, so it has no interval.",
}


@dataclass(frozen=True)
class Estimate:
    """A coefficient and its percentile bootstrap interval over queries.

    Attributes:
        value: the coefficient, at most 1; None where it is not defined.
        low: lower end of the interval; None where there is none.
        high: upper end.
        items: how many shared candidates (with two labels or more) it is of.
        reason: why the value, or the interval alone, is None: a key of `REASONS`; else empty.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int
    reason: str = ""

    def shown(self) -> str:
        """Write it with its interval, or with the reason why that or the value is missing."""
        text = figure(self.value, None if self.low is None else (self.low, self.high))
        return f"{text} ({self.reason})" if self.reason else text


@dataclass(frozen=True)
class PairAgreement:
    """Two annotators, and `raw`, `kappa` and `ac1` → its estimate on what both labelled."""

    first: str
    second: str
    estimates: dict[str, Estimate]


@dataclass(frozen=True)
class AgreementReport:
    """Agreement over all labels, per label and per pair.

    Attributes:
        annotators: all who gave a label, sorted.
        queries: how many have a label.
        candidates: how many have a label.
        given: label → how often it was given.
        overall: `raw`, `fleiss`, `alpha`, `ac1` → its estimate.
        by_label: label → the same, of that label against the rest.
        pairs: every two annotators.
        level: of the intervals.
        seed: of the resampling.
        resamples: how many.
    """

    annotators: tuple[str, ...]
    queries: int
    candidates: int
    given: dict[str, int]
    overall: dict[str, Estimate]
    by_label: dict[str, dict[str, Estimate]]
    pairs: tuple[PairAgreement, ...]
    level: float
    seed: int
    resamples: int

    def tables(self) -> list[Table]:
        """Return what there is, the agreement by label and by pair, and why an estimate is missing.

        Pairs that share nothing are counted, not listed.
        """
        pairs = [pair for pair in self.pairs if pair.estimates["raw"].items]
        by_label = {"all": (sum(self.given.values()), self.overall)}
        by_label |= {label: (self.given[label], estimates) for label, estimates in self.by_label.items()}
        about = (
            f"{by_label['all'][0]} labels by {len(self.annotators)} annotators on {self.candidates} candidates of "
            f"{self.queries} queries; {self.overall['raw'].items} candidates have two labels or more.",
            f"{100 * self.level:.4g} % bootstrap intervals over queries, {self.resamples} resamples, seed {self.seed}; "
            f"`unsure` counts as {'a label' if 'unsure' in self.given else 'no answer'}.",
        )
        tables = [Table((), (), notes=about)]
        tables.append(_table(["label", "given"], OVERALL, ((name, *row) for name, row in by_label.items())))
        if pairs:
            rows = ((f"{p.first}, {p.second}", p.estimates["raw"].items, p.estimates) for p in pairs)
            tables.append(_table(["annotators", "shared"], OF_A_PAIR, rows))
        notes = []
        if len(pairs) < len(self.pairs):
            notes.append(f"Pairs that share no candidate: {len(self.pairs) - len(pairs)}.")
        shown = [*(estimates for _, estimates in by_label.values()), *(pair.estimates for pair in pairs)]
        reasons = {estimate.reason for estimates in shown for estimate in estimates.values()}
        notes += [f"- {key}: {sentence}" for key, sentence in REASONS.items() if key in reasons]
        return [*tables, Table((), (), notes=notes)] if notes else tables


def _table(heads: list[str], names: Sequence[str], rows: Iterable[tuple]) -> Table:
    return Table(
        [*heads, *(NAMES[name] for name in names)],
        [[name, count, *(estimates[n].shown() for n in names)] for name, count, estimates in rows],
    )
