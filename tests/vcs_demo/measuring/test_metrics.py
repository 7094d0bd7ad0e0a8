import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, Success, nDCG
from sklearn.metrics import average_precision_score

from vcs_demo.measuring.metrics import (
    ACCURACY_AT,
    bootstrap_interval,
    paired_difference,
    paper_accuracy,
    paper_average_precision,
    query_metrics,
    relevant_ranks,
)


def scored(relevant_at, size):
    """A ranking of `size` passages, best first, with the relevant ones at the given ranks."""
    relevant = np.zeros(size, dtype=bool)
    relevant[np.array(relevant_at) - 1] = True
    return np.linspace(1, 0.1, size), relevant


def test_relevant_at_ranks_2_5_and_10_is_an_average_precision_of_0_4():
    assert query_metrics(*scored([2, 5, 10], 12))["map"] == pytest.approx(0.4)


def test_figures_that_a_reader_can_check_by_hand():
    values = query_metrics(*scored([2], 4))
    assert values["accuracy@1"] == 0 and values["accuracy@5"] == 1
    assert values["mrr@10"] == 0.5
    assert values["ndcg@10"] == pytest.approx(1 / np.log2(3))
    assert query_metrics(*scored([11], 12))["mrr@10"] == 0


def test_every_measure_agrees_with_ir_measures():
    generator = np.random.default_rng(7)
    oracle = {f"accuracy@{k}": Success @ k for k in ACCURACY_AT}
    oracle |= {"map": AP, "mrr@10": RR @ 10, "ndcg@10": nDCG @ 10}
    for size in (3, 30, 150):
        scores = generator.permutation(size) / size
        relevant = np.zeros(size, dtype=bool)
        relevant[generator.choice(size, size=min(size - 1, generator.integers(1, 15)), replace=False)] = True
        qrels = {"q": {str(i): int(relevant[i]) for i in range(size)}}
        run = {"q": {str(i): float(scores[i]) for i in range(size)}}
        expected = ir_measures.calc_aggregate(oracle.values(), qrels, run)
        ours = query_metrics(scores, relevant)
        for name, measure in oracle.items():
            assert ours[name] == pytest.approx(expected[measure]), (size, name)


def test_ties_are_settled_against_the_ranker():
    relevant = np.array([True, False, False, True])
    assert list(relevant_ranks(np.zeros(4), relevant)) == [3, 4]
    assert query_metrics(np.zeros(4), relevant)["accuracy@1"] == 0
    # The order of the passages decides nothing.
    assert query_metrics(np.zeros(4), relevant[::-1]) == query_metrics(np.zeros(4), relevant)


def test_the_authors_accuracy_at_k_is_really_accuracy_at_k_minus_1():
    for rank in (1, 2, 5, 6):
        scores, relevant = scored([rank], 12)
        assert paper_accuracy(scores, relevant, 1) == 0
        for k in (5, 10):
            assert paper_accuracy(scores, relevant, k) == float(rank <= k - 1), (rank, k)


def test_the_authors_accuracy_lets_zeros_win_over_negative_cosines():
    scores = np.array([-0.2, -0.5, -0.6, -0.9])
    relevant = np.array([False, False, False, True])  # the worst of all, and yet a hit
    assert paper_accuracy(scores, relevant, 1) == 1.0
    assert query_metrics(scores, relevant)["accuracy@1"] == 0.0


def test_the_authors_average_precision_pools_ties():
    relevant = np.array([True, False, False, True, False, False, False, True, False, False])
    assert paper_average_precision(np.zeros(10), relevant) == pytest.approx(0.3)
    scores = np.array([3, 3, 2, 2, 2, 1, 1, 0, 0, 0], dtype=float)
    assert paper_average_precision(scores, relevant) == pytest.approx(
        average_precision_score(relevant, scores)
    )


def test_bootstrap_interval_covers_the_mean_and_shrinks_with_the_sample():
    values = np.random.default_rng(0).random(400)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    # For a mean of 400 uniform values the normal interval is ± 1.96 × sd / 20.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_paired_difference_is_tighter_than_unpaired_figures():
    before = np.random.default_rng(0).random(300)
    mean, low, high = paired_difference(before + 0.01, before)
    assert mean == pytest.approx(0.01) and low == pytest.approx(0.01) and high == pytest.approx(0.01)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0], [0.3, 0.4, 0.5], [0.0] * 5])
def test_a_handful_of_queries_says_nothing(values):
    assert bootstrap_interval(values) == (0.0, 1.0)
    assert paired_difference(values or [1.0], values or [0.0])[1:] == (-1.0, 1.0)
    assert bootstrap_interval(values, bounds=None) == (None, None)


@pytest.mark.parametrize("size", [6, 30, 168])
def test_equal_values_are_not_certain(size):
    from scipy.stats import binomtest

    exact = binomtest(size, size).proportion_ci(method="exact")
    assert bootstrap_interval([1.0] * size) == pytest.approx((exact.low, 1.0))
    assert bootstrap_interval([0.0] * size) == pytest.approx((0.0, 1 - exact.low))
    mean, low, high = paired_difference([0.5] * size, [0.5] * size)
    assert mean == 0 and low == pytest.approx(-high) and 0 < high < 0.5
