"""Training texts: a folder of Vietnamese data → (query, passage) pairs by kind, and the texts themselves.

The folder holds `train_*.jsonl.xz`, one JSON object a line, as `SOURCES` names them. ViMedAQA is never read. Files that
are missing are left out and said so, so the recipe also runs on part of the data.
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

# Each file, and what the card says of its licence.
SOURCES = {
    "train_news_vietnews": "news, their publishers'; collected for research (VietNews)",
    "train_news_baomoi": "news, their publishers'; no licence stated",
    "train_qa_pairs": "17 sets of questions and answers, each with its own terms, several not stated: the COVID-19 "
    "FAQ is for research, hospital pages are their publishers' (Long Châu: non-commercial)",
    "train_qa_groups_hardneg": "questions about people with judged passages; no licence stated",
    "train_derived_qnli_groups": "derived from UIT-ViQuAD, MLQA (CC BY-SA) and seminar data; partly not stated",
    "train_nli_pairs_mnli_vi_mt": "MultiNLI, machine-translated; terms of the translation not stated",
    "train_text_other": "health pages, patients' questions, law, news; their publishers'",
    "train_text_viwiki": "Wikipedia in Vietnamese, 2017 (CC BY-SA 3.0)",
}
FRAGMENTS = 0.3  # of the medical and encyclopedic rows: with a short sentence of their document as a negative
SHORTEST, LONGEST = 15, 130  # syllables of a passage; the benchmark's windows have up to about 130

_SENTENCE = re.compile(r"(?<=[.!?;…])\s+|\n+")
_HEADING = re.compile(r"^=+\s*(.+?)\s*=+$", re.MULTILINE)
_FORMS = (
    "{} là gì?",
    "{} như thế nào?",
    "tại sao {}?",
    "vì sao {}?",
    "{} có tác dụng gì?",
    "{} khi nào?",
    "có phải {} không?",
    "{} ra sao?",
    "những {} nào?",
    "{} ở đâu?",
    "nguyên nhân {} là gì?",
    "{} gồm những gì?",
)


class Pair(NamedTuple):
    """A query, a passage that answers it, a negative or "", and the number of the document both came from."""

    query: str
    passage: str
    negative: str
    document: int


def read(folder: Path, name: str) -> Iterator[dict]:
    """Yield the rows of `<name>.jsonl.xz`, texts in NFC; nothing where the file is not there.

    Raises:
        UserError: a line that is not JSON, or a broken file.
    """
    path = folder / f"{name}.jsonl.xz"
    if not path.is_file():
        return
    try:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield {k: nfc(v) if isinstance(v, str) else v for k, v in row.items()}
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{quoted(path.name)} cannot be read ({error}); fetch it anew.") from error


def texts(folder: Path) -> Iterator[str]:
    """Yield every training text once, for a tokenizer: medical text first, then encyclopedia, then news."""
    for row in read(folder, "train_text_other"):
        yield row["text"]
    for row in read(folder, "train_qa_pairs"):
        yield row["query"]
        yield row["positive"]
    for row in read(folder, "train_text_viwiki"):
        yield row["text"]
    for name in ("train_news_baomoi", "train_news_vietnews"):
        for row in read(folder, name):
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
    if not any((folder / f"{name}.jsonl.xz").is_file() for name in SOURCES):
        raise UserError(
            f"{quoted(folder)} holds none of {', '.join(SOURCES)} (.jsonl.xz); give the data's folder."
        )
    made = {
        "news": _news,
        "qa": _qa,
        "sections": _sections,
        "medical": partial(_crops, names=("train_text_other", "train_qa_pairs"), each=2),
        "crops": partial(_crops, names=("train_text_viwiki",), each=1),
        "newscrops": _news_crops,
        "nli": _nli,
    }
    found = {kind: list(make(folder, random.Random(f"{seed} {kind}"))) for kind, make in made.items()}
    return {kind: rows for kind, rows in found.items() if rows}


def _news(folder: Path, rng: random.Random) -> Iterator[Pair]:
    number = 0
    for name in ("train_news_vietnews", "train_news_baomoi"):
        for row in read(folder, name):
            number += 1
            body = _cut(row["body"], rng.randint(50, LONGEST))
            for query, passage in ((row["title"], row["lead"]), (row["lead"], body), (row["title"], body)):
                if query and passage:
                    yield Pair(query, passage, "", number)


def _news_crops(folder: Path, rng: random.Random) -> Iterator[Pair]:
    number = 0
    for name in ("train_news_vietnews", "train_news_baomoi"):
        for row in read(folder, name):
            number += 1
            for window in passages(row["body"], rng)[:2]:
                yield Pair(crop(window, "", rng), window, "", number)


_SECTIONS = {"kalapa_tamanh_sections", "longchau_sections", "vlc_law_articles"}


def _qa(folder: Path, rng: random.Random) -> Iterator[Pair]:
    documents: dict[str, int] = {}
    for row in read(folder, "train_qa_pairs"):
        if row["source"] not in _SECTIONS:
            number = documents.setdefault(row["positive"], len(documents))
            yield Pair(row["query"], _cut(row["positive"], 170), "", number)
    for name in ("train_qa_groups_hardneg", "train_derived_qnli_groups"):
        for row in read(folder, name):
            number = len(documents) + 1
            documents[row["anchor"]] = number
            for positive in row["pos"]:
                negative = rng.choice(row["neg"]) if row["neg"] else ""
                yield Pair(row["anchor"], _cut(positive, 170), _cut(negative, 170), number)


def _sections(folder: Path, rng: random.Random) -> Iterator[Pair]:
    number = 0
    for row in read(folder, "train_qa_pairs"):
        if row["source"] in _SECTIONS:
            number += 1
            for window in passages(row["positive"], rng)[:2]:
                yield Pair(row["query"], window, "", number)
    for row in read(folder, "train_text_viwiki"):
        number += 1
        parts = _HEADING.split(row["text"])
        for heading, text in zip(["", *parts[1::2]], parts[::2], strict=True):
            for window in passages(text, rng)[:1]:
                yield Pair(f"{row['title']} {heading}".strip(), window, "", number)


_NOT_MEDICAL = {
    "vimq_questions",
    "phoner_covid19",
    "unc_dantri",
    "vlc_laws",
    "vlc_law_articles",
    "squad2dev_vi_mt",
    "alqac_synth",
    "alqac2022",
    "alqac2023",
    "alqac2025",
    "uit_seminar_reg",
}


def _crops(folder: Path, rng: random.Random, names: tuple[str, ...], each: int) -> Iterator[Pair]:
    number = 0
    for name in names:
        for row in read(folder, name):
            if row.get("source") in _NOT_MEDICAL:
                continue
            text, title = row.get("text") or row["positive"], row.get("title") or ""
            if len(text) < 300:
                continue
            number += 1
            topic = re.split(r"[:?(–-]", title)[0].strip()
            text = _HEADING.sub("", text)
            short = fragments(text)
            for window in passages(text, rng):
                for _ in range(each):
                    negative = rng.choice(short) if short and rng.random() < FRAGMENTS else ""
                    yield Pair(
                        crop(window, topic, rng), window, "" if negative in window else negative, number
                    )


def judged(folder: Path) -> list[tuple[str, str, float]]:
    """Return (premise, hypothesis, score): 1 for entailment, 0.5 for neutral, 0 for contradiction."""
    scores = {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}
    rows = read(folder, "train_nli_pairs_mnli_vi_mt")
    return [(r["premise"], r["hypothesis"], scores[r["label"]]) for r in rows if r["label"] in scores]


def _nli(folder: Path, rng: random.Random) -> Iterator[Pair]:
    for number, (premise, hypothesis, score) in enumerate(judged(folder)):
        if score == 1:
            yield Pair(premise, hypothesis, "", number)


def passages(text: str, rng: random.Random) -> list[str]:
    """Cut a text into passages as the benchmark's windows are: up to 130 syllables, half of them not at a sentence."""
    sentences = [words for part in _SENTENCE.split(text) if (words := part.split())]
    words = [word for sentence in sentences for word in sentence]
    starts = {0, *accumulate(len(sentence) for sentence in sentences)}
    found, at = [], 0
    while at < len(words):
        end = at + (LONGEST if rng.random() < 0.3 else rng.randint(SHORTEST, LONGEST))
        if rng.random() < 0.5:  # up to the end of a sentence
            end = next((e for e in range(end, min(end + 30, len(words))) if e in starts), end)
        if min(end, len(words)) - at >= SHORTEST:
            found.append(" ".join(words[at : min(end, at + LONGEST)]))
        at = end
    return found


def fragments(text: str) -> list[str]:
    """Return the short sentences (2 to 14 syllables): like the tails of windows, near to much, answering little."""
    return [" ".join(words) for part in _SENTENCE.split(text) if 2 <= len(words := part.split()) <= 14]


def crop(passage: str, topic: str, rng: random.Random) -> str:
    """Make a query out of a passage: a clause of it, some words dropped.

    Half of the queries name the topic of the document, half are worded as questions.
    """
    sentences = [s.split() for s in _SENTENCE.split(passage)]
    words = rng.choice([s for s in sentences if len(s) >= 5] or [passage.split()])
    length = min(len(words), rng.randint(5, 16))
    start = rng.randint(0, len(words) - length)
    kept = [w for w in words[start : start + length] if rng.random() > 0.1] or words
    query = " ".join(kept).strip(" .,;:!?-")
    if topic and rng.random() < 0.5:
        query = f"{topic} {query}" if rng.random() < 0.5 else f"{query} {topic}"
    return rng.choice(_FORMS).format(query) if rng.random() < 0.5 else query


def _cut(text: str, syllables: int) -> str:
    return " ".join(text.split()[:syllables])
