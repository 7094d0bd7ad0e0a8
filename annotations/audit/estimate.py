"""The audit of mined negatives: draw a sample, see what people said of it, estimate the shares.

In Python:

    report = audit(store, size=200)
    report.shares["hard"].share, report.shares["hard"].low, report.shares["hard"].high
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from annotations.audit.sample import draw, group_of, in_order, parsed_strata
from annotations.candidates import LABELS, Candidate
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@dataclass(frozen=True)
class Share:
    """The share of a label: `count` of `of` labelled candidates, with Wilson's interval; None where `of` is 0."""

    count: int
    of: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """The candidates of one miner, or of one band of ranks: how many are there, sampled, and labelled of these.

    Attributes:
        by: what tells it apart: one of `STRATA`.
        name: the miner, or the band (see `group_of`).
        shares: label → its share among the labelled.
    """

    by: str
    name: str
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
        labels: id → label of the sampled candidates that have one: the decision, else the majority's.
        shares: label → its share among the labelled of the sample; all four labels.
        parts: the same by miner, by band of ranks, or both, as `strata` asks.
        strata: some of `STRATA`.
        seed: of the draw.
        level: of the intervals.
    """

    candidates: int
    sample: list[Candidate]
    labels: dict[str, str]
    shares: dict[str, Share]
    parts: tuple[Part, ...]
    strata: tuple[str, ...]
    seed: int
    level: float

    @property
    def labelled(self) -> int:
        """How many of the sample have a label; with fewer than the sample the shares are provisional."""
        return len(self.labels)

    def as_json(self) -> dict[str, Any]:
        """Return the figures and, by id, what the sample is and was labelled; no text of a candidate."""
        figures = asdict(self) | {"labelled": self.labelled}
        figures["sample"] = [
            {"id": c.id, "miner": c.miner, "rank": c.rank, "label": self.labels.get(c.id)}
            for c in self.sample
        ]
        del figures["labels"]
        return figures


def audit(
    store: LabelStore, size: int = 100, *, seed: int = 0, strata: Sequence[str] = (), level: float = 0.95
) -> AuditReport:
    """Draw a sample of the store's candidates and estimate the labels' shares among those that were labelled.

    Label all of the sample (`store.claim(annotator, only=ids)`): the labelled part of an unfinished one is a random
    sample only as far as the annotators' order is random.

    Args:
        store: the candidates and what was said of them.
        size: of the sample, 1 or more; all candidates where there are no more.
        seed: of the draw; a larger sample with the same seed contains a smaller one.
        strata: tell some of `STRATA` apart; the sample stays the same.
        level: of the intervals, in (0, 1).

    Raises:
        UserError: one of these is outside its range.
    """
    wilson(0, 0, level)  # a bad level is refused before anything is read
    strata = parsed_strata(",".join(strata))
    candidates = store.candidates()
    sample = draw(candidates, size, seed=seed)
    label_of = {labelled.id: labelled.label for labelled in store.labelled()}
    labels = {candidate.id: label_of[candidate.id] for candidate in sample if candidate.id in label_of}
    parts = []
    for by in strata:
        pool = Counter(group_of(candidate, by) for candidate in candidates)
        for name in sorted(pool, key=in_order):
            drawn = [candidate.id for candidate in sample if group_of(candidate, by) == name]
            given = [labels[id] for id in drawn if id in labels]
            parts.append(Part(by, name, pool[name], len(drawn), len(given), shares(given, level)))
    whole = shares(labels.values(), level)
    return AuditReport(len(candidates), sample, labels, whole, tuple(parts), strata, seed, level)


def shares(labels: Iterable[str], level: float = 0.95) -> dict[str, Share]:
    """Return each label's share among some labels, with its Wilson interval."""
    counts = Counter(labels)
    of = counts.total()
    return {
        label: Share(counts[label], of, counts[label] / of if of else None, *wilson(counts[label], of, level))
        for label in LABELS
    }


def wilson(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927, without continuity correction).

    With nothing observed (`of` = 0) it is [0, 1]; a share of 0 or 1 reaches exactly 0 or 1. Raises UserError unless
    0 ≤ count ≤ of and 0 < level < 1.
    """
    if not 0 <= count <= of or not 0 < level < 1:
        raise UserError(f"{count} of {of} at level {level} is not a share: 0 ≤ count ≤ of and 0 < level < 1.")
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, spread = count / of, z * z / of
    centre = (p + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (p * (1 - p) + spread / 4)) / (1 + spread)
    return (0.0 if count == 0 else centre - half), (1.0 if count == of else centre + half)


def needed(precision: float, share: float = 0.5, level: float = 0.95) -> int:
    """Return the least sample size whose Wilson interval is at most ± `precision` wide at an expected share.

    A share of 0.5 is the worst case. Raises UserError unless 0 < precision < 0.5, 0 ≤ share ≤ 1 and 0 < level < 1.
    """
    if not 0 < precision < 0.5 or not 0 <= share <= 1 or not 0 < level < 1:
        raise UserError(
            f"Precision ({precision}) must be between 0 and 0.5, the share ({share}) from 0 to 1, "
            f"the level ({level}) between 0 and 1."
        )
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    # half(n) ≤ e, with half² = (z²/n)(pq + z²/4n) / (1 + z²/n)², is a quadratic in n: solve it.
    a, b, c = precision**2, 2 * precision**2 * z2 - z2 * share * (1 - share), z2**2 * (precision**2 - 0.25)
    size = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return max(1, math.ceil(size - 1e-9))
