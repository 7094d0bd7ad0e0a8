"""Text helpers: one form to show, one form for matching and hashing, syllables, content hashes.

    nfc("viêm tuỵ")     # as it was written: what people see
    folded("viêm tuỵ")  # "viêm tụy": what is matched, encoded and hashed

Texts that look alike, or that differ in the customary placement of a tone mark alone, have one folded form.
"""

import hashlib
import re
import unicodedata

_SYLLABLE = re.compile(r"\w+")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_SPACE_BEFORE = re.compile(r"\s+([,.;:!?…%)\]}”’])")
_SPACE_AFTER = re.compile(r"([(\[{“‘])\s+")

# Texts of these characters alone (and most are) have nothing to fold but the placement of tone marks.
_ORDINARY = re.compile(
    "[\t-\r\x1c-~\xa0-\xac\xae-\xcf\xd1-\xef\xf1-\u0130\u0132-\u0187Ơơ\u01af\u01b0\u1e00-\u1eff\u2010-\u2027"
    "\u2030-\u205e\u20a0-\u20bf\u2100-\u27ff]*"
)
# What does not show: controls, and Unicode's Default_Ignorable_Code_Point (soft hyphen, zero-width spaces, joiners,
# marks and overrides of direction, fillers, variation selectors, tags).
_UNSEEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NOT_SEEN = re.compile(f"[{_UNSEEN}]")
# One character for another that looks the same: Đ of other alphabets, the dotless i, the blank of Braille, and the
# ligatures, full-width and mathematical letters that NFKC folds too.
_ALIKE = str.maketrans("ÐðƉɖıɡɑ\u2800", "ĐđĐđiga ") | {
    code: unicodedata.normalize("NFKC", chr(code))
    for first, last in ((0xFB00, 0xFB06), (0xFF01, 0xFF5E), (0x1D400, 0x1D7FF))
    for code in range(first, last + 1)
}
# Letters of other scripts, in words that are Latin once these are replaced: `α` and Russian words stay.
_FOREIGN = re.compile("[\u0370-\u03ff\u0400-\u052f]")
WORD = re.compile(f"([\\w\u0300-\u036f{_UNSEEN}]+)")  # with its marks, and what does not show in it
_LATIN = str.maketrans(
    "аеорсухіјѕһԁԛԝѵАВЕЅІЈКМНОРСТХУԚԜѴοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijshdqwvABESIJKMHOPCTXYQWVoABEZHIKMNOPTYX"
)
# On decomposed text: caron for breve, an overlaid stroke for Đ's own, a tone mark typed before the vowel's own mark.
_CARON = re.compile("(?<=[aA])([\u0300\u0301\u0303\u0309\u0323]?)\u030c")
_STROKE = re.compile("([dD])[\u0335-\u0338]")
_TONE_FIRST = re.compile("([\u0300\u0301\u0303\u0309])([\u0302\u0306])")


def _placements() -> dict[str, str]:
    """Return `oà` → `òa` and so on: oa, oe, uy with every tone, in every case."""
    pairs = "oa oA Oa OA oe oE Oe OE uy uY Uy UY".split()
    ways = [(f"{a}{b}{tone}", f"{a}{tone}{b}") for a, b in pairs for tone in "\u0300\u0301\u0303\u0309\u0323"]
    return {unicodedata.normalize("NFC", new): unicodedata.normalize("NFC", old) for new, old in ways}


_OLD_PLACE = _placements()
_NEW_PLACE = {old: new for new, old in _OLD_PLACE.items()}
_END = r"(?![^\W\d_])"  # of the word: in `hoàn` there is one placement only
_IN_NEW_PLACE = re.compile(f"(?<![qQ])({'|'.join(_OLD_PLACE)}){_END}")
_IN_OLD_PLACE = re.compile(f"(?<![qQ])({'|'.join(_NEW_PLACE)}){_END}")
# In qu- and gi- the second letter belongs to the consonant: a mark typed on it is the vowel's (`qúa`, `gía`).
_ON_CONSONANT = re.compile(
    "(?<=[qQ])([úùủũụÚÙỦŨỤ])([aăâeêioơyAĂÂEÊIOƠY])|(?<=[gG])([íìỉĩịÍÌỈĨỊ])([aăâeêoôơuưAĂÂEÊOÔƠUƯ])"
)


