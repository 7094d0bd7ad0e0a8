"""Shares and their intervals: Wilson's, over strata at the effective sample size, and the sizes they need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from annotations.audit.sample import BadAuditRequest


@dataclass(frozen=True)
class Share:
    """The estimated share of a label.

    Attributes:
        count: how many of the labelled candidates have the label.
        of: how many candidates are labelled.
        share: the estimate in [0, 1], weighted back where there are strata; None where it is undefined: nothing is
            labelled, or nothing of some stratum.
        low: lower end of the interval; 0 where there is none.
        high: upper end; 1 where there is none.
        effective: the sample size that the interval has; `of` without strata.
        least: the sample's share if nothing that is open (not labelled, or `unsure`) had the label; None for `unsure`.
        most: the same if all that is open had it.
    """

    count: int
    of: int
    share: float | None
    low: float
    high: float
    effective: float
    least: float | None = None
    most: float | None = None


class Cell(NamedTuple):
    """What one stratum says of one label.

    Attributes:
        pool: candidates of the stratum.
        sampled: how many of them are sampled.
        labelled: how many of the sampled are labelled.
        count: how many of the labelled have the label.
        open: how many of the sampled could still get it; None where that is not asked.
    """

    pool: int
    sampled: int
    labelled: int
    count: int
    open: int | None = None


def wilson(count: float, of: float, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927, without continuity correction).

    With nothing observed (`of` = 0) it is [0, 1]; a share of 0 or 1 reaches exactly 0 or 1. Neither number need be
    whole: `of` may be an effective sample size.
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


def needed(precision: float, share: float = 0.5, level: float = 0.95, pool: int | None = None) -> int:
    """Return the least sample size whose Wilson interval is at most ± `precision` wide at an expected share.

    A share of 0.5 is the worst case. `precision` in (0, 0.5). With the size of the pool, N, the finite population
    correction n / (1 + (n - 1) / N) is applied (Cochran 1977, section 4.4): the size for intervals with `finite`.
    """
    if not 0 < precision < 0.5 or not 0 <= share <= 1 or not 0 < level < 1:
        raise BadAuditRequest(
            f"Precision ({precision}) must be between 0 and 0.5, the share ({share}) from 0 to 1, "
            f"the level ({level}) between 0 and 1."
        )
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    # half(n) ≤ e, with half² = (z²/n)(pq + z²/4n) / (1 + z²/n)², is a quadratic in n: solve it.
    a, b, c = precision**2, 2 * precision**2 * z2 - z2 * share * (1 - share), z2**2 * (precision**2 - 0.25)
    size = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    if pool:
        size = size / (1 + (size - 1) / pool)
    return max(1, math.ceil(size - 1e-9))


def estimate(cells: Sequence[Cell], level: float = 0.95, *, finite: bool = False) -> Share:
    """Estimate a label's share of the pool out of its strata, weighted by their sizes: p = Σ W_h p_h, W_h = N_h / N.

    The interval is Wilson's at the effective sample size (Franco, Little, Louis and Slud 2019, "Comparative Study of
    Confidence Intervals for Proportions in Complex Sample Surveys", after Korn and Graubard 1998). That is the smaller
    of Kish's 1 / Σ (W_h² / n_h), which holds where the strata do not differ, and p (1 - p) / Σ (W_h² p_h (1 - p_h) /
    n_h): a gain by stratification is not claimed, since so few labels do not estimate it well, and a share of 0 or 1
    has an interval too. Under proportional allocation, and for one stratum, it is the plain interval.

    Args:
        cells: one a stratum; those without a candidate are left out.
        level: of the interval, in (0, 1).
        finite: correct for a finite pool: n_h counts as n_h (N_h - 1) / (N_h - n_h), a stratum that is labelled
            altogether has no sampling error. Without, the interval is cautious where much of the pool is sampled.
    """
    cells = [cell for cell in cells if cell.pool]
    pool = sum(cell.pool for cell in cells)
    count, of = sum(cell.count for cell in cells), sum(cell.labelled for cell in cells)
    least = most = None
    if cells and all(cell.open is not None for cell in cells):
        least = sum(c.pool * c.count / c.sampled for c in cells if c.sampled) / pool
        most = sum(c.pool * (c.count + c.open) / c.sampled if c.sampled else c.pool for c in cells) / pool
    if not cells or any(cell.labelled == 0 for cell in cells):
        return Share(count, of, None, *wilson(0, 0, level), 0.0, least, most)
    share = sum(cell.pool * cell.count / cell.labelled for cell in cells) / pool
    alike = apart = 0.0  # the variance over p (1 - p) if the strata are alike, and as they are
    for cell in cells:
        rest = (cell.pool - cell.labelled) / max(1, cell.pool - 1) if finite else 1.0
        own, weight = cell.count / cell.labelled, (cell.pool / pool) ** 2 * rest / cell.labelled
        alike += weight
        if 0 < share < 1:
            apart += weight * own * (1 - own) / (share * (1 - share))
    if not alike:  # the whole pool is labelled
        return Share(count, of, share, share, share, float(of), least, most)
    effective = 1 / max(alike, apart)
    low, high = wilson(share * effective, effective, level)
    return Share(count, of, share, low, high, effective, least, most)
