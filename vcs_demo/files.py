"""Write files whole or not at all, say why one was not, and JSON lines that every reader splits alike."""

import errno
import json
import os
import re
import shutil
import sqlite3
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from vcs_demo.errors import UserError, quoted
from vcs_demo.words import problem

_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}  # line ends to some readers of JSONL
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REASONS = (
    dict.fromkeys(_FULL, "full")
    | dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "readonly")
    | dict.fromkeys((errno.EMFILE, errno.ENFILE), "files")
)
_SQLITE_REASONS = {  # the first that an error's name begins with
    "SQLITE_FULL": "full",
    "SQLITE_READONLY_DBMOVED": "moved",
    "SQLITE_READONLY": "readonly",
    "SQLITE_CANTOPEN": "readonly",
    "SQLITE_BUSY": "locked",
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_NOTADB": "damaged",
}
_LEFTOVER = re.compile(
    r"\..+\.[0-9a-f]{8}\.partial(-journal)?|\.(run|pull)-\w{8}"
)  # what a killed write leaves
_DAY = 86_400.0
_swept: set[Path] = set()


@contextmanager
def written_whole(path: Path, mode: str = "w", *, private: bool = False, **how: Any) -> Iterator[IO]:
    """Open a file that appears under its name only when it is complete and on disk.

    A failure, or an exception inside, leaves what was there before.

    Args:
        path: the file; its folder must exist.
        mode: `w` (UTF-8 text) or `wb`.
        private: only this user may read it.
        how: further arguments of `open`.

    Raises:
        OSError: it cannot be written.
    """
    part = partial(path)
    how = how if "b" in mode else {"encoding": "utf-8"} | how
    try:
        with part.open(mode, **how) as file:
            if private:
                with suppress(OSError):  # a mounted volume may know no modes
                    os.fchmod(file.fileno(), 0o600)
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


def partial(path: Path) -> Path:
    """Return a new temporary name beside a path; the first in a folder clears away what killed writes left there."""
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep(path.parent)
    return path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.partial")


def sweep(folder: Path) -> None:
    """Delete temporary files and folders that nobody has written to for a day; a running work's are younger."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _LEFTOVER.fullmatch(path.name) and time.time() - _last_change(path) > _DAY:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def make_private(path: Path) -> None:
    """Make a file if there is none, and let nobody but its owner read or write it."""
    with suppress(PermissionError):  # whoever opens it says what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    with suppress(OSError):  # somebody else's, or a mounted volume that knows no modes
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter; one that is there stays as it is. Raises OSError."""
    for missing in [path for path in (*reversed(folder.parents), folder) if not path.exists()]:
        missing.mkdir(mode=0o700, exist_ok=True)


def unsaved(
    error: OSError | sqlite3.Error, path: Path | str | None = None, kind: type[UserError] = UserError
) -> UserError:
    """Return the sentence that says why something could not be written, and where.

    Args:
        error: of the system or of SQLite.
        path: what was to be written, where the error does not name it.
        kind: class of the sentence.
    """
    if isinstance(error, OSError):
        key, where, text = _REASONS.get(error.errno or 0, "other"), path or error.filename, error.strerror
    else:
        name = getattr(error, "sqlite_errorname", "")
        key = next((why for start, why in _SQLITE_REASONS.items() if name.startswith(start)), "other")
        where, text = path, str(error)
    return problem(f"unsaved.{key}", kind, path=quoted(where or "?", 300), reason=text or str(error))


def disk_fault(error: BaseException | None) -> OSError | None:
    """Return the fault of a disk that an exception or one of its causes is; None if it is something else."""
    while error is not None and not (isinstance(error, OSError) and error.errno in _REASONS):
        error = error.__cause__ or error.__context__
    return error


def told(error: UserError | OSError) -> UserError:
    """Return the sentence for an error of a handler: its own, or why a file could not be written; else raise it."""
    if isinstance(error, UserError):
        return error
    sentence = unsaved(error, error.filename or os.environ.get("VCS_DATA_DIR") or "data")
    if sentence.key == "unsaved.other":
        raise error
    return sentence


def is_full(error: OSError) -> bool:
    """Tell whether an error says that no room is left."""
    return error.errno in _FULL


def _last_change(path: Path) -> float:
    """Return when a file, or anything in a folder, was last written to."""
    times = [path.lstat().st_mtime]
    for inside in path.rglob("*") if path.is_dir() and not path.is_symlink() else ():
        with suppress(FileNotFoundError):
            times.append(inside.lstat().st_mtime)
    return max(times)


def state_of(path: Path) -> tuple[int, ...]:
    """Return what differs once a file has been written anew; raises OSError.

    Its modification time can be an old one (`cp -p`, `rsync -t`, `tar`); the time of its last change cannot.
    """
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def folder_state(folder: Path) -> tuple:
    """Return what differs once a file in a folder has been written anew, added or removed; raises OSError."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple((str(path.relative_to(folder)), *state_of(path)) for path in files)


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
