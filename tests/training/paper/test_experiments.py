"""The paper's experiments: one command each, resumable, with intervals, and the warning signs where they happen."""

import json

import numpy as np
import pandas as pd
import pytest

from training.experiments import main
from training.paper import run as laboratory
from training.paper.report import summary
from training.paper.run import open_database
from training.paper.warning_signs import Point, signs
from training.retraining.trainer import TrainingDiverged

SMALL = ["--seeds", "0", "--epochs", "1", "--limit", "24", "--evaluate-limit", "12", "--batch-size", "8"]


def command(name, model, *more):
    return [name, "--base", str(model), "--max-length", "32", *SMALL, *more]


@pytest.fixture
def rows():
    def rows(sql, *values):
        with open_database() as database:
            return list(database.query(sql, values))

    return rows


def test_the_ablation_takes_weight_and_directions_apart_and_is_not_repeated(
    tiny_model_dir, rows, tmp_path, capsys
):
    assert main(command("ablation", tiny_model_dir, "--design")) == 0
    runs = rows("select * from runs where seed >= 0 order by rowid")
    arms = {run["arm"]: json.loads(run["config"])["arm"] for run in runs}
    assert len(runs) == len(arms) == 8 and all(run["steps"] >= 3 and run["seconds"] > 0 for run in runs)
    ways = {(arm["weight"], arm["negatives"], arm["directions"]) for arm in arms.values()}
    assert ways == {
        *(
            (weight, "in-batch", directions)
            for weight in ("infonce", "modified")
            for directions in ("paper", "authors")
        ),
        ("infonce", "hard", "paper"),
        ("modified", "hard", "paper"),
    }
    points = rows("select * from curves where key = ?", runs[0]["key"])
    assert [p["step"] for p in points] == list(range(1, runs[0]["steps"] + 1))
    assert all(0 <= p["positive"] <= 1 and p["gradient"] > 0 for p in points)
    assert 0 <= points[-1]["validation"] <= 1
    tasks = {row["task"] for row in rows("select task from results where key = ?", runs[0]["key"])}
    assert tasks == {"vimedretrieve", "virerank", "mnli-r", "qnli-r"}
    capsys.readouterr()
    assert main(command("ablation", tiny_model_dir, "--design")) == 0
    assert capsys.readouterr().err.count("already done") == 8
    assert len(rows("select * from runs")) == 9  # with the untrained base
    page, folder = tmp_path / "r.html", tmp_path / "csv"
    assert main(["report", "--html", str(page), "--csv", str(folder)]) == 0
    html = page.read_text("utf-8")
    assert all(arm in html for arm in arms) and "bkai vietnamese-bi-encoder" in html and "reported" in html
    assert str(tiny_model_dir) not in html and "<script src" not in html and "Δ" in html
    assert set(pd.read_csv(folder / "results.csv")["arm"]) == {*arms, "untrained"}
    assert len(pd.read_csv(folder / "curves.csv")) == sum(run["steps"] for run in runs)


def test_a_static_table_has_no_pooling_to_change_and_the_rest_is_run(tiny_model_dir, tmp_path, rows, capsys):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    table = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    table.save_pretrained(str(tmp_path / "table"))
    assert main(command("ablation", tmp_path / "table", "--design")) == 0
    assert "CLS pooling is left out: table pools no tokens" in capsys.readouterr().err
    arms = {row["arm"] for row in rows("select arm from runs where seed >= 0")}
    assert len(arms) == 7 and "InfoNCE, in-batch, no prefix" in arms


