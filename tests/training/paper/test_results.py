"""What is read out of the experiments' database, and drawn."""

import json

import numpy as np
import pytest

from training.paper.report import curves
from training.paper.results import open_database, runs_of, summary


def test_differences_are_paired_by_query_and_seed():
    values = {("a", 0): [0, 0, 1, 1], ("a", 1): [0, 1, 1, 1], ("b", 0): [1, 1, 1, 1], ("b", 1): [0, 1, 1, 0]}
    with open_database() as database:
        for (arm, seed), by_query in values.items():
            key = f"{arm}{seed}"
            database["runs"].insert({"key": key, "experiment": "x", "arm": arm, "seed": seed})
            database["per_query"].insert_all(
                {"key": key, "task": "t", "measure": "m", "query": f"q{i}", "value": value}
                for i, value in enumerate(by_query)
            )
        first, second = summary(database, "x", None)
    assert (first["mean"], second["mean"]) == (5 / 8, 6 / 8) and "difference" not in first
    assert second["difference"] == 1 / 8 and second["seeds"] == 2
    assert second["difference_low"] <= 1 / 8 <= second["difference_high"]
    assert first["spread"] == pytest.approx(np.std([0.5, 0.75], ddof=1))


def test_a_warning_sign_is_marked_on_its_curve():
    sign = {
        "step": 2,
        "curve": "gradient",
        "text": "x",
        "key": "gradient",
        "values": {"most": "9", "usual": "1"},
    }
    run = {
        "key": "k",
        "experiment": "x",
        "setting": "s",
        "arm": "<b>",
        "seed": 0,
        "signs": json.dumps([sign]),
    }
    with open_database() as database:
        database["runs"].insert(run)
        points = [{"key": "k", "step": n, "loss": 1 / n, "gradient": float(n)} for n in (1, 2, 3)]
        database["curves"].insert_all(points)
        loss, gradient = curves(database, runs_of(database, "x", "s"))
    line, marks = gradient.data
    assert list(line.x) == [1, 2, 3] and list(line.y) == [1, 2, 3] and line.name == "&lt;b&gt;"
    assert (list(marks.x), list(marks.y)) == ([2], [2]) and marks.hovertext[0].startswith("The gradient")
    assert list(loss.data[1].x) == []


def test_a_long_curve_is_smoothed_over_a_fiftieth_of_it():
    run = {"key": "k", "experiment": "x", "setting": "s", "arm": "a", "seed": 0, "signs": "[]"}
    with open_database() as database:
        database["runs"].insert(run)
        database["curves"].insert_all({"key": "k", "step": n, "loss": float(n % 2)} for n in range(100))
        (figure,) = curves(database, runs_of(database, "x", "s"))
    assert list(figure.data[0].y[:3]) == [0, 0.5, 0.5]
