"""What to watch in a training run: its curve, and the warning signs that the paper names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    """A warning sign: where it shows, and what it means.

    Attributes:
        step: None where it shows in the results.
        text: the sentence in English.
        curve: the field of `Point` where it shows; None: in the results.
        key, values: the sentence in `TEXTS` and what it is filled with.
    """

    step: int | None
    text: str
    curve: str | None = None
    key: str = ""
    values: dict[str, str] = field(default_factory=dict)


TEXTS = {  # English, Vietnamese
    "accuracy": (
        "ViMedRetrieve accuracy@5 is {value}, below 0.15: too little of the domain in the training data, or the "
        "embeddings have collapsed.",
        "accuracy@5 trên ViMedRetrieve là {value}, dưới 0.15: dữ liệu huấn luyện quá ít nội dung của lĩnh vực này, "
        "hoặc các vectơ nhúng đã sụp về một điểm.",
    ),
    "reranking": (
        "{measure} fell from {before} to {after} with in-batch negatives: look at how balanced the topics of the "
        "batches are.",
        "{measure} giảm từ {before} xuống {after} khi dùng mẫu âm trong lô: hãy xem các lô có cân bằng chủ đề không.",
    ),
    "loss": (
        "The loss does not fall ({first} in the first fifth, {last} in the last) at τ = {temperature}: try τ = 0.2, "
        "and look for exploding gradients.",
        "Hàm mất mát không giảm ({first} ở một phần năm đầu, {last} ở phần năm cuối) với τ = {temperature}: hãy thử "
        "τ = 0.2 và xem gradient có bùng nổ không.",
    ),
    "gradient": (
        "The gradient's norm jumps to {most}, over ten times its median ({usual}).",
        "Chuẩn của gradient vọt lên {most}, hơn mười lần trung vị ({usual}).",
    ),
    "saturated": (
        "p⁺ is {mean} before half of the training is done: the factor 1 − p⁺ silences the gradient, so training stops "
        "too soon; lower the number of epochs, or give harder negatives.",
        "p⁺ đã là {mean} khi chưa qua nửa quá trình huấn luyện: thừa số 1 − p⁺ dập tắt gradient nên mô hình ngừng học "
        "quá sớm; hãy giảm số epoch hoặc dùng mẫu âm khó hơn.",
    ),
    "easy": (
        "p⁺ is {mean} before half of the training is done: the batches have become too easy; give harder negatives.",
        "p⁺ đã là {mean} khi chưa qua nửa quá trình huấn luyện: các lô đã quá dễ; hãy dùng mẫu âm khó hơn.",
    ),
    "validation.cold": (
        "Validation falls from {best} to {value}: τ is below 0.05, where the paper saw this; raise it.",
        "Số đo trên tập validation giảm từ {best} xuống {value}: τ dưới 0.05, đúng vùng mà bài báo gặp hiện tượng này; "
        "hãy tăng τ.",
    ),
    "validation": (
        "Validation falls from {best} to {value}: the model forgets more than it learns; take fewer epochs or a lower "
        "learning rate.",
        "Số đo trên tập validation giảm từ {best} xuống {value}: mô hình quên nhiều hơn học; hãy giảm số epoch hoặc "
        "tốc độ học.",
    ),
}


def said(sign: Mapping[str, Any], lang: str = "en") -> str:
    """Return a sign's sentence (the sign as a mapping, as a database keeps it) in a language, `en` or `vi`."""
    known = TEXTS.get(sign.get("key") or "")
    return known[lang == "vi"].format(**sign["values"]) if known else str(sign["text"])


def _sign(key: str, step: int | None, curve: str | None, **values: str) -> Sign:
    return Sign(step, TEXTS[key][0].format(**values), curve, key, values)


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
        found.append(_sign("accuracy", None, None, value=f"{accuracy:.3f}"))
    for name, value in results.items():
        if negatives == "in-batch" and name.endswith(" map") and not name.startswith("vimedretrieve"):
            before = untrained.get(name)
            if before is not None and before - value > 0.10:
                figures = {"before": f"{before:.3f}", "after": f"{value:.3f}"}
                found.append(_sign("reranking", None, None, measure=name, **figures))
    losses = [(point.step, point.loss) for point in curve if point.loss is not None]
    fifth = len(losses) // 5
    if fifth >= 4:
        first, last = (np.mean([loss for _, loss in part]) for part in (losses[:fifth], losses[-fifth:]))
        if last > 0.95 * first:
            figures = {"first": f"{first:.3f}", "last": f"{last:.3f}", "temperature": f"{temperature:g}"}
            found.append(_sign("loss", losses[-1][0], "loss", **figures))
    return found + _gradients(curve) + _saturation(curve, weight) + _validation(curve, temperature)


def _gradients(curve: Sequence[Point]) -> list[Sign]:
    norms = [(point.step, point.gradient) for point in curve if point.gradient is not None]
    if len(norms) < 10:
        return []
    usual = float(np.median([norm for _, norm in norms]))
    step, most = max(norms, key=lambda pair: pair[1])
    if usual > 0 and most > 10 * usual:
        return [_sign("gradient", step, "gradient", most=f"{most:.3g}", usual=f"{usual:.3g}")]
    return []


def _saturation(curve: Sequence[Point], weight: str) -> list[Sign]:
    known = [(point.step, point.positive) for point in curve if point.positive is not None]
    width = max(1, len(known) // 20)
    for i in range(width, len(known) // 2 + 1):
        mean = float(np.mean([p for _, p in known[i - width : i]]))
        if mean > SATURATED:
            key = "saturated" if weight == "modified" else "easy"
            return [_sign(key, known[i - 1][0], "positive", mean=f"{mean:.2f}")]
    return []


def _validation(curve: Sequence[Point], temperature: float) -> list[Sign]:
    best = -1.0
    for point in curve:
        if point.validation is None:
            continue
        best = max(best, point.validation)
        if best - point.validation > FALL:
            key = "validation.cold" if temperature < 0.05 else "validation"
            figures = {"best": f"{best:.3f}", "value": f"{point.validation:.3f}"}
            return [_sign(key, point.step, "validation", **figures)]
    return []
