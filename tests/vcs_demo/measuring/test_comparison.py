"""Runs against one another: the statistics against references, the command, and what a leaderboard says of ties."""

import json
import math
from dataclasses import replace

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcs_demo.__main__ import main
from vcs_demo.benchmark.labelled_qrels import judged_passages
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.comparison import (
    compare,
    groups,
    holm,
    jaccard,
    rank_biased_overlap,
    tie_groups,
    where,
)
from vcs_demo.measuring.evaluate import evaluate, evaluate_kept
from vcs_demo.measuring.leaderboard import rows
from vcs_demo.measuring.trec import write_trec
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
    assert pair.rbo < 0.05 and pair.jaccard < 0.05
    best = runs[1].ranking
    unjudged = np.mean([np.mean([i not in task.qrels[q] for i, _ in best[q][:10]]) for q in best])
    assert found.standings[0].unjudged == pytest.approx(unjudged)


def test_a_ranker_and_its_copy_cannot_be_told_apart(runs):
    found = compare([runs[1], replace(runs[1], ranker="copy")], "accuracy@1")
    assert {row.groups for row in found.standings} == {"a"}
    assert (
        found.pairs[0].p == 1.0 and found.pairs[0].rbo == pytest.approx(1.0) and found.pairs[0].jaccard == 1.0
    )
    assert math.isnan(found.standings[0].unjudged)


def test_a_constant_difference_is_told_apart():
    assert groups({"a": np.ones(9), "b": np.zeros(9)}) == {"a": "a", "b": "b"}


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
        if p_values[i] * (len(p_values) - rank) >= 0.05:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(p_values)) if p < 0.05} == rejected


def test_tie_groups_share_letters_where_nothing_tells_them_apart():
    different = {("a", "c"), ("a", "d"), ("b", "d")}
    assert tie_groups("abcd", different) == {"a": "a", "b": "ab", "c": "bc", "d": "c"}
    assert tie_groups("ab", set()) == {"a": "a", "b": "a"} and tie_groups("", set()) == {}


rankings = st.permutations(range(8)).map(lambda order: [str(i) for i in order[:6]])


@given(rankings, rankings)
def test_rank_biased_overlap_is_as_its_definition(first, second):
    p, depth = 0.9, 6
    shares = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, depth + 1)]
    # Agreement beyond the last rank is taken to stay as it is there: sum the infinite series far enough.
    series = shares + [shares[-1]] * 400
    expected = (1 - p) * sum(share * p**d for d, share in enumerate(series))
    assert rank_biased_overlap(first, second, p) == pytest.approx(expected, abs=1e-9)
    assert rank_biased_overlap(first, first, p) == pytest.approx(1)
    assert jaccard(first, second, 6) == len(set(first) & set(second)) / len(set(first) | set(second))


def test_where_two_runs_differ_most_comes_first(runs):
    found = where(runs[0], runs[1], "map", 5)
    gaps = [abs(a - b) for _, a, b in found]
    assert gaps == sorted(gaps, reverse=True) and len(found) == 5 and min(gaps) > 0
    assert where(runs[0], runs[0], "map") == []


def test_the_command_compares_by_subset_and_shows_queries(tmp_path, capsys):
    path = tmp_path / "c.json"
    words = ["compare", "--ranker", "bm25", "--ranker", "bm25+minilm", "--show", "2", "--json", str(path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "| accuracy@20 by subset | drug (42) |" in out and "| bm25 | bm25+minilm | query |" in out
    facts = json.loads(path.read_text("utf-8"))
    assert set(facts) == {"all", "drug", "medicine", "disease", "body-part"}
    assert sum(facts[name]["queries"] for name in facts if name != "all") == facts["all"]["queries"]
    assert main(["compare", "--ranker", "bm25"]) == 1
    assert "two or more different rankers" in capsys.readouterr().err


def test_trec_files_give_the_same_figures_in_ir_measures(task, runs, tmp_path, capsys):
    words = ["evaluate", "--task", "vimedretrieve", "--ranker", "bm25", "--trec", str(tmp_path / "t")]
    assert main(words) == 0
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "vimedretrieve-test.bm25.run",
        "vimedretrieve-test.qrels",
    ]
    found = ir_measures.calc_aggregate(
        [ir_measures.Success @ 20],
        list(ir_measures.read_trec_qrels(str(tmp_path / "t/vimedretrieve-test.qrels"))),
        list(ir_measures.read_trec_run(str(tmp_path / "t/vimedretrieve-test.bm25.run"))),
    )
    assert found[ir_measures.Success @ 20] == pytest.approx(runs[1].metrics["accuracy@20"], abs=0.013)  # ties
    (tmp_path / "f").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_trec(tmp_path / "f", runs[1], task)


def test_the_leaderboard_says_who_cannot_be_told_apart(task):
    for ranker in (Backwards(), BM25Ranker()):
        evaluate_kept(task, ranker)
    measured = {row.ranker: row.group for row in rows("vimedretrieve") if row.run}
    assert measured == {"bm25": "a", "backwards": "b"}
    for path in (row.run.folder / "queries.json" for row in rows("vimedretrieve") if row.run):
        path.write_text("{", "utf-8")
    assert {row.group for row in rows("vimedretrieve")} == {""}
