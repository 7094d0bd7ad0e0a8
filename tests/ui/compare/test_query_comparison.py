"""Comparing kept runs on the page: a verdict, tables, and the queries that differ."""

import pytest

from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.ui.compare.query_comparison import choices, compared


@pytest.fixture
def two(library, tiny):
    """Keep runs of BM25 and of the tiny random encoder on the miniature's retrieval task."""
    for name in ("bm25", tiny):
        evaluate_kept(library.task("vimedretrieve"), load_ranker(name))
    return ["bm25", tiny]


def test_only_rankers_with_a_run_on_this_source_can_be_compared(library, two):
    assert choices(library, "vimedretrieve") == ["bm25", "tiny"]
    assert choices(library, "virerank") == []


def test_a_comparison_says_who_is_better_where_and_on_which_queries(library, two):
    html, chart = compared(library, "vimedretrieve", two, "accuracy@1", "en")
    assert "bm25 is better than tiny" in html and "168 queries" in html
    assert "bm25 − tiny" in html and "drug (" in html and "Jaccard@10" in html
    assert any(query in html for query in library.task("vimedretrieve").queries.values())
    assert chart.data[0].y == ("bm25 − tiny",)
    vietnamese, _ = compared(library, "vimedretrieve", two, "accuracy@1", "vi")
    assert "bm25 tốt hơn tiny" in vietnamese and "is better" not in vietnamese


def test_what_was_not_measured_or_is_too_little_is_said(library, two, sentence):
    for chosen in ([], ["bm25"], ["bm25", "bm25"], ["bm25", "minilm"], None):
        with pytest.raises(UserError) as error:
            compared(library, "vimedretrieve", chosen, "accuracy@1", "en")
        assert sentence(error.value, "choose 2 to 6")
    with pytest.raises(UserError, match="There is no measure"):
        compared(library, "vimedretrieve", two, "<script>", "en")
