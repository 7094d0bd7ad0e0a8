"""The Adjudicate tab: who may, what is seen, and that a decision is about what was shown."""

from types import SimpleNamespace

import pytest

from annotations.people.accounts import add_account
from annotations.quality.agreement_report import REASONS
from annotations.store.label_store import LabelStore
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access
from vcs_demo.ui.label.adjudicate import Case, Changed, agreed, next_case, page, progress, settled
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
    case = (waiting, "seen", "[]")
    add_account("an", "annotator", "long enough")
    for access in (Access("read-only"), Access("accounts")):
        app, _ = build_app("mini", access)
        an = (None, SimpleNamespace(username="an"), "en")
        asked = {"settle": (*case, "hard", "edge_case", ""), "put_off": case, "open_tab": case}
        for name, values in asked.items():
            (handler,) = handlers(app, "label.adjudicate", name)
            assert "Only adjudicators" in "".join(map(str, handler(*an, *values)))
        (measure,) = handlers(app, "label.adjudicate", "measure")
        assert "Only adjudicators" in measure(*an) and "<table>" not in measure(*an)
    assert decided() == []


def test_a_decision_needs_label_and_cause_and_is_about_what_was_shown(waiting, handlers):
    app, warm = build_app("mini", Access("single"))
    (settle,), (open_tab,) = (handlers(app, "label.adjudicate", name) for name in ("settle", "open_tab"))
    *case, draft, _, label, cause, note, _ = open_tab(None, None, "en", None, None, None)
    assert case[0] == waiting and (label, cause, note) == (None, None, "")
    asked = (None, None, "en", *case)
    assert "a label and a cause" in settle(*asked, None, "edge_case", "")[-1]
    settle(None, None, "en", "", "", "", "hard", "edge_case", "")  # of a page that shows no case
    assert decided() == []
    for _ in range(2):  # a double click
        *_, said = settle(*asked, "hard", "edge_case", "why")
        assert "0 waiting" in said and decided() == [
            {"adjudicator": "local", "label": "hard", "cause": "edge_case"}
        ]
    warm.store.close()


def test_a_decision_counts_after_a_restart_with_its_reason(waiting, handlers):
    app, warm = build_app("mini", Access("single"))
    (open_tab,) = handlers(app, "label.adjudicate", "open_tab")
    case = open_tab(None, None, "en", None, None, None)[:3]
    warm.store.close()
    app, warm = build_app("mini", Access("single"))
    (settle,) = handlers(app, "label.adjudicate", "settle")
    *_, said = settle(None, None, "en", *case, "trivial", "guideline_gap", "một lý do")
    assert "Decided: Trivial" in said and "0 waiting" in said
    (decision,) = warm.store.database.rows("SELECT label, cause, note FROM decisions")
    assert decision == {"label": "trivial", "cause": "guideline_gap", "note": "một lý do"}
    warm.store.close()


def test_an_answer_that_came_meanwhile_opens_the_case_again_and_what_was_chosen_stays(waiting, handlers):
    app, warm = build_app("mini", Access("single"))
    (settle,), (open_tab,) = (handlers(app, "label.adjudicate", name) for name in ("settle", "open_tab"))
    case = open_tab(None, None, "en", None, None, None)[:3]
    warm.store.label(waiting, "chi", "unsure", token="chi")
    id, seen, _, _, html, *typed, said = settle(None, None, "en", *case, "hard", "edge_case", "why")
    assert id == waiting and seen != case[1] and "A3" in html and "not saved" in said and decided() == []
    assert all(len(part) == 1 for part in typed)  # left as they are
    *_, said = settle(None, None, "en", id, seen, "[]", "hard", "edge_case", "why")
    assert "Decided" in said and len(decided()) == 1
    warm.store.close()


def test_a_case_that_somebody_else_decided_is_not_decided_again_without_a_word(store, disputed):
    first = next_case(store)
    settled(store, first, "chi", "hard", "edge_case", "", "en")
    with pytest.raises(Changed, match="Somebody else has decided"):
        settled(store, first, "dung", "trivial", "edge_case", "", "en")
    assert [row["adjudicator"] for row in store.database.rows("SELECT adjudicator FROM decisions")] == ["chi"]


def test_a_second_page_whose_case_was_decided_on_the_first_goes_on(waiting, handlers):
    app, warm = build_app("mini", Access("single"))
    (settle,), (open_tab,) = (handlers(app, "label.adjudicate", name) for name in ("settle", "open_tab"))
    case = open_tab(None, None, "en", None, None, None)[:3]
    settle(None, None, "en", *case, "hard", "edge_case", "one")
    id, *_, said = settle(None, None, "en", *case, "hard", "edge_case", "two")
    assert id == "" and "on another page" in said and len(decided()) == 1
    warm.store.close()


def test_the_case_that_a_page_showed_is_opened_again_while_it_waits(store, disputed):
    second = next_case(store, (next_case(store).candidate_id,))
    assert next_case(store, second.passed, second.candidate_id) == second
    settled(store, second, "chi", "hard", "edge_case", "", "en")
    assert next_case(store, second.passed, second.candidate_id).candidate_id not in ("", second.candidate_id)


@pytest.mark.parametrize("passed", ["", "no json", '"x"', "[1, null]", None])
def test_a_page_may_carry_nonsense(waiting, handlers, passed):
    app, warm = build_app("mini", Access("single"))
    (open_tab,) = handlers(app, "label.adjudicate", "open_tab")
    assert open_tab(None, None, "en", "no such", "\ud800", passed)[0] == waiting
    warm.store.close()


def test_agreement_is_shown_without_names_and_undefined_cases_in_words(store, disputed):
    html = agreed(store, "en")
    assert "A1, A2" in html and "binh" not in html and "Krippendorff&#39;s α" in html
    assert "nobody gave it" in html and "chưa ai gán" in agreed(store, "vi")
    with LabelStore(":memory:") as empty:
        assert "no labels yet" in agreed(empty, "en")
    assert {f"agree.{reason}" for reason in REASONS} <= set(words("en"))
