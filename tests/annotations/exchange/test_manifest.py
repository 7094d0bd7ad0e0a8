"""The manifest beside an export: what it says, and that a changed file shows."""

import hashlib
import json
from pathlib import Path

import pytest

from annotations.__main__ import main
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import export_labels, manifest_of, manifest_path, read_labels, read_store
from annotations.quality.adjudication import decide
from annotations.quality.agreement import agreement, label_rows
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError

FILES = ("labels.jsonl", "labels.csv", "labels.parquet", "labels")
VOTES = {"hard": "hh", "trivial": "ht", "false_negative": "ff", "unsure": "h"}  # one candidate each


@pytest.fixture
def filled(store, make):
    """Four labelled candidates of four queries, three of them by two people, and one that is not labelled."""
    letters = {"h": "hard", "t": "trivial", "f": "false_negative"}
    store.add_candidates([make(number) for number in range(5)])
    for number, votes in enumerate(VOTES.values()):
        for who, letter in enumerate(votes):
            label = letters[letter]
            store.label(make(number).id, ("Lan", "Mai")[who], label, token=f"{number} {who}")
    return store


@pytest.mark.parametrize("name", FILES)
def test_the_manifest_of_every_format_reads_back_as_the_stores_own(filled, tmp_path, name):
    count, beside = export_labels(filled, tmp_path / name)
    assert (count, beside) == (4, tmp_path / f"{name}.manifest.json")
    labelled = read_export(tmp_path / name)
    found, own = manifest_of(tmp_path / name, labelled), read_store(filled).manifest
    assert found.created and (found.sha256, found.labels, found.alpha) == (own.sha256, own.labels, own.alpha)
    assert (found.candidates, found.labelled, found.coverage, found.annotators) == (5, 4, 0.8, 2)
    facts = json.loads(beside.read_text("utf-8"))
    assert facts["labels"] == {"hard": 2, "false_negative": 1, "trivial": 0, "unsure": 1}  # h, t: a tie
    assert facts["consensus"].endswith("the majority of each candidate's labels; a tie is unsure")
    assert facts["created"].endswith("+00:00") and "Lan" not in beside.read_text("utf-8")


def test_the_hash_of_a_jsonl_is_that_of_its_bytes(filled, tmp_path):
    _, beside = export_labels(filled, tmp_path / "labels.jsonl")
    found = json.loads(beside.read_text("utf-8"))["sha256"]
    assert found == hashlib.sha256((tmp_path / "labels.jsonl").read_bytes()).hexdigest()
    _, beside = export_labels(filled, tmp_path / "triples.jsonl", triples=True)
    found = json.loads(beside.read_text("utf-8"))["sha256"]
    assert found == hashlib.sha256((tmp_path / "triples.jsonl").read_bytes()).hexdigest()


def test_alpha_is_that_of_the_agreement_command_with_and_without_a_manifest(filled, tmp_path):
    expected = agreement(label_rows(filled)).overall["alpha"]
    # By hand: of 6 paired labels h h, h t, f f: disagreement 2/6; by chance 1 - (3·2 + 2·1) / (6·5) = 22/30.
    assert expected.value == pytest.approx(1 - (2 / 6) / (22 / 30))
    export_labels(filled, tmp_path / "labels.jsonl")
    labelled = read_export(tmp_path / "labels.jsonl")
    assert manifest_of(tmp_path / "labels.jsonl", labelled).alpha == expected
    manifest_path(tmp_path / "labels.jsonl").unlink()
    old = manifest_of(tmp_path / "labels.jsonl", labelled)
    assert old.alpha == expected
    assert (old.created, old.coverage, old.annotators) == ("", None, None)
    assert old.sentence().startswith("An export without manifest; sha256 ")
    assert (
        "4 of an unknown number of candidates labelled: 2 hard, 1 false_negative, 1 unsure" in old.sentence()
    )


def test_an_undefined_alpha_says_why(store, make, tmp_path):
    store.add_candidates([make(1)])
    store.label(make(1).id, "Lan", "hard", token="1")
    _, beside = export_labels(store, tmp_path / "labels.csv")
    facts = json.loads(beside.read_text("utf-8"))
    assert facts["alpha"]["value"] is None and facts["alpha"]["reason"] == "one_annotator"
    assert facts["alpha"]["meaning"] == "There is only one annotator, and agreement needs two."
    labelled = read_export(tmp_path / "labels.csv")
    sentence = manifest_of(tmp_path / "labels.csv", labelled).sentence()
    assert "(coverage 1.000)" in sentence and "α undefined (There is only one annotator" in sentence
    beside.unlink()
    assert manifest_of(tmp_path / "labels.csv", labelled).alpha.reason == "nothing_shared"


@pytest.mark.parametrize("change", [("hard", "trivial"), ("sốt cao", "sốt rất cao"), ("", "")])
def test_a_changed_file_is_refused_with_one_sentence(filled, tmp_path, change):
    path = tmp_path / "labels.jsonl"
    export_labels(filled, path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    lines = lines[1:] if change == ("", "") else [lines[0].replace(*change), *lines[1:]]  # also a lost row
    path.write_text("".join(lines), "utf-8")
    with pytest.raises(UserError) as error:
        manifest_of(path, read_export(path))
    assert "'labels.jsonl' was changed after its export" in str(error.value)
    assert "delete labels.jsonl.manifest.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sha256": "a"}', '{"sha256": "a", "alpha": {"value": "viel"}}', "\x00"]
)
def test_a_manifest_that_is_none_is_named(filled, tmp_path, text):
    _, beside = export_labels(filled, tmp_path / "labels.jsonl")
    beside.write_text(text, "utf-8")
    with pytest.raises(UserError, match="'labels.jsonl.manifest.json' is not the manifest of an export"):
        manifest_of(tmp_path / "labels.jsonl", read_export(tmp_path / "labels.jsonl"))


