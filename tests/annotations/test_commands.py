import json
import re
import subprocess
import sys

import pytest

from annotations.__main__ import _parser, main
from annotations.store.label_store import LabelStore

COMMANDS = (
    *("mine", "import", "export", "status", "audit", "agreement", "backup", "restore"),
    *("settings", "calibrate", "gold"),
)


@pytest.fixture
def labelled(own_data_dir, make):
    """The data directory's database, with two candidates, one of them labelled."""
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates([make(1), make(2)])
        store.label(make(1).id, "lan", "hard", token="1")
    return own_data_dir / "labels.db"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    example = re.search(r"Example: python -m annotations (.+)$", text)[1]
    assert _parser().parse_args(example.split()).run


def test_mined_candidates_are_ready_to_label(own_data_dir, capsys):
    arguments = "mine --source mini --task vimedretrieve --split train --ranker bm25 --limit 12 --per-query 2"
    assert main(arguments.split()) == 0
    said = capsys.readouterr().out
    assert said.startswith("12 candidates from 12 of ")
    assert "Added to" in said and "12; already there: 0" in said
    with LabelStore(own_data_dir / "labels.db", read_only=True) as store:
        assert store.candidates()[0].miner == "bm25"
    assert main(arguments.split()) == 0
    again = capsys.readouterr().out  # mining again finds new ones
    assert "12; already there: 0" in again and "Passages passed over: 12, candidates already." in again


def test_the_whole_way_round(labelled, own_data_dir, tmp_path, capsys):
    assert main(["status", "--annotator", "lan"]) == 0
    assert "candidates: 2" in (said := capsys.readouterr().out) and "left: 1" in said and "hard: 1" in said
    assert main(["audit", "--by-miner"]) == 0
    said = capsys.readouterr().out
    assert "1 of the 2 sampled candidates are labelled" in said and "381 labelled candidates" in said
    assert "| Hard negative | 100.0% | 20.7% – 100.0% | 1 / 1 | 50.0% – 100.0% |" in said
    assert main(["export", str(tmp_path / "a.csv")]) == 0
    assert "1 rows" in capsys.readouterr().out
    assert main(["backup"]) == 0
    (copy,) = (own_data_dir / "backups").iterdir()
    labelled.write_bytes(b"")
    assert main(["restore", str(copy)]) == 0
    assert "has 2 candidates and 1 events" in (said := capsys.readouterr().out) and "former database" in said
    other = ["--database", str(tmp_path / "other.db")]
    assert main(["import", str(tmp_path / "a.csv"), *other]) == 0
    assert "1 rows read: 1 candidates added" in capsys.readouterr().out
    assert main(["status", *other]) == 0


