"""The commands: help, what they print, and one line for bad input."""

import json
import re
import subprocess
import sys

import click
import pytest

from annotations.__main__ import commands, main
from annotations.assignment.rules import AssignmentRules
from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore


def leaves(command, name):
    """Yield name and command of each command that is no group."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for child in command.list_commands(context):
        yield from leaves(command.get_command(context, child), f"{name} {child}")


def options(command):
    return [name for param in command.params if isinstance(param, click.Option) for name in param.opts]


COMMANDS = dict(leaves(commands, commands.name))


@pytest.fixture
def labelled(own_data_dir, make):
    """The data directory's database, with two candidates, one of them labelled."""
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates([make(1), make(2)])
        store.label(make(1).id, "lan", "hard", token="1")
    return own_data_dir / "labels.db"


def test_every_command_is_there_with_its_options():
    """The names are a contract: scripts rely on them."""
    database = ["--database"]
    assert {name.removeprefix("python -m annotations "): options(c) for name, c in COMMANDS.items()} == {
        "mine": [
            *database,
            *(
                "--source",
                "--task",
                "--split",
                "--ranker",
                "--limit",
                "--per-query",
                "--depth",
                "--margin",
                "--seed",
            ),
        ],
        "import": [*database, "--task", "--split", "--miner", "--sender"],
        "export": [*database, "--format", "--triples", "--names", "--with-origin"],
        "settings": [*database, "--overlap", "--lease-minutes", "--gold-share", "--calibration", "--by"],
        "calibrate": [*database, "--size", "--ids", "--seed"],
        "gold": database,
        "account add": ["--role", "--generate"],
        "account list": [],
        "account remove": [],
        "status": [*database, "--annotator"],
        "audit": [
            *database,
            *("--size", "--seed", "--strata", "--level", "--precision", "--lang", "--examples"),
            *("--markdown", "--html", "--json"),
        ],
        "agreement": [*database, "--seed", "--level", "--without-unsure", "--names", "--json"],
        "backup": [*database, "--push"],
        "restore": [*database, "--no-replay", "--from-remote"],
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(name, capsys):
    words = name.removeprefix("python -m annotations ").split()
    assert main([*words, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(option in text for option in options(COMMANDS[name]))
    example = re.search(rf"Example: {name} ?(.*)$", text)[1]
    assert COMMANDS[name].make_context(name, example.replace('"', "").split())


def test_ranges_of_the_options_are_those_of_the_rules():
    import dataclasses

    facts = {field.name: field.metadata for field in dataclasses.fields(AssignmentRules)}
    for param in COMMANDS["python -m annotations settings"].params:
        if param.name in ("lease_minutes", "gold_share"):
            assert (param.type.min, param.type.max) == (facts[param.name]["low"], facts[param.name]["high"])
    assert (facts["overlap"]["low"], facts["overlap"]["high"]) == (1, 100)


def test_mined_candidates_are_ready_to_label(own_data_dir, capsys):
    arguments = "mine --source mini --task vimedretrieve --split train --ranker bm25 --limit 12 --per-query 2"
    assert main(arguments.split()) == 0
    said = capsys.readouterr().out
    assert "12 candidates from 12 of " in said and "too close to the positive's score" in said
    assert "Added to" in said and "12; already there: 0" in said
    with LabelStore(own_data_dir / "labels.db", read_only=True) as store:
        assert store.candidates()[0].miner == "bm25"
    assert main(arguments.split()) == 0
    again = capsys.readouterr().out  # mining again finds new ones
    assert "12; already there: 0" in again and re.search(r"\| candidates already +\| – +\| 12 ", again)


def test_the_whole_way_round(labelled, own_data_dir, tmp_path, capsys):
    assert main(["status", "--annotator", "lan"]) == 0
    assert "candidates: 2" in (said := capsys.readouterr().out) and "left: 1" in said and "hard: 1" in said
    assert main(["audit", "--strata", "miner"]) == 0
    said = capsys.readouterr().out
    assert "1 of the 2 sampled candidates are labelled" in said and "381 labelled candidates" in said
    assert re.search(r"\| Hard negative +\| 1.000 \[0.207, 1.000\] +\| 1 / 1 ", said)
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
    assert re.search(r"\| lan +\| 1 +\| 1 +\| 1.000 \[0.207, 1.000\] \|", capsys.readouterr().out)
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
def test_answers_go_out_for_others(labelled, tmp_path, capsys, format, path, written):
    assert main(["export", "--format", format, str(tmp_path / path)]) == 0
    assert written in capsys.readouterr().out and (tmp_path / path).exists()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_answers_come_back_in_once(labelled, tmp_path, capsys, name):
    path, other = str(tmp_path / name), ["--database", str(tmp_path / "other.db")]
    assert main(["export", "--format", "answers", path]) == 0
    assert main(["import", path]) == 0  # into where it is from
    said = capsys.readouterr().out
    assert "0 candidates added" in said and "0 answers added, 1 already there" in said
    assert main(["import", path, *other, "--sender", "Huế"]) == 0
    assert "1 answers added, 0 already there" in capsys.readouterr().out
    assert main(["import", path, *other]) == 0
    assert "0 answers added, 1 already there" in capsys.readouterr().out
    with LabelStore(tmp_path / "other.db", read_only=True) as store:
        assert [event["annotator"][:6] for event in store.events()] == ["Huế:p-"]
        assert store.counts() == dict.fromkeys(LABELS, 0) | {"hard": 1}


def test_a_hostile_line_cannot_write_to_the_terminal(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text(json.dumps({"kind": "label", "token": ["\x1b[2J\ud800"]}))
    assert main(["import", str(tmp_path / "a.jsonl")]) == 1
    assert "The token is '['\\x1b[2J\\ud800']'" in capsys.readouterr().err
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"kind": "label", "annotator": "\x1b[2J"} | {"token": "1", "candidate_id": "1"})
    )
    assert main(["import", str(tmp_path / "a.jsonl")]) == 1
    assert "'�[2J' is no pseudonym" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [  # refused by click, before anything is read
        (["export", "a.csv", "--names"], "--names needs --format"),
        (["export", "a.json", "--with-origin", "--format", "potato"], "--with-origin needs"),
        (["export", "a.json", "--triples", "--format", "argilla"], "--triples needs"),
        (["export", "a.xls", "--format", "xls"], "'xls' is not one of 'jsonl', 'csv'"),
        (["mine", "--split", "test"], "'test' is not one of 'train', 'validation'"),
        (["mine", "--limit", "0"], "0 is not in the range x>=1"),
        (["mine", "--margin", "nan"], "not a finite number"),
        (["mine", "--bad"], "No such option"),
        (["audit", "--precision", "0"], "0.0 is not in the range 0<x<0.5"),
        (["audit", "--strata", "topic"], "no strata 'topic'; give miner, rank or miner,rank"),
        (["audit", "--size", "0"], "0 is not in the range x>=1"),
        (["audit", "--level", "1"], "1.0 is not in the range"),
        (["audit", "--examples", "1000"], "1000 is not in the range 0<=x<=50"),
        (["agreement", "--seed", "-1"], "-1 is not in the range"),
        (["settings", "--overlap", "0"], "'0' is not a whole number from 1 to 100, or none"),
        (["settings", "--overlap", "abc"], "'abc' is not a whole number from 1 to 100, or none"),
        (["settings", "--gold-share", "0.6"], "0.6 is not in the range 0<=x<=0.5"),
        (["settings", "--lease-minutes", "0"], "0 is not in the range 1<=x<=10080"),
        (["settings", "--calibration", "yes"], "'yes' is not one of 'on', 'off'"),
        (["calibrate"], "Give one of --size and --ids"),
        (["calibrate", "--size", "1", "--ids", "a"], "Give one of --size and --ids"),
        (["account", "add", "An", "--role", "king"], "'king' is not one of 'annotator'"),
        (["restore", "a.db", "--from-remote"], "--from-remote brings its own"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_options_that_do_not_fit_are_one_line_and_leave_nothing_behind(
    own_data_dir, arguments, message, capsys
):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
    assert list(own_data_dir.glob("*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine", "--task", "nothing"], "no task"),
        (["import", "none.jsonl"], "no file 'none.jsonl'"),
        (["status"], "There is no database"),
        (["export", "a.csv"], "There is no database"),
        (["audit"], "There is no database"),
        (["audit", "--json", "/nope/x"], "'/nope/x' cannot be written"),
        (["audit", "--markdown", "/nope/x"], "'/nope/x' cannot be written"),
        (["audit", "--html", "/nope/x"], "'/nope/x' cannot be written"),
        (["agreement", "--json", "/nope/x"], "'/nope/x' cannot be written"),
        (["agreement"], "There is no database"),
        (["backup"], "There is no database"),
        (["restore"], "nothing to restore"),
        (["settings"], "There is no database"),
        (["calibrate", "--size", "5"], "There is no database"),
        (["calibrate", "--ids", "none.txt"], "no file 'none.txt'"),
        (["gold", "none.jsonl"], "There is no database"),
        (["gold"], "There is no database"),
        (["account", "remove", "An"], "no account 'An'"),
        (["status", "--database", "/proc/nowhere/x.db"], "There is no database"),
    ],
)
def test_bad_input_is_one_line_and_a_failure(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert message in said.err and said.out == ""
    assert said.err.startswith("error: ") and said.err.count("\n") == 1


def test_answers_come_in_where_the_database_is_restored_first(labelled, own_data_dir, tmp_path, capsys):
    path = tmp_path / "answers.jsonl"
    assert main(["export", str(path), "--format", "answers"]) == 0
    answers = [line for line in path.read_text().splitlines() if json.loads(line)["kind"] != "candidate"]
    path.write_text("\n".join(answers))  # their candidates are in the database alone
    labelled.unlink()
    assert main(["import", str(path), "--sender", "b"]) == 0
    assert "0 answers added, 1 already there" in capsys.readouterr().out


def test_triples_of_which_none_can_be_used_leave_no_database(own_data_dir, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    assert main(["import", str(tmp_path / "empty.jsonl")]) == 1
    assert not (own_data_dir / "labels.db").exists()


def test_bad_rows_are_told_by_line(tmp_path, capsys):
    rows = [{"query": "Ho?", "positive": "một", "negative": "hai"}, {"query": "Ho?"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["import", str(tmp_path / "a.jsonl")]) == 0
    assert "a.jsonl:2: There is no positive" in capsys.readouterr().out
    (tmp_path / "b.jsonl").write_text(json.dumps(rows[1]))
    assert main(["import", str(tmp_path / "b.jsonl")]) == 1
    assert "No row could" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    """Else every command would start with seconds of waiting."""
    code = (
        "import sys; from annotations.__main__ import main; main(['--help']); "
        "print(sorted({'torch', 'datasets', 'numpy', 'sqlite_utils', 'jinja2', 'gradio'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "."},
    )
    assert run.stdout.splitlines()[-1] == "[]" and "  restore " in run.stdout


def test_it_runs_as_a_module():
    run = subprocess.run(
        [sys.executable, "-m", "annotations", "mine", "--bad"], capture_output=True, text=True
    )
    assert run.returncode == 2 and run.stderr.startswith("error: No such option")


@pytest.mark.parametrize("path", ["", ".", "/dev/null/labels.db"])
def test_a_path_where_no_database_can_be_is_refused_before_the_work(path, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vcs_demo.benchmark.tasks.load_task", None)
    for words in (["mine"], ["status"], ["backup"], ["settings"]):
        assert main([*words, "--database", path]) == 1
        assert "cannot be a file; give the path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_mining_that_fails_leaves_no_database(tmp_path, capsys):
    path = tmp_path / "new" / "labels.db"
    assert main(["mine", "--database", str(path), "--ranker", "no-such"]) == 1
    assert main(["mine", "--database", str(path), "--task", "virerank"]) == 1
    assert not path.parent.exists()


def test_a_restore_without_replay_tells_where_the_log_went(tmp_path, make, capsys):
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add_candidates([make(1)])
    assert main(["backup", "--database", str(path), str(tmp_path / "a.db")]) == 0
    assert main(["restore", "--database", str(path), str(tmp_path / "a.db"), "--no-replay"]) == 0
    said = capsys.readouterr().out
    (aside,) = tmp_path.glob("labels.replaced-*.events.jsonl")
    assert f"The former event log is {aside}; what only it has was left out." in said
