"""The label desk: no decision lost, none counted twice, and nothing shown that could sway one."""

import shutil
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest

from annotations.candidates import LABELS
from annotations.exchange.files import FORMATS
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import manifest_of
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.library import Library
from vcs_demo.ui.access import Access, Person
from vcs_demo.ui.label.desk import AUDIT_SIZE, Desk, Turn, why
from vcs_demo.ui.label.mine_export import exported, mined
from vcs_demo.ui.page import build_app
from vcs_demo.words import guideline

AN = Person.with_role("an", "annotator")


@pytest.fixture
def desk(store):
    return Desk(store)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)


def test_a_decision_is_kept_with_the_turns_token_and_what_it_took(desk):
    turn = desk.next("an")
    desk.judge(turn.token, "an", "hard", " gần đúng ", "vi")
    (event,) = desk.store.events()
    assert (event["candidate_id"], event["annotator"], event["label"]) == (turn.candidate.id, "an", "hard")
    assert (event["token"], event["note"], event["interface"]) == (turn.token, "gần đúng", "web/vi")
    assert 0 <= event["seconds"] < 60


def test_the_same_turn_sent_twice_counts_once(desk):
    turn = desk.next("an")
    desk.judge(turn.token, "an", "hard", "", "en")
    desk.judge(turn.token, "an", "hard", "", "en")
    assert len(desk.store.events()) == 1
    with pytest.raises(UserError):
        desk.judge(turn.token, "an", "trivial", "", "en")
    assert desk.store.counts() == {"hard": 1, "false_negative": 0, "trivial": 0, "unsure": 0}


def test_every_turn_is_another_candidate_until_nothing_is_left(desk):
    seen = []
    for label in LABELS[:3]:
        turn = desk.next("an")
        seen.append(turn.candidate.id)
        desk.judge(turn.token, "an", label, "", "en")
    assert len(set(seen)) == 3
    assert desk.next("an").candidate is None
    assert desk.next("binh").candidate.id in seen


@pytest.mark.parametrize("label", ["hard", "skip"])
def test_a_key_press_is_one_transaction_and_its_page_reads_no_candidate(desk, label, monkeypatch):
    turn, writes = desk.next("an"), []
    write = desk.store.database.write
    monkeypatch.setattr(desk.store.database, "write", lambda: writes.append(1) or write())
    judged, opened, _ = desk.answer(turn.token, "an", label, "", "en")
    assert len(writes) == 1 and judged == turn.candidate != opened.candidate
    monkeypatch.setattr(desk.store.database, "rows", None)
    assert "vcs-judge" in desk.page(opened, AN, "en") and "secret-miner" in why(judged, "en")


def test_a_skipped_candidate_comes_again_at_the_end(desk):
    first = desk.next("an")
    desk.judge(first.token, "an", "skip", "", "en")
    rest = []
    for _ in range(2):
        turn = desk.next("an")
        rest.append(turn.candidate.id)
        desk.judge(turn.token, "an", "trivial", "", "en")
    assert first.candidate.id not in rest
    assert desk.next("an").candidate.id == first.candidate.id
    assert [event["kind"] for event in desk.store.events()] == ["skip", "label", "label"]


def test_undo_takes_back_and_opens_the_candidate_again(desk):
    turn = desk.next("an")
    desk.judge(turn.token, "an", "hard", "", "en")
    taken, again, _ = desk.undo("an", desk.next("an").token)
    assert taken == again.candidate == turn.candidate and again.token != turn.token
    assert desk.store.labelled() == []
    desk.judge(again.token, "an", "trivial", "", "en")
    assert [item.label for item in desk.store.labelled()] == ["trivial"]


def test_undo_is_ones_own_and_may_have_nothing_to_take_back(desk):
    desk.judge(desk.next("an").token, "an", "hard", "", "en")
    assert desk.undo("binh", "")[0] is None
    assert len(desk.store.labelled()) == 1


def test_a_page_without_a_candidate_answers_nothing_and_opens_what_is_due(desk):
    for label in (*LABELS, "skip"):
        for token in ("", Turn.of(None).token):
            judged, opened, text = desk.answer(token, "an", label, "", "en")
            assert judged is None and opened.candidate and text == ""
    assert desk.store.events() == []


