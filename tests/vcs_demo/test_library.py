"""The library's search from Python: checked once, before any work, and it tells how far it is."""

import pytest

import vcs_demo.library
from vcs_demo.background import Cancelled
from vcs_demo.errors import UserError
from vcs_demo.library import Library

QUERY = "Đau họng thì uống gì?"


@pytest.fixture
def library():
    return Library("mini")


def test_search_reports_each_ranker_and_how_far_its_index_is(library):
    seen = []
    names = [
        ranking.ranker
        for ranking in library.search(QUERY, ["bm25", "vcs-static"], progress=lambda *at: seen.append(at))
    ]
    size = len(library.task("vimedretrieve").passages)
    assert names == ["bm25", "vcs-static"]
    assert seen[:3] == [(0, 0), (size, size), (0, 0)]  # BM25 reports once, when it is done
    seen.clear()
    list(library.search(QUERY, ["bm25"], progress=lambda *at: seen.append(at)))
    assert seen == [(0, 0)]  # the index is there


def test_progress_that_raises_ends_the_search(library):
    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        next(library.search(QUERY, ["bm25"], progress=stop))


def test_an_unknown_ranker_is_refused_before_any_other_answers(library):
    with pytest.raises(UserError, match="'no-such'"):
        next(library.search(QUERY, ["bm25", "no-such"]))
    with pytest.raises(UserError, match="'no-such'"):
        next(library.rerank(QUERY, ["một", "hai"], ["bm25", "no-such"]))


def test_a_search_checks_and_loads_each_thing_once(library, monkeypatch):
    calls = []

    def counted(name):
        original = getattr(vcs_demo.library, name)
        monkeypatch.setattr(vcs_demo.library, name, lambda *a, **k: calls.append(name) or original(*a, **k))

    for name in ("checked_query", "checked_rankers", "checked_k", "load_task", "load_ranker"):
        counted(name)
    assert len(list(library.search(QUERY, ["bm25", "vcs-static"]))) == 2
    assert sorted(calls) == [
        "checked_k",
        "checked_query",
        "checked_rankers",
        "load_ranker",
        "load_ranker",
        "load_task",
    ]


def test_marks_of_other_candidates_are_named():
    with pytest.raises(UserError, match="1 marks were given for 2 candidates"):
        list(Library("mini").rerank("gan", ["a", "b"], ["bm25"], [True]))
