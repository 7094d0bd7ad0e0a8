"""Write files whole or not at all, and JSON lines that every reader splits alike."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vcs_demo.errors import UserError, quoted

_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}  # line ends to some readers of JSONL


@contextmanager
def written_whole(path: Path, mode: str = "w", **how: Any) -> Iterator[IO]:
    """Open a file that appears under its name only when it is complete and on disk.

    A failure, or an exception inside, leaves what was there before.

    Args:
        path: the file; its folder must exist.
        mode: `w` (UTF-8 text) or `wb`.
        how: further arguments of `open`.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.partial")
    how = how if "b" in mode else {"encoding": "utf-8"} | how
    try:
        with part.open(mode, **how) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if error.filename and str(error.filename) != str(part):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # not the name that only we know
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole; raises OSError."""
    with written_whole(path) as file:
        file.write(text)


def write_json(path: Path, content: object, indent: int | None = 1) -> None:
    """Write a JSON file whole, with its letters as they are; raises OSError."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=indent) + "\n")


def json_line(record: dict[str, Any]) -> str:
    """Return a record as one line of JSON with its line end, free of what some readers take for a line end."""
    return json.dumps(record, ensure_ascii=False).translate(_LINE_ENDS) + "\n"


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Write records as JSON lines, whole; return how many; raises OSError."""
    count = 0
    with written_whole(path) as file:
        for record in records:
            file.write(json_line(record))
            count += 1
    return count


def check_writable(*paths: Path | None) -> None:
    """Check, before any work, that files can be written where they are asked for.

    Raises:
        UserError: one of them is a folder, or its folder does not exist or cannot be written.
    """
    for path in paths:
        if path is None:
            continue
        folder = path.absolute().parent
        if path.is_dir() or not folder.is_dir():
            raise UserError(
                f"{quoted(path)} cannot be written: it is a folder, or its folder does not exist."
            )
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise UserError(f"{quoted(path)} cannot be written: permission denied; give another path.")
