"""The templates: a text of a corpus is never markup, and marking words changes nothing else."""

import unicodedata
from html import escape, unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from vcs_demo.rankings import Hit, Ranking
from vcs_demo.tables import Table
from vcs_demo.ui.html import content_words, marked, notice, progress, quiet, refusal, render, tables

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</p><script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "{{ 7*7 }}",
]
OURS = {"b", "div", "h3", "h4", "header", "li", "mark", "ol", "p", "progress", "section", "span"}
OURS |= {"table", "tbody", "td", "th", "thead", "tr"}


class Reader(HTMLParser):
    """What a browser makes of it: tags, attributes and text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def assert_is_text(html, hostile):
    page = Reader(html)
    assert set(page.tags) <= OURS, page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "x")]
    assert hostile in page.text, page.text


def ranking(text, ranker):
    hit = Hit(1, text, text, 0.5, True, 2)
    return Ranking(ranker, 1.5, [hit], 1, 0.5)


@pytest.mark.parametrize("lang", ["en", "vi"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_rankings_show_a_hostile_passage_ranker_and_note_as_text(hostile, lang):
    shown = {"names": [hostile], "rankings": [ranking(hostile, hostile)], "done": 0, "total": 0}
    html = render("rankings", lang, **shown, words=content_words(hostile), note=hostile)
    assert_is_text(html, hostile)
    plain = render("rankings", lang, **shown, words=frozenset(), note="")
    assert Reader(plain).text.count(hostile) == 2  # the column's name and the passage


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_candidate_is_shown_as_text(hostile):
    html = render(
        "judge",
        "en",
        turn="0",
        candidate=SimpleNamespace(query=hostile),
        positive=hostile,
        passage=hostile,
        words=content_words(hostile),
        words_in_texts=frozenset(),
    )
    assert_is_text(html, hostile)
    assert Reader(html).text.count(hostile) == 3


@pytest.mark.parametrize("hostile", HOSTILE)
def test_tables_notices_and_progress_escape_every_value(hostile):
    table = tables(Table([hostile], [[hostile, hostile]], title=hostile, notes=[hostile]))
    assert Reader(table).text.count(hostile) == 5
    assert_is_text(table, hostile)
    for html in (notice(hostile), refusal(hostile), quiet(hostile), progress(hostile, 1, 2)):
        assert_is_text(html, hostile)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_marking_escapes_inside_and_outside_of_marks(hostile):
    html = str(marked(hostile, content_words(hostile)))
    assert set(Reader(html).tags) <= {"mark"}
    assert Reader(html).text == hostile


def test_marking_keeps_the_text_in_nfc_with_its_diacritics():
    text = "Thuốc “Ích mẫu” trị đau đầu & sốt < 38,5 °C"
    html = str(marked(unicodedata.normalize("NFD", text), content_words("ĐAU ĐẦU, ích")))
    assert unicodedata.is_normalized("NFC", html)
    assert Reader(html).text == text
    assert html.count("<mark>") == 3
    assert "<mark>Ích</mark>" in html and "<mark>đau</mark> <mark>đầu</mark>" in html
    assert unescape(html.replace("<mark>", "").replace("</mark>", "")) == text


def test_a_word_without_its_diacritics_is_another_word():
    assert marked("dau đầu", content_words("đau dầu")) == escape("dau đầu")


def test_function_words_are_not_marked():
    assert content_words("Thuốc này là của ai và có cho trẻ không?") == {"thuốc", "trẻ"}


def test_nothing_to_show_is_an_empty_table():
    assert tables(Table(["x"], [])).strip() == ""


def test_words_are_marked_in_whichever_way_they_are_written():
    words = content_words("viêm tụy, đau")
    assert str(marked("vi\u200bêm tuỵ Ðau ngực", words)) == (
        "<mark>vi\u200bêm</mark> <mark>tuỵ</mark> <mark>Ðau</mark> ngực"
    )
    assert str(marked("\u200b", words)) == "\u200b"
