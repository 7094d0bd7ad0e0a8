"""The manifest beside an export: what it says, and that a changed file shows."""

import hashlib
import json

import pytest

from annotations.__main__ import main
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import ManifestError, export_frozen, freeze, manifest_of, manifest_path
from annotations.quality.adjudication import decide
from annotations.quality.agreement import agreement, label_rows
from annotations.store.label_store import LabelStore

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
    count, beside = export_frozen(filled, tmp_path / name)
    assert (count, beside) == (4, tmp_path / f"{name}.manifest.json")
    labelled = read_export(tmp_path / name)
    found, (_, own) = manifest_of(tmp_path / name, labelled), freeze(filled)
    assert found.frozen and (found.sha256, found.labels, found.alpha) == (own.sha256, own.labels, own.alpha)
    assert (found.candidates, found.labelled, found.coverage, found.annotators) == (5, 4, 0.8, 2)
    facts = json.loads(beside.read_text("utf-8"))
    assert facts["labels"] == {"hard": 2, "false_negative": 1, "trivial": 0, "unsure": 1}  # h, t: a tie
    assert facts["consensus"].endswith("the majority of each candidate's labels; a tie is unsure")
    assert facts["created"].endswith("+00:00") and "Lan" not in beside.read_text("utf-8")


def test_the_hash_of_a_jsonl_is_that_of_its_bytes(filled, tmp_path):
    _, beside = export_frozen(filled, tmp_path / "labels.jsonl")
    found = json.loads(beside.read_text("utf-8"))["sha256"]
    assert found == hashlib.sha256((tmp_path / "labels.jsonl").read_bytes()).hexdigest()
    _, beside = export_frozen(filled, tmp_path / "triples.jsonl", triples=True)
    found = json.loads(beside.read_text("utf-8"))["sha256"]
    assert found == hashlib.sha256((tmp_path / "triples.jsonl").read_bytes()).hexdigest()


def test_alpha_is_that_of_the_agreement_command_with_and_without_a_manifest(filled, tmp_path):
    expected = agreement(label_rows(filled)).overall["alpha"]
    # By hand: of 6 paired labels h h, h t, f f: disagreement 2/6; by chance 1 - (3·2 + 2·1) / (6·5) = 22/30.
    assert expected.value == pytest.approx(1 - (2 / 6) / (22 / 30))
    export_frozen(filled, tmp_path / "labels.jsonl")
    labelled = read_export(tmp_path / "labels.jsonl")
    assert manifest_of(tmp_path / "labels.jsonl", labelled).alpha == expected
    manifest_path(tmp_path / "labels.jsonl").unlink()
    old = manifest_of(tmp_path / "labels.jsonl", labelled)
    assert old.alpha == expected
    assert (old.frozen, old.coverage, old.annotators) == (False, None, None)
    assert old.sentence().startswith("Unfrozen: an export without manifest; sha256 ")
    assert (
        "4 of an unknown number of candidates labelled: 2 hard, 1 false_negative, 1 unsure" in old.sentence()
    )


def test_an_undefined_alpha_says_why(store, make, tmp_path):
    store.add_candidates([make(1)])
    store.label(make(1).id, "Lan", "hard", token="1")
    _, beside = export_frozen(store, tmp_path / "labels.csv")
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
    export_frozen(filled, path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    lines = lines[1:] if change == ("", "") else [lines[0].replace(*change), *lines[1:]]  # also a lost row
    path.write_text("".join(lines), "utf-8")
    with pytest.raises(ManifestError) as error:
        manifest_of(path, read_export(path))
    assert "'labels.jsonl' was changed after its export" in str(error.value)
    assert "delete labels.jsonl.manifest.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sha256": "a"}', '{"sha256": "a", "alpha": {"value": "viel"}}', "\x00"]
)
def test_a_manifest_that_is_none_is_named(filled, tmp_path, text):
    _, beside = export_frozen(filled, tmp_path / "labels.jsonl")
    beside.write_text(text, "utf-8")
    with pytest.raises(ManifestError, match="'labels.jsonl.manifest.json' is no manifest of an export"):
        manifest_of(tmp_path / "labels.jsonl", read_export(tmp_path / "labels.jsonl"))


def test_the_command_writes_it(own_data_dir, make, tmp_path, capsys):
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates([make(1), make(2)])
        store.label(make(1).id, "Lan", "hard", token="1")
    assert main(["export", str(tmp_path / "labels.parquet")]) == 0
    assert "1 rows (manifest: labels.parquet.manifest.json) written to" in capsys.readouterr().out
    assert json.loads((tmp_path / "labels.parquet.manifest.json").read_text("utf-8"))["coverage"] == 0.5


def test_a_decision_counts_in_classes_and_hash_and_alpha_stays_that_of_the_annotators(filled, tmp_path, make):
    _, before = freeze(filled)
    decide(filled, make(1).id, "Chi", "trivial", "annotator_error", token="d")  # what was a tie
    export_frozen(filled, tmp_path / "labels.jsonl")
    found = manifest_of(tmp_path / "labels.jsonl", read_export(tmp_path / "labels.jsonl"))
    assert found.labels == {"hard": 2, "false_negative": 1, "trivial": 1, "unsure": 0}
    assert found.sha256 != before.sha256 and found.alpha == before.alpha
