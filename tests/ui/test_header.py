"""The page's header: the source as data, and the state of the backup for those who answer for the labels."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from vcs_demo.ui.access import Access, Person
from vcs_demo.ui.header import backup_line, status_line
from vcs_demo.ui.page import build_app
from vcs_demo.ui.warm_up import WarmUp

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ROLES = ("annotator", "adjudicator", "admin")


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """Let it be NOW, so that no test runs across midnight."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW.astimezone(tz)

    monkeypatch.setattr("vcs_demo.ui.header.datetime", Noon)


def line(state, mode="accounts", role="admin", lang="en"):
    return backup_line(state, Access(mode), Person.with_role("an", role), lang)


def pushes(last_success=NOW, error=""):
    return SimpleNamespace(destination="team/labels", last_success=last_success, error=error)


def test_a_sources_name_is_no_markup():
    assert "`*x*`" in status_line("`*x*`", Access("single"), "en")


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", "Backup: last push to team/labels at {:%H:%M} UTC."),
        ("vi", "Sao lưu: lần gần nhất lên team/labels lúc {:%H:%M} UTC."),
    ],
)
def test_the_last_push_is_told_in_utc(lang, says):
    html = line(pushes(NOW.astimezone()), lang=lang)
    assert says.format(NOW) in html and 'class="vcs-quiet"' in html


def test_a_push_of_another_day_is_told_with_its_date():
    assert f"{NOW - timedelta(days=3):%Y-%m-%d %H:%M} UTC" in line(pushes(NOW - timedelta(days=3)))


def test_a_failure_is_told_with_its_reason_and_the_push_before_it():
    html = line(pushes(error="<b>The token is refused.</b>"))
    assert 'class="vcs-notice bad"' in html and f"Last push: {NOW:%H:%M} UTC." in html
    assert "Backup to team/labels failed: &lt;b&gt;The token is refused." in html
    assert "Last push" not in line(pushes(None, "no network"))
    assert "thất bại: no network" in line(pushes(None, "no network"), lang="vi")


def test_before_the_first_push_nothing_is_claimed():
    assert "nothing was pushed to team/labels yet" in line(pushes(None))


def test_annotators_and_visitors_are_told_nothing():
    shown = [bool(line(pushes(error="x"), role=role)) for role in ROLES]
    assert shown == [False, True, True]
    assert backup_line(pushes(), Access("read-only"), Person("visitor"), "en") == ""


def test_whoever_labels_on_a_space_without_a_backup_is_told_that_labels_will_not_last():
    assert "VCS_BACKUP_REPO" in line(None, "space")
    for role in ROLES[:2]:
        assert "lost when this Space restarts" in line(None, "space", role)
        assert "VCS_BACKUP_REPO" not in line(None, "space", role)
        assert "sẽ mất khi Space này khởi động lại" in line(None, "space", role, "vi")
    assert backup_line(None, Access("space"), Person("visitor"), "en") == ""
    assert [line(None, mode, role) for mode in ("single", "accounts") for role in ROLES] == [""] * 6


def test_a_failing_push_is_told_to_whoever_labels_on_a_space_without_its_details():
    told = line(pushes(error="the token is refused"), "space", "annotator")
    assert "may not last" in told and "token" not in told
    assert line(pushes(), "space", "annotator") == ""
    assert "the token is refused" in line(pushes(error="the token is refused"), "space", "adjudicator")


def test_a_space_without_a_backup_says_so_in_its_log(monkeypatch, store, library, caplog):
    monkeypatch.setattr(WarmUp, "again", lambda self: None)
    WarmUp(library, store).start()
    assert caplog.text == ""
    monkeypatch.setenv("SPACE_ID", "team/space")
    WarmUp(library, store).start()
    assert "set VCS_BACKUP_REPO" in caplog.text


def test_the_page_shows_the_backup_to_whom_it_may(monkeypatch, tmp_path, handlers):
    monkeypatch.setenv("VCS_BACKUP_DIR", str(tmp_path))
    for mode, visible in (("single", True), ("read-only", False)):
        page, warm = build_app("mini", Access(mode))
        (show,) = handlers(page, "page", "show_backup")
        update = show(None, None, "en")
        assert (update["visible"], str(tmp_path) in update["value"]) == (visible, visible)
        warm.store.close()
