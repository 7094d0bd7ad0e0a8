import json

import pytest

from annotations.database.errors import DatabaseUnavailable
from annotations.exchange.manifest import export_labels
from annotations.exchange.triples import MAX_PER_ROW, import_triples
from vcs_demo.errors import UserError


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    "names", [("query", "positive", "negative"), ("anchor", "pos", "neg"), ("Question", " Positive", "NEG")]
)
def test_columns_go_by_several_names(store, tmp_path, names):
    path = write(tmp_path / "a.jsonl", [dict(zip(names, ("Ho?", "Ho khan.", "Gãy tay."), strict=True))])
    report = import_triples(store, path)
    assert (report.rows, report.added, report.already_there, report.problems) == (1, 1, 0, [])
    (candidate,) = store.candidates()
    assert (candidate.query, candidate.positive, candidate.passage) == ("Ho?", "Ho khan.", "Gãy tay.")
    assert (candidate.source, candidate.split, candidate.miner) == ("a.jsonl", "train", "imported")
    assert (candidate.rank, candidate.score) == (None, None)
    assert candidate.query_id.startswith("q")


def test_lists_make_every_pair_once(store, tmp_path):
    rows = [{"query": "Ho?", "pos": ["một", "hai"], "neg": ["ba", "bốn", "Ba"]}] * 2
    report = import_triples(store, write(tmp_path / "a.jsonl", rows))
    assert (report.rows, report.added, report.already_there) == (2, 4, 8)


def test_bad_rows_are_named_by_line_and_good_ones_come_in(store, tmp_path):
    path = tmp_path / "a.jsonl"
    good = {"query": "Ho?", "positive": "Ho khan.", "negative": "Gãy tay."}
    lines = [
        json.dumps(good),
        "{",
        "",
        "[1, 2]",
        json.dumps(good | {"negative": None}),
        json.dumps(good | {"positive": 5}),
        json.dumps(good | {"negative": []}),
        json.dumps(good | {"negative": "HO \u00adKHAN.\u2060"}),
        json.dumps(good | {"negative": " \u200b\u3164"}),
        json.dumps(good | {"negative": "a" * 20_001}),
        json.dumps(good | {"split": "test"}),
        json.dumps(good | {"negative": [str(n) for n in range(MAX_PER_ROW + 1)]}),
        "[" * 100_000,
        json.dumps(good | {"query": "Sốt\ud800\x00?"}),
    ]
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    report = import_triples(store, path)
    reasons = {problem.line: problem.reason for problem in report.problems}
    assert report.added == 2
    assert list(reasons) == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15]
    for line, words in {
        2: "not JSON",
        4: "not a JSON object",
        5: "no negative",
        6: "'5'; it must be text",
        8: "same text as a positive",
        9: "passage is empty",
        10: "20,001 characters",
        11: "test split",
        12: "over 1,000 triples",
        15: "UTF-8",
    }.items():
        assert words in reasons[line]
    assert store.candidates()[1].query == "Sốt?"


def test_csv_rows_know_their_line_their_lists_and_their_guards(store, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "\ufeffanchor,pos,neg,miner\n"
        '"Ho\nkhan?",một,hai,đồng nghiệp\n'
        "thiếu,ô\n"
        "\n"
        'Sốt?,"[""ba"", ""bốn""]",[3] tài liệu,x\n'
        "'=1+1?,năm,,x\n"
        "'=1+1?,năm,'-6 độ,\n",
        "utf-8",
    )
    report = import_triples(store, path)
    assert [(p.line, p.reason) for p in report.problems] == [
        (4, "The row has 2 cells, the header 4."),
        (7, "There is no negative (it can also be named neg)."),
    ]
    assert [(c.query, c.positive, c.passage, c.miner) for c in store.candidates()] == [
        ("Ho\nkhan?", "một", "hai", "đồng nghiệp"),
        ("Sốt?", "ba", "[3] tài liệu", "x"),
        ("Sốt?", "bốn", "[3] tài liệu", "x"),
        ("=1+1?", "năm", "-6 độ", "imported"),
    ]


def test_parquet_rows_come_in_with_lists_or_texts(store, tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"query": ["Ho?", None], "pos": [["một"], ["hai"]], "neg": ["ba", "bốn"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    report = import_triples(store, tmp_path / "a.parquet", task="vimedretrieve", miner="authors")
    assert report.added == 1
    assert [problem.line for problem in report.problems] == [2]
    assert (store.candidates()[0].task, store.candidates()[0].miner) == ("vimedretrieve", "authors")


def test_an_export_comes_in_as_the_same_candidates(store, tmp_path, make):
    store.add_candidates([make(1, query="+ Ho?"), make(2)])
    for number, candidate in enumerate(store.candidates()):
        store.label(candidate.id, "lan", "hard", token=str(number))
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        export_labels(store, tmp_path / name)
        report = import_triples(store, tmp_path / name)
        assert (report.added, report.already_there, report.problems) == (0, 2, [])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "a file that ends in .jsonl, .ndjson, .json, .csv, .tsv, .parquet"),
        ("a.csv", "query,positive\na,b\n", "has no column negative or neg; it has 'query, positive'"),
        ("a.csv", b"query,positive,negative\n\xff,b,c\n", "not UTF-8"),
        ("a.parquet", "không phải", "cannot be read as Parquet"),
    ],
)
def test_files_that_cannot_be_read_are_named(store, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        import_triples(store, tmp_path / name)
    with pytest.raises(UserError, match="There is no file"):
        import_triples(store, tmp_path / "none.csv")


def test_a_failing_import_adds_nothing(store, tmp_path, monkeypatch):
    rows = [{"query": "Ho?", "positive": "một", "negative": f"số {n}"} for n in range(300)]
    insert, calls = store.database.insert, []

    def failing(verb, record):
        calls.append(verb)
        if len(calls) == 250:
            raise OSError(28, "No space left on device")
        return insert(verb, record)

    monkeypatch.setattr(store.database, "insert", failing)
    with pytest.raises(DatabaseUnavailable, match="Not saved"):
        import_triples(store, write(tmp_path / "a.jsonl", rows))
    assert store.candidates() == []


def test_too_many_triples_are_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr("annotations.exchange.triples.MAX_TRIPLES", 3)
    rows = [{"query": "Ho?", "positive": "một", "negative": f"số {n}"} for n in range(4)]
    with pytest.raises(UserError, match="over 3 triples"):
        import_triples(store, write(tmp_path / "a.jsonl", rows))
    assert store.candidates() == []
