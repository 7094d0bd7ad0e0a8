"""Which candidates an audit samples, and the groups of miners and ranks that it tells apart."""

import hashlib
import math
from collections.abc import Sequence

from annotations.candidates import Candidate
from vcs_demo.errors import UserError, quoted

STRATA = ("miner", "rank")
UNRANKED = "unranked"
RANK_BANDS = {"1": 1, "2-5": 5, "6-20": 20, "21+": math.inf}  # band → its last rank


def parsed_strata(text: str) -> tuple[str, ...]:
    """Return what a comma-separated list of `STRATA` asks for, in their order; raises UserError for another name."""
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in STRATA:
            raise UserError(f"There are no strata {quoted(part)}; give miner, rank or miner,rank.")
    return tuple(name for name in STRATA if name in asked)


def group_of(candidate: Candidate, by: str) -> str:
    """Return the group of a candidate: its miner, or its band of ranks (`RANK_BANDS`, else `UNRANKED`)."""
    if by == "miner":
        return candidate.miner
    if candidate.rank is None:
        return UNRANKED
    return next(band for band, last in RANK_BANDS.items() if candidate.rank <= last)


def in_order(group: str) -> tuple[int, str]:
    """Return the key that sorts miners by name and bands as ranks go."""
    bands = [*RANK_BANDS, UNRANKED]
    return (bands.index(group), "") if group in bands else (-1, group)


def draw(candidates: Sequence[Candidate], size: int, *, seed: int = 0) -> list[Candidate]:
    """Draw candidates at random without replacement; all of them where there are no more than `size`.

    The sample is in an order of ids and seed alone: it does not depend on the order of the candidates, and a larger
    one with the same seed begins with it. Raises UserError for a size under 1.
    """
    if size < 1:
        raise UserError(f"The sample size is {size}; give 1 or more.")
    return sorted(candidates, key=lambda c: hashlib.sha256(f"{seed}:{c.id}".encode()).digest())[:size]
