"""The paper's warning signs: each where it happens, none in a healthy run, and each limit from both sides."""

import pytest

from training.paper.warning_signs import Point, signs

FALLING = [2 - i / 50 for i in range(50)]


def curve(loss=FALLING, positive=None, gradient=None, validation=None):
    count = len(loss)
    columns = [loss, positive or [0.5] * count, gradient or [1.0] * count, validation or [None] * count]
    return [Point(i + 1, *point) for i, point in enumerate(zip(*columns, strict=True))]


def shown(points, **changes):
    facts = {
        "temperature": 0.1,
        "negatives": "in-batch",
        "weight": "modified",
        "results": {},
        "untrained": {},
    }
    return signs(points, **facts | changes)


def fall(to):
    return curve(validation=[None] * 10 + [0.6] + [None] * 38 + [to])


@pytest.mark.parametrize(
    ("points", "changes", "step", "words"),
    [
        (curve([1.0] * 50), {}, 50, "try τ = 0.2"),
        (curve(gradient=[1.0] * 30 + [50.0] + [1.0] * 19), {}, 31, "over ten times its median"),
        (curve(positive=[0.5] * 10 + [0.99] * 40), {}, 12, "silences the gradient"),
        (curve(positive=[0.99] * 50), {"weight": "infonce"}, 2, "too easy"),
        (fall(0.5), {"temperature": 0.02}, 50, "below 0.05"),
        (fall(0.5), {}, 50, "forgets more"),
        (curve(), {"results": {"vimedretrieve accuracy@5": 0.14}}, None, "below 0.15"),
        (
            curve(),
            {"results": {"virerank map": 0.5}, "untrained": {"virerank map": 0.61}},
            None,
            "how balanced",
        ),
    ],
)
def test_each_warning_sign_is_seen_where_it_happens(points, changes, step, words):
    (sign,) = shown(points, **changes)
    assert sign.step == step and words in sign.text
    assert sign.curve is None if step is None else getattr(points[step - 1], sign.curve) is not None


def half(at):
    """Return a curve whose p⁺ is saturated from a step on; what comes after the first half of the run is no sign."""
    return curve(positive=[0.5] * at + [1.0] * (50 - at))


BEFORE = [1.0] * 40


@pytest.mark.parametrize(
    ("key", "beyond", "within"),
    [
        ("accuracy", {"results": {"vimedretrieve accuracy@5": 0.149}}, {"results": {"vimedretrieve accuracy@5": 0.15}}),
        (
            "reranking",
            {"results": {"mnli-r map": 0.5}, "untrained": {"mnli-r map": 0.601}},
            {"results": {"mnli-r map": 0.5}, "untrained": {"mnli-r map": 0.599}},
        ),
        ("loss", {"points": curve([*BEFORE, *[0.951] * 10])}, {"points": curve([*BEFORE, *[0.949] * 10])}),
        ("gradient", {"points": curve(gradient=[1.0] * 49 + [10.1])}, {"points": curve(gradient=[1.0] * 49 + [9.9])}),
        ("saturated", {"points": curve(positive=[0.951] * 50)}, {"points": curve(positive=[0.949] * 50)}),
        ("saturated", {"points": half(23)}, {"points": half(24)}),
        ("validation", {"points": fall(0.549)}, {"points": fall(0.551)}),
        ("validation_cold", {"points": fall(0.5), "temperature": 0.049}, None),
        ("validation", {"points": fall(0.5), "temperature": 0.05}, None),
    ],
)  # fmt: skip
def test_each_limit_is_where_it_is_said_to_be(key, beyond, within):
    assert [sign.key for sign in shown(**{"points": curve()} | beyond)] == [key]
    if within:
        assert shown(**{"points": curve()} | within) == []


def test_a_healthy_run_shows_no_sign():
    results = {"vimedretrieve accuracy@5": 0.5, "virerank map": 0.6}
    points = curve(positive=[0.5] * 30 + [0.99] * 20, validation=[None] * 49 + [0.5])
    assert shown(points, results=results, untrained=results) == []
    worse = {"results": {"virerank map": 0.1}, "untrained": {"virerank map": 0.9}}
    assert shown(curve(), negatives="hard", **worse) == []
    assert shown([]) == []
