"""Sessions: what ends them, what is kept of them, and one person under every spelling of the name."""

import json
import stat
import unicodedata

import pytest

from annotations.people.accounts import account_of, accounts, add_account, is_password, remove_account
from annotations.people.sessions import IDLE, KNOWN, LONGEST, MOST_EACH, Sessions
from vcs_demo.errors import UserError

PASSWORD = "mật khẩu dài"


class Clock:
    def __init__(self):
        self.now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    add_account("Nguyễn An", "annotator", PASSWORD)
    return Sessions(clock)


def test_a_session_is_begun_with_the_password_and_survives_a_restart(sessions, clock):
    assert sessions.enter("Nguyễn An", "another one") is None
    token, _ = sessions.enter("Nguyễn An", PASSWORD)
    assert sessions.name_of(token) == Sessions(clock).name_of(token) == "Nguyễn An"
    for wrong in (None, "", "x", token[:-1], token + "x"):
        assert sessions.name_of(wrong) is None


def test_the_file_has_no_token_and_is_its_owners(sessions):
    token, known = sessions.begin("Nguyễn An")
    content = sessions.path.read_text("utf-8")
    assert token not in content and known not in content
    assert stat.S_IMODE(sessions.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda: add_account("Nguyễn An", "annotator", "a new password"),
        lambda: add_account("Nguyễn An", "annotator", PASSWORD),  # set anew, the same
        lambda: add_account("nguyễn an", "admin", "a new password"),
        lambda: remove_account("Nguyễn An"),
        lambda: (remove_account("Nguyễn An"), add_account("Nguyễn An", "annotator", PASSWORD)),
    ],
)
def test_a_new_password_and_a_removed_account_end_its_sessions(sessions, clock, change):
    token, _ = sessions.begin("Nguyễn An")
    change()
    assert sessions.name_of(token) is None and Sessions(clock).name_of(token) is None


def test_signing_out_ends_one_session_or_all(sessions, clock):
    add_account("binh", "annotator", PASSWORD)
    first, second, third = (sessions.begin("Nguyễn An")[0] for _ in range(3))
    other, _ = sessions.begin("binh")
    sessions.end(first)
    assert [sessions.name_of(token) for token in (first, second)] == [None, "Nguyễn An"]
    sessions.end(second, everywhere=True)
    assert [Sessions(clock).name_of(token) for token in (second, third, other)] == [None, None, "binh"]
    sessions.end("unknown", everywhere=True)
    sessions.end(None)
    assert sessions.name_of(other) == "binh"


def test_a_session_ends_unused_and_after_a_set_time(sessions, clock):
    token, _ = sessions.begin("Nguyễn An")
    clock.now += IDLE + 1
    assert sessions.name_of(token) is None
    token, _ = sessions.begin("Nguyễn An")
    for _ in range(LONGEST // (IDLE - 10)):
        clock.now += IDLE - 10
        assert sessions.name_of(token) == "Nguyễn An"
    clock.now += IDLE - 10
    assert sessions.name_of(token) is None


def test_sessions_of_one_account_are_bounded_and_the_oldest_end(sessions, clock):
    tokens = []
    for _ in range(MOST_EACH + 2):
        clock.now += 1
        tokens.append(sessions.begin("Nguyễn An")[0])
    assert [sessions.name_of(token) is None for token in tokens[:3]] == [True, True, False]
    assert len(json.loads(sessions.path.read_text("utf-8"))["sessions"]) == MOST_EACH


def test_a_browser_is_known_for_its_person_alone_and_not_for_ever(sessions, clock):
    _, known = sessions.begin("Nguyễn An")
    assert Sessions(clock).is_known(known, "Nguyễn An")
    assert not sessions.is_known(known, "binh") and not sessions.is_known("x", "Nguyễn An")
    clock.now += KNOWN + 1
    assert not sessions.is_known(known, "Nguyễn An")


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"sessions": {"x": 1}, "known": {}}', '{"sessions": []}']
)
def test_a_broken_file_signs_everybody_out_and_is_replaced(sessions, clock, content):
    token, _ = sessions.begin("Nguyễn An")
    sessions.path.write_text(content)
    again = Sessions(clock)
    assert again.name_of(token) is None
    assert again.name_of(again.begin("Nguyễn An")[0]) == "Nguyễn An"


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("Hoà", ["Hòa", "hòa", "HOÀ", " Hoà  ", unicodedata.normalize("NFD", "Hoà")]),
        ("Nguyễn An", ["nguyễn an", "NGUYỄN AN", "Nguyễn  An", "Nguyễn\u00a0An", "Ｎｇｕｙễｎ Ａｎ"]),
        (
            "Lan",
            ["L\u0430n", "lan\u200b", "\u202eLan"],
        ),  # Cyrillic а, a space that does not show, a direction
    ],
)
def test_names_that_look_alike_are_one_person(name, spellings):
    add_account(name, "annotator", PASSWORD)
    for number, spelling in enumerate(spellings):
        assert account_of(spelling) == name
        assert is_password(spelling, PASSWORD)
        token, _ = Sessions().enter(spelling, PASSWORD)
        assert Sessions().name_of(token) == name
        try:
            add_account(spelling, "adjudicator", f"password {number}")
        except UserError as error:
            assert "printable" in str(error)
        else:
            assert is_password(name, f"password {number}")
            add_account(name, "annotator", PASSWORD)
        assert list(accounts()) == [name]
    remove_account(spellings[0])
    assert accounts() == {}


def test_names_that_differ_by_a_tone_are_two_people():
    for name in ("Hoa", "Hòa", "Hóa", "Hoan", "Hoàn"):
        add_account(name, "annotator", PASSWORD)
    assert len(accounts()) == 5


@pytest.mark.parametrize("name", ["L\u0430n Ж", "Ωmega", "\u13a0n", "Local", "VISITOR", "l\u043ecal"])
def test_mixed_scripts_and_reserved_names_are_refused(name):
    with pytest.raises(UserError, match="mixes letters|cannot be used"):
        add_account(name, "annotator", PASSWORD)
    assert accounts() == {}