def test_a_study_is_set_up_by_commands(labelled, make, tmp_path, capsys):
    assert main(["settings"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["overlap: none", "lease-minutes: 20"]
    assert main("settings --overlap 3 --gold-share 0.1 --calibration off --by lan".split()) == 0
    assert capsys.readouterr().out == "overlap: 3\nlease-minutes: 20\ngold-share: 0.1\ncalibration: off\n"
    assert main("settings --overlap none --calibration on".split()) == 0
    assert capsys.readouterr().out.startswith("overlap: none\n")
    assert main(["gold"]) == 0
    assert "Nobody has labelled gold" in capsys.readouterr().out
    lines = [{"id": make(1).id, "label": "hard", "note": ""}, {"id": "0000", "label": "hard"}]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["gold", str(tmp_path / "gold.jsonl")]) == 0
    said = capsys.readouterr().out
    assert "1 answers added, 0 already there" in said and "gold.jsonl:2: There is no candidate '0000'" in said
    assert main(["gold"]) == 0
    assert capsys.readouterr().out == "lan: 1/1 [0.207, 1.000]\n"
    assert main(["calibrate", "--size", "2"]) == 1
    assert "A calibration of 2 cannot be drawn" in capsys.readouterr().err
    assert main(["calibrate", "--size", "1", "--seed", "3"]) == 0
    assert "1 candidates added, 0 already in it" in capsys.readouterr().out
    (tmp_path / "ids.txt").write_text(make(2).id)
    assert main(["calibrate", "--ids", str(tmp_path / "ids.txt")]) == 0
    assert "0 candidates added, 1 already in it" in capsys.readouterr().out
    with LabelStore(labelled) as store:
        assert store.database.rows("SELECT by FROM settings")[0]["by"] == "lan"
        assert store.claim("mai").kind == "calibration"


@pytest.mark.parametrize(
    ("format", "path", "written"),
    [
        ("answers", "a.jsonl", "1 answers written"),
        ("answers", "a.csv", "1 answers written"),
        ("argilla", "a.json", "2 records (settings: "),
        ("potato", "project", "2 items of a Potato project written"),
    ],
)
def test_answers_go_out_and_come_back(labelled, tmp_path, capsys, format, path, written):
    path = str(tmp_path / path)
    assert main(["export", "--format", format, path]) == 0
    assert written in capsys.readouterr().out
    assert main(["import", path]) == 0  # into where it is from
    assert "0 candidates added" in (said := capsys.readouterr().out) and "0 answers added, 1 already" in said
    if format != "potato":  # which has no candidates to bring
        other = ["--database", str(tmp_path / "other.db")]
        assert main(["import", path, *other]) == 0
        assert "1 answers added, 0 already there" in capsys.readouterr().out
        assert main(["status", *other]) == 0
        assert "hard: 1" in capsys.readouterr().out


def test_a_hostile_line_cannot_write_to_the_terminal(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text(json.dumps({"kind": "label", "token": ["\x1b[2J\ud800"]}))
    assert main(["import", str(tmp_path / "a.jsonl")]) == 1
    assert "The token is '['\\x1b[2J\\ud800']'" in capsys.readouterr().out
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"kind": "label", "annotator": "\x1b[2J"} | {"token": "1", "candidate_id": "1"})
    )
    assert main(["import", str(tmp_path / "a.jsonl")]) == 1
    assert "'�[2J' is no pseudonym" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "a.csv", "--names"], "--names does not go with --format"),
        (["export", "a.json", "--with-origin", "--format", "potato"], "--with-origin does not go with"),
        (["export", "a.json", "--triples", "--format", "argilla"], "--triples does not go with"),
        (["mine", "--split", "test"], "evaluated on"),
        (["mine", "--task", "nothing"], "no task"),
        (["mine", "--limit", "0"], "must be 1 or more"),
        (["import", "none.jsonl"], "no file 'none.jsonl'"),
        (["status"], "There is no database"),
        (["export", "a.csv"], "There is no database"),
        (["audit"], "There is no database"),
        (["audit", "--precision", "0"], "Precision (0.0)"),
        (["agreement"], "There is no database"),
        (["backup"], "There is no database"),
        (["restore"], "nothing to restore"),
        (["settings"], "There is no database"),
        (["settings", "--overlap", "0"], "--overlap is '0'; it must be between 1 and 100"),
        (["settings", "--gold-share", "0.6"], "--gold-share is '0.6'; it must be between 0 and 0.5"),
        (["settings", "--lease-minutes", "0"], "--lease-minutes is '0'"),
        (["calibrate", "--size", "5"], "There is no database"),
        (["calibrate", "--ids", "none.txt"], "'none.txt' cannot be read"),
        (["gold", "none.jsonl"], "There is no database"),
        (["gold"], "There is no database"),
        (["status", "--database", "/proc/nowhere/x.db"], "There is no database"),
        (["import", "none.csv", "--database", "/proc/nowhere/x.db"], "/proc/nowhere"),
    ],
)
def test_bad_input_is_one_line_and_a_failure(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
    assert said.out == ""


def test_bad_rows_are_told_by_line(tmp_path, capsys):
    rows = [{"query": "Ho?", "positive": "một", "negative": "hai"}, {"query": "Ho?"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["import", str(tmp_path / "a.jsonl")]) == 0
    assert "a.jsonl:2: There is no positive" in capsys.readouterr().out
    (tmp_path / "b.jsonl").write_text(json.dumps(rows[1]))
    assert main(["import", str(tmp_path / "b.jsonl")]) == 1
    assert "No row of" in capsys.readouterr().err


def test_it_runs_as_a_module_without_heavy_imports():
    code = "import sys, annotations.__main__ as m; print(sorted({'torch', 'datasets', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    done = subprocess.run(
        [sys.executable, "-m", "annotations", "mine", "--bad"], capture_output=True, text=True
    )
    assert done.returncode == 2
