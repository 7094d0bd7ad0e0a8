"""The paper's experiments: one command each, resumable, never repeated, with intervals and the paper's figures."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import vcs_demo.benchmark
from training.experiments import main
from training.paper import run as experiments
from training.paper.arms import arms
from training.paper.data import _pairs
from training.paper.results import database_file, open_database
from training.paper.settings import EXPERIMENTS, Ablation, TemperatureSweep
from training.retraining.trainer import TrainingDiverged
from vcs_demo.errors import UserError

ROOT = Path(__file__).parents[3]
SMALL = ["--epochs", "1", "--limit", "12", "--evaluate-limit", "4", "--batch-size", "4"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a folder with the first rows of VCS-mini."""
    mini, folder = Path(vcs_demo.benchmark.__file__).parent / "miniature", tmp_path_factory.mktemp("source")
    for path in mini.rglob("*.jsonl"):
        few = folder / path.relative_to(mini)
        few.parent.mkdir(parents=True, exist_ok=True)
        few.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:6]), "utf-8")
    return folder


@pytest.fixture
def run(tiny_model_dir, source):
    """Run an experiment by its command, on a tiny model and a few rows."""

    def run(name, *more, seeds=(0,)):
        words = [name, "--seeds", *map(str, seeds), "--max-length", "32"]
        words += ["--base", str(tiny_model_dir), "--source", str(source)]
        return main([*words, *SMALL, *map(str, more)])

    return run


@pytest.fixture
def rows():
    def rows(sql, *values):
        with open_database() as database:
            return list(database.query(sql, values))

    return rows


def test_the_ablation_takes_weight_and_directions_apart():
    ways = [(arm.weight, arm.negatives, arm.directions) for arm in arms(Ablation())]
    four = [(w, "in-batch", d) for d in ("paper", "authors") for w in ("infonce", "modified")]
    assert ways == [*four, ("infonce", "hard", "paper"), ("modified", "hard", "paper")]
    assert [(arm.prompt, arm.pooling) for arm in arms(Ablation(design=True))][6:] == [
        (False, "mean"),
        (True, "cls"),
    ]


def test_the_sweep_compares_with_the_recommended_temperature():
    assert [arm.temperature for arm in arms(TemperatureSweep())] == [0.1, 0.05, 0.2, 0.4, 0.7]


@pytest.mark.slow
def test_an_experiment_is_kept_whole_and_not_repeated(run, rows, capsys):
    assert run("ablation", "--design") == 0
    runs = rows("select * from runs where seed >= 0 order by rowid")
    assert [run["arm"] for run in runs] == [arm.name for arm in arms(Ablation(design=True))]
    assert all(run["steps"] >= 2 and run["seconds"] > 0 and run["state"] == "done" for run in runs)
    points = rows("select * from curves where key = ?", runs[0]["key"])
    assert [point["step"] for point in points] == list(range(1, runs[0]["steps"] + 1))
    assert all(0 <= point["positive"] <= 1 and point["gradient"] > 0 for point in points)
    assert 0 <= points[-1]["validation"] <= 1
    tasks = rows("select distinct task from results where key = ?", runs[0]["key"])
    assert {row["task"] for row in tasks} == {"vimedretrieve", "virerank", "mnli-r", "qnli-r"}
    capsys.readouterr()
    assert run("ablation", "--design") == 0
    assert capsys.readouterr().err.count("already done") == 8
    assert len(rows("select * from runs")) == 9  # with the untrained base


