"""The warning signs of the paper (arXiv 2503.07470) in a training run's curve and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcs_demo.words import say, words

WATCHED = "mrr@10"  # after every epoch, on the validation split

# Limits that the paper gives.
LOW_ACCURACY = 0.15  # accuracy@5 on ViMedRetrieve: too little of the domain, or collapse
RERANKING_FALL = 0.10  # of mAP after in-batch training
COLD = 0.05  # the τ below which it saw the validation measure fall
# Ours, where the paper names a sign and no number.
SATURATED = 0.95  # p⁺ near 1: the factor 1 − p⁺ leaves a twentieth of the gradient
FALL = 0.05  # of the validation measure below its best: more than chance moves a few hundred queries
FLAT = 0.95  # a loss that does not fall: its last fifth over its first
EXPLODED = 10  # an exploding gradient: the greatest norm over the median


@dataclass(frozen=True)
class Point:
    """One step of a run; what was not measured there is None.

    Attributes:
        loss, positive, gradient: of the batch: the loss, mean p⁺ in [0, 1], the gradient's norm before clipping.
        validation: the watched measure on the validation split, in [0, 1].
    """

    step: int
    loss: float | None = None
    positive: float | None = None
    gradient: float | None = None
    validation: float | None = None


@dataclass(frozen=True)
class Sign:
    """A warning sign: where it shows, and what it means.

    Attributes:
        step: None where it shows in the results.
        text: the sentence in English.
        curve: the field of `Point` where it shows; None: in the results.
        key, values: the sentence in the words' section `sign`, and what it is filled with.
    """

    step: int | None
    text: str
    curve: str | None = None
    key: str = ""
    values: dict[str, str] = field(default_factory=dict)


def said(sign: Mapping[str, Any], lang: str = "en") -> str:
    """Return a sign's sentence (the sign as a mapping, as a database keeps it) in a language, `en` or `vi`."""
    key = f"sign.{(sign.get('key') or '').replace('.', '_')}"  # earlier versions wrote validation.cold
    return say(lang, key, **sign["values"]) if key in words(lang) else str(sign["text"])


def _sign(key: str, step: int | None, curve: str | None, **values: str) -> Sign:
    return Sign(step, say("en", f"sign.{key}", **values), curve, key, values)


def signs(
    curve: Sequence[Point],
    temperature: float,
    negatives: str,
    weight: str,
    *,
    results: Mapping[str, float],
    untrained: Mapping[str, float],
) -> list[Sign]:
    """Return the warning signs of the paper that a run shows.

    Args:
        curve: its steps in order.
        temperature: τ of the loss.
        negatives: of the loss: `in-batch`, `hard` or `both`.
        weight: of the loss: `modified` or `infonce`.
        results: "task measure" → mean after training.
        untrained: the same of the base.
    """
    shown = []
    accuracy = results.get("vimedretrieve accuracy@5")
    if accuracy is not None and accuracy < LOW_ACCURACY:
        shown.append(_sign("accuracy", None, None, value=f"{accuracy:.3f}"))
    for name, value in results.items():
        before = untrained.get(name)
        reranked = name.endswith(" map") and not name.startswith("vimedretrieve")
        if negatives == "in-batch" and reranked and before is not None and before - value > RERANKING_FALL:
            figures = {"before": f"{before:.3f}", "after": f"{value:.3f}"}
            shown.append(_sign("reranking", None, None, measure=name, **figures))
    losses = _measured(curve, "loss")
    fifth = len(losses) // 5
    if fifth >= 4:
        first, last = (np.mean([loss for _, loss in part]) for part in (losses[:fifth], losses[-fifth:]))
        if last > FLAT * first:
            figures = {"first": f"{first:.3f}", "last": f"{last:.3f}", "temperature": f"{temperature:g}"}
            shown.append(_sign("loss", losses[-1][0], "loss", **figures))
    return shown + _gradients(curve) + _saturation(curve, weight) + _validation(curve, temperature)


def _measured(curve: Sequence[Point], name: str) -> list[tuple[int, float]]:
    """Return (step, value) where a field of the points was measured."""
    return [(point.step, value) for point in curve if (value := getattr(point, name)) is not None]


def _gradients(curve: Sequence[Point]) -> list[Sign]:
    norms = _measured(curve, "gradient")
    if len(norms) < 10:  # too few for a usual one
        return []
    usual = float(np.median([norm for _, norm in norms]))
    step, most = max(norms, key=lambda pair: pair[1])
    if usual > 0 and most > EXPLODED * usual:
        return [_sign("gradient", step, "gradient", most=f"{most:.3g}", usual=f"{usual:.3g}")]
    return []


def _saturation(curve: Sequence[Point], weight: str) -> list[Sign]:
    """Look at the mean over a twentieth of the run, in its first half."""
    points = _measured(curve, "positive")
    width = max(1, len(points) // 20)
    for i in range(width, len(points) // 2 + 1):
        mean = float(np.mean([p for _, p in points[i - width : i]]))
        if mean > SATURATED:
            key = "saturated" if weight == "modified" else "easy"
            return [_sign(key, points[i - 1][0], "positive", mean=f"{mean:.2f}")]
    return []


def _validation(curve: Sequence[Point], temperature: float) -> list[Sign]:
    best = -1.0
    for step, value in _measured(curve, "validation"):
        best = max(best, value)
        if best - value > FALL:
            key = "validation_cold" if temperature < COLD else "validation"
            return [_sign(key, step, "validation", best=f"{best:.3f}", value=f"{value:.3f}")]
    return []
