"""What to watch in a training run: its curve, and the warning signs that the paper names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


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
    """A warning sign: the step and the field of `Point` where it shows (None: in the results), and what it means."""

    step: int | None
    text: str
    curve: str | None = None


SATURATED = 0.95  # p⁺ at which the factor 1 − p⁺ leaves a twentieth of the gradient
FALL = 0.05  # of the validation measure below its best


def signs(
    curve: Sequence[Point],
    *,
    temperature: float,
    negatives: str,
    weight: str,
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
    found = []
    accuracy = results.get("vimedretrieve accuracy@5")
    if accuracy is not None and accuracy < 0.15:
        found.append(
            Sign(
                None,
                f"ViMedRetrieve accuracy@5 is {accuracy:.3f}, below 0.15: too little of the domain in the training "
                "data, or the embeddings have collapsed.",
            )
        )
    for name, value in results.items():
        if negatives == "in-batch" and name.endswith(" map") and not name.startswith("vimedretrieve"):
            before = untrained.get(name)
            if before is not None and before - value > 0.10:
                found.append(
                    Sign(
                        None,
                        f"{name} fell from {before:.3f} to {value:.3f} with in-batch negatives: look at how balanced "
                        "the topics of the batches are.",
                    )
                )
    losses = [(point.step, point.loss) for point in curve if point.loss is not None]
    fifth = len(losses) // 5
    if fifth >= 4:
        first, last = (np.mean([loss for _, loss in part]) for part in (losses[:fifth], losses[-fifth:]))
        if last > 0.95 * first:
            found.append(
                Sign(
                    losses[-1][0],
                    f"The loss does not fall ({first:.3f} in the first fifth, {last:.3f} in the last) at τ = "
                    f"{temperature:g}: try τ = 0.2, and look for exploding gradients.",
                    "loss",
                )
            )
    found += _gradients(curve) + _saturation(curve, weight) + _validation(curve, temperature)
    return found


def _gradients(curve: Sequence[Point]) -> list[Sign]:
    norms = [(point.step, point.gradient) for point in curve if point.gradient is not None]
    if len(norms) < 10:
        return []
    usual = float(np.median([norm for _, norm in norms]))
    step, most = max(norms, key=lambda pair: pair[1])
    if usual > 0 and most > 10 * usual:
        return [
            Sign(
                step,
                f"The gradient's norm jumps to {most:.3g}, over ten times its median ({usual:.3g}).",
                "gradient",
            )
        ]
    return []


def _saturation(curve: Sequence[Point], weight: str) -> list[Sign]:
    known = [(point.step, point.positive) for point in curve if point.positive is not None]
    width = max(1, len(known) // 20)
    for i in range(width, len(known) // 2 + 1):
        mean = float(np.mean([p for _, p in known[i - width : i]]))
        if mean > SATURATED:
            tail = (
                "the factor 1 − p⁺ silences the gradient, so training stops too soon; lower the number of epochs, "
                "or give harder negatives."
                if weight == "modified"
                else "the batches have become too easy; give harder negatives."
            )
            return [
                Sign(
                    known[i - 1][0],
                    f"p⁺ is {mean:.2f} before half of the training is done: {tail}",
                    "positive",
                )
            ]
    return []


def _validation(curve: Sequence[Point], temperature: float) -> list[Sign]:
    best = -1.0
    for point in curve:
        if point.validation is None:
            continue
        best = max(best, point.validation)
        if best - point.validation > FALL:
            why = (
                "τ is below 0.05, where the paper saw this; raise it."
                if temperature < 0.05
                else ("the model forgets more than it learns; take fewer epochs or a lower learning rate.")
            )
            return [
                Sign(
                    point.step,
                    f"Validation falls from {best:.3f} to {point.validation:.3f}: {why}",
                    "validation",
                )
            ]
    return []
