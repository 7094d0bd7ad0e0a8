"""The texts: both languages have the same keys and placeholders, every key is used, and every key used is there."""

import ast
import re
import string
import unicodedata
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

from annotations.candidates import LABELS
from vcs_demo.ui.components import Localised, preferred
from vcs_demo.words import guideline, say, words

ROOT = Path(__file__).resolve().parents[2]
EN, VI = words("en"), words("vi")


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_both_languages_have_the_same_keys_and_placeholders():
    assert len(EN) > 200 and list(EN) == list(VI)
    differing = [key for key in EN if placeholders(EN[key]) != placeholders(VI[key])]
    assert differing == []
    assert [key for key in EN if not (EN[key].strip() and VI[key].strip())] == []


def test_vietnamese_is_nfc_and_written_with_its_diacritics():
    wrong = [key for key in EN if not unicodedata.is_normalized("NFC", EN[key] + VI[key])]
    for key, text in VI.items():
        prose = re.sub(r"{[^}]*}", "", text)
        marked = any(ord(letter) > 0x7F and letter.isalpha() for letter in prose)
        if len(prose.split()) > 2 and (prose == EN[key] or not marked):
            wrong.append(key)
    assert wrong == []


def test_a_placeholder_is_filled_in_and_an_unknown_language_is_english():
    assert say("vi", "results.first", rank=3) == "đoạn liên quan đầu tiên ở hạng 3"
    assert say("fr", "results.first", rank=3) == say("en", "results.first", rank=3)
    with pytest.raises(KeyError):
        say("en", "no.such.key")


def test_the_guidelines_have_a_version_in_both_languages():
    (english, _), (vietnamese, text) = guideline("en"), guideline("vi")
    assert english and english == vietnamese and not text.startswith("<!--")


def strings():
    """Yield (where, text, whole) for every string in the code and every key a template asks for.

    `whole` is False for the beginning of an f-string.
    """
    for path in sorted(chain(*(ROOT.glob(f"{p}/**/*.py") for p in ("vcs_demo", "annotations", "training")))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                yield where, str(node.values[0].value), False
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value, True
    for path in sorted(ROOT.glob("*/**/templates/*.html")):
        for key in re.findall(r"say\(\s*[\"']([^\"']+)", path.read_text("utf-8")):
            yield str(path.relative_to(ROOT)), key, True
    yield "app.py", (ROOT / "app.py").read_text("utf-8"), True


def test_every_key_that_the_code_names_is_there():
    sections = {key.partition(".")[0] for key in EN}
    named = re.compile(rf"({'|'.join(sections)})\.[a-z_][\w-]*")
    files = re.compile(r".*\.(py|md|toml|json|jsonl|db|csv|html|css|partial|txt|parquet)")
    found = [(where, text) for where, text, whole in strings() if whole and named.fullmatch(text)]
    assert len(found) > 150, "the code is not read as it is written"
    assert [(where, key) for where, key in found if key not in EN and not files.fullmatch(key)] == []


def test_every_key_is_used():
    """A key is used whole, or begun by an f-string, and its end is a number, a string, or begun by another f-string."""
    whole = {text for _, text, is_whole in strings() if is_whole}
    beginnings = {text for _, text, is_whole in strings() if not is_whole and re.fullmatch(r"\w+\.\w*", text)}
    middles = tuple(
        text for _, text, is_whole in strings() if not is_whole and re.fullmatch(r"[a-z]+_", text)
    )
    app = (ROOT / "app.py").read_text("utf-8")
    ends = {key: [key.removeprefix(start) for start in beginnings if key.startswith(start)] for key in EN}
    unused = [
        key
        for key in EN
        if key not in whole
        and f'"{key}"' not in app
        and not any(end in whole or end.isdigit() or end.startswith(middles) for end in ends[key])
    ]
    assert unused == []


def test_the_labels_name_the_keys_that_press_them():
    for number, label in enumerate(LABELS, start=1):
        assert [texts[f"label.{label}"].partition(" · ")[0] for texts in (EN, VI)] == [str(number)] * 2


def test_one_event_changes_the_language_of_all_components():
    localised = Localised()
    made = localised.make(
        SimpleNamespace, {"label": "search.query", "value": lambda lang: lang.upper()}, lines=2
    )
    assert (made.label, made.value, made.lines) == ("Query", "EN", 2)
    (update,) = localised.updates("vi")
    assert (update["label"], update["value"]) == ("Câu truy vấn", "VI")
    assert localised.components == [made]


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
