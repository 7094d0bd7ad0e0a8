"""The app is killed and started again on the same data and port while somebody is at work on the page."""

import pytest
from playwright.sync_api import expect
from running import free_port, killed, started

from annotations.mining import mine
from annotations.store.label_store import LabelStore
from vcs_demo.library import Library
from vcs_demo.rankers.catalog import load_ranker


class Restarted:
    """The app with a data directory and port of its own, which can be killed and started again."""

    def __init__(self, data):
        self.data = data
        self.port = free_port()
        self.start()

    def start(self):
        self.process, self.url = started(self.data, self.port)

    def kill(self):
        killed(self.process)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Start the app with twelve candidates, of which two are disputed."""
    data = tmp_path_factory.mktemp("restarts") / "data"
    with LabelStore(data / "labels.db") as store:
        task = Library("mini").task("vimedretrieve", "train")
        store.add_candidates(mine(task, load_ranker("bm25"), limit=12).candidates)
        for candidate in store.candidates()[:2]:
            for name, label in (("an", "hard"), ("binh", "trivial")):
                store.label(candidate.id, name, label, token=f"{name}{candidate.id}")
    app = Restarted(data)
    yield app
    app.kill()


@pytest.fixture
def page(browser, own):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(40_000)
    page = context.new_page()
    page.goto(f"{own.url}?lang=en")
    page.wait_for_selector("#vcs-search-go")
    yield page
    context.close()


def events(own, kind="events"):
    with LabelStore(own.data / "labels.db", read_only=True) as store:
        return store.database.rows(f"SELECT * FROM {kind} ORDER BY id")


def field(page, name):
    return page.locator(f"{name} textarea, {name} input").first


def opened(page, open_tab, name, place):
    open_tab(page, name)
    expect(page.locator(f"{place} .vcs-candidate")).to_be_visible()


def at_work(page, own, open_tab):
    """Open Label and begin an answer; return what is judged."""
    opened(page, open_tab, "Label", "#vcs-judge")
    field(page, "#vcs-note").fill("nửa chừng")
    page.get_by_label("fairly sure").check()
    page.locator("#vcs-flag input").check()
    page.locator("#vcs-judge").click()  # out of the field
    return page.locator("#vcs-judge .vcs-candidate").inner_text()


def test_an_answer_pressed_after_an_unnoticed_restart_is_saved(page, own, open_tab):
    before = len(events(own))
    at_work(page, own, open_tab)
    own.kill()
    own.start()
    page.wait_for_timeout(500)
    page.locator("#vcs-key-3").wait_for(state="visible")
    page.keyboard.press("3")
    expect(page.locator("#vcs-said")).to_contain_text("Saved: ")
    *_, event = events(own)
    assert len(events(own)) == before + 1
    assert (event["label"], event["note"], event["confidence"], event["flagged"]) == (
        "trivial",
        "nửa chừng",
        2,
        1,
    )
    expect(field(page, "#vcs-note")).to_have_value("")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('vcs-draft'))") == []


def test_an_answer_pressed_while_the_app_is_away_comes_back_unsaved_with_all_that_was_typed(
    page, own, open_tab
):
    before = len(events(own))
    shown = at_work(page, own, open_tab)
    own.kill()
    page.keyboard.press("2")
    page.get_by_text("Connection to the server was lost").first.wait_for()
    own.start()
    expect(page.locator("#vcs-judge .vcs-unsaved")).to_be_visible()
    expect(page.locator("#vcs-judge .vcs-unsaved")).to_contain_text("not saved; the candidate is here again:")
    expect(page.locator("#vcs-judge .vcs-unsaved")).to_contain_text("2 · False negative")
    assert page.locator("#vcs-judge .vcs-candidate").inner_text() == shown and len(events(own)) == before
    expect(field(page, "#vcs-note")).to_have_value("nửa chừng")
    expect(page.get_by_label("fairly sure")).to_be_checked()
    expect(page.locator("#vcs-flag input")).to_be_checked()
    page.keyboard.press("2")
    expect(page.locator("#vcs-said")).to_contain_text("Saved: ")
    assert events(own)[-1]["note"] == "nửa chừng"


def test_a_decision_begun_before_a_restart_is_there_after_it_and_is_saved(page, own, open_tab):
    opened(page, open_tab, "Adjudicate", "#vcs-adjudicate")
    page.get_by_role("button", name="Later").click()
    page.wait_for_function("JSON.parse(sessionStorage['vcs-place:adjudicate'] || '[]')[2]?.length > 4")
    shown = page.locator("#vcs-adjudicate .vcs-candidate").inner_text()
    page.locator("#vcs-adjudicate-label").get_by_label("Trivial").check()
    page.locator("#vcs-adjudicate-cause").get_by_label("edge case").check()
    field(page, "#vcs-adjudicate-note").fill("một lý do dài")
    page.locator("#vcs-adjudicate").click()
    own.kill()
    page.locator("#vcs-adjudicate-go").click()
    page.get_by_text("Connection to the server was lost").first.wait_for()
    own.start()
    expect(page.locator("#vcs-adjudicate .vcs-unsaved")).to_be_visible()
    assert page.locator("#vcs-adjudicate .vcs-candidate").inner_text() == shown
    expect(field(page, "#vcs-adjudicate-note")).to_have_value("một lý do dài")
    assert events(own, "decisions") == []
    page.locator("#vcs-adjudicate-go").click()
    expect(page.locator("#vcs-adjudicate-said")).to_contain_text("Decided: Trivial")
    (decision,) = events(own, "decisions")
    assert (decision["label"], decision["cause"], decision["note"]) == (
        "trivial",
        "edge_case",
        "một lý do dài",
    )


def test_a_search_and_what_was_running_are_told_after_a_restart(page, own, open_tab):
    open_tab(page, "Label")
    page.get_by_role("button", name="Mine more candidates").click()
    page.get_by_label("Ranker that mines").click()
    page.get_by_role("option", name="vcs-20m", exact=True).click()
    page.locator("#vcs-mine").click()
    page.locator("#vcs-mining progress").wait_for()
    own.kill()
    page.get_by_text("Connection to the server was lost").first.wait_for()
    own.start()
    expect(page.locator("#vcs-cut-mine p")).to_be_visible()
    expect(page.locator("#vcs-cut-mine")).to_contain_text("ended the mining")
    assert page.locator("#vcs-mining progress").count() == 0
    expect(page.locator("#vcs-judge .vcs-candidate")).to_be_visible(timeout=20_000)
    open_tab(page, "Search")
    field(page, "#vcs-search-query").fill("đau đầu")
    page.locator("#vcs-search-go").click()
    expect(page.locator("#vcs-search-results .vcs-column")).to_have_count(2, timeout=20_000)
    page.wait_for_function("sessionStorage['vcs-place:tab'] == '\"search\"'")
    page.reload()
    expect(field(page, "#vcs-search-query")).to_have_value("đau đầu", timeout=20_000)
    expect(page.locator("#vcs-search-results .vcs-column")).to_have_count(2, timeout=20_000)


def test_after_an_answer_that_did_not_get_through_the_keys_work_at_once(page, own, open_tab):
    opened(page, open_tab, "Label", "#vcs-judge")
    refusal = {"status": 429, "json": {"detail": "Too many calls are waiting.", "error": "Too many"}}
    page.route("**/queue/join*", lambda route: route.fulfill(**refusal))
    page.keyboard.press("s")
    page.get_by_text("Too many").first.wait_for()
    page.unroute("**/queue/join*")
    page.wait_for_timeout(400)
    page.keyboard.press("s")
    expect(page.locator("#vcs-said")).to_contain_text("Skipped", timeout=5_000)
    assert events(own)[-1]["kind"] == "skip"


def test_a_lost_connection_and_an_unsaved_answer_are_told_in_vietnamese(page, own, open_tab):
    page.goto(f"{own.url}?lang=vi")
    page.get_by_role("tab", name="Tìm kiếm", exact=True).first.wait_for(state="attached")
    opened(page, open_tab, "Gán nhãn", "#vcs-judge")
    page.wait_for_timeout(500)
    own.kill()
    page.keyboard.press("2")
    page.get_by_text("Mất kết nối với máy chủ").first.wait_for()
    assert page.get_by_text("Connection to the server").count() == 0
    own.start()
    expect(page.locator("#vcs-judge .vcs-unsaved")).to_contain_text("2 · Âm sai")
