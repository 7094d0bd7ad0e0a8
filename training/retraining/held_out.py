"""The texts of an evaluation, which must not be trained on."""

from collections.abc import Sequence

from vcs_demo.benchmark.tasks import Task
from vcs_demo.text import syllables

SHINGLE = 8  # syllables


class HeldOut:
    """What must not be trained on, recognised whatever its spacing and punctuation, and in part."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._whole: set[str] = set()
        self._parts: set[tuple[str, ...]] = set()
        for task in tasks:
            texts = (*task.queries.values(), *task.passages.values())
            self._whole |= {" ".join(syllables(text)) for text in texts}
            self._parts |= {shingle for text in task.passages.values() for shingle in _shingles(text)}

    def has(self, *texts: str) -> bool:
        """Tell whether one of the texts is held out: the same syllables, or half of its shingles in passages."""
        return any(map(self._has, texts))

    def _has(self, text: str) -> bool:
        shingles = _shingles(text)
        in_part = bool(shingles) and 2 * len(shingles & self._parts) >= len(shingles)
        return in_part or " ".join(syllables(text)) in self._whole


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = syllables(text)
    return {tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}
