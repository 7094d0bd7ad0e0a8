"""Text helpers: one Unicode form, one way to cut into syllables, one content hash, one way to show."""

import hashlib
import re
import unicodedata

_SYLLABLE = re.compile(r"\w+")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_SPACE_BEFORE = re.compile(r"\s+([,.;:!?…%)\]}”’])")
_SPACE_AFTER = re.compile(r"([(\[{“‘])\s+")


def nfc(text: str) -> str:
    """Return the text in Unicode NFC, without NULs and lone surrogates (SQLite and UTF-8 refuse them)."""
    return unicodedata.normalize("NFC", _NOT_TEXT.sub("", text))


def syllables(text: str) -> list[str]:
    """Cut into lower-cased NFC syllables (runs of word characters), diacritics kept: the terms of BM25."""
    return _SYLLABLE.findall(nfc(text).lower())


def content_hash(text: str) -> str:
    """Return the sha256 (hex) of the NFC, lower-cased text with its white space folded.

    The one hash by which a text is recognised again: trained-on queries, duplicates, fingerprints.
    """
    return hashlib.sha256(" ".join(nfc(text).lower().split()).encode()).hexdigest()


def tidy(text: str) -> str:
    """Undo the spaces that a word segmenter sets around punctuation; for display only."""
    return _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", " ".join(text.split())))


def cell(text: str, longest: int | None = 200) -> str:
    """Return a text as one cell of a Markdown table: no line ends, no control characters, no bars; cut with `…`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).replace("|", "¦")
    return line if longest is None or len(line) <= longest else line[: longest - 1] + "…"
