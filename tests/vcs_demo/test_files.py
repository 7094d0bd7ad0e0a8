"""Files are written whole or not at all, and what cannot be written is refused before the work."""

import json

import pytest

from vcs_demo.errors import UserError
from vcs_demo.files import check_writable, write_json, write_jsonl, written_whole


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
