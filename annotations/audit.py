"""The audit of mined negatives: draw a sample, see what people said of it, estimate the shares."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from annotations.candidates import LABELS, Candidate
from annotations.store import LabelStore
from vcs_demo.errors import UserError


class BadAuditRequest(UserError, ValueError):
    """A sample size, precision or level outside its range."""


@dataclass(frozen=True)
class Share:
    """How many of `of` have a label: the share, and its Wilson interval [low, high]."""

    count: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class AuditReport:
    """What a sample says.

    Attributes:
        candidates: how many candidates there are.
        sample: the sample, in the order it was drawn.
        labelled: how many of the sample have a label; the shares are among these.
        shares: label → its share, for all four labels.
        by_miner: miner → the same within that miner's part of the sample.
        seed: of the draw.
        level: of the intervals.
    """

    candidates: int
    sample: list[Candidate]
    labelled: int
    shares: dict[str, Share]
    by_miner: dict[str, dict[str, Share]]
    seed: int
    level: float


def wilson(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927, without continuity correction).

    With nothing observed (`of` = 0) it is [0, 1]; a share of 0 or 1 reaches exactly 0 or 1.
    """
    if not 0 <= count <= of or not 0 < level < 1:
        raise BadAuditRequest(
            f"{count} of {of} at level {level} is no share: 0 ≤ count ≤ of and 0 < level < 1."
        )
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, spread = count / of, z * z / of
    centre = (p + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (p * (1 - p) + spread / 4)) / (1 + spread)
    return (0.0 if count == 0 else centre - half), (1.0 if count == of else centre + half)


def needed(precision: float, share: float = 0.5, level: float = 0.95) -> int:
    """Return the least sample size whose Wilson interval is at most ± `precision` wide at an expected share.

    A share of 0.5 is the worst case. `precision` in (0, 0.5).
    """
    if not 0 < precision < 0.5 or not 0 <= share <= 1 or not 0 < level < 1:
        raise BadAuditRequest(
            f"Precision ({precision}) must be between 0 and 0.5, the share ({share}) from 0 to 1, "
            f"the level ({level}) between 0 and 1."
        )
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    # half(n) ≤ e, with half² = (z²/n)(pq + z²/4n) / (1 + z²/n)², is a quadratic in n: solve it.
    a, b, c = precision**2, 2 * precision**2 * z2 - z2 * share * (1 - share), z2**2 * (precision**2 - 0.25)
    return max(1, math.ceil((-b + math.sqrt(b * b - 4 * a * c)) / (2 * a) - 1e-9))


def draw(
    candidates: Sequence[Candidate], size: int, *, seed: int = 0, by_miner: bool = False
) -> list[Candidate]:
    """Draw candidates at random without replacement; all of them where there are no more than `size`.

    The draw depends on ids and seed alone, not on the order of the candidates, and a larger sample contains a
    smaller one. With `by_miner`, each miner gives its proportional part (largest remainders), so that the
    plain shares of the sample remain estimates for the whole.
    """
    if size < 1:
        raise BadAuditRequest(f"A sample of {size} is none; ask for 1 or more.")
    shuffled = sorted(candidates, key=lambda c: hashlib.sha256(f"{seed}:{c.id}".encode()).digest())
    if not by_miner or size >= len(shuffled):
        return shuffled[:size]
    strata: dict[str, list[Candidate]] = {}
    for candidate in shuffled:
        strata.setdefault(candidate.miner, []).append(candidate)
    exact = {miner: size * len(members) / len(shuffled) for miner, members in strata.items()}
    quota = {miner: int(part) for miner, part in exact.items()}
    by_remainder = sorted(exact, key=lambda miner: (quota[miner] - exact[miner], miner))
    for miner in by_remainder[: size - sum(quota.values())]:
        quota[miner] += 1
    return [candidate for miner in sorted(strata) for candidate in strata[miner][: quota[miner]]]


def shares(labels: Iterable[str], level: float = 0.95) -> dict[str, Share]:
    """Return each label's share among some labels, with its Wilson interval."""
    count = Counter(labels)
    of = count.total()
    return {
        label: Share(count[label], of, count[label] / of if of else 0.0, *wilson(count[label], of, level))
        for label in LABELS
    }


def audit(
    store: LabelStore, size: int = 100, *, seed: int = 0, by_miner: bool = False, level: float = 0.95
) -> AuditReport:
    """Draw a sample of the store's candidates and estimate the labels' shares among those that were labelled.

    Label all of the sample (`store.next_candidate(annotator, only=ids)`): the labelled part of an unfinished
    one is a random sample only as far as the annotators' order is random.
    """
    candidates = store.candidates()
    sample = draw(candidates, size, seed=seed, by_miner=by_miner)
    said = {labelled.id: labelled.label for labelled in store.labelled()}
    answered = [candidate for candidate in sample if candidate.id in said]
    per_miner = {
        miner: shares((said[c.id] for c in answered if c.miner == miner), level)
        for miner in sorted({candidate.miner for candidate in sample})
    }
    overall = shares((said[candidate.id] for candidate in answered), level)
    return AuditReport(len(candidates), sample, len(answered), overall, per_miner, seed, level)
