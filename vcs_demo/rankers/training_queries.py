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
_HASH = re.compile(rf"[0-9a-f]{{{HASH_DIGITS},64}}")
_SUM = re.compile(r"\\?([0-9a-f]{64}) [ *].+")  # as `sha256sum` writes it: a hash and a file's name


def training_hashes(folder: Path) -> frozenset[str] | None:
    """Return the first `HASH_DIGITS` digits of each listed hash; None if no list is there.

    The list has a sha256 in hex a line, or its first digits, in either case; lines that begin with # are comments.

    Raises:
        UserError: the list cannot be read, is empty, or has a line that is no hash: then nobody knows which queries to
            leave out, and none may be evaluated on.
    """
    path = folder / TRAINING_QUERIES
    if not os.path.lexists(path):
        return None
    try:
        return _read(path, state_of(path))
    except OSError as error:
        raise UserError(f"{_name(path)} cannot be read: {error.strerror}; mend or delete it.") from error


@lru_cache(maxsize=16)
def _read(path: Path, state: tuple[int, ...]) -> frozenset[str]:
    hashes = set()
    for number, line in _lines(path):
        text = line.lower()
        if _HASH.fullmatch(text):
            hashes.add(text[:HASH_DIGITS])
            continue
        listed = _SUM.fullmatch(text)
        words = [listed[1]] if listed else text.split()
        if line.startswith("#"):
            continue
        if wrong := next((word for word in words if not _HASH.fullmatch(word)), None):
            raise UserError(
                f"Line {number} of {_name(path)} has {quoted(wrong)}, which is no hash of {HASH_DIGITS} to 64 hex "
                "digits; mend the file, since nothing else tells which queries the model was trained on."
            )
        hashes.update(word[:HASH_DIGITS] for word in words)
    if not hashes:
        raise UserError(
            f"{_name(path)} lists no query; delete it if nobody knows what the model was trained on."
        )
    return frozenset(hashes)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from lines(path)
    except UserError as error:
        raise UserError(f"In {quoted(tail(path.parent, 2))}: {error}") from error


def _name(path: Path) -> str:
    return quoted(tail(path, 3))
