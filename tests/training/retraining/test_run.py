"""A retraining from labels to a model directory, with a tiny model on the miniature."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotations.candidates import Candidate
from annotations.exchange.manifest import export_labels
from annotations.store.label_store import LabelStore
from training.retrain import main
from training.retraining.run import retrain
from training.retraining.settings import RetrainSettings
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.catalog import load_ranker, retrained
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.text import content_hash

ROOT = Path(__file__).resolve().parents[3]
TASK = "vimedretrieve/body-part"  # the smallest to evaluate on
QUICK = {"batch_size": 4, "epochs": 1, "learning_rate": 1e-3, "task": TASK}


def label_database(path):
    """Write a label database with 18 hard negatives and 6 false negatives of the miniature's train split."""
    task = load_task("vimedretrieve", "mini", "train")
    passages = list(task.passages)
    with LabelStore(path) as store:
        for number, (query_id, query) in enumerate(list(task.queries.items())[:24]):
            other = next(p for p in passages[number * 3 :] if p not in task.qrels[query_id])
            candidate = Candidate.create(
                query=query,
                positive=task.passages[min(task.qrels[query_id])],
                passage=task.passages[other],
                source="mini",
                task="vimedretrieve",
                split="train",
            )
            store.add_candidates([candidate])
            label = "false_negative" if number % 4 == 0 else "hard"
            store.label(candidate.id, "an", label, token=str(number))
    return path


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return label_database(tmp_path_factory.mktemp("labels") / "labels.db")


@pytest.fixture
def own_labels(tmp_path):
    return label_database(tmp_path / "labels.db")


