"""The Adjudicate tab: who may, what is seen, and that a decision is about what was shown."""

from types import SimpleNamespace

import pytest

from annotations.people.accounts import add_account
from annotations.quality.agreement_report import REASONS
from annotations.store.label_store import LabelStore
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access
from vcs_demo.ui.label.adjudicate import Case, agreed, next_case, page, progress
from vcs_demo.ui.page import build_app
from vcs_demo.words import words


@pytest.fixture
def disputed(store):
    """Disagree on two of three candidates, with a note that is markup; return their ids."""
    first, second, _ = (candidate.id for candidate in store.candidates())
    for number, (id, label) in enumerate([(first, "hard"), (second, "hard")]):
        store.label(id, "an", label, token=f"a{number}", note="<script>alert(1)</script>", confidence=3)
        store.label(id, "binh", "trivial", token=f"b{number}", seconds=2.4, flagged=True, guideline="1")
    return [first, second]


def test_a_case_shows_answers_but_neither_names_nor_where_it_comes_from(store, disputed):
    html = page(store, next_case(store), "en")
    assert (
        "A1" in html
        and "A2" in html
        and "Hard" in html
        and "Trivial" in html
        and "sure" in html
        and "⚑" in html
    )
    assert "binh" not in html and "secret-miner" not in html and "6173" not in html and "7.5318" not in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "mơ hồ 0" in progress(store, "vi") and "2 waiting" in progress(store, "en")


def test_what_is_put_off_comes_again_when_nothing_else_is_left(store, disputed):
    first = next_case(store)
    second = next_case(store, (first.candidate_id,))
    assert {first.candidate_id, second.candidate_id} == set(disputed)
    again = next_case(store, tuple(disputed))
    assert again.candidate_id in disputed and again.passed == ()
    assert "Nothing waits" in page(store, Case(), "en")


def decided():
    with LabelStore(database_path(), read_only=True) as store:
        return store.database.rows("SELECT adjudicator, label, cause FROM decisions")


@pytest.fixture
def waiting(make):
    """Put a disagreement into the database of the app."""
    with LabelStore(database_path()) as store:
        store.add_candidates([make(1)])
        (candidate,) = store.candidates()
        for name, label in (("an", "hard"), ("binh", "trivial")):
            store.label(candidate.id, name, label, token=name)
    return candidate.id


def test_the_handlers_refuse_whoever_is_no_adjudicator(waiting, handlers):
    case = Case(waiting, "token")
    add_account("an", "annotator", "long enough")
    for access in (Access("read-only"), Access("accounts")):
        app, _ = build_app("mini", access)
        an = (None, SimpleNamespace(username="an"), "en")
        asked = {"settle": (case, "token", "hard", "edge_case", ""), "put_off": (case,), "open_tab": (case,)}
        for name, values in asked.items():
            (handler,) = handlers(app, "label.adjudicate", name)
            assert "Only adjudicators" in handler(*an, *values)[-1]
        (measure,) = handlers(app, "label.adjudicate", "measure")
        assert "Only adjudicators" in measure(*an) and "<table>" not in measure(*an)
    assert decided() == []


def test_a_decision_needs_label_and_cause_and_is_about_what_was_shown(waiting, handlers):
    app, _ = build_app("mini", Access("single"))
    (settle,), case = handlers(app, "label.adjudicate", "settle"), Case(waiting, "token")
    asked = (None, None, "en", case)
    assert "a label and a cause" in settle(*asked, "token", None, "edge_case", "")[-1]
    settle(*asked, "stale", "hard", "edge_case", "")
    assert decided() == []
    for _ in range(2):  # a double click
        said = settle(*asked, "token", "hard", "edge_case", "why")[-1]
    assert "0 waiting" in said and decided() == [
        {"adjudicator": "local", "label": "hard", "cause": "edge_case"}
    ]


def test_agreement_is_shown_without_names_and_undefined_cases_in_words(store, disputed):
    html = agreed(store, "en")
    assert "A1, A2" in html and "binh" not in html and "Krippendorff&#39;s α" in html
    assert "nobody gave it" in html and "chưa ai gán" in agreed(store, "vi")
    with LabelStore(":memory:") as empty:
        assert "no labels yet" in agreed(empty, "en")
    assert {f"agree.{reason}" for reason in REASONS} <= set(words("en"))
