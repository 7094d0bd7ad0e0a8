"""What is read out of the experiments' database."""

import numpy as np
import pytest

from training.paper.results import open_database, summary


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