@pytest.fixture(scope="module")
def static_dir(tiny_model_dir, tmp_path_factory):
    """A random table without layers, which is trained in no time."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("static") / "model"
    tokenizer = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).half().save(str(folder))
    return folder


@pytest.fixture(scope="module")
def model(labels, tiny_model_dir, tmp_path_factory):
    """A retrained model in the models folder of a data directory."""
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCS_DATA_DIR", str(data))
        output = data / "models" / "cua-toi"
        return retrain(RetrainSettings(labels=labels, base=str(tiny_model_dir), output=output, **QUICK))


@pytest.fixture
def card(model):
    return (model.output / "README.md").read_text("utf-8")


@pytest.fixture
def in_its_data_dir(model, monkeypatch):
    monkeypatch.setenv("VCS_DATA_DIR", str(model.output.parents[1]))


def arguments(labels, base, output, *more):
    common = ["--labels", labels, "--base", base, "--output", output, "--batch-size", "4", "--epochs", "1"]
    return [str(part) for part in (*common, "--learning-rate", "1e-3", "--task", TASK, *more)]


def test_a_retrained_model_is_a_standard_directory_with_its_bases_prompt(model):
    from sentence_transformers import SentenceTransformer

    assert SentenceTransformer(str(model.output)).prompts["query"] == "thuốc "
    assert (model.output / "model.safetensors").exists()


def test_the_app_finds_a_retrained_model_and_nothing_unfinished(model, in_its_data_dir):
    assert retrained() == ["cua-toi"]
    assert not list(model.output.parent.glob("*.partial"))


def test_the_card_tells_data_settings_and_figures(model, card):
    row = model.facts["metrics"]["accuracy@20"]
    assert f"{row['before']:.3f} [{row['before_interval'][0]:.3f}" in card
    for words in ("temperature τ", "modified, (1 − p⁺)", "labels: hard", model.facts["data"]["fingerprint"]):
        assert words in card
    assert model.verdict in card and model.facts["command"] in card


def test_the_card_says_nothing_about_the_machine(model, card, labels):
    assert str(model.output.parent) not in card and str(labels.parent) not in card


def test_the_result_is_what_the_directory_says(model):
    assert json.loads((model.output / "training.json").read_text("utf-8")) == model.facts
    assert model.facts["labels"]["frozen"] and model.facts["labels"]["coverage"] == 1


def test_the_card_tells_what_training_did_to_the_labels_as_no_evidence(model, card):
    gains = {(row["label"], row["measure"]): row for row in model.facts["gains"]}
    hard = gains["hard", "margin"]
    assert hard["labels"] == hard["queries"] == 18 and hard["difference"] > 0  # what it was trained for
    assert gains["false_negative", "similarity"]["labels"] == 6
    assert "not held-out evidence" in card and f"margin s⁺ − s | {hard['before']:.3f} [" in card


def test_the_training_queries_hashes_travel_with_the_model(model, card, in_its_data_dir):
    first, *hashes = (model.output / "training_queries.txt").read_text("utf-8").splitlines()
    queries = list(load_task("vimedretrieve", "mini", "train").queries.values())[:24]
    assert hashes == sorted(map(content_hash, queries)) and all(h in card for h in hashes)
    mine = load_ranker("cua-toi")
    assert mine.training_hashes == {digits[:16] for digits in hashes}
    # Nobody knows what the base was trained on, so nobody knows it of this model.
    assert first.startswith("# incomplete") and not mine.training_known and "is **not known**" in card


def test_the_figures_on_the_card_are_those_that_anyone_gets(model, tiny_model_dir, in_its_data_dir):
    row, task = model.facts["metrics"]["accuracy@20"], load_task(TASK, "mini", "test")
    assert evaluate(task, load_ranker("cua-toi")).metrics["accuracy@20"] == pytest.approx(row["after"])
    before = evaluate(task, DenseRanker("tiny", tiny_model_dir))
    assert before.metrics["accuracy@20"] == pytest.approx(row["before"])


def test_a_model_that_is_there_is_not_replaced_unasked(model, labels, tiny_model_dir, capsys):
    assert main(arguments(labels, tiny_model_dir, model.output)) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_the_papers_token_can_be_added_to_a_base_without_it(labels, tiny_model_dir, tmp_path):
    from sentence_transformers import SentenceTransformer

    output = tmp_path / "prompted"
    assert main(arguments(labels, tiny_model_dir, output, "--query-prompt", "<|query|> ")) == 0
    model = SentenceTransformer(str(output))
    assert model.prompts["query"] == "<|query|> "
    assert model.tokenizer.tokenize("<|query|> gan")[0] == "<|query|>"


@pytest.mark.slow
@pytest.mark.parametrize("settings", [("in-batch", "authors"), ("hard", "paper"), ("both", "authors")])
def test_every_way_of_training_runs(settings, labels, tiny_model_dir, tmp_path):
    negatives, directions = settings
    settings = RetrainSettings(
        labels=labels,
        base=str(tiny_model_dir),
        output=tmp_path / "m",
        loss="infonce",
        negatives=negatives,
        directions=directions,
        pairs="mini",
        **QUICK | {"epochs": 0.1},
    )
    facts = retrain(settings).facts
    assert facts["data"]["counts"]["pairs"] > 100 and facts["steps"] >= 1
    card = (tmp_path / "m" / "README.md").read_text("utf-8")
    assert ("pairs of the train split of `mini`" in card) == (negatives != "hard")
    assert ("no explicit one is used" in card) == (negatives == "in-batch")
    assert "infonce, −log p⁺" in card
    assert "at most 64 tokens" in card  # the base's own limit, below the 224 that were asked for


def test_a_model_without_layers_can_be_a_base(labels, static_dir, tmp_path):
    assert main(arguments(labels, static_dir, tmp_path / "m")) == 0
    assert "texts of any length" in (tmp_path / "m" / "README.md").read_text("utf-8")


def test_a_model_without_layers_takes_no_token(labels, static_dir, tmp_path, capsys):
    assert main(arguments(labels, static_dir, tmp_path / "p", "--query-prompt", "<|query|> ")) == 1
    assert "leave --query-prompt out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_run_leaves_no_model_and_the_same_command_goes_on(
    labels, tiny_model_dir, tmp_path, own_data_dir, capsys
):
    output, partial = tmp_path / "killed", tmp_path / "killed.partial"
    more = arguments(labels, tiny_model_dir, output, "--save-steps", "4", "--epochs", "5")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "training" / "retrain.py"), *more],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
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
    assert main([*more, "--temperature", "0.2"]) == 1
    assert "other settings" in capsys.readouterr().err.splitlines()[-1]

    assert main(more) == 0
    said = capsys.readouterr().err
    assert "going on from checkpoint-" in said and "step 1/" not in said
    assert (output / "modules.json").exists() and not partial.exists()


def test_a_terminated_run_ends_with_130_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("training.retraining.run.retrain", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--output", str(tmp_path / "m")]) == 130
    assert "the same command goes on from the last checkpoint" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_a_training_ends_with_the_app_that_started_it_and_keeps_its_checkpoint(
    labels, tiny_model_dir, tmp_path
):
    partial = tmp_path / "m.partial"
    words = arguments(labels, tiny_model_dir, tmp_path / "m", "--save-steps", "2", "--epochs", "2000")
    app = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE,"
        " env=os.environ | {'_VCS_ENDS_WITH_INPUT': '1'})\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", app, str(ROOT / "training" / "retrain.py"), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        child = int(process.stdout.readline())
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not list(partial.glob("checkpoints/*/whole")):
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _lives(child):
        time.sleep(0.05)
    assert not _lives(child) and list(partial.glob("checkpoints/*/whole"))


def test_a_training_that_the_page_started_ends_well_while_the_page_lives():
    words = [sys.executable, str(ROOT / "training" / "retrain.py"), "--help"]
    environment = os.environ | {"_VCS_ENDS_WITH_INPUT": "1"}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        said = process.stdout.read().decode()  # the input stays open
        assert process.wait(timeout=60) == 0, said


def _lives(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_disk_without_room_is_told_before_the_training(labels, static_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    assert main(arguments(labels, static_dir, tmp_path / "m")) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: The training needs about 3") and "has 1 MB; make room" in said[-1]
    assert not list(tmp_path.glob("m*"))


LIMITED = """
import resource, sys
import training.retraining.trainer as trainer
from training.retrain import main

