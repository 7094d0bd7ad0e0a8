import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotations.exchange.manifest import export_frozen
from annotations.store.label_store import Candidate, LabelStore
from training.retrain import main
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.measuring.evaluate import evaluate, training_hashes
from vcs_demo.rankers.catalog import load_ranker, retrained
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.text import content_hash

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def labels(tmp_path):
    """A label database with hard negatives and false negatives of the miniature's train split."""
    task = load_task("vimedretrieve", "mini", "train")
    passages = list(task.passages)
    with LabelStore(tmp_path / "labels.db") as store:
        for number, (query_id, query) in enumerate(list(task.queries.items())[:24]):
            positive = min(task.qrels[query_id])
            other = next(p for p in passages[number * 3 :] if p not in task.qrels[query_id])
            candidate = Candidate.create(
                query=query,
                positive=task.passages[positive],
                passage=task.passages[other],
                source="mini",
                task="vimedretrieve",
                split="train",
            )
            store.add_candidates([candidate])
            store.label(
                candidate.id, "an", "false_negative" if number % 4 == 0 else "hard", token=str(number)
            )
    return tmp_path / "labels.db"


def arguments(labels, base, output, *more):
    common = ["--labels", labels, "--base", base, "--output", output, "--batch-size", "4", "--epochs", "1"]
    return [str(part) for part in (*common, "--learning-rate", "1e-3", *more)]


def test_a_retrained_model_is_a_standard_directory_with_a_card_and_the_app_finds_it(
    labels, tiny_model_dir, own_data_dir, capsys
):
    output = own_data_dir / "models" / "cua-toi"
    assert main(arguments(labels, tiny_model_dir, output)) == 0
    assert retrained() == ["cua-toi"] and not list(own_data_dir.glob("models/*.partial"))
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(output))
    assert model.prompts["query"] == "thuốc "  # the base's own
    assert (output / "model.safetensors").exists()

    card = (output / "README.md").read_text("utf-8")
    facts = json.loads((output / "training.json").read_text("utf-8"))
    row = facts["metrics"]["accuracy@20"]
    assert f"{row['before']:.3f} [{row['before_interval'][0]:.3f}" in card
    for words in (
        "temperature τ | 0.1",
        "| loss | modified",
        "18",
        "labels: hard",
        facts["data"]["fingerprint"],
    ):
        assert words in card
    assert str(output.parent) not in card and str(labels.parent) not in card

    assert facts["labels"]["frozen"] and facts["labels"]["coverage"] == 1  # a database is frozen on the spot
    gains = {(row["label"], row["measure"]): row for row in facts["gains"]}
    assert list(gains) == [
        *(("hard", "margin"), ("hard", "with_label")),
        *(("false_negative", "similarity"), ("false_negative", "with_label")),
    ]
    hard = gains["hard", "margin"]
    assert hard["labels"] == hard["queries"] == 18 and hard["difference"] > 0  # what it was trained for
    assert (
        "not held-out evidence" in card
        and f"| hard | 18 | 18 | margin s⁺ − s | {hard['before']:.3f} [" in card
    )

    hashes = (output / "training_queries.txt").read_text("utf-8").split()
    queries = list(load_task("vimedretrieve", "mini", "train").queries.values())[:24]
    assert hashes == sorted(map(content_hash, queries)) and all(h in card for h in hashes)
    ranker = load_ranker("cua-toi")
    assert training_hashes(ranker) == {digits[:16] for digits in hashes}

    # The figures on the card are those that anyone gets.
    again = evaluate(load_task("vimedretrieve", "mini", "test"), ranker)
    assert again.metrics["accuracy@20"] == pytest.approx(row["after"])
    before = evaluate(load_task("vimedretrieve", "mini", "test"), DenseRanker("tiny", tiny_model_dir))
    assert before.metrics["accuracy@20"] == pytest.approx(row["before"])

    # What is there is not replaced unasked.
    assert main(arguments(labels, tiny_model_dir, output)) == 1
    assert "exists already" in capsys.readouterr().err


