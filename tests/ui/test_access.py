"""Who may do what, on this machine, on a Space, and where nobody can be told apart."""

from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from calls import called

from annotations.people.accounts import add_account, remove_account
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access
from vcs_demo.ui.label.desk import Turn
from vcs_demo.ui.page import build_app
from vcs_demo.ui.serving.server import Served

AN, BINH = SimpleNamespace(username="an"), SimpleNamespace(username="binh")


@pytest.fixture(autouse=True)
def no_space(monkeypatch):
    for name in ("SPACE_ID", "OAUTH_CLIENT_ID", "VCS_ADMINS", "VCS_ADJUDICATORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_whoever_reaches_it_owns_it(host):
    access = Access.from_environment(host)
    assert access.mode == "single"
    person = access.operator()
    assert (person.name, person.may_label, person.may_run) == ("local", True, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])
def test_reachable_by_others_is_read_only(host, sentence):
    access = Access.from_environment(host)
    assert access.mode == "read-only"
    for profile in (None, AN):
        with pytest.raises(UserError) as error:
            access.annotator(profile)
        assert sentence(error.value, "127.0.0.1")
        with pytest.raises(UserError):
            access.operator(profile)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_space_without_sign_in_is_read_only(host, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/vcs-demo")
    assert Access.from_environment(host).mode == "read-only"


@pytest.fixture
def space(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/vcs-demo")
    monkeypatch.setenv("OAUTH_CLIENT_ID", "made-up")
    monkeypatch.setenv("VCS_ADMINS", " an , chi,, ")
    return Access.from_environment("0.0.0.0")


def test_admins_are_named_by_the_environment(space):
    assert (space.mode, space.admins) == ("space", {"an", "chi"})


def test_on_a_space_a_visitor_can_neither_label_nor_run(space, sentence):
    with pytest.raises(UserError) as error:
        space.annotator(None)
    assert sentence(error.value, "sign in")
    with pytest.raises(UserError) as error:
        space.operator(None)
    assert sentence(error.value, "VCS_ADMINS")


def test_on_a_space_the_signed_in_label_and_only_admins_run(space):
    assert space.annotator(BINH).name == "binh"
    with pytest.raises(UserError):
        space.operator(BINH)
    assert space.operator(AN).name == space.annotator(AN).name == "an"


@pytest.fixture
def team():
    """Make an account of each role."""
    for name, role in (("an", "annotator"), ("binh", "adjudicator"), ("chi", "admin")):
        add_account(name, role, f"password of {name}")
    return Access.from_environment("0.0.0.0")


def test_accounts_decide_who_may_do_what_and_are_read_anew(team):
    assert team.mode == Access.from_environment("127.0.0.1").mode == "accounts"
    may = {}
    for name in ("an", "binh", "chi", "dung", None):
        person = team.anyone(None, SimpleNamespace(username=name))
        may[name] = (person.may_label, person.may_decide, person.may_run)
    assert may["an"] == (True, False, False) and may["binh"] == (True, True, False)
    assert may["chi"] == (True, True, True) and may["dung"] == may[None] == (False, False, False)
    remove_account("an")
    with pytest.raises(UserError, match="not known here any more"):
        team.annotator(None, SimpleNamespace(username="an"))
    with pytest.raises(UserError, match="Only adjudicators"):
        team.adjudicator(None, SimpleNamespace(username="an"))
    assert team.anyone(AN).name == team.anyone().name == "visitor"  # a profile is no account


def test_who_labels_beside_others_may_not_read_the_audit(team, space, sentence):
    """What the others answered would sway them; on a Space as with accounts."""
    for access, an in ((team, (None, SimpleNamespace(username="an"))), (space, (BINH, None))):
        assert access.annotator(*an).may_label
        with pytest.raises(UserError) as refused:
            access.adjudicator(*an)
        assert sentence(refused.value, "Only adjudicators")
    for access in (team, space, Access("read-only")):
        with pytest.raises(UserError):
            access.adjudicator()  # a visitor
    assert team.adjudicator(None, SimpleNamespace(username="binh")).may_decide
    assert space.adjudicator(AN).may_decide
    assert Access("single").adjudicator().may_decide


def test_the_audits_handlers_refuse_who_labels_beside_others(team, handlers):
    page, _ = build_app("mini", team)
    asked = (None, SimpleNamespace(username="an"), "en", 10, "")
    (show,), (save,) = (handlers(page, "label.audit", name) for name in ("show", "save_report"))
    assert "Only adjudicators" in show(*asked)[0]
    with pytest.raises(gr.Error, match="Only adjudicators"):
        save(*asked)


def test_a_space_names_its_adjudicators(space, monkeypatch):
    monkeypatch.setenv("VCS_ADJUDICATORS", "binh")
    access = Access.from_environment("0.0.0.0")
    assert access.adjudicator(BINH).name == "binh"
    with pytest.raises(UserError):
        access.operator(BINH)


def test_the_app_answers_nobody_without_an_account_and_tells_handlers_who_asks(
    team, handlers, monkeypatch, tmp_path
):
    monkeypatch.setenv("VCS_BACKUP_DIR", str(tmp_path))
    page, _ = build_app("mini", team)
    (show_backup,) = handlers(page, "page", "show_backup")
    event = next(number for number, event in page.fns.items() if event.fn is show_backup)
    with Served(page, team, "127.0.0.1", 0) as served, httpx.Client(base_url=served.url) as client:
        assert client.get("gradio_api/info").status_code == 401
        for name, password in (("an", "wrong password"), ("nobody", "password of an")):
            assert client.post("login", data={"username": name, "password": password}).status_code == 401
        shown = {}
        for name in ("an", "binh"):
            answer = client.post("login", data={"username": name, "password": f"password of {name}"})
            assert answer.status_code == 200 and client.get("gradio_api/info").status_code == 200
            shown[name] = called(client, event, ["en"])[0]["visible"]
        assert shown == {"an": False, "binh": True}  # an annotator, an adjudicator


def test_the_handlers_refuse_a_visitor_whatever_the_page_shows(make, handlers):
    """Hidden or private events can still be called, so each of them has to refuse by itself."""
    page, _ = build_app("mini", Access("read-only"))
    with LabelStore(database_path()) as store:
        store.add_candidates([make(1)])
        turn = Turn.of(store.claim("an"))
        asked = (AN, None, "en")
        presses = handlers(page, "label.judge", "decide")
        assert len(presses) == 5
        for press in presses:
            assert "read-only" in press(*asked, turn.token, False, "a note", None, False, "")[1]
        (take_back,) = handlers(page, "label.judge", "take_back")
        assert "read-only" in take_back(*asked, turn.token)[1]
        (mining,) = handlers(page, "label.mine_export", "run_mining")
        assert ["VCS_ADMINS" in html for html in mining(*asked, "bm25", 5, 0.05)] == [True]
        (computing,) = handlers(page, "compare.leaderboard", "run")
        assert ["VCS_ADMINS" in html for html in computing(*asked, ["vimedretrieve"], ["bm25"])] == [True]
        (training,) = handlers(page, "train.retrain", "run")
        settings = ["minilm", "mine", "modified", "both", 0.1, 1, False, False, False]
        assert ["VCS_ADMINS" in status for status, _ in training(*asked, *settings)] == [True]
        (halt,) = handlers(page, "train.retrain", "halt")
        with pytest.raises(gr.Error, match="VCS_ADMINS"):
            halt(*asked)
        (save,) = handlers(page, "label.mine_export", "save_labels")
        with pytest.raises(gr.Error, match="Only adjudicators"):
            save(*asked, "jsonl")
        assert store.events() == [] and len(store.candidates()) == 1
