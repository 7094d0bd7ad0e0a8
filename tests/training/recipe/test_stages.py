"""The recipe of the shipped models, stage by stage, as its commands run it."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from training.recipe import dev, stages
from training.recipe.__main__ import command, main
from training.recipe.work import read_tower
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.text import content_hash


def run(stage, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return main([stage, *words])


def test_a_run_goes_on_with_its_own_settings_alone(data, work, capsys, monkeypatch):
    monkeypatch.setattr(stages, "chosen_layers", lambda teacher, texts, count: [0])
    settings = {"batch_size": 2, "weights": "nli=1", "max_tokens": 16, "steps": 1, "layers": 1}
    again = {"data": data, "work": work, "run_name": "again", **settings}
    assert run("encoder", **again) == 0
    assert run("encoder", **again) == 0 and "going on from step 1 of 1" in capsys.readouterr().err
    assert run("encoder", **again | {"rate": 0.5}) == 1
    assert "holds a run with another rate ('0.0003', not '0.5')" in capsys.readouterr().err


def test_a_run_of_another_vocabulary_is_refused(data, work, tmp_path, capsys):
    shutil.copytree(work / "encoder", tmp_path / "encoder")
    assert run("tokenizer", data=data, work=tmp_path, vocabulary=600) == 0
    assert run("save", work=tmp_path, output=tmp_path / "m") == 1
    assert "give each vocabulary a --work of its own" in capsys.readouterr().err


def test_pairs_are_made_anew_for_other_data(data, work, tmp_path):
    mine, other = tmp_path / "work", tmp_path / "data"
    mine.mkdir()
    shutil.copy(work / "tokenizer.json", mine)
    shutil.copytree(data, other)
    (other / "train_text_viwiki.jsonl.xz").unlink()
    for folder, name in ((data, "a"), (other, "b")):
        assert run("static", data=folder, work=mine, steps=0, weights="qa=1", run_name=name) == 0
    assert not (mine / "pairs" / "crops.npz").exists() and (mine / "pairs" / "qa.npz").exists()


@pytest.mark.slow
def test_the_stages_make_a_model_that_the_app_loads_and_evaluates(work, tmp_path, capsys):
    assert run("save", work=work, run_name="encoder", output=tmp_path / "m") == 0
    ranker = DenseRanker("m", tmp_path / "m")
    assert ranker.model.prompts == {"query": "<|query|> ", "document": ""}
    assert ranker.model.max_seq_length == 224 and ranker.model.get_embedding_dimension() == 384
    assert next(ranker.model.parameters()).dtype == torch.float32
    # What was trained is what was saved: the tower in bfloat16 and the model that was read back agree.
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    tower = read_tower(work / "encoder", tokenizer)
    texts = ["Uống đủ nước mỗi ngày.", "Gan lọc máu và dự trữ năng lượng cho cơ thể"]
    ids = [np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int32) for text in texts]
    with torch.no_grad():
        own = torch.nn.functional.normalize(tower(ids), dim=-1).numpy()
    np.testing.assert_allclose((ranker.encode(texts) * own).sum(axis=1), 1, atol=3e-3)
    assert run("save", work=work, run_name="encoder", output=tmp_path / "m") == 1
    assert "exists already" in capsys.readouterr().err


def test_what_a_model_was_trained_on_travels_with_it(work, tmp_path):
    assert run("save", work=work, run_name="static", output=tmp_path / "m") == 0
    ranker, trained = DenseRanker("m", tmp_path / "m"), load_task("vimedretrieve", "mini", "train")
    assert content_hash(next(iter(trained.queries.values())))[:16] in ranker.training_hashes
    assert evaluate(load_task("mnli-r", "mini", "test"), ranker).skipped == 0


def test_the_dev_tasks_are_told_while_training(data, work, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dev, "WATCHED", {("mnli-r", "test"): ("map",)})
    shutil.copy(work / "tokenizer.json", tmp_path)
    shutil.copytree(work / "pairs", tmp_path / "pairs")
    shutil.copy(work / "queries.txt", tmp_path)
    assert run("static", data=data, work=tmp_path, steps=0, weights="qa=1", dev="mini") == 0
    assert re.search(r"dev at step 0: mnli-r map 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]", capsys.readouterr().err)
    (line,) = (tmp_path / "static" / "dev.jsonl").read_text("utf-8").splitlines()
    saved = tmp_path / "m"
    assert run("save", work=tmp_path, run_name="static", output=saved) == 0
    figure = evaluate(load_task("mnli-r", "mini", "test"), DenseRanker("m", saved)).metrics["map"]
    assert json.loads(line)["mnli-r map"][0] == pytest.approx(figure, abs=0.005)  # saved in float16


@pytest.mark.slow
def test_the_weight_of_bm25_is_chosen_and_kept_beside_the_model(work, tmp_path, capsys):
    output = tmp_path / "s"
    assert run("save", work=work, run_name="static", output=output) == 0
    assert run("fuse", model=output, dev="mini") == 0
    weight = json.loads((output / "fusion.json").read_text("utf-8"))["bm25_weight"]
    told = capsys.readouterr().err
    sums = {
        float(w): float(a) + float(b) for w, a, b in re.findall(r"BM25 (\S+): .*@1 (\S+), .*@20 (\S+)", told)
    }
    assert len(sums) == 21 and sums[weight] == max(sums.values()) and f"BM25 weighs {weight:.2f}" in told
    assert DenseRanker("s", output).bm25_weight == weight
    assert run("speed", model=output, passages=20, runs=2) == 0
    assert "times as fast as minilm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": "news"}, "give kinds as 'news=2 qa=1'"),
        ({"weights": "gossip=1"}, "names gossip; the kinds here are"),
        ({"data": "nowhere", "rows": 7}, "holds none of train_news_vietnews"),
    ],
)
def test_bad_input_is_one_sentence(data, work, tmp_path, capsys, options, words):
    shutil.copy(work / "tokenizer.json", tmp_path)
    shutil.copytree(work / "pairs", tmp_path / "pairs")
    assert run("static", **{"data": data, "work": tmp_path, "steps": 1} | options) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error


def test_a_stage_before_its_time_says_what_to_run_first(data, tmp_path, capsys):
    assert run("static", data=data, work=tmp_path) == 1
    assert "run the stage that makes it first" in capsys.readouterr().err


def test_every_stage_has_help_with_an_example_and_needs_no_torch_for_it():
    names = list(command.commands)
    assert names == ["base", "tokenizer", "static", "encoder", "save", "fuse", "speed"]
    script = "import sys; from training.recipe.__main__ import main\n"
    script += f"for name in {names}: main([name, '--help'])\nprint('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(f"Example: python -m training.recipe {name} --" in told for name in names)
    assert told.endswith("False\n")
