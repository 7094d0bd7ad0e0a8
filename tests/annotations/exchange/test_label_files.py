import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.candidates import Candidate
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import export_labels
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.tables import guard, unguard

FILES = ("labels.jsonl", "labels.csv", "labels.parquet", "labels")


@pytest.fixture
def filled(store, make):
    """Three labelled candidates and one that is not; the second with a tie, the third without scores."""
    third = make(3, query="=SUM(A1)", passage="'+84 24 là mã vùng\r\n\u2028@a", rank=None, score=None)
    store.add_candidates([make(1), make(2), third, make(4)])
    store.label(make(1).id, "Nguyễn Lan", "hard", token="1", note="Ghi chú riêng")
    store.label(make(2).id, "Nguyễn Lan", "hard", token="2")
    store.label(make(2).id, "Trần Mai", "false_negative", token="3")
    store.label(third.id, "Trần Mai", "trivial", token="4")
    return store


@pytest.mark.parametrize("name", FILES)
def test_every_format_reads_back_as_it_was(filled, tmp_path, name):
    assert export_labels(filled, tmp_path / name)[0] == 3
    assert read_export(tmp_path / name) == filled.labelled()
    assert export_labels(filled, tmp_path / name)[0] == 3  # over what is there
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize("name", FILES[:3])
def test_no_labels_make_an_empty_file(store, tmp_path, name):
    assert export_labels(store, tmp_path / name)[0] == 0
    assert read_export(tmp_path / name) == []


def test_an_empty_data_set_is_refused_as_it_could_not_be_loaded(store, tmp_path):
    with pytest.raises(UserError, match="nothing to export yet"):
        export_labels(store, tmp_path / "labels")
    assert list(tmp_path.glob("labels*")) == []


def test_annotators_and_their_notes_are_not_exported(filled, tmp_path):
    export_labels(filled, tmp_path / "labels.jsonl")
    text = (tmp_path / "labels.jsonl").read_text("utf-8")
    assert not any(word in text for word in ("Lan", "Mai", "Ghi chú"))
    assert list(json.loads(text.splitlines()[1])) == [
        *("query", "positive", "negative", "label", "votes", "consensus", "candidate_id", "query_id"),
        *("positive_id", "passage_id", "task", "source", "split", "miner", "rank", "score", "positive_score"),
        "annotators",
    ]
    second = json.loads(text.splitlines()[1])
    assert (second["label"], second["consensus"], second["annotators"]) == ("unsure", "majority", 2)
    assert json.loads(second["votes"]) == {"false_negative": 1, "hard": 1}


def test_triples_are_the_hard_ones(filled, tmp_path, make):
    assert export_labels(filled, tmp_path / "triples.jsonl", triples=True)[0] == 1
    assert json.loads((tmp_path / "triples.jsonl").read_text("utf-8")) == {
        "anchor": make(1).query,
        "positive": make(1).positive,
        "negative": make(1).passage,
    }
    with pytest.raises(UserError, match="has no query"):
        read_export(tmp_path / "triples.jsonl")


def test_triples_train_as_a_data_set(filled, tmp_path):
    from datasets import load_from_disk

    export_labels(filled, tmp_path / "triples", "dataset", triples=True)
    assert load_from_disk(str(tmp_path / "triples")).column_names == ["anchor", "positive", "negative"]


def test_a_spreadsheet_finds_no_formula(filled, tmp_path):
    export_labels(filled, tmp_path / "labels.csv")
    raw = (tmp_path / "labels.csv").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"query",')
    assert '\n"\'=SUM(A1)",' in raw.decode("utf-8")
    assert "''+84 24" in raw.decode("utf-8")


@given(st.text())
def test_the_guard_is_taken_back_exactly(text):
    assert unguard(guard(text)) == text
    assert not guard(text).lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("cell", ["'tis", "'", "'a", "a'", "’tis"])
def test_no_other_apostrophe_is_taken_away(cell):
    assert unguard(cell) == cell


@pytest.mark.parametrize("text", ["=1+1", " =1+1", "\t@x", "\r-2", "'", "''=1", "＝1", "-5 độ"])
def test_the_guard_knows_the_ways_in(text):
    assert guard(text) == f"'{text}"


HOSTILE = st.text(st.characters(codec=None), min_size=1, max_size=30).filter(
    lambda text: text.replace("\x00", "").encode("utf-8", "ignore").strip()
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.tuples(HOSTILE, HOSTILE, HOSTILE, st.text(max_size=10)), st.booleans())
def test_hostile_texts_go_all_the_way_round(texts, decomposed):
    query, positive, passage, source = texts
    try:
        candidate = Candidate.create(
            query=query + ("e\u0302\u0323" if decomposed else ""),
            positive=positive,
            passage=passage,
            source=source,
        )
    except UserError:  # white space only
        return
    with tempfile.TemporaryDirectory() as folder, LabelStore(":memory:") as store:
        store.add_candidates([candidate])
        store.label(candidate.id, "lan", "hard", token="1")
        for name in FILES[:3]:
            export_labels(store, Path(folder, name))
            (item,) = read_export(Path(folder, name))
            assert (item.query, item.positive, item.passage, item.source) == (
                *(candidate.query, candidate.positive, candidate.passage),
                candidate.source,
            )
            assert item == store.labelled()[0]


