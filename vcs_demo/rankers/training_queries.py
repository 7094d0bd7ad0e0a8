"""`training_queries.txt` beside a model: hashes of the queries it was trained on, which no evaluation may count."""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import state_of
from vcs_demo.paths import tail
from vcs_demo.rankers.base import HASH_DIGITS
from vcs_demo.reading.texts import lines

TRAINING_QUERIES = "training_queries.txt"
INCOMPLETE = "# incomplete"  # a line that begins so says that the model saw more queries than are listed
_HASH = re.compile(rf"[0-9a-f]{{{HASH_DIGITS},64}}")
_OTHER_SUMS = {32: "MD5", 40: "SHA-1", 56: "SHA-224"}  # digits → of what, which would match no query
_SUM = re.compile(r"\\?([0-9a-f]{64}) [ *].+")  # as `sha256sum` writes it: a hash and a file's name


def training_hashes(folder: Path) -> frozenset[str] | None:
    """Return the first `HASH_DIGITS` digits of each listed hash; None if no list is there.

    The list has a sha256 in hex a line, or its first digits, in either case; lines that begin with # are comments, of
    which `INCOMPLETE` means something.

    Raises:
        UserError: the list cannot be read, is empty, or has a line that is no hash: then nobody knows which queries to
            leave out, and none may be evaluated on.
    """
    listed = _listed(folder)
    return listed and listed[0]


def training_known(folder: Path) -> bool:
    """Tell whether a list is there, and complete; raises as `training_hashes`."""
    listed = _listed(folder)
    return listed is not None and listed[1]


def _listed(folder: Path) -> tuple[frozenset[str], bool] | None:
    path = folder / TRAINING_QUERIES
    if not os.path.lexists(path):
        return None
    try:
        return _read(path, state_of(path))
    except OSError as error:
        raise UserError(f"{_name(path)} cannot be read: {error.strerror}; mend or delete it.") from error


@lru_cache(maxsize=16)
def _read(path: Path, state: tuple[int, ...]) -> tuple[frozenset[str], bool]:
    hashes, complete = set(), True
    for number, line in _lines(path):
        text = line.lower()
        listed = _SUM.fullmatch(text)
        words = [listed[1]] if listed else text.split()
        if line.startswith("#"):
            complete &= not text.startswith(INCOMPLETE)
            continue
        if wrong := next((word for word in words if not _HASH.fullmatch(word)), None):
            raise UserError(
                f"Line {number} of {_name(path)} has {quoted(wrong)}, which is no hash of {HASH_DIGITS} to 64 hex "
                "digits; mend the file, since nothing else tells which queries the model was trained on."
            )
        if kind := next((_OTHER_SUMS[len(word)] for word in words if len(word) in _OTHER_SUMS), None):
            raise UserError(
                f"Line {number} of {_name(path)} has as many digits as {kind}, by which no query would be recognised; "
                f"list each query's sha256, whole or its first {HASH_DIGITS} digits."
            )
        hashes.update(word[:HASH_DIGITS] for word in words)
    if not hashes:
        raise UserError(
            f"{_name(path)} lists no query; delete it if nobody knows what the model was trained on."
        )
    return frozenset(hashes), complete


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from lines(path)
    except UserError as error:
        raise UserError(f"In {quoted(tail(path.parent, 2))}: {error}") from error


def _name(path: Path) -> str:
    return quoted(tail(path, 3))
