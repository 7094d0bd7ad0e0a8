"""Files of other tools, editors and spreadsheets: read as they mean it, or refused in one sentence."""

import json
import unicodedata

import pytest

from annotations.__main__ import main
from annotations.candidates import checked_split
from annotations.exchange.answers import export_answers, import_answers
from annotations.exchange.argilla import export_argilla, settings_path
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import export_labels, read_labels
from annotations.exchange.triples import import_triples
from annotations.quality.gold import import_gold
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.tables import unguard


@pytest.fixture
def labelled(own_data_dir, make):
    """The data directory's database with two labelled candidates; their scores are no whole numbers."""
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates([make(1, query="+ Ho?\u2028"), make(2)])
        for number, candidate in enumerate(store.candidates()):
            store.label(candidate.id, "lan", "hard", token=str(number))
    return own_data_dir / "labels.db"


def texts(store):
    return [(c.query, c.positive, c.passage) for c in store.candidates()]


def as_written(path, rows, wrap):
    path.write_text(wrap([json.dumps(row) for row in rows]), "utf-8")
    return path


WRAPS = {"array": lambda lines: f"[{','.join(lines)}]", "lines": "\n".join}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "A.JSONL"])
def test_json_of_every_kind_is_told_by_its_content(labelled, tmp_path, name, wrap, capsys):
    triples = [{"anchor": "Ho?", "positive": "một", "negative": "hai"}]
    with LabelStore(labelled, read_only=True) as store:
        export_answers(store, tmp_path / "answers.jsonl")
        export_labels(store, tmp_path / "labels.jsonl")
        first = store.candidates()[0]
    kinds = {"triples": triples, "gold": [{"id": first.id, "label": "hard", "note": "a\u2028b"}]}
    for kind in ("answers", "labels"):
        kinds[kind] = [
            json.loads(line) for line in (tmp_path / f"{kind}.jsonl").read_text("utf-8").split("\n")[:-1]
        ]
    paths = {}
    for kind, rows in kinds.items():
        (tmp_path / kind).mkdir()
        paths[kind] = as_written(tmp_path / kind / name, rows, WRAPS[wrap])
    assert len(read_labels(paths["labels"]).labelled) == 2
    assert main(["gold", str(paths["gold"])]) == 0
    for kind, said in (
        ("answers", "2 answers added"),
        ("triples", "1 candidates added"),
        ("labels", "2 candidates"),
    ):
        assert (
            main(["import", str(paths[kind]), "--database", str(tmp_path / f"{kind}.db"), "--sender", "b"])
            == 0
        )
        assert said in capsys.readouterr().out
    assert main(["import", str(paths["gold"])]) == 1
    assert "`python -m annotations gold FILE`" in capsys.readouterr().err


def test_an_export_imported_again_says_what_was_not_imported(labelled, tmp_path, capsys):
    for name in ("labels.jsonl", "labels.csv", "labels.parquet", "labels"):
        assert main(["export", str(tmp_path / name)]) == 0
        capsys.readouterr()
        assert main(["import", str(tmp_path / name), "--database", str(tmp_path / "b.db")]) == 0
        said = capsys.readouterr().out
        assert "'label', 'votes', 'consensus'" in said and "`export --format answers`" in said
    with LabelStore(tmp_path / "b.db", read_only=True) as store:
        assert len(store.candidates()) == 2 and store.events() == []
    path = as_written(tmp_path / "a.jsonl", [{"query": "a", "pos": "b", "neg": "c"}], WRAPS["lines"])
    assert main(["import", str(path), "--database", str(tmp_path / "c.db")]) == 0
    assert "Not imported" not in capsys.readouterr().out


