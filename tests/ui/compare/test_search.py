"""Searching: gold marks, changes of rank, and the bounds of a request."""

import threading

import gradio as gr
import pytest

from vcs_demo.errors import UserError
from vcs_demo.library import Library, checked_k, ranker_choices
from vcs_demo.rankings import Ranking
from vcs_demo.text import syllables
from vcs_demo.ui.compare.search import api, queries_of, searched, side_by_side


def searching(library, query, rankers, k=10, task="vimedretrieve", split="test"):
    return list(library.search(query, rankers, task, split, k))


def test_a_query_of_the_benchmark_has_its_relevant_passages_marked(library, query):
    task = library.task("vimedretrieve")
    (relevant,) = (task.qrels[i] for i, text in task.queries.items() if text == query)
    (ranking,) = searching(library, query, ["bm25"], k=100)
    gold = [hit for hit in ranking.hits if hit.relevant]
    assert gold and {hit.passage_id for hit in gold} <= relevant
    assert ranking.first_relevant == gold[0].rank
    assert 0 < ranking.average_precision <= 1
    assert [hit.rank for hit in ranking.hits] == list(range(1, 101))
    assert [hit.score for hit in ranking.hits] == sorted((h.score for h in ranking.hits), reverse=True)


def test_the_form_of_the_query_does_not_hide_that_it_is_known(library, query):
    import unicodedata

    (ranking,) = searching(library, "  " + unicodedata.normalize("NFD", query) + "\n", ["bm25"])
    assert ranking.first_relevant is not None


def test_free_text_has_no_relevant_passages(library):
    (ranking,) = searching(library, "thuốc ho cho trẻ em", ["bm25"])
    assert {hit.relevant for hit in ranking.hits} == {None}
    assert ranking.first_relevant is None and ranking.average_precision is None


def test_changes_of_rank_are_against_the_first_ranker(library, query, tiny):
    first, second = searching(library, query, ["bm25", tiny], k=100)
    assert {hit.other_rank for hit in first.hits} == {None}
    by_first = {hit.passage_id: hit.rank for hit in first.hits}
    for hit in second.hits:
        assert hit.other_rank == by_first.get(hit.passage_id, hit.other_rank)
        assert hit.passage_id in by_first or hit.other_rank is None or hit.other_rank > 100
    assert any(hit.other_rank != hit.rank for hit in second.hits)


def test_a_ranker_named_twice_answers_once(library, query):
    assert len(searching(library, query, ["bm25", "bm25"])) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": ""}, "empty"),
        ({"query": " \n\t"}, "empty"),
        ({"query": None}, "empty"),
        ({"query": "\x00\ud800"}, "empty"),
        ({"query": "\u200b\ufeff \u3164"}, "empty"),
        ({"query": "đ" * 1_001}, "1,001"),
        ({"rankers": []}, "0 rankers"),
        ({"rankers": None}, "0 rankers"),
        ({"rankers": ["bm25", "minilm", "bm25+minilm", "minilm+bm25", "minilm+minilm"]}, "5 rankers"),
        ({"rankers": ["no-such"]}, "'no-such'"),
        ({"rankers": ["bm25+no-such"]}, "'no-such'"),
        ({"rankers": ["a+b+c"]}, "'a+b+c'"),
        ({"k": 0}, "'0'"),
        ({"k": 101}, "'101'"),
        ({"k": None}, "'None'"),
        ({"k": "zz"}, "'zz'"),
        ({"k": float("nan")}, "'nan'"),
        ({"task": "no-such"}, "'no-such'"),
        ({"task": "virerank"}, "reranking"),
        ({"split": "dev"}, "'dev'"),
    ],
)
def test_a_request_out_of_bounds_is_refused_with_one_sentence(library, query, sentence, changes, says):
    asked = {"query": query, "rankers": ["bm25"], "task": "vimedretrieve", "split": "test", "k": 10} | changes
    with pytest.raises(UserError) as error:
        searching(library, **asked)
    assert sentence(error.value, says)
    with pytest.raises(gr.Error) as shown:
        api(library)(**asked)
    assert sentence(shown.value.message, says) and shown.value.print_exception is False
    with pytest.raises(UserError):
        list(searched(library, **asked, lang="en"))


def test_the_longest_query_and_most_passages_are_taken(library):
    lexical, dense = searching(library, "đau " * 249 + "sốt.", ["bm25", "vcs-static"], k=100)
    assert len(dense.hits) == 100
    words = {"đau", "sốt"}
    assert 0 < len(lexical.hits) < 100 and all(words & set(syllables(hit.text)) for hit in lexical.hits)


