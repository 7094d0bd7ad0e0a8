"""Training texts: a folder of Vietnamese data → (query, passage) pairs by kind, and the texts themselves.

The folder holds `train_*.jsonl.xz`, one JSON object a line, as `FILES` names them; the models' cards say what is known
of their licences. ViMedAQA is never read. Files that are missing are left out, so the recipe also runs on part of the
data.
"""

import json
import lzma
import random
import re
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from vcs_demo.errors import UserError, quoted
from vcs_demo.text import nfc

NEWS = ("train_news_vietnews", "train_news_baomoi")
GROUPS = ("train_qa_groups_hardneg", "train_derived_qnli_groups")
QA, NLI, OTHER, WIKI = "train_qa_pairs", "train_nli_pairs_mnli_vi_mt", "train_text_other", "train_text_viwiki"
FILES = (*NEWS, QA, *GROUPS, NLI, OTHER, WIKI)

LONGEST = 130  # syllables of a passage: ViMedRetrieve's windows of 96 words have up to about 130
SHORTEST = 15  # syllables: a shorter piece answers little; `fragments` are such pieces
ANSWER = 170  # syllables of an answer that is not cut into windows: about the 224 tokens that are read of it
WHOLE = 0.3  # of the windows have the full length; the others are shorter, as the last one of a context is
FRAGMENTS = 0.3  # of the medical and encyclopedic pairs have a short sentence of their document as a negative
DROPPED = 0.1  # of a crop's words are left out, so that a query is seldom copied from its passage
TEXT = 300  # characters, about half a window: of a shorter text a crop would be most of the text

# Their queries are headings, not questions.
_SECTIONS = {"kalapa_tamanh_sections", "longchau_sections", "vlc_law_articles"}
# Sources without health pages: law, news, general knowledge, and single questions or sentences.
_NOT_MEDICAL = set(
    "vimq_questions phoner_covid19 unc_dantri vlc_laws vlc_law_articles squad2dev_vi_mt alqac_synth alqac2022 "
    "alqac2023 alqac2025 uit_seminar_reg".split()
)
_SENTENCE = re.compile(r"(?<=[.!?;…])\s+|\n+")
_HEADING = re.compile(r"^=+\s*(.+?)\s*=+$", re.MULTILINE)
_FORMS = (
    "{} là gì?|{} như thế nào?|tại sao {}?|vì sao {}?|{} có tác dụng gì?|{} khi nào?|có phải {} không?|{} ra sao?|"
    "những {} nào?|{} ở đâu?|nguyên nhân {} là gì?|{} gồm những gì?"
).split("|")


class Pair(NamedTuple):
    """A query, a passage that answers it, and a negative or ""."""

    query: str
    passage: str
    negative: str = ""


def read(folder: Path, *names: str) -> Iterator[dict]:
    """Yield the rows of `<name>.jsonl.xz`, texts in NFC; nothing where a file is not there.

    Raises:
        UserError: a line that is not JSON, or a broken file.
    """
    for path in (folder / f"{name}.jsonl.xz" for name in names):
        if not path.is_file():
            continue
        try:
            with lzma.open(path, "rt", encoding="utf-8") as file:
                for line in file:
                    row = json.loads(line)
                    yield {k: nfc(v) if isinstance(v, str) else v for k, v in row.items()}
        except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
            raise UserError(f"{quoted(path.name)} cannot be read ({error}); fetch it anew.") from error


def texts(folder: Path) -> Iterator[str]:
    """Yield every training text once, for a tokenizer: medical text first, then encyclopedia, then news."""
    yield from (row["text"] for row in read(folder, OTHER))
    for row in read(folder, QA):
        yield row["query"]
        yield row["positive"]
    yield from (row["text"] for row in read(folder, WIKI))
    for row in read(folder, *reversed(NEWS)):
        yield f"{row['title']}. {row['lead']}"
        yield row["body"]


def pairs(folder: Path, seed: int = 0) -> dict[str, list[Pair]]:
    """Make the pairs of every kind; equal folders and seeds give equal pairs.

    Kinds: `news` (title→lead, lead→body, title→body), `qa` (questions people or machines asked), `sections` (heading of
    a health page, law or encyclopedia → its text), `medical` and `crops` (a piece of a passage, worded as a question
    half of the time → that passage, at times with a short sentence of the same document as a negative), `newscrops`
    (the same of news), `nli` (premise → entailed hypothesis).

    Raises:
        UserError: the folder holds none of the files.
    """
    if not any((folder / f"{name}.jsonl.xz").is_file() for name in FILES):
        raise UserError(
            f"{quoted(folder)} holds none of {', '.join(FILES)} (.jsonl.xz); give the data's folder."
        )
    makers = {
        "news": _news,
        "qa": _qa,
        "sections": _sections,
        "medical": partial(_crops, names=(OTHER, QA), each=2),
        "crops": partial(_crops, names=(WIKI,), each=1),
        "newscrops": _news_crops,
        "nli": _nli,
    }
    by_kind = {kind: list(make(folder, random.Random(f"{seed} {kind}"))) for kind, make in makers.items()}
    return {kind: rows for kind, rows in by_kind.items() if rows}