def test_undo_pressed_twice_on_one_page_takes_one_answer_back_and_what_it_had_beside_it_returns(desk):
    first = desk.next("an")
    desk.judge(first.token, "an", "hard", "", "en")
    second = desk.next("an")
    desk.judge(second.token, "an", "trivial", "ghi chú", "en", confidence=2, flagged=True)
    token = desk.next("an").token
    for _ in range(2):
        taken, opened, typed = desk.undo("an", token)
        assert taken == opened.candidate == second.candidate and typed == ("ghi chú", 2, True)
    assert [item.id for item in desk.store.labelled()] == [first.candidate.id]
    taken, *_ = desk.undo("an", opened.token)
    assert taken == first.candidate and desk.store.labelled() == []


def test_undo_goes_on_where_others_have_taken_the_place(desk):
    turns = []
    for _ in range(2):
        turns.append(desk.next("an"))
        desk.judge(turns[-1].token, "an", "hard", "", "en")
    desk.store.change_settings(by="test", overlap=1)
    desk.store.label(turns[1].candidate.id, "binh", "hard", token="binh")
    taken, opened, typed = desk.undo("an", desk.next("an").token)
    assert taken == turns[1].candidate != opened.candidate and typed == ()
    assert desk.undo("an", opened.token)[0] == turns[0].candidate


def test_an_answer_is_saved_after_a_restart_its_seconds_unknown(store):
    clock = Clock()
    store.clock = clock
    turn = Desk(store).next("an")
    clock.wait(5)
    restarted = Desk(store)
    judged, opened, text = restarted.answer(turn.token, "an", "hard", "một ghi chú", "en", flagged=True)
    assert judged == turn.candidate and "Saved" in text
    clock.wait(7.5)
    restarted.judge(opened.token, "an", "hard", "", "en")
    one, two = store.events()
    assert (one["seconds"], one["note"], one["flagged"]) == (None, "một ghi chú", 1)
    assert two["seconds"] == 7.5


def test_opening_the_page_again_does_not_shorten_the_seconds(store):
    clock = Clock()
    store.clock = clock
    desk = Desk(store)
    token = desk.next("an").token
    clock.wait(40)
    assert desk.next("an").token == token
    clock.wait(2)
    desk.judge(token, "an", "hard", "", "en")
    assert store.events()[0]["seconds"] == 42


def test_another_key_on_an_answered_token_is_refused_and_goes_on(desk):
    turn = desk.next("an")
    desk.answer(turn.token, "an", "hard", "", "en")
    judged, opened, text = desk.answer(turn.token, "an", "trivial", "", "en")
    assert judged is None and "answered this candidate already" in text and opened.token != turn.token
    assert len(desk.store.events()) == 1


def test_somebody_elses_token_answers_nothing(desk):
    token = desk.next("binh").token
    judged, opened, text = desk.answer(token, "an", "hard", "", "en")
    assert judged is None and "somebody else" in text and desk.store.events() == []
    desk.answer(token, "binh", "hard", "", "en")
    assert desk.answer(token, "an", "hard", "", "en")[0] is None
    assert [event["annotator"] for event in desk.store.events()] == ["binh"]


def test_a_label_that_is_none_is_refused(desk):
    with pytest.raises(UserError, match="'wrong'"):
        desk.judge(desk.next("an").token, "an", "wrong", "", "en")
    assert desk.store.events() == []


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_shows_the_texts_and_nothing_that_could_sway(desk, lang):
    desk.judge(desk.next("binh").token, "binh", "trivial", "một ghi chú", "en")
    turn = desk.next("an")
    candidate = turn.candidate
    html = desk.page(turn, AN, lang).replace("<mark>", "").replace("</mark>", "")
    for text in (candidate.query, candidate.positive, candidate.passage):
        assert text in html
    for hidden in (
        "secret-miner",
        "6173",
        "7.53",
        "9.25",
        "ghi chú",
        "binh",
        candidate.id,
        candidate.passage_id,
    ):
        assert hidden not in html


