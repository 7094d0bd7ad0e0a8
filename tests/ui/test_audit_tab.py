"""The audit's page: counts, shares and intervals in both languages."""

import pytest

from annotations.store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.ui.audit import shown
from vcs_demo.ui.label import Desk


def test_nothing_labelled_shows_dashes_and_no_chart(store):
    text, html, chart = shown(store, 100, "en")
    assert "0 of the 3 sampled candidates" in text and "provisional" in text
    assert html.count("<td>–</td>") == 8 and chart["visible"] is False


def test_labels_show_as_shares_with_intervals(store):
    desk = Desk(store)
    for label in ("hard", "hard", "trivial"):
        desk.judge(desk.next("an", sample_only=False), "an", label, "", "en")
    text, html, chart = shown(store, 100, "vi")
    assert text.startswith("3 trên 3 ứng viên") and "tạm thời" not in text
    assert "66.7%" in html and "2 / 3" in html and chart["visible"] is True
    assert ">Âm khó<" in html and "1 · " not in html


def test_an_empty_store_does_not_fail():
    with LabelStore(":memory:") as store:
        assert "0 of the 0 sampled" in shown(store, 100, "en")[0]


def test_a_size_out_of_range_is_refused(store):
    with pytest.raises(UserError):
        shown(store, 0, "en")
