"""How a log and its snapshots lie in a place elsewhere, as files that never change.

    events/<history>/<first line>-<last line>-<digest>.jsonl    parts of the log, without gap or overlap
    snapshots/<history>/<time>-<lines of the log>.db            the newest seven

A history is one log from its first line on; `digest` begins the sha256 of all of it up to that part's end. A log that
goes on otherwise than what was pushed (after `restore --no-replay`, say) begins a history of its own.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

_PART = re.compile(r"events/([\w-]+)/(\d+)-(\d+)-([0-9a-f]{12})\.jsonl", re.ASCII)
_SNAPSHOT = re.compile(r"snapshots/([\w-]+)/(\d{8}T\d{6}Z)-(\d+)\.db", re.ASCII)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass
class History:
    """What a place has of one log.

    Attributes:
        name: the time it began and four random digits; the newest sorts last.
        parts: (first line, last line, digest, path), in order.
        snapshots: (time, lines of the log by then, path), oldest first.
    """

    name: str
    parts: list[tuple[int, int, str, str]] = field(default_factory=list)
    snapshots: list[tuple[datetime, int, str]] = field(default_factory=list)

    @classmethod
    def begin(cls) -> "History":
        """Return a new one, without parts."""
        return cls(f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}-{uuid.uuid4().hex[:4]}")

    @property
    def end(self) -> tuple[int, str]:
        """Return the last line and the digest there; (0, "") where nothing is there or a part is missing."""
        line, digest = 0, ""
        for first, last, after, _ in self.parts:
            if first != line + 1:
                return 0, ""
            line, digest = last, after
        return line, digest

    def part_path(self, first: int, last: int, digest: str) -> str:
        """Return the path of a part."""
        return f"events/{self.name}/{first:09}-{last:09}-{digest}.jsonl"

    def snapshot_path(self, lines: int) -> str:
        """Return the path of a snapshot made now."""
        return f"snapshots/{self.name}/{datetime.now(UTC).strftime(_STAMP)}-{lines:09}.db"


def histories(files: list[str]) -> list[History]:
    """Return the histories among these files, the newest last; other files are passed over."""
    found: dict[str, History] = {}
    for path in sorted(files):
        if part := _PART.fullmatch(path):
            name, first, last, digest = part.groups()
            found.setdefault(name, History(name)).parts.append((int(first), int(last), digest, path))
        elif copy := _SNAPSHOT.fullmatch(path):
            name, stamp, lines = copy.groups()
            at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
            found.setdefault(name, History(name)).snapshots.append((at, int(lines), path))
    return [found[name] for name in sorted(found) if found[name].parts]


class LogReader:
    """A position in a log, after so many whole lines; it goes forwards only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = self.offset = 0
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Return the beginning of the sha256 of all lines so far."""
        return self._hash.hexdigest()[:12]

    def copy(self) -> "LogReader":
        """Return another at the same position."""
        other = LogReader(self.path)
        other.lines, other.offset, other._hash = self.lines, self.offset, self._hash.copy()
        return other

    def read(self, size: int) -> bytes:
        """Return the next whole lines, about so many bytes but at least a line; empty at the end."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            text = file.read(size)
            if b"\n" not in text:
                text += file.readline()
        text = text[: text.rfind(b"\n") + 1]  # a line still being written has no end yet
        self._take(text, text.count(b"\n"))
        return text

    def skip_to(self, line: int) -> None:
        """Go on until after this line, or to the end."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.offset)
                while self.lines < line and (text := file.readline()).endswith(b"\n"):
                    self._take(text, 1)

    def size(self) -> int:
        """Return how many bytes the log has."""
        return self.path.stat().st_size if self.path.exists() else 0

    def behind(self) -> int:
        """Return how many whole lines come after here."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def _take(self, text: bytes, lines: int) -> None:
        self._hash.update(text)
        self.lines += lines
        self.offset += len(text)
