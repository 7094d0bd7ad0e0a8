"""Which rankers can be told apart: paired t-tests with Holm's correction, and letters for groups that cannot."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

LEVEL = 0.05  # of the tests, after Holm's correction


def groups(values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return ranker → letters; rankers that share one cannot be told apart by paired t-tests, Holm-corrected.

    Args:
        values: ranker → values of a measure, float of shape (queries,), the same queries for all.
    """
    names = sorted(values, key=lambda name: -float(np.mean(values[name])))
    p_values = tested(names, values)
    return tie_groups(names, {pair for pair, p in p_values.items() if p < LEVEL})


def tested(names: Sequence[str], values: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Return (first, second) → p of a two-sided paired t-test, Holm-corrected; 1.0 where no query differs."""
    from scipy.stats import ttest_rel

    pairs, p_values = list(combinations(names, 2)), []
    for first, second in pairs:
        a, b = values[first], values[second]
        p = float(ttest_rel(a, b).pvalue) if len(a) > 1 and np.ptp(a - b) > 0 else float(np.all(a == b))
        p_values.append(p)
    return dict(zip(pairs, holm(p_values), strict=True))


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