def test_argillas_and_potatos_files_are_named(labelled, store, tmp_path, capsys):
    with LabelStore(labelled, read_only=True) as opened:
        export_argilla(opened, tmp_path / "a.json")
    potato = as_written(tmp_path / "p.jsonl", [{"id": "1", "label_annotations": {}}], WRAPS["lines"])
    for path in (tmp_path / "a.json", settings_path(tmp_path / "a.json"), potato):
        assert main(["import", str(path)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "row",
    [
        {"query": "Ho?", "answer": "một", "negative_1": "hai", "negative_2": "ba", "negative_10": "bốn"},
        {"anchor": "Ho?", "positive": "một", "negative": ["hai", "ba", "bốn"], "scores": [0.9, 0.1]},
        {"question": "Ho?", "context": ["một", "hai", "ba", "bốn"], "labels": [1, 0, 0, 0]},
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "saved"])
def test_what_mine_hard_negatives_writes_is_read(store, tmp_path, row, name):
    from datasets import Dataset

    data = Dataset.from_list([row])
    if name == "a.jsonl":
        data.to_json(str(tmp_path / name), force_ascii=False)
    elif name == "a.parquet":
        data.to_parquet(str(tmp_path / name))
    else:
        data.save_to_disk(str(tmp_path / name))
    report = import_triples(store, tmp_path / name)
    assert texts(store) == [("Ho?", "một", negative) for negative in ("hai", "ba", "bốn")]
    assert report.problems == [] and report.dropped == (("scores",) if "scores" in row else ())


@pytest.mark.parametrize("marks", [(1, 0), (True, False), (1.0, 0.0), ("1", "0")])
def test_labelled_pairs_are_put_together_by_query(store, tmp_path, marks):
    yes, no = marks
    rows = [
        {"query": "Ho?", "answer": "một", "label": yes},
        {"query": "Sốt?", "answer": "hai", "label": yes},
        {"query": "Ho?", "answer": "ba", "label": no},
        {"query": "Gan?", "answer": "bốn", "label": no},
    ]
    report = import_triples(store, as_written(tmp_path / "a.jsonl", rows, WRAPS["lines"]))
    assert texts(store) == [("Ho?", "một", "ba")]
    assert [(p.line, p.reason.split(";")[0]) for p in report.problems] == [
        (2, "The query has no negative"),
        (4, "The query has no positive"),
    ]


def saved_by_a_spreadsheet(path, delimiter, encoding):
    """Write a CSV anew as a spreadsheet of a Vietnamese locale does."""
    import csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(header)
        for row in rows:
            numbers = {n for n, name in enumerate(header) if name in ("score", "positive_score")}
            writer.writerow([c.replace(".", ",") if n in numbers else c for n, c in enumerate(row)])
        writer.writerow([""] * len(header))


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-8"), (",", "utf-8")]
)
def test_a_spreadsheet_of_a_vietnamese_locale_is_read_back(labelled, tmp_path, delimiter, encoding):
    with LabelStore(labelled, read_only=True) as store, LabelStore(":memory:") as other:
        export_labels(store, tmp_path / "labels.csv")
        export_answers(store, tmp_path / "answers.csv")
        for name in ("labels.csv", "answers.csv"):
            saved_by_a_spreadsheet(tmp_path / name, delimiter, encoding)
        assert read_labels(tmp_path / "labels.csv").labelled == store.labelled()
        assert read_labels(tmp_path / "labels.csv").manifest.created  # its manifest still fits
        report = import_answers(other, tmp_path / "answers.csv")
        assert (report.answers_added, report.problems) == (2, [])
        assert other.candidates() == store.candidates()


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.json", "a.csv"])
def test_labels_that_pandas_wrote_are_read(labelled, tmp_path, make, name):
    import pandas as pd

    with LabelStore(labelled) as store:
        store.add_candidates([make(3, rank=None, score=None)])  # makes the whole column one of floats
        store.label(make(3).id, "lan", "hard", token="3")
        export_labels(store, tmp_path / "labels.parquet")
        table = pd.read_parquet(tmp_path / "labels.parquet")
        if name == "a.parquet":
            table.to_parquet(tmp_path / name)
        elif name == "a.csv":
            table.to_csv(tmp_path / name, na_rep="NaN")
        else:
            table.to_json(
                tmp_path / name,
                orient="records",
                lines=name == "a.jsonl",
                force_ascii=False,
                double_precision=15,
            )
        assert read_labels(tmp_path / name).labelled == store.labelled()


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_answers_that_pandas_wrote_are_read(labelled, tmp_path, make, name):
    import pandas as pd

    with LabelStore(labelled) as store, LabelStore(":memory:") as other:
        store.add_candidates([make(3, rank=None, score=None)])
        store.label(make(3).id, "lan", "hard", token="3")
        export_answers(store, tmp_path / "answers.csv")
        table = pd.read_csv(tmp_path / "answers.csv", dtype={"token": str}, encoding="utf-8-sig")
        table["query"] = table["query"].map(unguard)
        table["note"], table["label"] = "", "Hard "
        if name == "a.parquet":
            table.to_parquet(tmp_path / name)
        else:
            table.assign(kind="label", candidate_id=table["id"]).to_json(
                tmp_path / name, orient="records", lines=True, double_precision=15
            )
        report = import_answers(other, tmp_path / name)
        assert (report.answers_added, report.problems) == (3, [])