def _news(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for row in read(folder, *NEWS):
        body = _cut(row["body"], rng.randint(50, LONGEST))
        for query, passage in ((row["title"], row["lead"]), (row["lead"], body), (row["title"], body)):
            if query and passage:
                yield Pair(query, passage)


def _news_crops(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for row in read(folder, *NEWS):
        for window in windows(row["body"], rng)[:2]:
            yield Pair(crop(window, "", rng), window)


def _qa(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for row in read(folder, QA):
        if row["source"] not in _SECTIONS:
            yield Pair(row["query"], _cut(row["positive"], ANSWER))
    for row in read(folder, *GROUPS):
        for positive in row["pos"]:
            negative = rng.choice(row["neg"]) if row["neg"] else ""
            yield Pair(row["anchor"], _cut(positive, ANSWER), _cut(negative, ANSWER))


def _sections(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for row in read(folder, QA):
        if row["source"] in _SECTIONS:
            for window in windows(row["positive"], rng)[:2]:
                yield Pair(row["query"], window)
    for row in read(folder, WIKI):
        parts = _HEADING.split(row["text"])
        for heading, text in zip(["", *parts[1::2]], parts[::2], strict=True):
            for window in windows(text, rng)[:1]:
                yield Pair(f"{row['title']} {heading}".strip(), window)


def _crops(folder: Path, rng: random.Random, names: tuple[str, ...], each: int) -> Iterator[Pair]:
    for row in read(folder, *names):
        text, title = row.get("text") or row["positive"], row.get("title") or ""
        if row.get("source") in _NOT_MEDICAL or len(text) < TEXT:
            continue
        topic = re.split(r"[:?(–-]", title)[0].strip()
        text = _HEADING.sub("", text)
        short = fragments(text)
        for window in windows(text, rng):
            for _ in range(each):
                negative = rng.choice(short) if short and rng.random() < FRAGMENTS else ""
                yield Pair(crop(window, topic, rng), window, "" if negative in window else negative)


def _nli(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for row in read(folder, NLI):
        if row["label"] == "entailment":
            yield Pair(row["premise"], row["hypothesis"])


def premises(folder: Path) -> Iterator[str]:
    """Yield the premise of every labelled sentence pair."""
    labels = ("entailment", "neutral", "contradiction")
    yield from (row["premise"] for row in read(folder, NLI) if row["label"] in labels)


def windows(text: str, rng: random.Random) -> list[str]:
    """Cut a text into passages as the benchmark's are: up to 130 syllables, half of them not at a sentence's end."""
    sentences = [words for part in _SENTENCE.split(text) if (words := part.split())]
    words = [word for sentence in sentences for word in sentence]
    starts = {0, *accumulate(len(sentence) for sentence in sentences)}
    cut, at = [], 0
    while at < len(words):
        end = at + (LONGEST if rng.random() < WHOLE else rng.randint(SHORTEST, LONGEST))
        if rng.random() < 0.5:  # up to the end of a sentence, if one ends soon
            end = next((e for e in range(end, min(end + 30, len(words))) if e in starts), end)
        if min(end, len(words)) - at >= SHORTEST:
            cut.append(" ".join(words[at : min(end, at + LONGEST)]))
        at = end
    return cut


def fragments(text: str) -> list[str]:
    """Return the short sentences (2 to 14 syllables): like the tails of windows, near to much, answering little."""
    return [" ".join(words) for part in _SENTENCE.split(text) if 2 <= len(words := part.split()) < SHORTEST]


def crop(passage: str, topic: str, rng: random.Random) -> str:
    """Make a query out of a passage: 5 to 16 words of a sentence, some dropped.

    Half of the queries name the topic of the document, half are worded as questions.
    """
    sentences = [s.split() for s in _SENTENCE.split(passage)]
    words = rng.choice([s for s in sentences if len(s) >= 5] or [passage.split()])
    length = min(len(words), rng.randint(5, 16))
    start = rng.randint(0, len(words) - length)
    chosen = [w for w in words[start : start + length] if rng.random() > DROPPED] or words
    query = " ".join(chosen).strip(" .,;:!?-")
    if topic and rng.random() < 0.5:
        query = f"{topic} {query}" if rng.random() < 0.5 else f"{query} {topic}"
    return rng.choice(_FORMS).format(query) if rng.random() < 0.5 else query


def _cut(text: str, syllables: int) -> str:
    return " ".join(text.split()[:syllables])
