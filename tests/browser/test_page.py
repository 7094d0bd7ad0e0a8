"""The whole loop on the real page: search, rerank, leaderboard, label, export, retrain, search again."""

import re
import shutil
import time

import pytest
from conftest import TABS
from playwright.sync_api import expect

from annotations.candidates import Candidate
from annotations.exchange.labels import read_export
from annotations.quality.calibration import add_calibration
from annotations.store.label_store import LabelStore

QUERY = "Ba dấu hiệu dễ nhớ của đột quỵ não là gì?"  # of VCS-mini's test split
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)> đột quỵ"


@pytest.fixture
def labels(app):
    def labels():
        with LabelStore(app.data / "labels.db", read_only=True) as store:
            return [(item.id, item.label) for item in store.labelled()]

    return labels


def search(page, query):
    page.locator("#vcs-search-query textarea, #vcs-search-query input").first.fill(query)
    page.locator("#vcs-search-go").click()
    return page.locator("#vcs-search-results .vcs-column")


def until(condition, seconds=20):
    """Wait for something outside of the page."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def press_and_await(page, key, said):
    page.keyboard.press(key)
    expect(page.locator("#vcs-said")).to_contain_text(said)


@pytest.fixture
def desk(visit, open_tab):
    """Open the Label tab with a candidate of the starter pool on it."""
    page = visit()
    open_tab(page, "Label")
    for _ in range(40):  # the pool is mined while the page is already up
        page.locator("#vcs-judge .vcs-judge, #vcs-judge .vcs-notice").first.wait_for()
        if page.locator("#vcs-judge .vcs-judge").count():
            break
        open_tab(page, "Search")
        page.wait_for_timeout(250)
        open_tab(page, "Label")
    expect(page.locator("#vcs-judge .vcs-candidate")).to_be_visible()
    return page


def test_a_query_of_the_benchmark_is_answered_side_by_side_with_gold_marked(visit):
    page = visit()
    columns = search(page, QUERY)
    expect(columns).to_have_count(2)
    expect(columns.nth(1).locator("li")).to_have_count(10)
    expect(columns.nth(0).locator("li")).to_have_count(10)
    assert columns.locator("h3").all_text_contents() == ["bm25", "vcs-20m"]
    expect(columns.nth(0).locator("li.vcs-gold .vcs-badge").first).to_contain_text("relevant")
    expect(columns.nth(0)).to_contain_text("first relevant at rank")
    expect(columns.nth(1).locator(".vcs-change").first).to_be_visible()


def test_a_hostile_query_is_text_and_runs_nothing(visit):
    page = visit()
    columns = search(page, HOSTILE)
    expect(columns.nth(1).locator("li")).to_have_count(10)
    assert page.locator("#vcs-search-results script, #vcs-search-results img").count() == 0
    expect(page.locator("#vcs-search-results")).to_contain_text("not of the benchmark")


def test_hostile_candidates_are_text_and_run_nothing(visit, open_tab):
    page = visit()
    open_tab(page, "Rerank")
    page.get_by_label("Query or premise").fill(HOSTILE)
    page.get_by_label("Candidates, one a line").fill(f"+ {HOSTILE}\n<b>gan</b>")
    page.get_by_role("button", name="Rerank", exact=True).click()
    columns = page.locator("#vcs-rerank-results .vcs-column")
    expect(columns.nth(1).locator("li")).to_have_count(2)
    assert HOSTILE in columns.nth(1).locator("li p").all_text_contents()
    assert page.locator("#vcs-rerank-results :is(script, img, li b:not(.vcs-meta b))").count() == 0


def test_an_empty_query_is_answered_with_one_sentence(visit):
    page = visit()
    page.locator("#vcs-search-go").click()
    expect(page.locator("#vcs-search-results .vcs-notice.bad")).to_contain_text("The query is empty")


def test_a_random_group_gives_average_precision_for_both_rankers(visit, open_tab):
    page = visit()
    open_tab(page, "Rerank")
    page.get_by_role("button", name="Random group").click()
    columns = page.locator("#vcs-rerank-results .vcs-column")
    expect(columns.nth(0)).to_contain_text(re.compile(r"AP [01]\.\d{3}"))
    expect(columns.nth(1)).to_contain_text(re.compile(r"AP [01]\.\d{3}"))


def test_the_leaderboard_fills_by_itself_with_an_interval(visit, open_tab):
    page = visit()
    open_tab(page, "Leaderboard")
    row = page.locator("#vcs-board tbody tr", has=page.get_by_role("rowheader", name="bm25", exact=True))
    expect(row).to_contain_text(re.compile(r"0\.\d{3} \[[01]\.\d{3}, [01]\.\d{3}\]"), timeout=60_000)
    expect(row).to_contain_text("measured here")
    expect(page.locator("#vcs-board")).to_contain_text("reported")


def test_keys_pressed_in_a_fast_row_are_all_saved_and_u_takes_back(desk, labels):
    before = dict(labels())
    for key in "123":
        desk.keyboard.press(key)
    expect(desk.locator("#vcs-said")).to_contain_text(f"You: {len(before) + 3} of")
    new = [label for candidate, label in labels() if candidate not in before]
    assert sorted(new) == ["false_negative", "hard", "trivial"]
    press_and_await(desk, "u", "Taken back")
    new = [label for candidate, label in labels() if candidate not in before]
    assert sorted(new) == ["false_negative", "hard"]
    press_and_await(desk, "3", re.compile("Saved: .*Trivial"))
    assert len(labels()) == len(before) + 3


def test_typing_a_note_presses_no_buttons_and_the_note_is_kept(desk, labels, app):
    before = len(labels())
    desk.keyboard.press("n")
    note = desk.locator("#vcs-note textarea, #vcs-note input").first
    expect(note).to_be_focused()
    desk.keyboard.type("1 2 su 3 gần đúng")
    expect(note).to_have_value("1 2 su 3 gần đúng")
    desk.keyboard.press("Escape")
    press_and_await(desk, "4", re.compile("Saved: .*Can't judge"))
    expect(note).to_have_value("")
    assert len(labels()) == before + 1
    with LabelStore(app.data / "labels.db", read_only=True) as store:
        assert store.events()[-1]["note"] == "1 2 su 3 gần đúng"


def test_a_key_held_or_with_a_modifier_presses_nothing(desk, labels):
    before = len(labels())
    desk.keyboard.press("Control+1")
    desk.keyboard.press("Alt+2")
    desk.evaluate(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: '3', repeat: true, bubbles: true}))"
    )
    press_and_await(desk, "s", "Skipped")
    assert len(labels()) == before


def pressed(page, **event):
    """Press a key as a layout or an input method would tell of it."""
    page.evaluate(
        "(e) => document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, cancelable: true, ...e}))",
        event,
    )


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"key": "&", "code": "Digit1"}, "Saved: .*Hard negative"),  # AZERTY
        ({"key": "1", "code": "Digit1", "shiftKey": True}, "Saved: .*Hard negative"),  # AZERTY with Shift
        ({"key": "â", "code": "Digit2"}, "Saved: .*False negative"),  # a Vietnamese layout
        ({"key": "3", "code": "Numpad3"}, "Saved: .*Trivial"),
        ({"key": "Process", "code": "Digit4", "keyCode": 229}, "Saved: .*Can't judge"),  # an input method
        ({"key": "Process", "code": "KeyS", "keyCode": 229}, "Skipped"),
        ({"key": "ы", "code": "KeyS"}, "Skipped"),  # another script
        ({"key": "s", "code": "Semicolon"}, "Skipped"),  # Dvorak: what is printed on the key counts
    ],
)
def test_keys_work_on_every_layout(desk, event, says):
    pressed(desk, **event)
    expect(desk.locator("#vcs-said")).to_contain_text(re.compile(says))


def test_keys_that_mean_something_else_press_nothing(desk, labels):
    before = len(labels())
    for event in (
        {"key": "!", "code": "Digit1", "shiftKey": True},  # QWERTY with Shift
        {"key": "End", "code": "Numpad1"},  # without NumLock
        {"key": "o", "code": "KeyS"},  # Dvorak
        {"key": "1", "code": "Digit1", "isComposing": True},
        {"key": "&", "code": "Digit1", "altKey": True},
        {"key": "&", "code": "Digit1", "metaKey": True},
        {"key": "Process", "code": "Digit1", "keyCode": 229, "repeat": True},
        {"key": "Dead", "code": "BracketLeft"},
        {"key": "Unidentified", "code": ""},
    ):
        pressed(desk, **event)
    desk.locator("#vcs-note textarea, #vcs-note input").first.focus()
    desk.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent("
        "'keydown', {key: 'Process', code: 'Digit1', keyCode: 229, bubbles: true, composed: true}))"
    )
    desk.keyboard.press("Escape")
    press_and_await(desk, "s", "Skipped")
    assert len(labels()) == before


def test_a_double_click_answers_once_and_takes_back_once(desk, labels):
    before = len(labels())
    desk.locator("#vcs-key-1").dblclick()
    expect(desk.locator("#vcs-said")).to_contain_text(re.compile("Saved: .*Hard negative"))
    press_and_await(desk, "s", "Skipped")
    assert len(labels()) == before + 1
    press_and_await(desk, "2", re.compile("Saved: .*False negative"))
    desk.locator("#vcs-key-u").dblclick()
    expect(desk.locator("#vcs-said")).to_contain_text("Taken back")
    press_and_await(desk, "s", "Skipped")
    assert len(labels()) == before + 1


def test_a_text_beyond_a_limit_gets_a_sentence_and_stays_in_its_box(desk, labels, open_tab):
    before, note = len(labels()), desk.locator("#vcs-note textarea, #vcs-note input").first
    note.fill("đ" * 5_001)
    desk.locator("#vcs-judge").click()
    press_and_await(desk, "1", "5,001 characters")
    assert len(note.input_value()) == 5_001 and len(labels()) == before
    note.fill("")
    open_tab(desk, "Search")
    expect(search(desk, "đ" * 1_001)).to_have_count(0)
    expect(desk.locator("#vcs-search-results")).to_contain_text("1,001 characters")
    query = desk.locator("#vcs-search-query textarea, #vcs-search-query input").first
    assert len(query.input_value()) == 1_001


def test_labels_can_be_taken_along(desk, labels, tmp_path):
    press_and_await(desk, "1", re.compile("Saved: .*Hard negative"))
    desk.get_by_role("button", name="Take the labels with you").click()
    desk.get_by_role("button", name="Export", exact=True).click()
    link = desk.locator("a[download]").first
    link.wait_for()
    with desk.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "labels.jsonl")
    assert [(item.id, item.label) for item in read_export(tmp_path / "labels.jsonl")] == labels()


def test_the_audit_tells_ranks_apart_and_its_report_can_be_taken_along(desk, open_tab, tmp_path):
    press_and_await(desk, "1", re.compile("Saved: .*Hard negative"))
    open_tab(desk, "Audit")
    expect(desk.locator("#vcs-audit")).to_contain_text("sampled candidates are labelled")
    desk.get_by_label("Tables by").click()
    desk.get_by_role("option", name="rank", exact=True).click()
    expect(desk.locator("#vcs-audit-strata")).to_contain_text("rank 2–5")
    expect(desk.locator("#vcs-audit-rank-chart .main-svg").first).to_be_visible()
    desk.get_by_label("Tiếng Việt").check()
    expect(desk.locator("#vcs-audit-strata")).to_contain_text("hạng 2–5")
    expect(desk.get_by_label("Bảng theo")).to_have_value("hạng")
    desk.locator("#vcs-audit-report").click()
    with desk.expect_download() as download:
        desk.locator("a[download='audit.md']").first.click()
    download.value.save_as(tmp_path / "audit.md")
    assert "## Theo hạng" in (tmp_path / "audit.md").read_text("utf-8")


def test_vietnamese_is_on_every_tab_and_told_to_screen_readers(visit, open_tab):
    page = visit("vi")
    assert page.evaluate("document.documentElement.lang") == "vi"
    expect(page.locator("#vcs-search-go")).to_have_text("Tìm")
    for name in TABS["vi"]:
        open_tab(page, name)
    expect(page.locator("#vcs-train-go")).to_have_text("Huấn luyện lại")


def test_the_language_can_be_changed_on_the_page(visit):
    page = visit()
    search(page, QUERY)
    expect(page.locator("#vcs-search-results")).to_contain_text("first relevant")
    page.get_by_label("Tiếng Việt").check()
    expect(page.locator("#vcs-search-go")).to_have_text("Tìm")
    expect(page.locator("#vcs-search-results")).to_contain_text("đoạn liên quan đầu tiên")
    assert page.evaluate("document.documentElement.lang") == "vi"


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_on_a_phone_no_tab_is_wider_than_the_screen(visit, open_tab, lang):
    page = visit(lang, width=390)
    expect(search(page, QUERY).nth(1).locator("li")).to_have_count(10)
    anchors = [
        "#vcs-search-go",
        "#vcs-rerank-results",
        "#vcs-board",
        "#vcs-key-1",
        "#vcs-adjudicate-go",
        "#vcs-audit",
        "#vcs-train-go",
    ]
    for name, anchor in zip(TABS[lang], anchors, strict=True):
        open_tab(page, name)
        page.locator(anchor).wait_for(
            state="visible" if anchor.endswith(("go", "1", "board")) else "attached"
        )
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"


def test_mining_adds_candidates_and_says_so(desk):
    desk.get_by_role("button", name="Mine more candidates").click()
    desk.get_by_label("How many").fill("130")
    desk.locator("#vcs-mine").click()
    expect(desk.locator("#vcs-mining .vcs-notice.good")).to_contain_text("new candidates")


def test_retraining_gives_a_model_that_search_offers(visit, open_tab, labels, app, tiny_model_dir):
    """From the tiny encoder: on two busy cores minilm takes minutes, which tests/training spends elsewhere."""
    shutil.copytree(tiny_model_dir, app.data / "models" / "tiny")
    desk = visit()
    open_tab(desk, "Label")
    expect(desk.locator("#vcs-judge .vcs-candidate")).to_be_visible()
    for _ in range(2):
        wanted = len(labels()) + 1
        desk.keyboard.press("1")
        until(lambda wanted=wanted: len(labels()) == wanted)
    open_tab(desk, "Train")
    desk.get_by_label("Start from").click()
    desk.get_by_role("option", name="tiny", exact=True).click()
    desk.get_by_label("Name of the new model").fill("của-tôi")
    desk.get_by_label("Epochs").fill("0.2")
    desk.get_by_label("Epochs").press("Tab")
    desk.locator("#vcs-train-go").click()
    expect(desk.locator("#vcs-train-status .vcs-notice.bad")).to_contain_text(
        "of the candidates have a label"
    )
    desk.get_by_label("Train anyway").check()
    desk.locator("#vcs-train-go").click()
    status = desk.locator("#vcs-train-status .vcs-notice.good")
    expect(status).to_contain_text("“của-tôi” is ready", timeout=100_000)
    expect(desk.locator("#vcs-train-results")).to_contain_text("accuracy@20")
    assert (app.data / "models" / "của-tôi" / "modules.json").is_file()
    open_tab(desk, "Search")
    desk.get_by_label("Rankers, side by side").first.click()
    option = desk.get_by_role("option", name="của-tôi", exact=True)
    option.click()
    columns = search(desk, QUERY)
    expect(columns).to_have_count(3)
    expect(columns.nth(2).locator("li")).to_have_count(10)
    expect(columns.nth(2).locator("h3")).to_have_text("của-tôi")


def test_the_command_follows_settings_changed_in_a_fast_row(visit, open_tab):
    page = visit()
    open_tab(page, "Train")
    command = page.locator("#vcs-command textarea, #vcs-command input").first
    expect(command).to_have_value(re.compile("training/retrain.py"))
    page.get_by_label("Name of the new model").fill("other")
    page.get_by_label("Epochs").fill("0.2")
    expect(command).to_have_value(re.compile("models/other .*--epochs 0.2"))


def test_hostile_candidates_notes_and_names_run_nothing_on_the_labelling_tabs(visit, open_tab, app):
    hostile = Candidate.create(
        query=HOSTILE, positive=f"{HOSTILE} đúng", passage=f"{HOSTILE} sai", miner=HOSTILE
    )
    with LabelStore(app.data / "labels.db") as store:
        store.add_candidates([hostile])
        for number, label in enumerate(("hard", "trivial")):
            store.label(
                hostile.id, f"{number}{HOSTILE}", label, token=f"{number}", note=HOSTILE, flagged=True
            )
        add_calibration(store, [hostile.id])  # so that it comes first
    page = visit()
    open_tab(page, "Adjudicate")
    expect(page.locator("#vcs-adjudicate .vcs-candidate")).to_contain_text(HOSTILE)
    expect(page.locator("#vcs-adjudicate .vcs-table")).to_contain_text(HOSTILE)
    open_tab(page, "Label")
    expect(page.locator("#vcs-judge .vcs-candidate")).to_be_visible()
    page.keyboard.press("s")  # what is held already comes first
    expect(page.locator("#vcs-judge .vcs-candidate")).to_contain_text(HOSTILE)
    page.get_by_text("Mine more candidates").first.wait_for()
    open_tab(page, "Audit")
    expect(page.locator("#vcs-audit-strata, #vcs-audit").first).to_be_visible()
    for place in ("#vcs-adjudicate", "#vcs-judge", "#vcs-audit", "#vcs-audit-strata"):
        assert page.locator(f"{place} :is(script, img)").count() == 0