def nfc(text: str) -> str:
    """Return the text in Unicode NFC, without NULs and lone surrogates (SQLite and UTF-8 refuse them)."""
    return unicodedata.normalize("NFC", _NOT_TEXT.sub("", text))


def folded(text: str) -> str:
    """Return the one form of a text for matching: every ranker's input, and what is hashed. Case stays.

    1. Characters that do not show are removed; white space of any kind is one space, none at the ends. So a text of
       which nothing shows is empty.
    2. Letters that look like Vietnamese ones are those: Đ of other alphabets, caron for breve, full-width letters,
       Cyrillic and Greek letters in Latin words.
    3. The tone mark of an open oa, oe, uy is on its first letter (`hòa`, `khỏe`, `tụy`, but `quý`, `hoàn`): the
       placement that most texts have.
    """
    text = _ON_CONSONANT.sub(_on_vowel, _visible(text))
    return _IN_NEW_PLACE.sub(lambda pair: _OLD_PLACE[pair[0]], text)


def _on_vowel(found: re.Match[str]) -> str:
    marked, vowel = filter(None, found.groups())
    consonant, tone = unicodedata.normalize("NFD", marked)
    return consonant + unicodedata.normalize("NFC", vowel + tone)


def _visible(text: str) -> str:
    """Return the text folded but for the placement of tone marks."""
    text = unicodedata.normalize("NFC", text)
    if not _ORDINARY.fullmatch(text):
        text = unicodedata.normalize("NFD", _NOT_SEEN.sub("", text).translate(_ALIKE))
        text = _TONE_FIRST.sub(r"\2\1", _CARON.sub("\\1\u0306", text))
        text = _STROKE.sub(lambda letter: "Đ" if letter[1] == "D" else "đ", text)
        if _FOREIGN.search(text):
            text = WORD.sub(_latin, text)
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def _latin(word: re.Match[str]) -> str:
    replaced = word[0].translate(_LATIN)
    return word[0] if _FOREIGN.search(replaced) else replaced


def syllables(text: str) -> list[str]:
    """Cut the folded text into lower-cased syllables (runs of word characters), diacritics kept: the terms of BM25."""
    return _SYLLABLE.findall(folded(text).lower())


def content_hash(text: str) -> str:
    """Return the sha256 (hex) of the folded, lower-cased text: one hash for all that look alike.

    Duplicates, judgements and trained-on queries are recognised by it; see `content_hashes` for lists of hashes that
    were written before texts were folded.
    """
    return written_hash(folded(text))


def content_hashes(text: str) -> frozenset[str]:
    """Return the hashes by which a text may be listed: of its folded form, and of the ways it may have been written."""
    decomposed = unicodedata.normalize("NFD", text.lower())  # as macOS and some crawlers hand texts on
    return frozenset({*map(written_hash, writings(text)), _sha256(" ".join(decomposed.split()))})


def writings(text: str) -> tuple[str, str, str, str]:
    """Return a text as it is written; folded; folded but for tone marks; folded, with these in the newer placement."""
    form = folded(text)
    return text, form, _visible(text), _IN_OLD_PLACE.sub(lambda pair: _NEW_PLACE[pair[0]], form)


def written_hash(text: str) -> str:
    """Return the sha256 (hex) of the text as it is written, lower-cased, its white space folded.

    Ids are made of it, so that those of existing pools and tasks stay.
    """
    return _sha256(" ".join(nfc(text).lower().split()))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def tidy(text: str) -> str:
    """Undo the spaces that a word segmenter sets around punctuation; for display only."""
    return _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", " ".join(text.split())))


def cell(text: str, longest: int | None = 200) -> str:
    """Return a text as one cell of a Markdown table: no line ends, no control characters, no bars; cut with `…`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).replace("|", "¦")
    return line if longest is None or len(line) <= longest else line[: longest - 1] + "…"