@pytest.mark.slow
def test_the_report_prints_arms_intervals_and_the_papers_figures(
    run, tmp_path, tiny_model_dir, source, capsys
):
    assert run("domain", seeds=(0, 1)) == 0
    capsys.readouterr()
    assert main(["report", "--csv", str(tmp_path / "csv")]) == 0
    text, told = capsys.readouterr()
    assert text.startswith("## domain\n\nMedical text alone against general text and")
    assert "    python training/experiments.py domain --source " in text and "CSV in" in told
    arm = next(line for line in text.splitlines() if line.startswith("| general text"))
    assert arm.split(" | ")[1].strip() == "2" and " ± " in arm and "; Δ " in arm
    assert "Reported by arXiv 2503.07470" in text and "bkai vietnamese-bi-encoder (130 M) 0.730" in text
    assert str(tiny_model_dir) not in text and str(source) not in text
    assert (tmp_path / "csv" / "results.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # for spreadsheets
    table = pd.read_csv(tmp_path / "csv" / "results.csv")
    assert set(table["arm"]) == {"untrained", "medical text", "general text", "mixed text"}
    assert set(pd.read_csv(tmp_path / "csv" / "curves.csv").columns) >= {
        "arm",
        "seed",
        "step",
        "loss",
        "positive",
    }


@pytest.mark.slow
def test_a_static_table_has_no_pooling_to_change_and_the_rest_is_run(
    run, tiny_model_dir, tmp_path, rows, capsys
):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    table = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    table.save_pretrained(str(tmp_path / "table"))
    assert run("ablation", "--base", tmp_path / "table", "--design") == 0
    assert "CLS pooling is left out: table pools no tokens" in capsys.readouterr().err
    trained = {row["arm"] for row in rows("select arm from runs where seed >= 0")}
    assert len(trained) == 7 and "InfoNCE, in-batch, no prefix" in trained


@pytest.mark.slow
def test_a_stopped_experiment_goes_on_and_ends_as_an_unstopped_one(run, rows, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    def figures():
        return rows("select arm, task, measure, mean from results join runs using (key) order by 1, 2, 3")

    words = ("temperature", "--temperatures", "0.05", "0.1")
    with monkeypatch.context() as patched:
        patched.setattr(experiments, "signs", stop)
        assert run(*words) == 130
    assert rows("select * from runs where seed >= 0") == []
    assert run(*words) == 0
    resumed = figures()
    with open_database() as database:
        for table in ("runs", "results", "per_query", "curves"):
            database[table].delete_where()
    assert run(*words) == 0
    assert resumed == figures() and {row["arm"] for row in resumed} == {"untrained", "τ = 0.05", "τ = 0.1"}
    assert not list((database_file().parent / "experiments").iterdir())


@pytest.mark.slow
def test_runs_of_different_settings_are_never_averaged(run, rows, tmp_path, capsys):
    for epochs in (1, 2):
        assert run("baseline", "--epochs", epochs) == 0
    assert len(rows("select distinct setting from runs")) == 2
    capsys.readouterr()
    assert main(["report", "--csv", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "results.csv")
    assert set(table["seeds"]) == {1} and table["setting"].nunique() == 2
    assert capsys.readouterr().out.count("## baseline") == 2


def test_a_run_that_diverges_is_a_result(run, rows, monkeypatch, capsys):
    def diverge(*_):
        raise TrainingDiverged(3)

    monkeypatch.setattr("training.retraining.trainer.fine_tune", diverge)
    assert run("baseline") == 0
    assert [row["state"] for row in rows("select state from runs where seed >= 0")] == ["diverged"]
    assert main(["report"]) == 0
    assert "- InfoNCE, in-batch, seed 0: diverged at step 0" in capsys.readouterr().out


@pytest.mark.slow
def test_domains_are_compared_at_one_size(run, rows, tmp_path):
    path = tmp_path / "g.jsonl"
    lines = [{"query": f"Câu hỏi số {i}", "positive": f"Câu trả lời cho số {i} <b>"} for i in range(10)]
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    assert run("domain", "--general", path) == 0
    sizes = {row["arm"]: row["rows"] for row in rows("select arm, rows from runs where seed >= 0")}
    assert sizes == {"medical text": 10, "general text": 10, "mixed text": 10}
    assert "--general g.jsonl" in rows("select command from runs")[0]["command"]


def test_a_run_is_recognised_by_what_earlier_versions_hashed(run, rows):
    """Another fact in this configuration would repeat every run of every database there is."""
    assert run("baseline") == 0
    (row,) = rows("select key, config, setting from runs where seed >= 0")
    config = json.loads(row["config"])
    assert list(config) == [
        *("experiment", "base", "source", "arm", "seed", "data", "tasks", "epochs", "batch_size"),
        *("learning_rate", "max_length", "query_prompt", "versions"),
    ]
    assert list(config["arm"]) == "name weight negatives directions temperature data prompt pooling".split()
    assert "--miner bm25 --epochs 1.0 --batch-size 4 --learning-rate 5e-05 --max-length 32" in row["setting"]
    assert (
        " --query-prompt '<|query|> ' --limit 12 --evaluate-limit 4 --temperature 0.1 (base "
        in row["setting"]
    )


def test_defaults_are_written_as_they_always_were():
    assert TemperatureSweep().command("seeds") == (
        "python training/experiments.py temperature --source mini --base minilm --miner bm25 --epochs 10 "
        "--batch-size 32 --learning-rate 5e-05 --max-length 224 --query-prompt '<|query|> ' "
        "--temperatures 0.05 0.1 0.2 0.4 0.7"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--epochs", "0"], 2, "0.0 is not in the range x>0"),
        (["--epochs", "inf"], 2, "not a finite number"),
        (["--temperature", "-1"], 2, "-1.0 is not in the range x>0"),
        (["--batch-size", "1"], 2, "1 is not in the range x>=2"),
        (["--temperatures", "1"], 2, "No such option '--temperatures'"),
        (["--seeds", "1", "1"], 1, "--seeds are 1 1; give each once."),
        (["--base", "bm25"], 1, "'bm25' is not an embedding model"),
        (["--source", "nowhere"], 1, "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(words, code, message, capsys):
    assert main(["baseline", *words]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and message in line
    assert not database_file().exists()


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"batch_size": 1}, {"temperature": -1.0}, {"seeds": (1, 1)}]
)
def test_settings_refuse_from_python_what_the_command_refuses(changes):
    with pytest.raises(UserError):
        Ablation(**changes)


def test_a_report_of_nothing_is_one_sentence_and_makes_no_database(capsys):
    assert main(["report"]) == 1
    assert "No experiment was run yet" in capsys.readouterr().err
    assert not database_file().exists()


def test_a_broken_file_of_general_pairs_is_one_sentence(run, tmp_path, capsys):
    good = '{"query": "a", "positive": "b"}\n'
    for number, line in enumerate(
        [
            '{"query": "a"}',
            '{"query": "a", "positive": 5}',
            '{"query": "a", "positive": "nan"}',
            "[1]",
            "{",
            '"a"',
        ],
        start=1,
    ):
        (tmp_path / "g.jsonl").write_text(good * (number - 1) + f"{line}\n", "utf-8")
        assert run("domain", "--general", tmp_path / "g.jsonl") == 1
        assert f"Line {number} of 'g.jsonl'" in capsys.readouterr().err
        assert not database_file().exists()
    for content, said in (
        (b"", "no pair"),
        (good.encode(), "has 1 pair"),
        (b"\xff", "Line 1"),
        (b"\x1f\x8b", "unpack it"),
    ):
        (tmp_path / "g.jsonl").write_bytes(content)
        assert run("domain", "--general", tmp_path / "g.jsonl") == 1
        assert said in capsys.readouterr().err and not database_file().exists()


def test_general_pairs_come_from_any_file_of_rows(tmp_path, source):
    for name, sep, encoding in (("g.csv", ";", "utf-8-sig"), ("g.tsv", "\t", "utf-16")):
        table = pd.DataFrame([{"Anchor": "Ho\u2028khan?", "pos": "Uống nước, nghỉ."}] * 2)
        table.to_csv(tmp_path / name, sep=sep, encoding=encoding, index=False)
        pairs = _pairs(tmp_path / name)
        assert pairs == [{"question": "Ho\u2028khan?", "context": "Uống nước, nghỉ."}] * 2


def test_the_script_runs_from_any_directory_and_helps_without_torch(tmp_path):
    script = "import sys, runpy; sys.argv = ['x', 'ablation', '--help']\n"
    script += f"try:\n    runpy.run_path({str(ROOT / 'training/experiments.py')!r}, run_name='__main__')\n"
    script += "except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Example: python training/experiments.py ablation" in done.stdout
    assert done.stdout.endswith("0 False\n")


def test_every_experiment_is_a_command_with_an_example(capsys):
    for name in (*EXPERIMENTS, "report"):
        assert main([name, "--help"]) == 0
        assert f"Example: python training/experiments.py {name}" in capsys.readouterr().out