def test_a_stopped_experiment_goes_on_and_ends_as_an_unstopped_one(tiny_model_dir, rows, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    words = command("temperature", tiny_model_dir, "--temperatures", "0.05", "0.1")
    with monkeypatch.context() as patched:
        patched.setattr(laboratory, "signs", lambda *_, **__: stop())
        assert main(words) == 130
    assert rows("select * from runs where seed >= 0") == []
    assert main(words) == 0
    first = rows("select arm, task, measure, mean from results join runs using (key) order by 1, 2, 3")
    with open_database() as database:
        for table in ("runs", "results", "per_query", "curves"):
            database[table].delete_where()
    assert main(words) == 0
    second = rows("select arm, task, measure, mean from results join runs using (key) order by 1, 2, 3")
    assert [row["mean"] for row in first] == pytest.approx([row["mean"] for row in second])
    assert {row["arm"] for row in first} == {"untrained", "τ = 0.05", "τ = 0.1"}
    assert not list((laboratory.data_dir() / "experiments").iterdir())


def test_runs_of_different_settings_are_never_averaged(tiny_model_dir, rows, tmp_path):
    for epochs in ("1", "2"):
        assert main([*command("baseline", tiny_model_dir), "--epochs", epochs]) == 0
    settings = rows("select distinct setting from runs")
    assert len(settings) == 2 and len(rows("select * from runs where seed = 0")) == 2
    assert main(["report", "--html", str(tmp_path / "r.html"), "--csv", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "results.csv")
    assert set(table["seeds"]) == {1} and table["setting"].nunique() == 2
    assert (tmp_path / "r.html").read_text("utf-8").count("<h2>baseline</h2>") == 2


def test_a_run_that_diverges_is_a_result(tiny_model_dir, rows, monkeypatch, tmp_path):
    def diverge(*_):
        raise TrainingDiverged(3)

    monkeypatch.setattr("training.retraining.trainer.fine_tune", diverge)
    assert main(command("baseline", tiny_model_dir)) == 0
    assert [run["state"] for run in rows("select state from runs where seed >= 0")] == ["diverged"]
    assert main(["report", "--html", str(tmp_path / "r.html")]) == 0
    assert "diverged at step" in (tmp_path / "r.html").read_text("utf-8")


def test_domains_are_compared_at_one_size(tiny_model_dir, rows, tmp_path):
    path = tmp_path / "g.jsonl"
    lines = [{"query": f"Câu hỏi số {i}", "positive": f"Câu trả lời cho số {i} <b>"} for i in range(10)]
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    assert main(command("domain", tiny_model_dir, "--general", str(path))) == 0
    assert {(r["arm"], r["rows"]) for r in rows("select arm, rows from runs where seed >= 0")} == {
        ("medical text", 10),
        ("general text", 10),
        ("mixed text", 10),
    }
    assert "--general g.jsonl" in rows("select command from runs")[0]["command"]


def test_differences_are_paired_by_query_and_seed():
    with open_database() as database:
        values = {
            ("a", 0): [0, 0, 1, 1],
            ("a", 1): [0, 1, 1, 1],
            ("b", 0): [1, 1, 1, 1],
            ("b", 1): [0, 1, 1, 0],
        }
        for (arm, seed), own in values.items():
            key = f"{arm}{seed}"
            database["runs"].insert({"key": key, "experiment": "x", "arm": arm, "seed": seed})
            database["per_query"].insert_all(
                {"key": key, "task": "t", "measure": "m", "query": f"q{i}", "value": v}
                for i, v in enumerate(own)
            )
        first, second = summary(database, "x", None)
    assert (first["mean"], second["mean"]) == (5 / 8, 6 / 8) and "difference" not in first
    assert second["difference"] == 1 / 8 and second["seeds"] == 2
    assert second["difference_low"] <= 1 / 8 <= second["difference_high"]
    assert first["spread"] == pytest.approx(np.std([0.5, 0.75], ddof=1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "0"], "--epochs is 0.0"),
        (["--temperature", "-1"], "--temperature is -1.0"),
        (["--seeds", "1", "1"], "give each once"),
        (["--batch-size", "1"], "must be 2 or more"),
        (["--base", "bm25"], "cannot be trained"),
        (["--source", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(words, message, capsys):
    assert main(["baseline", *words]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and message in line


def test_a_report_of_nothing_and_a_broken_file_are_one_sentence(tiny_model_dir, tmp_path, capsys):
    assert main(["report", "--html", str(tmp_path / "r.html")]) == 1
    assert "No experiment was run yet" in capsys.readouterr().err
    (tmp_path / "g.jsonl").write_text('{"query": "a"}\n', "utf-8")
    assert main(command("domain", tiny_model_dir, "--general", str(tmp_path / "g.jsonl"))) == 1
    assert "Line 1 of 'g.jsonl'" in capsys.readouterr().err


def curve(loss, positive=None, gradient=None, validation=None):
    count = len(loss)
    columns = [loss, positive or [0.5] * count, gradient or [1.0] * count, validation or [None] * count]
    return [Point(i + 1, *point) for i, point in enumerate(zip(*columns, strict=True))]


def found(points, **changes):
    facts = {
        "temperature": 0.1,
        "negatives": "in-batch",
        "weight": "modified",
        "results": {},
        "untrained": {},
    }
    return signs(points, **facts | changes)


FALLING = [2 - i / 50 for i in range(50)]


@pytest.mark.parametrize(
    ("points", "changes", "step", "words"),
    [
        (curve([1.0] * 50), {}, 50, "try τ = 0.2"),
        (curve(FALLING, gradient=[1.0] * 30 + [50.0] + [1.0] * 19), {}, 31, "over ten times its median"),
        (curve(FALLING, positive=[0.5] * 10 + [0.99] * 40), {}, 12, "silences the gradient"),
        (curve(FALLING, positive=[0.99] * 50), {"weight": "infonce"}, 2, "too easy"),
        (
            curve(FALLING, validation=[None] * 10 + [0.6] + [None] * 38 + [0.5]),
            {"temperature": 0.02},
            50,
            "below 0.05",
        ),
        (curve(FALLING), {"results": {"vimedretrieve accuracy@5": 0.14}}, None, "below 0.15"),
        (
            curve(FALLING),
            {"results": {"virerank map": 0.5}, "untrained": {"virerank map": 0.61}},
            None,
            "how balanced",
        ),
    ],
)
def test_each_warning_sign_is_seen_where_it_happens(points, changes, step, words):
    (sign,) = found(points, **changes)
    assert sign.step == step and words in sign.text
    assert sign.curve is None if step is None else getattr(points[step - 1], sign.curve) is not None


def test_a_healthy_run_shows_no_sign():
    results = {"vimedretrieve accuracy@5": 0.5, "virerank map": 0.6}
    points = curve(FALLING, positive=[0.5] * 30 + [0.99] * 20, validation=[None] * 49 + [0.5])
    assert found(points, results=results, untrained=results) == []
    assert (
        found(
            curve(FALLING), negatives="hard", results={"virerank map": 0.1}, untrained={"virerank map": 0.9}
        )
        == []
    )
    assert found([]) == []