def test_a_failed_export_leaves_the_old_one(filled, tmp_path, monkeypatch):
    path = tmp_path / "labels.jsonl"
    path.write_text("cũ")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        export_labels(filled, path)
    assert path.read_text() == "cũ"
    assert list(tmp_path.glob("*partial*")) == list(tmp_path.glob(".*partial*")) == []


def test_what_cannot_be_written_is_named(filled, tmp_path):
    with pytest.raises(UserError, match="'xlsx' is not a format; the formats are jsonl, csv"):
        export_labels(filled, tmp_path / "labels.xlsx")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "important.txt").write_text("giữ lại")
    for format in ("dataset", "csv"):
        with pytest.raises(UserError, match="something else in it"):
            export_labels(filled, tmp_path / "notes", format)
    assert (tmp_path / "notes" / "important.txt").read_text() == "giữ lại"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "{", "Row 1 of .* cannot be read: The line is not JSON"),
        ("a.jsonl", "[1]\n", "Row 1 of .* is not an object"),
        ("a.jsonl", '{"query": "a"}\n', "Row 1 of .* has no positive, negative, label"),
        ("a.csv", "query,label\na,hard\n", "has no positive"),
        ("a.csv", b"query\xff", "is not UTF-8 text"),
        ("a.parquet", "PAR1", "cannot be read"),
        ("a.txt", "", "a file that ends in .jsonl"),
    ],
)
def test_what_is_no_export_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_export(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "easy"}, "the label 'easy'"),
        ({"score": "cao"}, "score is not as"),
        ({"votes": "[]"}, "votes"),
        ({"votes": '{"hard": "x"}'}, "votes"),
        ({"votes": '{"hard": -5}'}, "votes"),
        ({"score": float("inf")}, "inf is no number"),
        ({"query": "\u200b"}, "an empty query"),
    ],
)
def test_a_row_that_was_tampered_with_is_named(filled, tmp_path, change, message):
    path = tmp_path / "labels.jsonl"
    export_labels(filled, path)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows[1] |= change
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    with pytest.raises(UserError, match=f"Row 2 .*{message}"):
        read_export(path)


def test_a_missing_export_or_a_strange_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="There is no export"):
        read_export(tmp_path / "none.csv")
    with pytest.raises(UserError, match="not an exported data set"):
        read_export(tmp_path)


@pytest.fixture
def exported(filled, tmp_path):
    """A data set folder that was exported, and one more label since."""
    export_labels(filled, tmp_path / "labels")
    before = read_export(tmp_path / "labels")
    filled.label(filled.candidates()[3].id, "Trần Mai", "trivial", token="5")
    return before


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_a_data_set_whose_replacement_fails_is_the_old_one_or_the_new_one(
    exported, filled, tmp_path, monkeypatch, fails
):
    """Any of its moves fails, and one more after that: whoever reads it next finds the one or the other whole."""
    moves, calls = {"rename": Path.rename, "replace": Path.replace}, []

    def failing(name):
        def move(self, target):
            calls.append(name)
            if len(calls) >= fails and "labels" in str(target) and "manifest" not in str(target):
                raise OSError(28, "No space left on device")
            return moves[name](self, target)

        return move

    with monkeypatch.context() as patch:
        for name in moves:
            patch.setattr(Path, name, failing(name))
        if fails < 3:
            with pytest.raises(OSError, match="No space left"):
                export_labels(filled, tmp_path / "labels")
        else:
            export_labels(filled, tmp_path / "labels")
    assert read_export(tmp_path / "labels") in (exported, filled.labelled())
    assert export_labels(filled, tmp_path / "labels")[0] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels", "labels.manifest.json"]


def test_a_data_set_whose_replacement_was_killed_between_its_two_moves_comes_back(exported, filled, tmp_path):
    (tmp_path / "labels").rename(tmp_path / ".labels.old.partial")
    assert read_export(tmp_path / "labels") == exported
    (tmp_path / "labels").rename(tmp_path / ".labels.old.partial")
    assert export_labels(filled, tmp_path / "labels")[0] == 4
    assert not (tmp_path / ".labels.old.partial").exists()


def test_a_disk_without_room_for_the_manifest_leaves_what_was_there(filled, tmp_path, monkeypatch):
    path = tmp_path / "labels.jsonl"
    export_labels(filled, path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    filled.label(filled.candidates()[3].id, "Trần Mai", "trivial", token="5")
    opened = Path.open

    def full(self, *arguments, **more):
        file = opened(self, *arguments, **more)
        if "manifest" in self.name and "partial" in self.name:
            file = _Full(file)
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        export_labels(filled, path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


class _Full:
    """A file on a full disk: what is buffered cannot be flushed."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, text):
        return len(text)

    def flush(self):
        raise OSError(28, "No space left on device")

    def fileno(self):
        return self.file.fileno()


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", "jsonl"), ("a.jsonl", "csv"), ("a.txt", "jsonl"), ("a", "parquet"), ("a.CSV", "dataset")],
)
def test_an_ending_of_another_format_is_refused(filled, tmp_path, name, format):
    with pytest.raises(UserError, match=f"{name}' would not be read as {format}; name it 'a"):
        export_labels(filled, tmp_path / name, format)
    assert not list(tmp_path.glob("a*"))
