"""What exports share: their formats, CSV, texts in two languages."""

import csv
from collections.abc import Iterable
from typing import IO, Any

from vcs_demo.tables import guard
from vcs_demo.words import FOLDER, LANGUAGES, say

FORMATS = ("jsonl", "csv", "parquet", "dataset")  # of an export of labels


def write_csv(file: IO[str], columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV, quoted throughout (else a lone carriage return is not) and with texts guarded."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = (row[name] for name in columns)
        writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in cells])


def bilingual(name: str) -> str:
    """Return a text for other tools, which show one language, in English and Vietnamese: `Query · Câu hỏi`."""
    return " · ".join(say(lang, f"export.{name}") for _, lang in LANGUAGES)


def guidelines() -> str:
    """Return the guidelines that the app shows, in both languages, as Markdown."""
    texts = [(FOLDER / "guidelines" / f"{lang}.md").read_text("utf-8") for _, lang in LANGUAGES]
    return "\n\n---\n\n".join(text.strip() for text in texts) + "\n"