@pytest.mark.parametrize("text", ["dau dau chong mat xyzt", "???", "🙂"])
def test_passages_that_share_no_word_with_the_query_are_no_hits(library, tiny, text):
    task = library.task("vimedretrieve")
    assert not {s for passage in task.passages.values() for s in syllables(passage)} & set(syllables(text))
    first, second, fused = searching(library, text, ["bm25", tiny, "bm25+vcs-20m"])
    assert first.hits == [] and api(library)(text, ["bm25"])[0]["hits"] == []
    assert {hit.other_rank for hit in (*second.hits, *fused.hits)} <= {None}
    (alone,) = searching(library, text, ["vcs-20m"])
    assert [hit.passage_id for hit in fused.hits] == [hit.passage_id for hit in alone.hits]
    for lang, says in (("en", "No passage contains any of these words."), ("vi", "Không có đoạn nào chứa")):
        *_, page = searched(library, text, ["bm25", "vcs-20m"], "vimedretrieve", "test", 5, lang)
        assert says in page and "vcs-change" not in page


def test_a_ranker_that_tells_nothing_apart_finds_nothing(library):
    ranking = Ranking("dense", 1.0, [], None, None)
    *_, page = side_by_side("gan", ["dense"], lambda report: [ranking], "en")
    assert "tells no passage from another" in page


@pytest.mark.parametrize("written", ["{}\u200b", "\ufeff {}", "{}\u00ad"])
def test_a_query_with_what_does_not_show_is_known(library, query, written):
    (ranking,) = searching(library, written.format(query).replace("Đ", "Ð"), ["bm25"])
    (plain,) = searching(library, query, ["bm25"])
    assert ranking.first_relevant is not None and ranking.hits == plain.hits


@pytest.mark.parametrize("k", [float("inf"), float("-inf")])
def test_an_infinite_k_is_refused_like_any_other(k):
    with pytest.raises(UserError):
        checked_k(k)


@pytest.mark.parametrize("rankers", [5, 0.5, True])
def test_rankers_that_are_no_list_are_refused_with_one_sentence(library, query, rankers):
    with pytest.raises(UserError):
        searching(library, query, rankers)


def test_a_path_is_no_ranker_for_a_visitor(library, query, tiny_model_dir, sentence):
    for path in (str(tiny_model_dir), f"bm25+{tiny_model_dir}", "../tiny", ".", "/", "~"):
        with pytest.raises(UserError) as error:
            searching(library, query, [path])
        assert sentence(error.value, "There is no ranker")


def test_the_page_fills_one_ranker_after_the_other(library, query, tiny):
    first, second = searching(library, query, ["bm25", tiny], k=3)
    go_on = threading.Event()

    def ask(report):
        yield first
        report(7, 40)
        go_on.wait(10)
        yield second

    pages = side_by_side(query, ["bm25", tiny], ask, "en", "Nothing is marked.")
    page = next(pages)
    assert page.count("Working…") == 1 and page.count("<li") == 3 and "7 of 40 passages encoded" in page
    go_on.set()
    *_, page = pages
    assert page.count("Working…") == 0 and page.count("<li") == 6
    assert "★ relevant" in page and "AP " in page and "Nothing is marked." not in page


def test_leaving_the_page_ends_the_search(query):
    ended = threading.Event()

    def ask(report):
        try:
            while True:
                report(1, 2)
                ended.wait(0.01)
        finally:
            ended.set()

    pages = side_by_side(query, ["bm25"], ask, "en")
    assert "1 of 2 passages encoded" in next(pages)
    pages.close()
    assert ended.wait(5)


def test_the_page_says_in_its_language_that_free_text_has_no_gold(library):
    asked = ("thuốc ho cho trẻ em", ["bm25"], "vimedretrieve", "test", 3)
    english, vietnamese = ([*searched(library, *asked, lang)][-1] for lang in ("en", "vi"))
    assert "not of the benchmark" in english and "★" not in english
    assert "không thuộc benchmark" in vietnamese


def test_the_api_gives_plain_data(library, query):
    import json

    (ranking,) = json.loads(json.dumps(api(library)(query, ["bm25"], k=2)))
    assert ranking["ranker"] == "bm25" and ranking["milliseconds"] >= 0
    assert [hit["rank"] for hit in ranking["hits"]] == [1, 2]


def test_the_choices_are_the_rankers_and_the_fusions_of_two(tiny):
    choices = ranker_choices()
    assert {"bm25", "minilm", "tiny", "bm25+minilm", "bm25+tiny"} <= set(choices)
    assert all(choice.count("+") <= 1 for choice in choices)


def test_a_source_without_the_task_lists_no_queries(tmp_path):
    assert queries_of(Library(str(tmp_path)), "vimedretrieve", "test") == []
