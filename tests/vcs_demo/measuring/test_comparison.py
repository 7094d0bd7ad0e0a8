"""Runs against one another: the statistics against references, the command, and what a leaderboard says of ties."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcs_demo.__main__ import main
from vcs_demo.benchmark.labelled_qrels import judged_passages
from vcs_demo.benchmark.tasks import load_task, subset_queries
from vcs_demo.errors import UserError
from vcs_demo.measuring.comparison import by_subset, compare, jaccard, where
from vcs_demo.measuring.evaluate import evaluate, evaluate_kept
from vcs_demo.measuring.leaderboard import rows
from vcs_demo.measuring.run_store import kept_runs
from vcs_demo.measuring.significance import LEVEL, groups, holm, paired_p, tie_groups
from vcs_demo.rankers.base import Ranker
from vcs_demo.rankers.bm25 import BM25Ranker


class Backwards(Ranker):
    """BM25 upside down: as bad as can be."""

    name, fingerprint = "backwards", "1"

    def index(self, passages, progress=None):
        index = BM25Ranker().index(passages)
        score = index.score
        index.score = lambda queries: -score(queries)
        return index


@pytest.fixture(scope="module")
def task():
    return load_task("vimedretrieve", "mini", "test")


@pytest.fixture(scope="module")
def runs(task):
    return [evaluate(task, Backwards()), evaluate(task, BM25Ranker())]


def test_the_better_one_comes_first_with_its_difference_and_the_two_are_told_apart(task, runs):
    found = compare(runs, "map", judged_passages(task))
    assert [row.ranker for row in found.standings] == ["bm25", "backwards"]
    assert [row.groups for row in found.standings] == ["a", "b"]
    (pair,) = found.pairs
    assert pair.difference == pytest.approx(runs[1].metrics["map"] - runs[0].metrics["map"])
    assert pair.interval[0] < pair.difference < pair.interval[1] and pair.p < 1e-6
    assert pair.wins + pair.ties + pair.losses == found.queries == len(task.queries)
    assert pair.jaccard < 0.05 and pair.told_apart
    best = runs[1].ranking
    unjudged = np.mean([np.mean([i not in task.qrels[q] for i, _ in best[q][:10]]) for q in best])
    assert found.standings[0].unjudged == pytest.approx(unjudged)


def test_a_ranker_and_its_copy_cannot_be_told_apart(runs):
    found = compare([runs[1], replace(runs[1], ranker="copy")], "accuracy@1")
    assert {row.groups for row in found.standings} == {"a"}
    assert found.pairs[0].p == found.pairs[0].jaccard == 1.0 and not found.pairs[0].told_apart
    assert math.isnan(found.standings[0].unjudged)


def test_a_constant_difference_is_told_apart():
    assert groups({"a": np.ones(9), "b": np.zeros(9)}) == {"a": "a", "b": "b"}


def test_few_queries_are_tested_exactly():
    from scipy.stats import permutation_test, ttest_1samp

    assert paired_p(np.ones(2)) == 0.5 and paired_p(np.ones(1)) == 1.0 and paired_p(np.zeros(5)) == 1.0
    assert paired_p(np.ones(6)) == 2 / 2**6 and paired_p(np.ones(60)) == 2.0**-59
    few = np.array([0.5, 0.25, -0.125, 0.0, 1.0, 0.5, 0.0625])
    exact = permutation_test((few,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert paired_p(few) == pytest.approx(exact) == pytest.approx(paired_p(np.append(few, np.zeros(90))))
    many = np.random.default_rng(0).normal(0.2, 1, 90)
    assert paired_p(many) == pytest.approx(ttest_1samp(many, 0).pvalue)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_nothing_is_told_of_a_handful_of_queries(runs, size):
    some = list(runs[0].per_query["map"])[:size]
    best, worst = (
        replace(run, per_query={"accuracy@1": dict.fromkeys(some, value)})
        for run, value in zip(runs, (0.0, 1.0), strict=True)
    )
    found = compare([best, worst], "accuracy@1")
    assert found.pairs[0].p == 2 / 2**size and not found.pairs[0].told_apart
    assert found.pairs[0].interval == (-1.0, 1.0)
    assert {row.groups for row in found.standings} == {""} and {row.interval for row in found.standings} == {
        (0.0, 1.0)
    }


def test_only_queries_that_all_were_measured_on_count(runs):
    some = dict(list(runs[0].per_query["map"].items())[:50])
    found = compare([replace(runs[0], per_query={"map": some}), runs[1]], "map")
    assert (found.queries, found.left_out) == (50, len(runs[1].per_query["map"]) - 50)


@pytest.mark.parametrize(
    ("change", "measure", "words"),
    [
        ({"ranker": "bm25"}, "map", "two or more different rankers"),
        ({"task_fingerprint": "other"}, "map", "evaluate them anew"),
        ({}, "fame", "There is no measure 'fame'"),
        ({"per_query": {"map": {"elsewhere": 1.0}}}, "map", "no query in common"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(runs, change, measure, words):
    with pytest.raises(UserError, match=words):
        compare([replace(runs[0], **change), runs[1]], measure)


def test_holm_is_as_in_the_textbook():
    # Worked by hand: .01·4, .02·3, .03·2 → not below .06, .04·1 → not below .06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_its_definition_rejects(p_values):
    rejected = set()
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[i] * (len(p_values) - rank) >= LEVEL:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(p_values)) if p < LEVEL} == rejected


def test_tie_groups_share_letters_where_nothing_tells_them_apart():
    different = {("a", "c"), ("a", "d"), ("b", "d")}
    assert tie_groups("abcd", different) == {"a": "a", "b": "ab", "c": "bc", "d": "c"}
    assert tie_groups("ab", set()) == {"a": "a", "b": "a"} and tie_groups("", set()) == {}


def test_jaccard_is_the_share_of_passages_that_both_have_among_the_first_ones():
    assert jaccard("abcd", "dcxy", 4) == 2 / 6 and jaccard("abcd", "abyx", 2) == 1.0
    assert jaccard("", "") == 1.0 and jaccard("ab", "") == 0.0


def test_where_two_runs_differ_most_comes_first(runs):
    found = where(runs[0], runs[1], "map", 5)
    gaps = [abs(a - b) for _, a, b in found]
    assert gaps == sorted(gaps, reverse=True) and len(found) == 5 and min(gaps) > 0
    assert where(runs[0], runs[0], "map") == []


def test_a_comparison_is_three_tables(runs):
    whole = compare(runs, "accuracy@1")
    parts = by_subset(runs, "accuracy@1", subset_queries("mini", "test"))
    assert whole.standings_table().heads == ["ranker", "accuracy@1", "group", "unjudged@10"]
    assert [row[0] for row in whole.standings_table().rows] == ["bm25", "backwards"]
    (pair,) = whole.pairs_table().rows
    assert pair[:2] == ["bm25", "backwards"] and pair[2].startswith("+0.") and pair[3] == "0.0000"
    table = whole.subsets_table(parts)
    assert table.heads[:2] == ["accuracy@1 by subset", "drug (42)"] and len(table.heads) == 5
    assert [row[0] for row in table.rows] == ["bm25", "backwards"]
    assert "(p ≥ .05)" in whole.pairs_table().markdown()


def test_the_command_compares_by_subset_and_shows_queries(tmp_path, capsys):
    path = tmp_path / "c.json"
    words = ["compare", "--ranker", "bm25", "--ranker", "vcs-static", "--show", "2", "--json", str(path)]
    assert main(words) == 0
    lines = [[cell.strip() for cell in line.split("|")] for line in capsys.readouterr().out.splitlines()]
    assert ["", "accuracy@20 by subset", "drug (42)"] in [line[:3] for line in lines]
    assert ["", "bm25", "vcs-static", "query", ""] in lines
    facts = json.loads(path.read_text("utf-8"))
    assert set(facts) == {"all", "drug", "medicine", "disease", "body-part"}
    assert sum(facts[name]["queries"] for name in facts if name != "all") == facts["all"]["queries"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "two or more different rankers"),
        (["--ranker", "bm25"], "two or more different rankers"),
        (["--ranker", "minilm", "--measure", "fame"], "There is no measure 'fame'"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_evaluated(words, says, capsys):
    assert main(["compare", "--ranker", "bm25", *words]) == 1
    assert says in capsys.readouterr().err and kept_runs() == []


def test_the_leaderboard_says_who_cannot_be_told_apart(task):
    for ranker in (Backwards(), BM25Ranker()):
        evaluate_kept(task, ranker)
    measured = {row.ranker: row.group for row in rows("vimedretrieve") if row.run}
    assert measured == {"bm25": "a", "backwards": "b"}
    for path in (row.run.folder / "queries.json" for row in rows("vimedretrieve") if row.run):
        path.write_text("{", "utf-8")
    assert {row.group for row in rows("vimedretrieve")} == {""}
