"""The report of annotators' agreement: estimates with intervals, or why there is none, and tables of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vcs_demo.tables import Table, figure
from vcs_demo.words import say

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

    def shown(self, lang: str = "en") -> str:
        """Write it with its interval, or with the reason why that or the value is missing."""
        text = figure(self.value, None if self.low is None else (self.low, self.high))
        return f"{text} ({say(lang, f'agree.{self.reason}')})" if self.reason else text


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

    def tables(self, lang: str = "en", titles: Mapping[str, str] | None = None) -> list[Table]:
        """Return the agreement overall and by label, and by pair; pairs that share nothing are counted, not listed.

        Args:
            lang: `en` or `vi`.
            titles: what labels are called; by default their names.
        """
        pairs = [pair for pair in self.pairs if pair.estimates["raw"].items]
        total, shared = sum(self.given.values()), self.overall["raw"].items
        rows = [(say(lang, "agree.all"), total, self.overall)]
        rows += [((titles or {}).get(k, k), self.given[k], of) for k, of in self.by_label.items()]
        counts = {"people": len(self.annotators), "candidates": self.candidates, "queries": self.queries}
        method = {"level": f"{100 * self.level:.4g}", "resamples": self.resamples, "seed": self.seed}
        notes = [
            say(lang, "agree.about", labels=total, shared=shared, **counts),
            say(lang, "agree.method", **method),
            say(lang, "agree.with_unsure" if "unsure" in self.given else "agree.without_unsure"),
        ]
        if len(pairs) < len(self.pairs):
            notes.append(say(lang, "agree.apart", count=len(self.pairs) - len(pairs)))
        tables = [_table(lang, ("label", "given", *OVERALL), rows, notes)]
        if pairs:
            rows = [(f"{p.first}, {p.second}", p.estimates["raw"].items, p.estimates) for p in pairs]
            tables.append(_table(lang, ("pair", "shared", *OF_A_PAIR), rows))
        return tables


def _table(lang: str, keys: Sequence[str], rows: Iterable[tuple], notes: Sequence[str] = ()) -> Table:
    cells = [[name, count, *(of[key].shown(lang) for key in keys[2:])] for name, count, of in rows]
    return Table([say(lang, f"agree.{key}") for key in keys], cells, notes=notes)
