"""Accounts: who may come in, and what is kept of a password."""

import stat
import unicodedata

import pytest

from annotations.__main__ import main
from annotations.people.accounts import (
    LONGEST,
    accounts,
    accounts_path,
    add_account,
    is_password,
    remove_account,
)
from vcs_demo.errors import UserError


def test_an_account_opens_with_its_password_alone():
    add_account("Nguyễn An", "annotator", "mật khẩu dài")
    assert is_password("Nguyễn An", "mật khẩu dài")
    assert is_password(
        unicodedata.normalize("NFD", "Nguyễn An"), unicodedata.normalize("NFD", "mật khẩu dài")
    )
    for name, password in [
        ("Nguyễn An", "mat khau dai"),
        ("An", "mật khẩu dài"),
        ("Nguyễn An", ""),
        ("", ""),
    ]:
        assert not is_password(name, password)
    assert not is_password("Nguyễn An", "\ud800" * 5_000_000)


def test_the_longest_password_opens_in_every_form_of_its_letters():
    password = "ệ" * LONGEST
    add_account("an", "annotator", password)
    assert is_password("an", unicodedata.normalize("NFD", password))
    assert not is_password("an", password + "ệ") and not is_password("an", password[:-1])


def test_the_file_holds_no_password_and_is_its_owners():
    add_account("an", "admin", "correct horse")
    add_account("binh", "annotator", "correct horse")
    content = accounts_path().read_text("utf-8")
    assert "correct horse" not in content
    assert len({line for line in content.splitlines() if "scrypt" in line}) == 2  # salted
    assert stat.S_IMODE(accounts_path().stat().st_mode) == 0o600


def test_adding_again_changes_role_and_password_and_removing_ends_it():
    add_account("an", "annotator", "first password")
    add_account("an", "adjudicator", "second password")
    assert accounts() == {"an": "adjudicator"}
    assert is_password("an", "second password") and not is_password("an", "first password")
    remove_account("an")
    assert accounts() == {} and not is_password("an", "second password")
    with pytest.raises(UserError, match="no account 'an'"):
        remove_account("an")


@pytest.mark.parametrize(
    ("name", "role", "password", "says"),
    [
        ("", "annotator", "long enough", "The name ''"),
        ("local", "annotator", "long enough", "local"),
        ("a\nb", "annotator", "long enough", "printable"),
        ("x" * 61, "annotator", "long enough", "1 to 60"),
        ("an", "king", "long enough", "annotator, adjudicator, admin"),
        ("an", "annotator", "short", "has 5 characters"),
        ("an", "annotator", "x" * 201, "8 to 200"),
    ],
)
def test_what_cannot_be_taken_is_said_and_nothing_is_kept(name, role, password, says):
    with pytest.raises(UserError, match=says):
        add_account(name, role, password)
    assert not accounts_path().exists()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"an": 1}', '{"an": {"role": "king", "salt": "00", "scrypt": "00"}}']
)
def test_a_broken_file_lets_nobody_in(content):
    accounts_path().write_text(content, "utf-8")
    with pytest.raises(UserError, match="accounts.json"):
        is_password("an", "anything at all")


def test_the_commands_add_list_and_remove(capsys, monkeypatch):
    assert main(["account", "add", "an", "--role", "admin", "--generate"]) == 0
    password = capsys.readouterr().out.strip().rpartition(" ")[2]
    assert len(password) >= 12 and is_password("an", password)
    typed = iter(["long enough", "long enough", "long enough", "mistyped it"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert main(["account", "add", "binh"]) == 0 and is_password("binh", "long enough")
    assert main(["account", "add", "chi"]) == 1
    assert "not the same" in capsys.readouterr().err
    assert main(["account", "list"]) == 0
    assert capsys.readouterr().out.split() == ["an", "admin", "binh", "annotator"]
    assert main(["account", "remove", "an"]) == 0 and accounts() == {"binh": "annotator"}


def test_the_command_says_so_where_the_account_is_there_already(capsys):
    add = ["account", "add", "--generate"]
    assert main([*add, " Lan Hoa\u0300 "]) == 0
    assert "already" not in capsys.readouterr().out  # a blank and decomposed letters make no other account
    assert main([*add, "lan hòa"]) == 0
    assert capsys.readouterr().out.startswith("Lan Hoà has an account here already:")
    assert list(accounts()) == ["Lan Hoà"]
