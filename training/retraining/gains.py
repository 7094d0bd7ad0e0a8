"""What a training did to the labels it was trained on, by label: before → after, paired by query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.retraining.effects import Effect, query_means
from vcs_demo.measuring.metrics import bootstrap_interval, paired_difference

NAMES = {"margin": "margin s⁺ − s", "similarity": "similarity s", "with_label": "loss term"}
SHOWN = {
    "hard": ("margin", "with_label"),
    "false_negative": ("similarity", "with_label"),
    "trivial": ("margin", "with_label"),
    "unsure": ("with_label",),
}
CAVEAT = (
    "These are the items that the model was trained on, and the other labels of their queries, not held-out "
    "evidence: that they move as their labels ask says that training took effect, not that the model got better."
)
TERMS = (
    "The loss term is that of the label's query with what the label makes of it, over its other hard negatives and a "
    "fixed\nsample of other queries' positives (`training/effects.py`). Means over queries, brackets and pairing as "
    "above."
)


def change(
    before: Sequence[float], after: Sequence[float], bounds: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Compare two values a query: both means and their paired difference, each with its 95 % bootstrap interval.

    `bounds` are those of the values, as `bootstrap_interval` takes them.
    """
    of_difference = bounds and (bounds[0] - bounds[1], bounds[1] - bounds[0])
    mean, *interval = paired_difference(after, before, bounds=of_difference)
    return {
        "before": float(np.mean(before)),
        "before_interval": list(bootstrap_interval(before, bounds=bounds)),
        "after": float(np.mean(after)),
        "after_interval": list(bootstrap_interval(after, bounds=bounds)),
        "difference": mean,
        "difference_interval": interval,
    }


def gains(before: Sequence[Effect], after: Sequence[Effect]) -> list[dict[str, Any]]:
    """Compare the effects of the same labels under two models, a row a label and measure.

    Means are over queries, each query's labels averaged first, with 95 % bootstrap intervals; the difference is
    paired by query. For `hard` and `trivial` the margin should grow, for `false_negative` the similarity, and the
    term should fall. Both sides are of the same labels in the same order.
    """
    rows = []
    for label, measures in SHOWN.items():
        of_label = [[effect for effect in side if effect.item.label == label] for side in (before, after)]
        for measure in measures if of_label[0] else ():
            means = [query_means(side, measure) for side in of_label]
            row = {"label": label, "measure": measure, "labels": len(of_label[0]), "queries": len(means[0])}
            rows.append(row | change(*means))
    return rows