def test_nothing_is_left_is_said_only_where_the_store_has_nothing_left(desk):
    nothing, admin = Turn(), Person.with_role("an", "admin")
    desk.store.change_settings(by="test", overlap=1)
    for name in ("binh", "chi", "dung"):
        desk.next(name)
    assert desk.next("an").candidate is None
    assert "others are looking at the rest" in desk.page(nothing, AN, "en")
    assert "audit's sample" in desk.page(nothing, AN, "en", sample_only=True).replace("&#39;", "'")
    for candidate in desk.store.candidates():
        desk.store.label(candidate.id, "an", "hard", token=candidate.id)
    assert "Nothing is left to label" in desk.page(nothing, AN, "en")
    with LabelStore(":memory:") as empty:
        assert "Mine candidates below" in Desk(empty).page(nothing, admin, "en")
        assert "an admin of this team" in Desk(empty).page(nothing, AN, "en")
        assert "Chưa có gì" in Desk(empty).page(nothing, AN, "vi")


def test_progress_counts_mine_and_everyones(desk):
    for name in ("an", "binh", "binh"):
        desk.judge(desk.next(name).token, name, "hard", "", "en")
    mine, everyone = desk.progress("binh", "en").split(" · ")
    assert mine == "You: 2 of 3" and "of 3 candidates labelled" in everyone


def test_only_the_sample_is_offered_when_asked(make):
    with LabelStore(":memory:") as store:
        store.add_candidates([make(number) for number in range(AUDIT_SIZE + 20)])
        desk, count = Desk(store), 0
        while (turn := desk.next("an", sample_only=True)).candidate is not None:
            desk.judge(turn.token, "an", "hard", "", "en")
            count += 1
        assert count == AUDIT_SIZE
        assert desk.next("an").candidate is not None


# Mining


@pytest.fixture
def empty_store():
    with LabelStore(":memory:") as opened:
        yield opened


def test_mining_adds_candidates_of_the_train_split_and_says_how_many(library, empty_store):
    *steps, last = mined(library, empty_store, "bm25", 12, 0.05, "en")
    assert steps and all("<progress" in step for step in steps)
    assert 'class="vcs-notice good"' in last and "12 new candidates, 0 were there already" in last
    candidates = empty_store.candidates()
    assert len(candidates) == 12
    assert {(c.task, c.source, c.split, c.miner) for c in candidates} == {
        ("vimedretrieve", "mini", "train", "bm25")
    }
    *_, again = mined(library, empty_store, "bm25", 12, 0.05, "vi")
    assert "12 ứng viên mới, 0 đã có sẵn" in again
    assert '<th scope="row">đã là ứng viên</th><td>–</td><td>12</td>' in again
    assert len(empty_store.candidates()) == 24


