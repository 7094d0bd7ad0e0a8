import hashlib
import unicodedata

import pytest

from vcs_demo.text import content_hash, content_hashes, folded, nfc, syllables, written_hash

UNSEEN = [
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u202e",
    "\u2066",
    "\ufe0f",
    "\u034f",
    "\u3164",
    "\uffa0",
]
UNSEEN += [
    "\u115f",
    "\u180e",
    "\u061c",
    "\u2064",
    "\U000e0041",
    "\U000e0100",
    "\x07",
    "\x00",
    "\ud800",
    "\u206a",
]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_a_character_that_does_not_show_is_no_part_of_a_text(unseen):
    assert folded(f"vi{unseen}êm{unseen} {unseen}tụy{unseen}") == "viêm tụy"
    assert content_hash(f"viêm{unseen} tụy") == content_hash("viêm tụy")
    assert folded(unseen * 3 + " " + unseen) == ""
    assert folded(f"e{unseen}\u0302") == "ê"


@pytest.mark.parametrize(
    "space", "\u00a0 \u2003 \u202f \u3000 \u2028 \u0085 \t \n \u2800".split(" "), ids=ascii
)
def test_odd_spaces_are_spaces(space):
    assert folded(f"{space}viêm{space}{space}tụy ") == "viêm tụy"


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("hoà hoá hoả hoã hoạ", "hòa hóa hỏa hõa họa"),
        ("khoẻ loè choé", "khỏe lòe chóe"),
        ("viêm tuỵ, thuỷ ngân, thuý", "viêm tụy, thủy ngân, thúy"),
        ("Uỷ ban HOÀ HoÀ", "Ủy ban HÒA HòA"),
        ("hoà_bình hoá2", "hòa_bình hóa2"),
        ("qúy khách, qúa trình, đột qụy, qủa", "quý khách, quá trình, đột quỵ, quả"),
        ("gía cả, GỈA, gìau", "giá cả, GIẢ, giàu"),
    ],
)
def test_both_placements_of_a_tone_mark_are_one(new, old):
    assert folded(new) == folded(old) == folded(unicodedata.normalize("NFD", new)) == old
    assert content_hash(new) == content_hash(old)
    assert nfc(new) == new


@pytest.mark.parametrize(
    "text",
    ["quý quỳ quỵ quá qua", "hoàn khoét khuỷu huỳnh toán ngoáy thuở", "gì gìn già giữ gió", "voi", "a"],
)
def test_words_in_which_the_letters_are_no_such_pair_stay(text):
    assert folded(text) == text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Ðau ðầu Ɖ ɖ d\u0335au", "Đau đầu Đ đ đau"),
        ("bǎng bǎ\u0301c Ǎn", "băng bắc Ăn"),
        ("a\u0301\u0302n e\u0309\u0302", "ấn ể"),
        ("ｖｉêｍ １２", "viêm 12"),
        ("𝐯𝐢ê𝐦 ﬁbrin", "viêm fibrin"),
        ("сао Хuân c\u0430\u0301 hοa", "cao Xuân cá hoa"),
        ("ı\u0301t", "ít"),
        ("ɡɑn \u051bu\u0430 d\u0337au", "gan qua đau"),
    ],
)
def test_letters_that_look_alike_are_one(typed, meant):
    assert folded(typed) == meant
    assert content_hash(typed) == content_hash(meant)


@pytest.mark.parametrize(
    "text", ["IFN-α β-caroten μg ρ TNFα", "москва вода", "H₂O 37 °C ≥ 5 – “x” …", "北京"]
)
def test_letters_and_signs_of_their_own_stay(text):
    assert folded(text) == text


def test_the_folded_form_is_one_form():
    text = "Ｈo\u200bà  ƉƗ q\u00fay c\u0430\u0301 ｈ\u00adoạ"
    assert folded(folded(text)) == folded(text)
    assert syllables("Hoà, TUỴ") == ["hòa", "tụy"]


def test_hashes_written_before_texts_were_folded_are_recognised():
    def before(text):
        return hashlib.sha256(
            " ".join(unicodedata.normalize("NFC", text).lower().split()).encode()
        ).hexdigest()

    ordinary = "Viêm phổi là gì?"
    assert (
        {before(ordinary)} == {content_hash(ordinary)} == {written_hash(ordinary)} <= content_hashes(ordinary)
    )
    for listed in ("Viêm tuỵ cấp", "viêm tụy  cấp", "Ðau tuỵ", "hoá chất và thủy ngân", "viêm\u200b tuỵ"):
        assert before(listed) in content_hashes(listed)
    assert before("viêm tuỵ cấp") in content_hashes("Viêm tụy cấp\u200b")
    assert before("viêm tụy cấp") in content_hashes("Viêm tuỵ cấp")
    assert before("đau tuỵ") in content_hashes("Ðau tụy")
