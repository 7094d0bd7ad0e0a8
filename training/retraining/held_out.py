"""The texts of an evaluation, which must not be trained on."""

from collections.abc import Sequence

from vcs_demo.benchmark.tasks import Task
from vcs_demo.text import syllables


class HeldOut:
    """What must not be trained on, recognised whatever its spacing and punctuation, and in part."""

    SHINGLE = 8  # syllables

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._whole: set[str] = set()
        self._parts: set[tuple[str, ...]] = set()
        for task in tasks:
            self._whole |= {self._normal(text) for text in (*task.queries.values(), *task.passages.values())}
            for text in task.passages.values():
                self._parts |= self._shingles(text)

    def has(self, *texts: str) -> bool:
        """Tell whether one of the texts is held out: the same syllables, or half of its shingles in passages."""
        return any(map(self._has, texts))

    def _has(self, text: str) -> bool:
        if self._normal(text) in self._whole:
            return True
        shingles = self._shingles(text)
        return bool(shingles) and 2 * len(shingles & self._parts) >= len(shingles)

    @staticmethod
    def _normal(text: str) -> str:
        return " ".join(syllables(text))

    def _shingles(self, text: str) -> set[tuple[str, ...]]:
        words = syllables(text)
        return {tuple(words[i : i + self.SHINGLE]) for i in range(len(words) - self.SHINGLE + 1)}