def test_the_papers_token_can_be_added_to_a_base_without_it(labels, tiny_model_dir, tmp_path):
    output = tmp_path / "prompted"
    assert (
        main(arguments(labels, tiny_model_dir, output, "--query-prompt", "<|query|> ", "--loss", "infonce"))
        == 0
    )
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(output))
    assert model.prompts["query"] == "<|query|> "
    assert model.tokenizer.tokenize("<|query|> gan")[0] == "<|query|>"


@pytest.mark.parametrize("settings", [("in-batch", "authors"), ("hard", "paper"), ("both", "authors")])
def test_every_way_of_training_runs(settings, labels, tiny_model_dir, tmp_path):
    negatives, directions = settings
    more = ("--negatives", negatives, "--directions", directions, "--pairs", "mini", "--temperature", "0.05")
    assert main(arguments(labels, tiny_model_dir, tmp_path / "m", *more)) == 0
    facts = json.loads((tmp_path / "m" / "training.json").read_text("utf-8"))
    assert ("pairs" in facts["data"]["counts"]) and facts["steps"] >= 4
    card = (tmp_path / "m" / "README.md").read_text("utf-8")
    assert ("pairs of the train split of `mini`" in card) == (negatives != "hard")
    assert ("no explicit one is used" in card) == (negatives == "in-batch")
    assert "at most 64 tokens" in card  # the base's own limit, below the 224 that were asked for


def test_a_model_without_layers_can_be_a_base(labels, tiny_model_dir, tmp_path, capsys):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).half()
    static.save(str(tmp_path / "static"))
    assert main(arguments(labels, tmp_path / "static", tmp_path / "m")) == 0
    assert "texts of any length" in (tmp_path / "m" / "README.md").read_text("utf-8")
    prompted = arguments(labels, tmp_path / "static", tmp_path / "p", "--query-prompt", "<|query|> ")
    assert main(prompted) == 1
    assert "leave --query-prompt out" in capsys.readouterr().err


