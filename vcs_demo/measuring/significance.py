"""Which rankers can be told apart: paired tests with Holm's correction, and letters for groups that cannot."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from vcs_demo.measuring.metrics import FEWEST

EXACT = 16  # queries that differ, up to which every sign is tried: 2¹⁶ sums
LEVEL = 0.05  # of the tests, after Holm's correction


def groups(values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return ranker → letters; rankers that share one cannot be told apart by paired tests, Holm-corrected.

    There are no letters where there are too few queries to tell any two apart.

    Args:
        values: ranker → values of a measure, float of shape (queries,), the same queries for all.
    """
    names = sorted(values, key=lambda name: -float(np.mean(values[name])))
    if any(len(of_queries) < FEWEST for of_queries in values.values()):
        return dict.fromkeys(names, "")
    p_values = tested(names, values)
    return tie_groups(names, {pair for pair, p in p_values.items() if p < LEVEL})


def tested(names: Sequence[str], values: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Return (first, second) → p of a two-sided paired test, Holm-corrected (see `paired_p`)."""
    pairs = list(combinations(names, 2))
    p_values = [paired_p(values[first] - values[second]) for first, second in pairs]
    return dict(zip(pairs, holm(p_values), strict=True))


def paired_p(differences: np.ndarray) -> float:
    """Return the two-sided p of paired differences, one a query; 1.0 where no query differs.

    Where at most `EXACT` queries differ, or all by the same, it is exact: the share of all ways to set the signs whose
    sum is as far from 0 (Fisher's permutation test; of two queries .5 at best). Else it is that of the t-test.
    """
    from scipy.stats import ttest_1samp

    different = np.asarray(differences, dtype=np.float64)
    different = different[different != 0]
    if len(different) > EXACT and np.ptp(different) > 0:
        return float(ttest_1samp(differences, 0.0).pvalue)
    if len(different) > EXACT:
        return 2.0 ** (1 - len(different))
    sums = np.zeros(1)
    for difference in different:
        sums = np.concatenate([sums + difference, sums - difference])
    return float(np.mean(np.abs(sums) >= abs(different.sum()) - 1e-9))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm, Scandinavian Journal of Statistics 1979), in their order."""
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        worst = max(worst, min(1.0, p_values[i] * (len(p_values) - rank)))
        corrected[i] = worst
    return corrected


def tie_groups(names: Sequence[str], different: set[tuple[str, str]]) -> dict[str, str]:
    """Return letters by name: names that share a letter cannot be told apart.

    Args:
        names: best first.
        different: the pairs (better, worse) that a test tells apart.

    Returns:
        Name → its letters; `a` holds the best.
    """
    spans: list[tuple[int, int]] = []
    for start in range(len(names)):
        end = start
        while end + 1 < len(names) and not any(
            (name, names[end + 1]) in different for name in names[start : end + 1]
        ):
            end += 1
        if not spans or end > spans[-1][1]:
            spans.append((start, end))
    letters = dict.fromkeys(names, "")
    for number, (start, end) in enumerate(spans):
        for name in names[start : end + 1]:
            letters[name] += _letter(number)
    return letters


def _letter(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number] if number < 26 else f"({number})"