@pytest.mark.parametrize("text", ["nan", "None", "null", "#N/A", "#NAME?", "#REF!"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_what_programs_write_into_an_empty_cell_is_no_passage(store, tmp_path, name, text):
    row = {"query": "Ho?", "positive": "một", "negative": text}
    lines = [",".join(row), ",".join(row.values())] if name == "a.csv" else [json.dumps(row)]
    (tmp_path / name).write_text("\n".join(lines), "utf-8")
    report = import_triples(store, tmp_path / name)
    assert (
        report.added == 0 and f"The negative is '{text}', which programs write" in report.problems[0].reason
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_gold_comes_in_from_a_table_too(store, tmp_path, make, name):
    import pandas as pd

    store.add_candidates([make(1)])
    table = pd.DataFrame([{"Id": make(1).id, "Label": "hard", "note": ""}])
    if name == "a.parquet":
        table.to_parquet(tmp_path / name)
    else:
        table.to_csv(tmp_path / name, sep="\t" if name == "a.tsv" else ";", index=False, encoding="utf-8-sig")
    assert import_gold(store, tmp_path / name).added == 1


@pytest.mark.parametrize(
    "split",
    [
        "test",
        "test ",
        "TEST",
        "\u200btest",
        "te\u200bst",
        "ｔｅｓｔ",
        "t\u0435st",
        "data/test.jsonl",
        "kiểm thử",
        "train_and_eval",
        "train (tst)",
        "validation-heldout",
    ]
    + ["test-00000-of-00001", "train+test", "x", unicodedata.normalize("NFD", "tést")],
)
def test_no_spelling_of_the_test_split_passes(store, tmp_path, make, split):
    row = {"query": "Ho?", "positive": "một", "negative": "hai", "split": split}
    report = import_triples(store, as_written(tmp_path / "a.jsonl", [row], WRAPS["lines"]))
    assert report.added == 0 and "test split" in report.problems[0].reason
    with pytest.raises(UserError, match="test split"):
        import_triples(store, tmp_path / "a.jsonl", split=split)
    with pytest.raises(UserError, match="test split"):
        make(1, split=split)


def test_splits_that_may_be_labelled_have_one_spelling():
    assert [checked_split(name) for name in (" Train", "dev", "VAL", "validation")] == [
        "train",
        *["validation"] * 3,
    ]
    assert checked_split("train[:10%]") == "train[:10%]"


def test_an_export_that_names_a_test_split_is_not_trained_on(labelled, tmp_path):
    path = tmp_path / "labels.jsonl"
    with LabelStore(labelled, read_only=True) as store:
        export_labels(store, path)
    path.write_text(path.read_text("utf-8").replace('"split": "train"', '"split": "Test "'), "utf-8")
    with pytest.raises(UserError, match="test split"):
        read_export(path)


@pytest.mark.parametrize("kind", ["folder", "dangling", "broken"])
def test_a_manifest_that_cannot_be_read_is_not_taken_for_none(labelled, tmp_path, kind):
    with LabelStore(labelled, read_only=True) as store:
        _, manifest = export_labels(store, tmp_path / "labels.jsonl")
    manifest.unlink()
    if kind == "folder":
        manifest.mkdir()
    elif kind == "dangling":
        manifest.symlink_to(tmp_path / "nowhere")
    else:
        manifest.write_text("{", "utf-8")
    with pytest.raises(UserError, match="is not the manifest"):
        read_labels(tmp_path / "labels.jsonl")