def fine_tune(*arguments, fit=trainer.fine_tune):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
    return fit(*arguments)

trainer.fine_tune = fine_tune
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2_000, 20_000])  # bytes of a file: no weights, no optimizer
def test_a_disk_that_fills_up_is_one_sentence_and_the_same_command_goes_on(
    limit, labels, tiny_model_dir, tmp_path
):
    """A limit on the size of files stands for the full disk: the same calls fail."""
    words = arguments(labels, tiny_model_dir, tmp_path / "m", "--save-steps", "2")
    command = [sys.executable, "-c", LIMITED, str(limit), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert last.startswith("error: The training stopped because") and "make room and start it again" in last
    assert not (tmp_path / "m").exists() and (tmp_path / "m.partial").exists()
    assert main(words) == 0 and (tmp_path / "m" / "modules.json").exists()


def test_overwriting_replaces_a_model(labels, static_dir, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "training.json").write_text("{}")
    assert main(arguments(labels, static_dir, model, "--overwrite")) == 0
    assert (model / "modules.json").exists() and sorted(tmp_path.glob("model*")) == [model]


def test_overwriting_replaces_nothing_but_a_model(labels, tiny_model_dir, tmp_path, capsys, monkeypatch):
    precious = tmp_path / "precious"
    (precious / "sub").mkdir(parents=True)
    (precious / "sub" / "thesis.txt").write_text("luận văn", "utf-8")
    assert main(arguments(labels, tiny_model_dir, precious, "--overwrite")) == 1
    assert "holds something else" in capsys.readouterr().err
    monkeypatch.chdir(precious)
    for output in ("", "."):
        assert main(arguments(labels, tiny_model_dir, output, "--overwrite")) == 1
    assert (precious / "sub" / "thesis.txt").read_text("utf-8") == "luận văn"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--negatives", "in-batch", "--batch-size", "1"], "no row has a negative"),
        (["--output", "bm25"], "'bm25' is the name of a ranker"),
        (["--labels", "no-such.db"], "There are no labels at 'no-such.db'"),
        (["--base", "gpt"], "There is no ranker 'gpt'"),
        (["--base", "bm25"], "'bm25' is not an embedding model"),
        (["--base", "bm25+minilm"], "'bm25+minilm' is not an embedding model"),
        (["--directions", "authors", "--negatives", "hard"], "--directions authors does not go with"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    more, words, labels, tiny_model_dir, tmp_path, capsys, own_data_dir
):
    assert main(arguments(labels, tiny_model_dir, tmp_path / "none", *more)) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert not list(tmp_path.glob("none*"))
    assert not (own_data_dir / "models").exists() and not (own_data_dir / "labels.db").exists()


@pytest.mark.parametrize(
    "option", ["--temperature 0", "--epochs nan", "--min-coverage 1.5", "--min-alpha nan", "--task virerank"]
)
def test_an_option_out_of_range_is_one_line_that_names_it(option, capsys):
    name, value = option.split()
    assert main([name, value]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and name in error and value in error and error.count("\n") == 1


def test_a_base_that_cannot_be_trained_is_refused_before_the_labels_are_read(monkeypatch, capsys):
    monkeypatch.setattr("training.retraining.run.read_labels", no_loading)
    assert main(["--base", "bm25"]) == 1
    assert "not an embedding model" in capsys.readouterr().err


def test_it_runs_as_a_module_and_as_a_script():
    for command in ([str(ROOT / "training" / "retrain.py")], ["-m", "training.retrain"]):
        cwd = ROOT if command[0] == "-m" else ROOT.parent
        done = subprocess.run([sys.executable, *command, "--help"], cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0 and "--temperature" in done.stdout


@pytest.fixture
def export(labels, tmp_path):
    with LabelStore(labels, read_only=True) as store:
        export_labels(store, tmp_path / "labels.jsonl")
    return tmp_path / "labels.jsonl"


def test_a_model_carries_the_manifest_of_its_labels(export, static_dir, tmp_path, capsys):
    assert main(arguments(export, static_dir, tmp_path / "frozen")) == 0
    assert "Labels: As of 20" in (said := capsys.readouterr().err) and "coverage 1.000" in said
    facts = json.loads((tmp_path / "frozen" / "training.json").read_text("utf-8"))["labels"]
    assert facts["sha256"] == hashlib.sha256(export.read_bytes()).hexdigest()
    assert (facts["frozen"], facts["annotators"]) == (True, 1)
    assert facts["alpha"]["reason"] == "one_annotator"
    assert f"sha256 {facts['sha256']}" in (tmp_path / "frozen" / "README.md").read_text("utf-8")


def test_labels_that_were_changed_after_their_export_are_refused(export, tiny_model_dir, tmp_path, capsys):
    export.write_text(export.read_text("utf-8").replace('"label": "hard"', '"label": "trivial"', 1), "utf-8")
    assert main(arguments(export, tiny_model_dir, tmp_path / "none")) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: 'labels.jsonl' was changed after its export") and "\n" not in error


def test_labels_without_a_manifest_are_called_unfrozen(export, static_dir, tmp_path, capsys):
    (export.parent / "labels.jsonl.manifest.json").unlink()
    assert main(arguments(export, static_dir, tmp_path / "old")) == 0
    assert "Labels: An export without manifest" in capsys.readouterr().err
    assert "An export without manifest" in (tmp_path / "old" / "README.md").read_text("utf-8")


def no_loading(*_):
    raise AssertionError("something was loaded")


@pytest.fixture
def nothing_loads(monkeypatch):
    monkeypatch.setattr("training.retraining.run.load_task", no_loading)
    monkeypatch.setattr(DenseRanker, "_load", no_loading)


def test_labels_with_too_little_agreement_are_refused_before_anything_is_loaded(
    own_labels, tmp_path, capsys, nothing_loads
):
    with LabelStore(own_labels) as store:
        for number, candidate in enumerate(store.candidates()):
            store.label(candidate.id, "mai", "trivial" if number % 2 else "hard", token=f"mai {number}")
    assert main(arguments(own_labels, "minilm", tmp_path / "m")) == 1
    assert "Krippendorff's α is -0." in (said := capsys.readouterr().err) and "--min-alpha" in said
    with pytest.raises(AssertionError, match="something was loaded"):
        main(arguments(own_labels, "minilm", tmp_path / "m", "--anyway"))


def test_labels_of_too_few_candidates_are_refused_before_anything_is_loaded(
    own_labels, tmp_path, capsys, nothing_loads
):
    with LabelStore(own_labels) as store:
        store.add_candidates([Candidate.create(query="Ho?", positive="Một", passage="Hai")])
    assert main(arguments(own_labels, "minilm", tmp_path / "m", "--min-coverage", "1")) == 1
    assert "The coverage is 0.960 (24 of 25 candidates" in (said := capsys.readouterr().err)
    assert "--min-coverage" in said and said.count("\n") == 1
