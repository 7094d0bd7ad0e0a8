"""The audit's page: shares with intervals, strata, plots and the report to take away, in both languages."""

import pytest

from annotations.audit.estimate import audit
from annotations.audit.report import html, markdown
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.ui.label.audit import audited, shown, written
from vcs_demo.ui.label.desk import Desk


def judged(store, *labels):
    desk = Desk(store)
    for label in labels:
        desk.judge(desk.next("an", sample_only=False).token, "an", label, "", "en")


def test_nothing_labelled_shows_dashes_and_no_chart(store):
    shares, chart, parts, by_miner, by_rank, rest = shown(store, 100, "", "en")
    assert "0 of the 3 sampled candidates" in shares and "Provisional" in shares
    assert shares.count("<td>–</td>") == 4 and "0 / 0" in shares
    assert not any(plot["visible"] for plot in (chart, by_miner, by_rank)) and not parts.strip()
    assert "381 labelled candidates" in rest and "seed 0" in rest


def test_labels_show_as_shares_with_intervals(store):
    judged(store, "hard", "hard", "trivial")
    shares, chart, *_, rest = shown(store, 100, "", "vi")
    assert "3 trên 3 ứng viên" in shares and "Tạm thời" not in shares
    assert "0.667 [" in shares and "2 / 3" in shares and chart["visible"] is True
    assert ">Âm khó<" in shares and "1 · " not in shares and "Wilson" in rest


def test_strata_show_as_a_table_and_a_plot(store, make):
    store.add_candidates([make(number, miner="<b>other</b>", rank=1) for number in range(4, 8)])
    judged(store, *["hard"] * 4, *["trivial"] * 3)
    _, chart, parts, by_miner, by_rank, _ = shown(store, 100, "miner,rank", "en")
    assert "By miner" in parts and "By rank" in parts
    assert "&lt;b&gt;other&lt;/b&gt;" in parts and "<b>" not in parts
    assert chart["visible"] and len(by_miner["value"].data) == len(by_rank["value"].data) == 4
    assert not shown(store, 100, "rank", "en")[3]["visible"]


def test_what_the_label_tab_does_not_offer_is_counted(store, make):
    store.add_candidates([make(number) for number in range(4, 120)])
    assert "turn off" not in shown(store, 100, "", "en")[0]
    assert "10 of these that have no label yet are not in the sample" in shown(store, 110, "", "en")[0]


def test_the_report_to_take_away_is_the_commands(store, tmp_path):
    judged(store, "hard", "trivial")
    page, text = written(audited(store, 50, "miner"), tmp_path, "vi")
    report = audit(store, 50, strata=["miner"])
    assert text.read_text("utf-8") == markdown(report, "vi") and (page.name, text.name) == (
        "audit.html",
        "audit.md",
    )
    assert page.read_text("utf-8").split("<h2>")[0] == html(report, "vi").split("<h2>")[0]


def test_an_empty_store_does_not_fail():
    with LabelStore(":memory:") as store:
        assert "0 of the 0 sampled" in shown(store, 100, "", "en")[0]


@pytest.mark.parametrize(("size", "strata"), [(0, ""), (None, ""), (9, "x")])
def test_what_is_out_of_range_is_refused(store, size, strata, sentence):
    with pytest.raises(UserError) as refused:
        shown(store, size, strata, "en")
    assert sentence(refused.value)
