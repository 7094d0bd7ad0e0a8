"""Who may do what, on this machine, on a Space, and where nobody can be told apart."""

from types import SimpleNamespace

import httpx
import pytest

from annotations.people.accounts import add_account, is_password, remove_account
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access
from vcs_demo.ui.label.desk import Turn
from vcs_demo.ui.page import build_app

AN, BINH = SimpleNamespace(username="an"), SimpleNamespace(username="binh")


@pytest.fixture(autouse=True)
def no_space(monkeypatch):
    for name in ("SPACE_ID", "OAUTH_CLIENT_ID", "VCS_ADMINS"):
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
        person = team.person(None, SimpleNamespace(username=name))
        may[name] = (person.may_label, person.may_decide, person.may_run)
    assert may["an"] == (True, False, False) and may["binh"] == (True, True, False)
    assert may["chi"] == (True, True, True) and may["dung"] == may[None] == (False, False, False)
    remove_account("an")
    with pytest.raises(UserError, match="not known here any more"):
        team.annotator(None, SimpleNamespace(username="an"))
    with pytest.raises(UserError, match="Only adjudicators"):
        team.adjudicator(None, SimpleNamespace(username="an"))
    with pytest.raises(UserError, match="Only adjudicators"):
        team.reader(None, SimpleNamespace(username="dung"))
    team.reader(None, SimpleNamespace(username="binh"))
    Access("single").reader()
    Access("read-only").reader()
    assert team.person(AN).name == team.person().name == "visitor"  # a profile is no account


def test_the_app_answers_nobody_without_an_account(team):
    page, _ = build_app("mini", team)
    page.launch(prevent_thread_lock=True, quiet=True, auth=is_password, ssr_mode=False)
    try:
        with httpx.Client(base_url=page.local_url) as client:
            assert client.get("gradio_api/info").status_code == 401
            for name, password in (("an", "wrong password"), ("nobody", "password of an")):
                assert client.post("login", data={"username": name, "password": password}).status_code == 400
            answer = client.post("login", data={"username": "an", "password": "password of an"})
            assert answer.status_code == 200 and client.get("gradio_api/info").status_code == 200
    finally:
        page.close()


def handlers(page, module, name):
    found = [block.fn for block in page.fns.values() if getattr(block.fn, "__module__", "") == module]
    return [fn for fn in found if fn.__name__ == name]


def test_the_handlers_refuse_a_visitor_whatever_the_page_shows(make):
    """Hidden or private events can still be called, so each of them has to refuse by itself."""
    page, _ = build_app("mini", Access("read-only"))
    with LabelStore(database_path()) as store:
        store.add_candidates([make(1)])
        turn = Turn.of(store.claim("an"))
        judges = handlers(page, "vcs_demo.ui.label.judge", "handler")
        assert len(judges) == 5
        for judge in judges:
            said = judge(turn, "a note", None, False, False, "en", turn.token, "", AN)[2]
            assert "read-only" in said
        (take_back,) = handlers(page, "vcs_demo.ui.label.judge", "take_back")
        assert "read-only" in take_back(turn, "en", None)[2]
        (mining,) = handlers(page, "vcs_demo.ui.label.mine_export", "run")
        assert ["VCS_ADMINS" in html for html in mining("bm25", 5, 0.05, "en", AN)] == [True]
        (computing,) = handlers(page, "vcs_demo.ui.compare.leaderboard", "run")
        assert ["VCS_ADMINS" in html for html in computing(["vimedretrieve"], ["bm25"], "en", AN)] == [True]
        (training,) = handlers(page, "vcs_demo.ui.train.retrain", "run")
        settings = ["mine", "minilm", "modified", "both", 0.1, 1, False, False, False]
        assert ["VCS_ADMINS" in status for status, _ in training("en", *settings, AN)] == [True]
        (halt,) = handlers(page, "vcs_demo.ui.train.retrain", "halt")
        with pytest.raises(Exception, match="VCS_ADMINS"):
            halt("en", AN)
        (save,) = handlers(page, "vcs_demo.ui.label.mine_export", "save_labels")
        with pytest.raises(Exception, match="Only adjudicators"):
            save("jsonl", "en", AN)
        assert store.events() == [] and len(store.candidates()) == 1
