"""Text files: UTF-8 with or without a byte order mark, UTF-16 with one, lines that end as files end them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vcs_demo.errors import UserError, quoted

MAX_BYTES = 512 * 1024**2
_ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NO_TEXT = {  # first bytes → what the file is, and the remedy
    b"\xff\xfe\x00\x00": "is UTF-32 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed (gzip); unpack it first",
    b"BZh": "is compressed (bzip2); unpack it first",
    b"\xfd7zXZ": "is compressed (xz); unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd); unpack it first",
    b"PK\x03\x04": "is a workbook or a ZIP; save the sheet as “CSV UTF-8”, or unpack it",
    b"\xd0\xcf\x11\xe0": "is a workbook; save the sheet as “CSV UTF-8”",
    b"PAR1": "is a Parquet file; name it .parquet",
    b"SQLite format 3": "is a database, not a file of rows; export from it first",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; run `git lfs pull`",
}


def check_file(path: Path) -> None:
    """Raise UserError unless there is such a file, and not too large a one."""
    if not path.is_file():
        what = "is no file that can be read" if path.exists() else "does not exist"
        raise UserError(f"There is no file {quoted(path)}: it {what}.")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{quoted(path.name)} is larger than {MAX_BYTES // 1024**2} MB; give a part of it.")


def head(path: Path, size: int = 64) -> bytes:
    """Return the first bytes of a file; raises UserError, also for a pipe, which would be waited for."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{quoted(path)} cannot be read: it is no file.")
    with _blamed(path), path.open("rb") as file:
        return file.read(size)


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file, told by its first bytes.

    Raises:
        UserError: it is no text, or UTF-16 without its mark.
    """
    first = head(path)
    for mark, what in _NO_TEXT.items():
        if first.startswith(mark):
            raise UserError(f"{quoted(path.name)} {what}.")
    for mark, encoding in _ENCODINGS.items():
        if first.startswith(mark):
            return encoding
    if b"\0" in first[:2]:
        raise UserError(f"{quoted(path.name)} is no text, or UTF-16 without its mark; save it as UTF-8.")
    return "utf-8"


@contextmanager
def opened(path: Path, *, newline: str | None = None, keep_broken: bool = False) -> Iterator[IO[str]]:
    """Open a text file of any encoding that `encoding_of` knows.

    Args:
        path: the file.
        newline: as of `open`; None: a line ends at a line feed, a carriage return or both, and at nothing else.
        keep_broken: read bytes that are not UTF-8 as lone surrogates, rather than raise.

    Raises:
        UserError: it cannot be read, or is not text of its encoding.
    """
    encoding = encoding_of(path)
    errors = "surrogateescape" if keep_broken and encoding != "utf-16" else "strict"
    with _blamed(path), path.open(encoding=encoding, errors=errors, newline=newline) as file:
        yield file


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        raise UserError(f"{quoted(path.name)} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise UserError(f"{quoted(path)} cannot be read: {error.strerror or error}.") from error


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line that is not blank; raises UserError."""
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if text := line.strip("\0 \t\r\n\ufeff"):
                yield number, text


def read_json(path: Path) -> Any:
    """Return what a file of JSON says; raises UserError."""
    with opened(path) as file:
        text = file.read()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{quoted(path.name)} is not JSON: {error}.") from error
