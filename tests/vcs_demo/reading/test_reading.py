"""Files as editors, shells and spreadsheets write them; and files that only look small."""

import json

import pytest

from vcs_demo.errors import UserError
from vcs_demo.reading import parquet
from vcs_demo.reading.rows import read_rows
from vcs_demo.reading.texts import lines, read_json

ROWS = [{"query": "Ho\u2028 khan\u0085?\x0b\x0c"}, {"query": "Sốt?"}]
LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]


def written(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def rows(path):
    return [row for _, row in read_rows(path)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n \n"])
@pytest.mark.parametrize("last", ["", "\n"])
@pytest.mark.parametrize("name", ["a.jsonl", "A.JSONL", "a.ndjson", "a.json"])
def test_json_lines_are_read_whatever_wrote_them(tmp_path, name, encoding, end, last):
    assert rows(written(tmp_path / name, end.join(LINES) + last, encoding)) == ROWS


def test_utf16_with_the_other_mark_is_read(tmp_path):
    content = b"\xfe\xff" + "\n".join(LINES).encode("utf-16-be")
    assert rows(written(tmp_path / "a.jsonl", content)) == ROWS


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_is_read_under_any_ending(tmp_path, name, indent):
    path = written(tmp_path / name, json.dumps(ROWS, indent=indent))
    assert list(read_rows(path)) == [(1, ROWS[0]), (2, ROWS[1])]


def test_lines_that_cannot_be_read_keep_their_number(tmp_path):
    path = written(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a"\n"x"\n{"a": "\xff"}\n{"a": 2}')
    got = list(read_rows(path))
    assert [line for line, _ in got] == [1, 3, 4, 5, 6]
    assert "not JSON" in got[1][1] and "JSON string" in got[2][1] and "not UTF-8" in got[3][1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", "\n", "sep={}\n"])
def test_tables_are_read_whatever_separates_their_columns(tmp_path, delimiter, end, encoding, before):
    records = [
        ["query", "score"],
        ['"Ho, khan;\tkhông?"', '"7,25"'],
        ["", ""],
        ['"a\nb"', "1"],
        ["'=1+1", ""],
    ]
    text = before.format(delimiter) + end.join(delimiter.join(cells) for cells in records)
    read = read_rows(written(tmp_path / "a.csv", text, encoding))
    assert [row["query"] for _, row in read] == ["Ho, khan;\tkhông?", "a\nb", "=1+1"]
    if delimiter == ",":
        with pytest.raises(ValueError, match="could not convert"):
            read.number("1.234,5", float)
    else:
        assert read.number("1.234,5", float) == 1234.5
    assert (
        read.number("7,25", float) == 7.25 and read.number("3,0", int) == 3
    )  # quoted, where commas separate
    assert read.number("3", int) == 3 and read.number("", int) is read.number("NaN", float) is None
    with pytest.raises(ValueError, match="inf is no number"):
        read.number("inf", float)


def test_a_header_of_one_column_and_a_comma_inside_quotes(tmp_path):
    assert rows(written(tmp_path / "a.tsv", "query\nHo?\n")) == [{"query": "Ho?"}]
    assert rows(written(tmp_path / "b.csv", '"a, b";c\n1;2\n')) == [{"a, b": "1", "c": "2"}]
    assert rows(written(tmp_path / "c.csv", "a;b;;\n1;2;;\n")) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "empty; its first line must name the columns"),
        ("a.csv", "a,A\n1,2\n", "the column 'a' twice"),
        ("a.csv", b"query\nb\xe1\xbb\x87nh,\xff", "not UTF-8 text; save it as UTF-8"),
        ("a.csv", b"q\0u\0", "UTF-16 without its mark; save it as UTF-8"),
        ("a.jsonl", b"\x1f\x8b\x08", "compressed .gzip.; unpack it first"),
        ("a.csv", b"PK\x03\x04", "workbook or a ZIP"),
        ("a.jsonl", b"SQLite format 3\0", "is a database"),
        ("a.json", '[\n{"a": 1},\n{"a"', "is not JSON"),
        ("a.parquet", "version https://git-lfs.github.com/spec/v1", "cannot be read as Parquet"),
        ("a.txt", "", "a file that ends in .jsonl"),
    ],
)
def test_what_is_no_file_of_rows_is_one_sentence(tmp_path, name, content, message):
    path = written(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        list(read_rows(path))
    assert "\n" not in str(caught.value)


def test_lines_of_text_and_a_file_of_json(tmp_path):
    path = written(tmp_path / "ids.txt", "a\r\n\r\nb\u2028c\r", "utf-16")
    assert list(lines(path)) == [(1, "a"), (3, "b\u2028c")]
    assert read_json(written(tmp_path / "a.json", '{"a": 1}', "utf-8-sig")) == {"a": 1}
    with pytest.raises(UserError, match="'a.json' is not JSON"):
        read_json(written(tmp_path / "a.json", "{"))


def test_a_small_parquet_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    text = "ho " * 100_000
    pyarrow.parquet.write_table(pyarrow.table({"a": [text] * 4_000}), path, compression="zstd")
    assert path.stat().st_size < 500_000
    with pytest.raises(UserError, match="unpacks to over"):
        for _ in read_rows(path):
            pass
    pyarrow.parquet.write_table(pyarrow.table({"a": [1] * 100}), path, row_group_size=30)
    assert [row["a"] for _, row in read_rows(path)] == [1] * 100
    pyarrow.parquet.write_table(pyarrow.table({"a": [[None] * 500, [1]]}), path)
    for bound, most in (("MAX_VALUES", 400), ("MAX_ROWS", 1), ("MAX_UNPACKED", 10)):
        with monkeypatch.context() as patched, pytest.raises(UserError, match="unpacks to over"):
            patched.setattr(parquet, bound, most)
            read_rows(path)
