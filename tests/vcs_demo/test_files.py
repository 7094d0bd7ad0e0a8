"""Files are written whole or not at all, and what cannot be written is refused before the work."""

import errno
import json
import os
import stat
import time

import pytest

from vcs_demo.background import watched
from vcs_demo.errors import UserError
from vcs_demo.files import (
    check_writable,
    make_private,
    make_private_folder,
    told,
    unsaved,
    write_json,
    write_jsonl,
    write_text,
    written_whole,
)
from vcs_demo.words import explain


def test_a_failure_leaves_what_was_there_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), written_whole(path) as file:
        file.write("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_json_keeps_its_letters_and_a_record_is_one_line_to_every_reader(tmp_path):
    write_json(tmp_path / "a.json", {"câu": [1]})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n "câu": [\n  1\n ]\n}\n'
    rows = [{"text": "a\u2028b\x85c\n"}, {"text": "đ"}]
    assert write_jsonl(tmp_path / "a.jsonl", rows) == 2
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()  # splits at U+2028 and U+0085 too
    assert [json.loads(line) for line in lines] == rows


def test_only_a_file_in_a_folder_that_is_there_can_be_written(tmp_path):
    check_writable(None, tmp_path / "new.json")
    for path in (tmp_path, tmp_path / "no" / "new.json"):
        with pytest.raises(UserError, match="cannot be written"):
            check_writable(path)
    assert list(tmp_path.iterdir()) == []


def aged(path, days):
    for one in (*(path.rglob("*") if path.is_dir() else ()), path):
        os.utime(one, (time.time() - 86_400 * days,) * 2)


def test_the_first_write_into_a_folder_clears_away_what_killed_writes_left_there(tmp_path):
    old = [".a.txt.0123abcd.partial", ".run-abcd1234", ".labels.db.0123abcd.partial-journal"]
    stays = [".a.txt.partial", "m.partial", ".labels.old.partial", "b.0123abcd.partial", ".bashrc"]
    for name in (*old, *stays):
        (tmp_path / name).mkdir() if name.startswith((".run", "m")) else (tmp_path / name).write_text("x")
        aged(tmp_path / name, 2)
    running = tmp_path / ".big.0123abcd.partial"
    running.mkdir()
    (running / "part").write_text("x")
    os.utime(running, (0, 0))  # a folder in which somebody is writing now
    write_text(tmp_path / "a.txt", "a")
    assert {path.name for path in tmp_path.iterdir()} == {*stays, "a.txt", running.name}


@pytest.mark.parametrize(
    ("error", "says", "nói"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no room left for 'runs/a'", "không còn chỗ"),
        (OSError(errno.EFBIG, "File too large"), "no room left", "không còn chỗ"),
        (PermissionError(errno.EACCES, "Permission denied"), "may not be written", "không được phép ghi"),
        (OSError(errno.EROFS, "Read-only file system"), "may not be written", "không được phép ghi"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open", "quá nhiều tệp"),
        (
            OSError(errno.EIO, "Input/output error"),
            "'runs/a' cannot be written (Input/output",
            "không ghi được",
        ),
    ],
)
def test_why_a_file_was_not_written_is_one_sentence_in_both_languages(error, says, nói):
    problem = unsaved(error, "runs/a")
    assert says in str(problem) and "\n" not in str(problem)
    assert nói in explain(problem, "vi") and "runs/a" in explain(problem, "vi")


def test_work_that_cannot_write_says_why_and_where():
    def work(report):
        raise OSError(errno.ENOSPC, "No space left on device", "data/runs/x")

    with pytest.raises(UserError, match="no room left for 'data/runs/x'"):
        list(watched(work))


def test_private_files_and_folders_are_for_their_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "a" / "b")
        make_private(tmp_path / "a" / "b" / "c")
        with written_whole(tmp_path / "d", private=True) as file:
            file.write("x")
        write_text(tmp_path / "e", "x")  # as the umask has it
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"a": 0o700, "b": 0o700, "c": 0o600, "d": 0o600, "e": 0o666}


def test_a_handlers_error_is_a_sentence_where_a_file_cannot_be_written_and_else_a_fault():
    mine = UserError("The pot is empty; fill it.")
    assert told(mine) is mine
    assert "no room left for 'x'" in str(told(OSError(errno.ENOSPC, "No space left on device", "x")))
    with pytest.raises(FileNotFoundError):
        told(FileNotFoundError(errno.ENOENT, "gone", "x"))
