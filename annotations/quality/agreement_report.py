"""What an agreement of annotators is reported as: estimates with intervals, or why there is none; Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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

    def markdown(self) -> str:
        """Return the report as Markdown; pairs that share nothing are counted, not listed."""
        pairs = [pair for pair in self.pairs if pair.estimates["raw"].items]
        rows = {"all": (sum(self.given.values()), self.overall)}
        rows |= {label: (self.given[label], estimates) for label, estimates in self.by_label.items()}
        lines = [
            f"{rows['all'][0]} labels by {len(self.annotators)} annotators on {self.candidates} candidates of "
            f"{self.queries} queries; {self.overall['raw'].items} candidates have two labels or more.",
            f"{100 * self.level:.4g} % bootstrap intervals over queries, {self.resamples} resamples, seed {self.seed}; "
            f"`unsure` counts as {'a label' if 'unsure' in self.given else 'no answer'}.",
            "",
            *_table(["label", "given"], OVERALL, ((label, *row) for label, row in rows.items())),
        ]
        if pairs:
            shared = ((f"{p.first}, {p.second}", p.estimates["raw"].items, p.estimates) for p in pairs)
            lines += ["", *_table(["annotators", "shared"], OF_A_PAIR, shared)]
        if len(pairs) < len(self.pairs):
            lines += ["", f"Pairs that share no candidate: {len(self.pairs) - len(pairs)}."]
        shown = [*rows.values(), *((0, pair.estimates) for pair in pairs)]
        reasons = {estimate.reason for _, estimates in shown for estimate in estimates.values()}
        notes = [f"- {key}: {sentence}" for key, sentence in REASONS.items() if key in reasons]
        return "\n".join(lines + ([""] + notes if notes else []))


def _table(head: list[str], names: Sequence[str], rows: Iterable[tuple]) -> Iterator[str]:
    yield f"| {' | '.join([*head, *(NAMES[name] for name in names)])} |"
    yield "|---" * (len(head) + len(names)) + "|"
    for name, count, estimates in rows:
        cells = [
            " ".join(name.split()).replace("|", r"\|"),
            str(count),
            *(_cell(estimates[n]) for n in names),
        ]
        yield f"| {' | '.join(cells)} |"


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"– ({estimate.reason})"
    interval = f"({estimate.reason})" if estimate.reason else f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f} {interval}"
