"""The audit of mined negatives: draw a sample, see what people said of it, estimate the shares."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from annotations.audit.proportions import Cell, Share, estimate, needed, wilson
from annotations.audit.sample import BadAuditRequest, Stratum, draw, in_order, parsed_strata, stratum_of
from annotations.candidates import LABELS, Candidate
from annotations.store.label_store import LabelStore

__all__ = [
    "AuditReport",
    "BadAuditRequest",
    "Part",
    "Share",
    "audit",
    "draw",
    "estimate",
    "needed",
    "shares",
    "wilson",
]


@dataclass(frozen=True)
class Part:
    """A stratum and what its part of the sample says.

    Attributes:
        stratum: its miner, its band of ranks, or both (`stratum_of`).
        candidates: how many candidates of the pool it has.
        sampled: how many of them are sampled.
        labelled: how many of the sampled have a label.
        shares: label → its share in the stratum.
    """

    stratum: Stratum
    candidates: int
    sampled: int
    labelled: int
    shares: dict[str, Share]


@dataclass(frozen=True)
class AuditReport:
    """What a sample says.

    Attributes:
        candidates: how many candidates there are: the pool.
        sample: the sample, in the order it was drawn.
        labels: id → label of the sampled candidates that have one: the majority's, `unsure` when tied.
        shares: label → its share of the pool, for all four labels, weighted by the strata's sizes.
        parts: the strata; none without `strata`.
        strata: what the pool was divided by: some of `STRATA`.
        allocation: how the sample was divided among the strata.
        seed: of the draw.
        level: of the intervals.
        finite: whether the intervals are corrected for the size of the pool.
    """

    candidates: int
    sample: list[Candidate]
    labels: dict[str, str]
    shares: dict[str, Share]
    parts: tuple[Part, ...]
    strata: tuple[str, ...]
    allocation: str
    seed: int
    level: float
    finite: bool

    @property
    def labelled(self) -> int:
        """How many of the sample have a label; the shares are among these."""
        return len(self.labels)

    @property
    def open(self) -> int:
        """How many of the sample have no label, or `unsure`."""
        return len(self.sample) - self.labelled + self.shares["unsure"].count

    @property
    def unanswered(self) -> list[Stratum]:
        """The strata without a label: with any, the shares of the pool are undefined."""
        return [part.stratum for part in self.parts if not part.labelled]

    @property
    def design_effect(self) -> float | None:
        """How many times the candidates this allocation needs for the precision of a plain sample.

        Kish's (1965), n Σ (W_h² / n_h) of the drawn sample, 1 when it is proportional; None where a stratum has none.
        """
        if not self.parts or not all(part.sampled for part in self.parts):
            return None if self.parts else 1.0
        inverse = sum((part.candidates / self.candidates) ** 2 / part.sampled for part in self.parts)
        return len(self.sample) * inverse

    def as_json(self) -> dict[str, Any]:
        """Return the figures and, by id, what the sample is and was labelled; no text of a candidate."""
        figures = asdict(self) | {"labelled": self.labelled, "open": self.open}
        figures["sample"] = [
            {
                "id": candidate.id,
                "miner": candidate.miner,
                "rank": candidate.rank,
                "label": self.labels.get(candidate.id),
            }
            for candidate in self.sample
        ]
        del figures["labels"]
        return figures


def shares(labels: Iterable[str], level: float = 0.95) -> dict[str, Share]:
    """Return each label's share among some labels, with its Wilson interval."""
    count = Counter(labels)
    of = count.total()
    return {label: estimate([Cell(of, of, of, count[label])], level) for label in LABELS}


def audit(
    store: LabelStore,
    size: int = 100,
    *,
    seed: int = 0,
    strata: Sequence[str] = (),
    allocation: str = "proportional",
    level: float = 0.95,
    finite: bool = False,
) -> AuditReport:
    """Draw a sample of the store's candidates and estimate the labels' shares among those that were labelled.

    Label all of the sample (`store.claim(annotator, only=ids)`): the labelled part of an unfinished
    one is a random sample only as far as the annotators' order is random.

    Args:
        store: the candidates and what was said of them.
        size: of the sample, 1 or more; all candidates where there are no more.
        seed: of the draw.
        strata: divide the pool by some of `STRATA`.
        allocation: `proportional` to the strata's sizes, or `equal`, so that small strata are seen too.
        level: of the intervals, in (0, 1).
        finite: correct the intervals for the size of the pool (see `estimate`).

    Raises:
        BadAuditRequest: one of these is outside its range.
    """
    wilson(0, 0, level)  # a bad level is refused before anything is read
    strata = parsed_strata(",".join(strata))
    candidates = store.candidates()
    sample = draw(candidates, size, seed=seed, strata=strata, allocation=allocation)
    known = {labelled.id: labelled.label for labelled in store.labelled()}
    labels = {candidate.id: known[candidate.id] for candidate in sample if candidate.id in known}
    pool = Counter(stratum_of(candidate, strata) for candidate in candidates)
    drawn = Counter(stratum_of(candidate, strata) for candidate in sample)
    said = Counter((stratum_of(c, strata), labels[c.id]) for c in sample if c.id in labels)

    def cell(stratum: Stratum, label: str) -> Cell:
        labelled = sum(said[stratum, one] for one in LABELS)
        still = drawn[stratum] - labelled + said[stratum, "unsure"]
        count = said[stratum, label]
        return Cell(pool[stratum], drawn[stratum], labelled, count, None if label == "unsure" else still)

    def estimates(of: Sequence[Stratum]) -> dict[str, Share]:
        return {
            label: estimate([cell(stratum, label) for stratum in of], level, finite=finite)
            for label in LABELS
        }

    names = sorted(pool, key=in_order)
    parts = [
        Part(name, pool[name], drawn[name], cell(name, "unsure").labelled, estimates([name]))
        for name in (names if strata else ())
    ]
    return AuditReport(
        len(candidates),
        sample,
        labels,
        estimates(names),
        tuple(parts),
        strata,
        allocation,
        seed,
        level,
        finite,
    )
