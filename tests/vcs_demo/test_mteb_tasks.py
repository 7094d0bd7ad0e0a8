"""VCS in MTEB gives the figures of our own evaluation."""

import pytest

from vcs_demo.benchmark.tasks import MAIN_TASKS, load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.catalog import load_ranker


@pytest.mark.slow
@pytest.mark.parametrize("name", MAIN_TASKS)
def test_mteb_measures_what_we_measure(name):
    import mteb

    from vcs_demo.mteb_tasks import vcs_tasks

    ranker = load_ranker("vcs-static")  # a table: encodes in no time
    run = evaluate(load_task(name, "mini"), ranker)
    result = mteb.evaluate(ranker.model, vcs_tasks("mini", (name,)), cache=None, overwrite_strategy="always")
    (scores,) = result.task_results[0].scores["test"]
    assert scores["map_at_1000"] == pytest.approx(run.metrics["map"], abs=2e-3)
    if name == "vimedretrieve":
        for k in (1, 5, 20, 100):
            assert scores[f"hit_rate_at_{k}"] == pytest.approx(run.metrics[f"accuracy@{k}"], abs=1e-4)
    assert scores["main_score"] == scores["hit_rate_at_20" if name == "vimedretrieve" else "map_at_1000"]
