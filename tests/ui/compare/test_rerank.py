"""Reranking: a group of the benchmark or one's own candidates, with marks or without."""

import gradio as gr
import pytest

from vcs_demo.errors import UserError
from vcs_demo.ui.access import Access
from vcs_demo.ui.compare.rerank import RERANKING_TASKS, api, filled, groups_of, parsed, reranked
from vcs_demo.ui.page import build_app

QUERY = "Trẻ sốt cao nên làm gì?"


def test_lines_are_candidates_and_a_plus_marks_the_relevant():
    assert parsed("+ một\n\n  hai \n+ba\n  + bốn\n") == (
        ["một", "hai", "+ba", "bốn"],
        [True, False, False, True],
    )
    assert parsed(None) == parsed("\n \n") == ([], [])
    assert parsed("một\u2028hai\x85ba\r\nbốn\rnăm")[0] == ["một\u2028hai\x85ba", "bốn", "năm"]


def test_a_paste_as_large_as_the_limits_allow_is_ranked_whole_and_what_is_beyond_gets_a_sentence(library):
    longest = ["đau đầu " * 624 + f"số {number:02d} x" for number in range(49)] + ["trẻ sốt cao"]
    *_, html = reranked(library, "trẻ sốt cao", "\n".join(longest), ["bm25"], "en")
    assert html.count("<li") == 50 and "số 48 x" in html
    with pytest.raises(UserError, match="Candidate 2 has 5,001 characters; give 1 to 5,000"):
        list(reranked(library, "trẻ sốt cao", "một\n" + "x" * 5_001, ["bm25"], "en"))


def test_no_field_of_the_page_cuts_what_is_typed_into_it(own_data_dir):
    page, warm = build_app("mini", Access("single"))
    fields = [block for block in page.blocks.values() if isinstance(block, gr.Textbox)]
    assert fields and [field.max_length for field in fields] == [None] * len(fields)
    warm.store.close()


def test_marked_candidates_give_every_ranker_an_average_precision(library, tiny):
    lines = "+ Trẻ sốt cao nên uống nước\nGan nằm bên phải\nMắt để nhìn"
    *_, page = reranked(library, QUERY, lines, ["bm25", tiny], "en")
    assert (
        page.count("AP ") == 2 and "AP 1.000" in page
    )  # the only candidate that shares a word with the query


def test_average_precision_by_hand(library):
    passages = ["trẻ sốt cao làm gì", "trẻ sốt cao", "trẻ sốt", "gan mật"]
    (ranking,) = library.rerank(QUERY, passages, ["bm25"], [False, True, False, True])
    assert [hit.text for hit in ranking.hits] == passages
    assert ranking.first_relevant == 2
    assert ranking.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_unmarked_candidates_give_none(library):
    *_, html = reranked(library, QUERY, "một câu\nhai câu", ["bm25"], "en")
    assert "AP " not in html and "★" not in html
    (ranking,) = library.rerank(QUERY, ["một câu", "hai câu"], ["bm25"], [False, False])
    assert ranking.average_precision is None and {hit.relevant for hit in ranking.hits} == {None}


def test_equal_scores_are_settled_against_the_ranker(library):
    (ranking,) = library.rerank("gan", ["đau đầu", "đau tim"], ["bm25"], [True, False])
    assert ranking.average_precision == 0.5


@pytest.mark.parametrize("task", RERANKING_TASKS)
def test_a_group_of_the_benchmark_fills_in_and_gives_average_precision(library, task):
    text, query_id = groups_of(library, task)[0]
    query, lines = filled(library, task, query_id)
    assert query == text
    marks = [line.startswith("+ ") for line in lines.split("\n")]
    assert any(marks) and not all(marks)
    *_, html = reranked(library, query, lines, ["bm25"], "en")
    assert "AP " in html and html.count("★ relevant") == sum(marks)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": ""}, "empty"),
        ({"query": "đ" * 1_001}, "1,001"),
        ({"passages": ["một"]}, "1 candidates"),
        ({"passages": []}, "0 candidates"),
        ({"passages": ["x"] * 51}, "51 candidates"),
        ({"passages": ["một", " "]}, "Candidate 2 has 0"),
        ({"passages": ["một", "\u200b\u2060"]}, "Candidate 2 has 0"),
        ({"passages": ["một", "x" * 5_001]}, "5,001"),
        ({"rankers": []}, "0 rankers"),
        ({"rankers": list("abcde")}, "5 rankers"),
        ({"rankers": ["no-such"]}, "'no-such'"),
        ({"rankers": ["../.."]}, "'../..'"),
    ],
)
def test_a_request_out_of_bounds_is_refused_with_one_sentence(library, sentence, changes, says):
    asked = {"query": QUERY, "passages": ["một câu", "hai câu"], "rankers": ["bm25"]} | changes
    with pytest.raises(UserError) as error:
        list(library.rerank(**asked))
    assert sentence(error.value, says)


