"""The words: two languages for every key, the same placeholders, and no key that is not there."""

import ast
import re
import string
import unicodedata
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

import vcs_demo.ui
from annotations.store import LABELS
from vcs_demo.ui.words import WORDS, Localised, preferred, say

UI = Path(vcs_demo.ui.__file__).parent


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("key", WORDS)
def test_every_key_has_both_languages_with_the_same_placeholders(key):
    english, vietnamese = WORDS[key]
    assert english.strip() and vietnamese.strip()
    assert placeholders(english) == placeholders(vietnamese)


@pytest.mark.parametrize("key", WORDS)
def test_vietnamese_is_nfc_and_written_with_its_diacritics(key):
    english, vietnamese = WORDS[key]
    assert unicodedata.is_normalized("NFC", english) and unicodedata.is_normalized("NFC", vietnamese)
    prose = re.sub(r"{[^}]*}", "", vietnamese)
    if len(prose.split()) > 2:
        assert prose != english, "the same in both languages"
        assert any(ord(letter) > 0x7F and letter.isalpha() for letter in prose), vietnamese


def test_a_placeholder_is_filled_in_and_an_unknown_language_is_english():
    assert say("vi", "results.first", rank=3) == "đoạn liên quan đầu tiên ở hạng 3"
    assert say("fr", "results.first", rank=3) == say("en", "results.first", rank=3)
    with pytest.raises(KeyError):
        say("en", "no.such.key")


def used():
    """Yield (where, key or None, beginning) for every key that the code or a template asks for."""
    for path in sorted(UI.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "say" and len(node.args) > 1:
                asked = [node.args[1]]
            elif name == "make" and len(node.args) > 1 and isinstance(node.args[1], ast.Dict):
                asked = node.args[1].values
            else:
                continue
            for value in chain.from_iterable(ast.walk(part) for part in asked):
                where = f"{path.name}:{node.lineno}"
                if isinstance(value, ast.JoinedStr):
                    yield where, None, value.values[0].value
                elif isinstance(value, ast.Constant) and re.fullmatch(r"\w+\.[\w-]+", str(value.value)):
                    yield where, value.value, ""
    for path in sorted((UI / "templates").glob("*.html")):
        for key in re.findall(r"say\(\s*[\"']([^\"']+)", path.read_text("utf-8")):
            yield path.name, key, ""


def test_every_key_that_is_asked_for_is_there():
    found = list(used())
    assert len(found) > 80, "the code is not read as it is written"
    missing = [(where, key) for where, key, _ in found if key is not None and key not in WORDS]
    assert missing == []
    nothing_begins = [
        (w, start) for w, _, start in found if start and not any(k.startswith(start) for k in WORDS)
    ]
    assert nothing_begins == []


@pytest.mark.parametrize(
    "key", [*(f"label.{label}" for label in LABELS), "app.single", "app.space", "app.read-only"]
)
def test_keys_that_are_put_together_are_there(key):
    assert key in WORDS


def test_the_labels_name_the_keys_that_press_them():
    for number, label in enumerate(LABELS, start=1):
        assert [words.partition(" · ")[0] for words in WORDS[f"label.{label}"]] == [str(number)] * 2


def test_one_event_changes_the_language_of_all_components():
    words = Localised()
    kept = words.make(SimpleNamespace, {"label": "search.query", "value": lambda lang: lang.upper()}, lines=2)
    assert (kept.label, kept.value, kept.lines) == ("Query", "EN", 2)
    (update,) = words.updates("vi")
    assert (update["label"], update["value"]) == ("Câu truy vấn", "VI")
    assert words.components == [kept]


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ({}, "", "en"),
        ({}, "vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ({}, "en-US,vi;q=0.9", "en"),
        ({"lang": "vi"}, "en-US", "vi"),
        ({"lang": "EN"}, "vi-VN", "en"),
        ({"lang": "<script>"}, "vi-VN", "vi"),
    ],
)
def test_the_address_chooses_the_language_and_else_the_browser(query, accepted, language):
    assert preferred(SimpleNamespace(query_params=query, headers={"accept-language": accepted})) == language


def test_no_request_is_english():
    assert preferred(None) == "en"