@pytest.mark.parametrize(
    "change",
    [{"candidates": 0}, {"candidates": -5}, {"candidates": 1}, {"created": ""}, {"value": float("nan")}],
)
def test_a_manifest_whose_figures_cannot_be_is_under_no_floor_and_refused(filled, tmp_path, change):
    _, beside = export_labels(filled, tmp_path / "labels.jsonl")
    facts = json.loads(beside.read_text("utf-8"))
    facts["alpha"] |= {"value": 0.5, "low": 0.1, "high": 0.9} | change
    beside.write_text(json.dumps(facts | change), "utf-8")
    with pytest.raises(UserError, match="as exported"):
        manifest_of(tmp_path / "labels.jsonl", read_export(tmp_path / "labels.jsonl"))


def test_the_command_writes_it(own_data_dir, make, tmp_path, capsys):
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates([make(1), make(2)])
        store.label(make(1).id, "Lan", "hard", token="1")
    assert main(["export", str(tmp_path / "labels.parquet")]) == 0
    assert "1 rows (manifest: labels.parquet.manifest.json) written to" in capsys.readouterr().out
    assert json.loads((tmp_path / "labels.parquet.manifest.json").read_text("utf-8"))["coverage"] == 0.5


def test_a_decision_counts_in_classes_and_hash_and_alpha_stays_that_of_the_annotators(filled, tmp_path, make):
    before = read_store(filled).manifest
    decide(filled, make(1).id, "Chi", "trivial", "annotator_error", token="d")  # what was a tie
    export_labels(filled, tmp_path / "labels.jsonl")
    found = manifest_of(tmp_path / "labels.jsonl", read_export(tmp_path / "labels.jsonl"))
    assert found.labels == {"hard": 2, "false_negative": 1, "trivial": 1, "unsure": 0}
    assert found.sha256 != before.sha256 and found.alpha == before.alpha


@pytest.mark.parametrize("name", ["labels.jsonl", "labels"])
@pytest.mark.parametrize("failing", [0, 1])
def test_a_crash_between_the_two_files_leaves_no_wrong_manifest(
    filled, make, tmp_path, monkeypatch, name, failing
):
    """The moves of data and manifest are what can be torn apart: stop before each."""
    path = tmp_path / name
    export_labels(filled, path)
    before = read_export(path)
    filled.label(make(4).id, "Lan", "hard", token="new")
    replace, moves = Path.replace, []

    def crash(self, target):
        if len(moves) == failing:
            raise KeyboardInterrupt
        moves.append(target)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            export_labels(filled, path)
    assert read_export(path) == (before if failing == 0 else filled.labelled())
    assert read_labels(path).manifest.created == ""
    export_labels(filled, path)
    assert read_labels(path).manifest.candidates == 5
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []


def test_labels_are_read_and_hashed_once(filled, tmp_path, monkeypatch):
    calls = []
    for name in ("labelled", "progress"):
        real = getattr(filled, name)
        monkeypatch.setattr(filled, name, lambda real=real, name=name: calls.append(name) or real())
    monkeypatch.setattr("hashlib.sha256", lambda real=hashlib.sha256: calls.append("sha256") or real())
    export_labels(filled, tmp_path / "labels.csv")
    assert sorted(calls) == ["labelled", "progress", "sha256"]


def test_an_export_of_the_first_version_is_accepted(tmp_path):
    """Written by `python -m annotations export` of 40e3f68."""
    row = {
        "query": "Ho?",
        "positive": "Ho khan.",
        "negative": "Gãy tay.",
        "label": "hard",
        "votes": '{"hard": 1}',
    }
    row |= {
        "consensus": "majority",
        "candidate_id": "1",
        "query_id": "q",
        "positive_id": "p",
        "passage_id": "n",
    }
    row |= {"task": "vimedretrieve", "source": "mini", "split": "train", "miner": "bm25", "rank": 2}
    row |= {"score": 7.5, "positive_score": 9.0, "annotators": 1}
    line = json.dumps(row, ensure_ascii=False) + "\n"
    (tmp_path / "labels.jsonl").write_text(line, "utf-8")
    alpha = {"value": None, "low": None, "high": None, "items": 0, "reason": "one_annotator", "meaning": "…"}
    facts = {
        "sha256": hashlib.sha256(line.encode()).hexdigest(),
        "frozen": True,
        "candidates": 4,
        "labelled": 1,
    }
    facts |= {"labels": {"hard": 1}, "annotators": 1, "coverage": 0.25, "alpha": alpha, "consensus": "…"}
    facts["created"] = "2025-11-27T22:58:55+00:00"
    (tmp_path / "labels.jsonl.manifest.json").write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
    assert read_labels(tmp_path / "labels.jsonl").manifest.sentence().startswith("As of 2025-11-27T22:58:55")