def test_a_killed_run_leaves_no_model_and_the_same_command_goes_on(
    labels, tiny_model_dir, tmp_path, own_data_dir
):
    output, partial = tmp_path / "killed", tmp_path / "killed.partial"
    script = [sys.executable, str(ROOT / "training" / "retrain.py")]
    more = arguments(labels, tiny_model_dir, output, "--save-steps", "4", "--epochs", "5")
    environment = os.environ | {"VCS_DATA_DIR": str(own_data_dir)}
    process = subprocess.Popen([*script, *more], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (partial / "checkpoints" / "checkpoint-4" / "whole").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists() and partial.exists()

    # A checkpoint that was being written when the power went is not used.
    (partial / "checkpoints" / "checkpoint-99999").mkdir()
    # Other settings are not mixed in.
    refused = subprocess.run(
        [*script, *more, "--temperature", "0.2"], env=environment, capture_output=True, text=True
    )
    assert refused.returncode == 1 and "other settings" in refused.stderr.splitlines()[-1]

    done = subprocess.run(
        [*script, *more], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "going on from checkpoint-" in done.stderr and "step 1/" not in done.stderr
    assert (output / "modules.json").exists() and not partial.exists()


def test_overwriting_replaces_a_model_and_nothing_else(labels, tiny_model_dir, tmp_path, capsys, monkeypatch):
    precious = tmp_path / "precious"
    (precious / "sub").mkdir(parents=True)
    (precious / "sub" / "thesis.txt").write_text("luận văn", "utf-8")
    assert main(arguments(labels, tiny_model_dir, precious, "--overwrite")) == 1
    assert "holds something else" in capsys.readouterr().err
    monkeypatch.chdir(precious)
    for output in ("", "."):
        assert main(arguments(labels, tiny_model_dir, output, "--overwrite")) == 1
    assert (precious / "sub" / "thesis.txt").read_text("utf-8") == "luận văn"

    model = tmp_path / "model"
    model.mkdir()
    (model / "training.json").write_text("{}")
    assert main(arguments(labels, tiny_model_dir, model, "--overwrite")) == 0
    assert (model / "modules.json").exists() and sorted(tmp_path.glob("model*")) == [model]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--negatives", "in-batch", "--batch-size", "1"], "no row has a negative"),
        (["--output", "bm25"], "'bm25' is the name of a ranker"),
        (["--labels", "no-such.db"], "There are no labels at 'no-such.db'"),
        (["--base", "gpt"], "There is no ranker 'gpt'"),
        (["--base", "bm25"], "'bm25' cannot be trained"),
        (["--temperature", "0"], "--temperature is 0.0; it must be above 0"),
        (["--epochs", "nan"], "--epochs is nan"),
        (["--min-coverage", "1.5"], "--min-coverage is 1.5; it must be between 0 and 1"),
        (["--min-alpha", "nan"], "--min-alpha is nan; it must be between -1 and 1"),
        (["--task", "virerank"], "'virerank' is a reranking task"),
        (["--directions", "authors", "--negatives", "hard"], "no directions"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(more, words, labels, tiny_model_dir, tmp_path, capsys):
    output = tmp_path / "none"
    assert main(arguments(labels, tiny_model_dir, output, *more)) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert not output.exists()


def test_it_runs_as_a_module_and_as_a_script():
    for command in ([str(ROOT / "training" / "retrain.py")], ["-m", "training.retrain"]):
        cwd = ROOT if command[0] == "-m" else ROOT.parent
        done = subprocess.run([sys.executable, *command, "--help"], cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0 and "--temperature" in done.stdout


def test_labels_are_held_against_their_manifest_and_an_old_export_is_called_unfrozen(
    labels, tiny_model_dir, tmp_path, capsys
):
    with LabelStore(labels, read_only=True) as store:
        export_frozen(store, tmp_path / "labels.jsonl")
    path = tmp_path / "labels.jsonl"
    assert main(arguments(path, tiny_model_dir, tmp_path / "frozen")) == 0
    assert "Labels: Frozen 20" in (said := capsys.readouterr().err) and "coverage 1.000" in said
    facts = json.loads((tmp_path / "frozen" / "training.json").read_text("utf-8"))
    assert facts["labels"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts["labels"]["frozen"], facts["labels"]["annotators"]) == (True, 1)
    assert facts["labels"]["alpha"]["reason"] == "one_annotator"
    assert f"sha256 {facts['labels']['sha256']}" in (tmp_path / "frozen" / "README.md").read_text("utf-8")

    path.write_text(path.read_text("utf-8").replace('"label": "hard"', '"label": "trivial"', 1), "utf-8")
    assert main(arguments(path, tiny_model_dir, tmp_path / "none")) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: 'labels.jsonl' was changed after its export") and "\n" not in error

    (tmp_path / "labels.jsonl.manifest.json").unlink()
    assert main(arguments(path, tiny_model_dir, tmp_path / "old")) == 0
    assert "Labels: Unfrozen: an export without manifest" in capsys.readouterr().err
    assert "Unfrozen: an export without manifest" in (tmp_path / "old" / "README.md").read_text("utf-8")


def test_labels_under_a_floor_are_refused_before_anything_is_loaded(labels, tmp_path, capsys, monkeypatch):
    with LabelStore(labels) as store:
        for number, candidate in enumerate(store.candidates()):
            store.label(candidate.id, "mai", "trivial" if number % 2 else "hard", token=f"mai {number}")

    def no_loading(*_):
        raise AssertionError("something was loaded")

    monkeypatch.setattr("training.retraining.run.load_task", no_loading)
    monkeypatch.setattr("training.retraining.run.load_ranker", no_loading)
    assert main(arguments(labels, "minilm", tmp_path / "m")) == 1
    assert "Krippendorff's α is -0." in (said := capsys.readouterr().err) and "--min-alpha" in said
    low = ("--min-alpha", "-1", "--min-coverage", "1")
    with LabelStore(labels) as store:
        store.add_candidates([Candidate.create(query="Ho?", positive="Một", passage="Hai")])
    assert main(arguments(labels, "minilm", tmp_path / "m", *low)) == 1
    assert "The coverage is 0.960 (24 of 25 candidates" in (said := capsys.readouterr().err)
    assert "--min-coverage" in said and said.count("\n") == 1
    with pytest.raises(AssertionError, match="something was loaded"):
        main(arguments(labels, "minilm", tmp_path / "m", "--min-alpha", "-1"))
