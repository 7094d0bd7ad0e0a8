"""Files from and for elsewhere: rows with their lines, CSV cells that cannot run as formulas, bilingual texts."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vcs_demo.errors import UserError, quoted
from vcs_demo.words import FOLDER, LANGUAGES, say

FORMATS = ("jsonl", "csv", "parquet", "dataset")  # of an export of labels
MAX_BYTES = 512 * 1024**2
MAX_LINE = 32 * 1024**2  # bytes of one line of JSONL
MAX_COLUMNS = 1_000
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could run, or that begins with an apostrophe."""
    return f"'{text}" if text.startswith("'") or text.lstrip().startswith(_FORMULA) else text


def unguard(cell: str) -> str:
    """Take away the apostrophe that `guard` put there, and no other."""
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell


def bilingual(name: str) -> str:
    """Return a text for other tools, which show one language, in English and Vietnamese: `Query · Câu hỏi`."""
    return " · ".join(say(lang, f"export.{name}") for _, lang in LANGUAGES)


def guidelines() -> str:
    """Return the guidelines that the app shows, in both languages, as Markdown."""
    texts = [(FOLDER / "guidelines" / f"{lang}.md").read_text("utf-8") for _, lang in LANGUAGES]
    return "\n\n---\n\n".join(text.strip() for text in texts) + "\n"


def check_file(path: Path) -> None:
    """Raise UserError unless there is such a file, and not too large a one."""
    if not path.is_file():
        raise UserError(f"There is no file {quoted(path)} to import.")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{quoted(path.name)} is larger than {MAX_BYTES // 1024**2} MB; import a part of it.")


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield line and value of each line of JSON; for a line that cannot be read, the reason as a string."""
    with path.open("rb") as file:
        line = 0
        while content := file.readline(MAX_LINE):
            line += 1
            if len(content) == MAX_LINE and not content.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield line, f"The line has over {MAX_LINE // 1024**2} MB; split it."
            elif content.strip():
                yield line, _json(content)


def _json(content: bytes) -> Any:
    try:
        value = json.loads(content.decode("utf-8-sig"))
        return "The line is a JSON string, not an object." if isinstance(value, str) else value
    except UnicodeDecodeError:
        return "The line is not UTF-8 text; save the file as UTF-8."
    except (ValueError, RecursionError) as error:
        return f"The line is not JSON: {error}."


def read_csv(
    path: Path, check_header: Callable[[list[str]], None], cell: Callable[[str], Any] = unguard
) -> Iterator[tuple[int, Any]]:
    """Yield line and cells by column of each row of CSV; for a row that cannot be read, the reason as a string.

    Args:
        path: the file, in UTF-8.
        check_header: called with the columns; raises where they do not fit.
        cell: makes a value of a cell's text.

    Raises:
        UserError: not UTF-8, or a header of too many columns.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise UserError(f"{quoted(path.name)} is not UTF-8 text; save it as UTF-8.") from error
            except csv.Error as error:
                yield line, f"The row is not CSV: {error}."
                continue
            if header is None:
                header = cells
                if len(header) > MAX_COLUMNS:
                    raise UserError(
                        f"{quoted(path.name)} has {len(header):,} columns; at most {MAX_COLUMNS:,} are read."
                    )
                check_header(header)
            elif cells and len(cells) != len(header):
                yield line, f"The row has {len(cells)} cells, the header {len(header)}."
            elif cells:
                yield line, {name: cell(text) for name, text in zip(header, cells, strict=True)}