def test_candidates_that_share_no_word_with_the_query_are_tied(library):
    passages = ["đau đầu", "đau tim", "mắt", "gan mật"]
    first, second = library.rerank("xyz", passages, ["bm25", "vcs-20m"])
    assert [hit.rank for hit in first.hits] == [1, 1, 1, 1] and len(second.hits) == 4
    assert {hit.other_rank for hit in second.hits} == {None}
    dense, lexical = library.rerank("xyz", passages, ["vcs-20m", "bm25"])
    assert {hit.other_rank for hit in lexical.hits} == {None} and len({hit.rank for hit in dense.hits}) == 4
    first, second = library.rerank("gan", passages, ["bm25", "vcs-20m"])
    assert [hit.rank for hit in first.hits] == [1, 2, 2, 2] and first.hits[0].text == "gan mật"
    assert {hit.text: hit.other_rank for hit in second.hits} == dict.fromkeys(passages) | {"gan mật": 1}
    *_, page = reranked(library, "xyz", "\n".join(passages), ["bm25"], "en")
    assert "These passages are tied" in page


@pytest.mark.parametrize(
    "relevant",
    [
        [0, 2],
        [4],
        [-1],
        [1.0],
        [True],
        ["1"],
        [1, 1],
        [None],
        [[1]],
        "1",
        1.0,
        True,
        {"1": 1},
        10**30,
        [float("nan")],
    ],
    ids=str,
)
def test_marks_that_are_no_numbers_of_candidates_are_refused(library, sentence, relevant):
    with pytest.raises(gr.Error) as error:
        api(library)(QUERY, ["một", "hai", "ba"], ["bm25"], relevant)
    assert sentence(error.value.message, "give a list of candidates' numbers, from 1 to 3")


@pytest.mark.parametrize("relevant", [None, [], [2], [3, 1]], ids=str)
def test_numbers_mark_candidates(library, relevant):
    (ranking,) = api(library)(QUERY, ["một", "hai", "ba"], ["bm25"], relevant)
    assert {hit["relevant"] for hit in ranking["hits"]} == ({True, False} if relevant else {None})
    marked = sorted(int(hit["passage_id"]) for hit in ranking["hits"] if hit["relevant"])
    assert marked == sorted(relevant or [])


def test_fifty_candidates_are_taken(library):
    (ranking,) = library.rerank(QUERY, [f"câu {n}" for n in range(50)], ["bm25"])
    assert len(ranking.hits) == 50


def test_the_page_says_what_is_wrong(library):
    with pytest.raises(UserError, match="51 candidates"):
        list(reranked(library, QUERY, "\n".join("x" * 51), ["bm25"], "en"))


@pytest.mark.parametrize("passages", ["chuỗi", 5, {"a": 1, "b": 2}])
def test_passages_that_are_no_list_are_refused(library, passages):
    with pytest.raises(UserError):
        list(library.rerank(QUERY, passages, ["bm25"]))


def test_an_unknown_group_is_refused(library, sentence):
    with pytest.raises(UserError) as error:
        filled(library, "virerank", "no-such")
    assert sentence(error.value, "'no-such'")
    assert filled(library, "virerank", None) == ("", "")
    with pytest.raises(UserError):
        library.group("vimedretrieve", "a00000")


def test_only_a_line_end_ends_a_candidate():
    assert parsed("a\u2028b\r\n+ c\x0bd\x85\re\n\n") == (["a\u2028b", "c\x0bd", "e"], [False, True, False])