@pytest.mark.parametrize(
    ("ranker", "limit", "margin", "says"),
    [
        ("no-such", 5, 0.05, "There is no ranker"),
        ("../..", 5, 0.05, "There is no ranker"),
        ("bm25", 0, 0.05, "Limit (0)"),
        ("bm25", 5, 1.0, "margin (1.0)"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_notice(library, empty_store, ranker, limit, margin, says):
    with pytest.raises(UserError) as error:
        list(mined(library, empty_store, ranker, limit, margin, "en"))
    assert says in str(error.value)
    assert empty_store.candidates() == []


@pytest.mark.parametrize(
    ("ranker", "limit", "margin"), [("bm25", None, 0.05), ("bm25", 5, None), (None, 5, 0.05)]
)
def test_a_field_left_empty_is_refused_in_one_notice(library, empty_store, ranker, limit, margin):
    with pytest.raises(UserError):
        list(mined(library, empty_store, ranker, limit, margin, "en"))


def test_a_source_without_a_train_split_is_said(tmp_path, empty_store):
    with pytest.raises(UserError, match="train.parquet"):
        list(mined(Library(str(tmp_path)), empty_store, "bm25", 5, 0.05, "en"))


def test_an_unreachable_hub_is_said(empty_store, monkeypatch):
    import datasets

    def unreachable(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(UserError, match="no route to host"):
        list(mined(Library("hub"), empty_store, "bm25", 5, 0.05, "en"))


# Export


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_can_be_taken_along_and_read_back(desk, tmp_path, format):
    for label in ("hard", "false_negative"):
        desk.judge(desk.next("an").token, "an", label, "", "en")
    (path, *rest), count = exported(desk.store, format, tmp_path)
    assert count == 2 and path.is_relative_to(tmp_path)
    if format == "dataset":
        assert path.suffix == ".zip" and rest == []
        shutil.unpack_archive(path, tmp_path / "unpacked")
        path = tmp_path / "unpacked" / "labels"
    assert manifest_of(path, read_export(path)).created
    assert sorted(item.label for item in read_export(path)) == ["false_negative", "hard"]
    assert "an" not in [cell for item in read_export(path) for cell in vars(item).values()]


def test_a_format_that_is_none_and_an_empty_data_set_are_refused(store, tmp_path, sentence):
    for format in ("xml", "../jsonl", None):
        with pytest.raises(UserError) as error:
            exported(store, format, tmp_path)
        assert sentence(error.value, "jsonl, csv, parquet, dataset")
    with pytest.raises(UserError) as error:
        exported(store, "dataset", tmp_path)
    assert sentence(error.value, "nothing to export")


def opened_tab(handlers, page):
    """Return what opening the tab, and looking again, call."""
    return handlers(page, "label.judge", "open_turn")


def test_the_tab_opened_in_the_first_seconds_looks_again_until_the_pool_is_there(
    make, own_data_dir, handlers
):
    page, warm = build_app("mini", Access("single"))
    opened, look_again = opened_tab(handlers, page)
    warm.pooled.clear()
    html, *_, timer = opened(None, None, "vi", "", False)
    assert "Đang khai thác những ứng viên đầu tiên" in html and timer.active
    warm.store.add_candidates([make(1)])
    warm.pooled.set()
    html, *_, timer = look_again(None, None, "vi", "", False)
    assert "vcs-judge" in html and not timer.active
    warm.store.close()


def test_a_pool_that_could_not_be_mined_says_why_and_is_tried_again_by_whoever_opens_the_tab(
    make, own_data_dir, handlers, monkeypatch
):
    page, warm = build_app("mini", Access("single"))
    opened, look_again = opened_tab(handlers, page)
    tries = []

    def full(self):
        tries.append(1)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        self.store.add_candidates([make(1)])

    monkeypatch.setattr(warm, "_steps", {"pool": lambda: full(warm)})
    monkeypatch.setattr(warm, "_left", {"pool": None})
    monkeypatch.setattr("vcs_demo.ui.warm_up.PAUSE", 0)
    warm.again()
    assert warm.finished.wait(10)
    html, *_, timer = look_again(None, None, "en", "", False)
    assert "could not be mined" in html and "No space left on device" in html and not timer.active
    assert "Mine candidates below" not in html and len(tries) == 1
    opened(None, None, "en", "", False)
    assert warm.finished.wait(10) and len(tries) == 2
    monkeypatch.setattr("vcs_demo.ui.warm_up.PAUSE", 1000)  # not at every click
    assert "Chưa khai thác được" in opened(None, None, "vi", "", False)[0] and len(tries) == 2
    monkeypatch.setattr("vcs_demo.ui.warm_up.PAUSE", 0)
    opened(None, None, "en", "", False)
    assert warm.finished.wait(10)
    assert "vcs-judge" in look_again(None, None, "en", "", False)[0]
    warm.store.close()


def test_what_is_held_is_opened_again_by_whatever_page(desk):
    turn = desk.next("an")
    again = desk.next("an")
    assert (again.candidate, again.token) == (turn.candidate, turn.token)


@pytest.mark.parametrize(("lang", "says"), [("en", "no longer held for you"), ("vi", "chưa được tính")])
def test_a_page_whose_candidate_is_gone_goes_on_to_the_next_one(desk, make, lang, says):
    judged, turn, said = desk.answer("of another day", "an", "hard", "", lang)
    assert says in said and "vcs-judge" in desk.page(turn, AN, lang)
    assert judged is None and desk.store.events() == []


def test_an_answer_keeps_how_sure_one_was_the_flag_the_guideline_and_both_clocks(desk):
    turn = desk.next("an")
    facts = {"confidence": 2, "flagged": True, "client_at": "2026-01-02T03:04:05.678Z"}
    desk.judge(turn.token, "an", "hard", "", "vi", **facts)
    (event,) = desk.store.events()
    assert (event["confidence"], event["flagged"], event["client_at"]) == (2, 1, "2026-01-02T03:04:05.678Z")
    assert event["guideline"] == guideline("vi")[0] == guideline("en")[0] != ""
    desk.judge(desk.next("an").token, "an", "hard", "", "en", client_at="<script>")
    assert desk.store.events()[-1]["client_at"] == ""


def test_the_guidelines_have_the_same_parts_in_both_languages():
    (_, english), (_, vietnamese) = guideline("en"), guideline("vi")
    for mark in ("####", "- **", "| 1 |", "| 4 |", "*Trẻ sốt bao nhiêu độ", "**U**"):
        assert english.count(mark) == vietnamese.count(mark) >= 1, mark
    assert unicodedata.is_normalized("NFC", english + vietnamese)


def test_eight_hasty_answers_in_a_row_are_said_once_and_slow_ones_never(make):
    clock = Clock()
    with LabelStore(":memory:", clock=clock) as store:
        store.add_candidates([make(number) for number in range(20)])
        desk = Desk(store)

        def answer(annotator, seconds):
            token = desk.next(annotator).token
            clock.wait(seconds)
            desk.judge(token, annotator, "hard", "", "en")
            return desk.is_hasty(annotator)

        assert [answer("an", 0.5) for _ in range(10)] == [False] * 7 + [True] + [False] * 2
        assert not any(answer("binh", 0.5 if number % 8 else 5) for number in range(16))


def test_why_a_candidate_was_mined_is_told_only_after_its_answer(make, own_data_dir, handlers):
    page, warm = build_app("mini", Access("single"))
    warm.store.add_candidates([make(1), make(2)])
    opened, _ = opened_tab(handlers, page)
    *before, token, draft, timer = opened(None, None, "en", "", False)
    assert not any("secret-miner" in str(part) for part in (*before, draft, timer))
    press, *_ = handlers(page, "label.judge", "decide")
    *after, token_after, draft_after = press(None, None, "en", token, False, "", 3, True, "")
    assert "secret-miner ranked this candidate 6173" in after[5] and token_after != token
    assert draft_after.split(" ")[1] == draft.strip() != draft_after.split(" ")[0]
    assert not any("secret-miner" in str(part) for part in after[:5])
    assert after[2:5] == ["", None, False]  # note, confidence and flag begin anew
    warm.store.close()


def test_a_click_from_before_a_candidate_was_shown_decides_nothing(make, own_data_dir, handlers):
    page, warm = build_app("mini", Access("single"))
    warm.store.add_candidates([make(1)])
    press, *_ = handlers(page, "label.judge", "decide")
    for token in ("", None, "of the page before", 3, "\ud800"):
        assert "vcs-judge" in press(None, None, "en", token, False, "", None, False, "")[0]
    assert warm.store.events() == []
    warm.store.close()


def test_a_refused_answer_leaves_what_was_typed_and_shown(make, own_data_dir, handlers):
    page, warm = build_app("mini", Access("single"))
    warm.store.add_candidates([make(1)])
    opened, _ = opened_tab(handlers, page)
    token = opened(None, None, "en", "", False)[6]
    press, *_ = handlers(page, "label.judge", "decide")
    html, said, *rest = press(None, None, "en", token, False, "đ" * 5_001, None, False, "")
    assert "5,001" in said and "5,000" in said and warm.store.events() == []
    said = press(None, None, "vi", token, False, "đ" * 5_001, None, False, "")[1]
    assert said.startswith("**Ghi chú có 5001 ký tự") and warm.store.events() == []
    assert all(part["__type__"] == "update" and len(part) == 1 for part in (html, *rest))
    visitors, other = build_app("mini", Access("accounts"))
    press, *_ = handlers(visitors, "label.judge", "decide")
    assert "sign in again" in press(None, None, "en", token, False, "note", None, False, "")[1]
    for one in (warm, other):
        one.store.close()
