"""Passage vectors: exact search over them, in process, and their cache on disk."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from vcs_demo.files import unsaved, written_whole
from vcs_demo.paths import data_dir
from vcs_demo.rankers.base import PassageIndex, finite

log = logging.getLogger(__name__)
KEPT_FILES = 32  # the oldest are deleted beyond that: 32 × 7 MB for the whole of ViMedRetrieve's test split


class VectorIndex(PassageIndex):
    """Exact search by cosine similarity over unit vectors, in process.

    Args:
        name: of the model.
        encode_queries: queries → unit vectors, float32 of shape (n_queries, dimensions).
        vectors: the passages' unit vectors, float32 of shape (n_passages, dimensions).
    """

    def __init__(
        self, name: str, encode_queries: Callable[[Sequence[str]], np.ndarray], vectors: np.ndarray
    ) -> None:
        self._name, self._encode, self._vectors = name, encode_queries, vectors

    def score(self, queries: Sequence[str]) -> np.ndarray:
        """Return cosines, float32 of shape (n_queries, n_passages), rounded to six digits.

        Rounded, so that vectors that differ by the noise of a batch (1e-7) count as the tie that they are.

        Raises:
            UserError: a score is NaN or infinite.
        """
        return finite(np.round(self._encode(queries) @ self._vectors.T, 6), self._name)


def kept_vectors(
    fingerprint: str, passages: Sequence[str], encode: Callable[[Sequence[str]], np.ndarray]
) -> np.ndarray:
    """Return the passages' vectors from disk if this model encoded just these texts before, else encode them.

    Args:
        fingerprint: of the model.
        passages: the texts.
        encode: texts → float32 vectors of shape (n, dimensions).

    Returns:
        float32 of shape (n_passages, dimensions).
    """
    digest = sha256(fingerprint.encode())
    for passage in passages:
        digest.update(b"\0" + passage.encode())
    folder = data_dir() / "vectors"
    path = folder / f"{digest.hexdigest()[:24]}.npy"
    try:
        vectors = np.load(path, allow_pickle=False)
        if len(vectors) == len(passages):
            os.utime(path)
            return vectors
    except (OSError, ValueError):  # not there, or not whole
        pass
    vectors = encode(passages)
    try:
        folder.mkdir(exist_ok=True)
        with written_whole(path, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
    except OSError as error:  # they are encoded anew next time
        log.warning("The vectors are not kept: %s", unsaved(error, path))
    _forget_oldest(folder)
    return vectors


def _forget_oldest(folder: Path) -> None:
    ages = []
    for path in folder.glob("*.npy"):
        with suppress(FileNotFoundError):  # another process tidies too
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages)[:-KEPT_FILES]:
        path.unlink(missing_ok=True)
