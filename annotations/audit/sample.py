"""Which candidates an audit samples: strata by miner and rank, their parts, a draw that repeats and grows."""

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from annotations.candidates import Candidate
from vcs_demo.errors import UserError, quoted

STRATA = ("miner", "rank")
ALLOCATIONS = ("proportional", "equal")
UNRANKED = "unranked"
RANK_BANDS = {"1": 1, "2-5": 5, "6-20": 20, "21+": math.inf}  # band → its last rank

Stratum = tuple[str, ...]  # a miner, a band, both, or neither: `()` is all there is


class BadAuditRequest(UserError, ValueError):
    """A sample size, stratification, allocation, precision or level outside its range."""


def parsed_strata(text: str) -> tuple[str, ...]:
    """Return what a comma-separated list of `STRATA` asks for, in their order; an empty text is none.

    Raises:
        BadAuditRequest: one of them is not among `STRATA`.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in STRATA:
            raise BadAuditRequest(f"There are no strata {quoted(part)}; give miner, rank or miner,rank.")
    return tuple(name for name in STRATA if name in asked)


def stratum_of(candidate: Candidate, strata: Sequence[str]) -> Stratum:
    """Return the stratum of a candidate: its miner, its band of ranks (`RANK_BANDS`, else `UNRANKED`), or both."""
    values = {"miner": candidate.miner, "rank": _band(candidate.rank)}
    return tuple(values[name] for name in strata)


def in_order(stratum: Stratum) -> tuple:
    """Return the key that sorts strata by miner, and bands as ranks go."""
    bands = [*RANK_BANDS, UNRANKED]
    return tuple((bands.index(part), "") if part in bands else (-1, part) for part in stratum)


def allocate(sizes: Mapping[Stratum, int], size: int, allocation: str = "proportional") -> dict[Stratum, int]:
    """Return how many of `size` each stratum gives, never more than it has.

    `proportional` is the method of equal proportions (Huntington–Hill): the next goes to the stratum of the largest
    N / √(n (n + 1)). So each gives one before any gives a second, and none gives fewer when the sample grows, which
    largest remainders do not promise. `equal`: the next goes to the stratum that has given fewest. Ties: the larger.

    Args:
        sizes: stratum → how many candidates it has.
        size: of the sample, 1 or more; all are taken where there are no more.
        allocation: one of `ALLOCATIONS`.

    Raises:
        BadAuditRequest: a size under 1, or another allocation.
    """
    if size < 1:
        raise BadAuditRequest(f"A sample of {size} is none; ask for 1 or more.")
    if allocation not in ALLOCATIONS:
        raise BadAuditRequest(f"There is no allocation {quoted(allocation)}; give proportional or equal.")

    def turn(name: Stratum, given: int) -> tuple:
        share = math.inf if given == 0 else sizes[name] / math.sqrt(given * (given + 1))
        return given if allocation == "equal" else -share, -sizes[name], name

    quota = dict.fromkeys(sizes, 0)
    waiting = [turn(name, 0) for name, there in sizes.items() if there]
    heapq.heapify(waiting)
    for _ in range(min(size, sum(sizes.values()))):
        name = heapq.heappop(waiting)[-1]
        quota[name] += 1
        if quota[name] < sizes[name]:
            heapq.heappush(waiting, turn(name, quota[name]))
    return quota


def draw(
    candidates: Sequence[Candidate],
    size: int,
    *,
    seed: int = 0,
    strata: Sequence[str] = (),
    allocation: str = "proportional",
) -> list[Candidate]:
    """Draw candidates at random without replacement, within strata; all of them where there are no more than `size`.

    Each candidate has one place in an order of ids and seed alone, and every stratum gives its first ones. So the
    draw does not depend on the order of the candidates, a larger sample contains a smaller one, and samples with
    and without strata have most in common. The sample is in that order.

    Raises:
        BadAuditRequest: see `allocate`; or strata other than `STRATA`.
    """
    strata = parsed_strata(",".join(strata))
    shuffled = sorted(candidates, key=lambda c: hashlib.sha256(f"{seed}:{c.id}".encode()).digest())
    quota = allocate(Counter(stratum_of(c, strata) for c in shuffled), size, allocation)
    drawn = []
    for candidate in shuffled:
        name = stratum_of(candidate, strata)
        if quota[name]:
            quota[name] -= 1
            drawn.append(candidate)
    return drawn


def _band(rank: int | None) -> str:
    if rank is None:
        return UNRANKED
    return next(band for band, last in RANK_BANDS.items() if rank <= last)
