"""Nothing acknowledged is lost: damage, missing files, and a process killed at any moment."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from annotations.backup.opening import make_sound, open_store
from annotations.backup.snapshot import BackupError, check, default_path, snapshot
from annotations.database.eventlog import log_path
from annotations.quality.adjudication import decide
from annotations.quality.gold import GoldAnswer, add_gold
from annotations.store.label_store import DatabaseUnavailable, LabelStore, NotALabelDatabase


@pytest.fixture
def path(tmp_path, tmp_path_factory, make):
    """A database of 60 candidates, most of them labelled, one undone, a snapshot of the first half beside it."""
    made = tmp_path_factory.getbasetemp() / "kept"
    if not made.exists():
        with LabelStore(made / "labels.db") as store:
            store.add_candidates([make(n) for n in range(60)])
            for n in range(50):
                if n == 25:
                    snapshot(store, default_path(made / "backups"))
                store.label(make(n).id, "lan", "hard", token=f"t{n}", note="ghi chú")
            store.undo("lan", token="undone")
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "labels.db"


def log_of(path):
    return path.with_suffix(".events.jsonl")


def state(path):
    with LabelStore(path, read_only=True) as store:
        candidates = sorted(store.candidates(), key=lambda c: c.id)
        return candidates, store.events(), store.counts()


def lines(path):
    return log_of(path).read_bytes().splitlines(keepends=True)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)


def headless(path):
    path.write_bytes(b"\xff" * 4096 + path.read_bytes()[4096:])


def emptied(path):
    path.write_bytes(b"")


def gone(path):
    path.unlink()


@pytest.mark.parametrize("snapshots", ["sound", "damaged", "none"])
@pytest.mark.parametrize("harm", [cut, overwritten, headless, emptied, gone])
def test_a_database_that_was_harmed_comes_back_whole(path, harm, snapshots):
    before = state(path)
    (copy,) = (path.parent / "backups").iterdir()
    if snapshots == "damaged":
        cut(copy)
    elif snapshots == "none":
        copy.unlink()
    harm(path)
    harmed = path.read_bytes() if path.exists() else b""
    report = make_sound(path)
    assert report.action == "restored"
    assert ("snapshot" in report.facts[0]) == (snapshots != "none")
    assert ("passed over" in report.facts[0]) == (snapshots == "damaged")
    assert state(path) == before
    check(path)
    assert harmed in [p.read_bytes() for p in path.parent.glob("labels.replaced-*.db")] or not harmed
    assert make_sound(path).facts == ()


def test_a_sound_database_is_opened_as_it_is(path):
    before = path.read_bytes(), log_of(path).read_bytes()
    assert make_sound(path).action == "sound" and make_sound(path).facts == ()
    open_store(path).close()
    assert (path.read_bytes(), log_of(path).read_bytes()) == before


def test_where_nothing_is_a_new_one_is_made(tmp_path):
    assert make_sound(tmp_path / "labels.db").action == "new"
    with open_store(tmp_path / "labels.db") as store:
        assert store.progress()["candidates"] == 0
    with open_store(":memory:") as store:
        assert store.progress()["candidates"] == 0


@pytest.mark.parametrize("harm", [cut, overwritten, headless])
def test_broken_with_nothing_to_restore_from_is_one_sentence_and_stays(path, harm):
    log_of(path).unlink()
    shutil.rmtree(path.parent / "backups")
    harm(path)
    before = path.read_bytes()
    with pytest.raises(BackupError, match=r"labels\.db' is damaged \(.*neither a log nor a sound snapshot"):
        open_store(path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["labels.db"]


def test_a_log_that_is_gone_is_written_anew(path):
    before = state(path)
    log_of(path).unlink()
    open_store(path).close()
    assert len(lines(path)) == 60 + 51
    path.unlink()
    assert make_sound(path).action == "restored" and state(path) == before


def test_a_last_line_that_was_cut_off_is_no_loss(path, make):
    before = state(path)
    with log_of(path).open("ab") as file:
        file.write(b'{"token": "never acknowled')
    assert make_sound(path).facts == ()
    with open_store(path) as store:
        store.label(make(50).id, "lan", "hard", token="after")
    assert make_sound(path).facts == ()
    path.unlink()
    make_sound(path)
    assert state(path)[1][:-1] == before[1] and state(path)[1][-1]["token"] == "after"


@pytest.mark.parametrize("kept", [61, 80, 110])
def test_a_database_ahead_of_its_log_makes_the_log_whole(path, kept):
    before = state(path)
    log_of(path).write_bytes(b"".join(lines(path)[:kept]))
    report = make_sound(path)
    assert report.action == "mended" and f"{111 - kept} rows" in report.facts[0]
    open_store(path).close()
    assert state(path) == before and make_sound(path).facts == ()
    assert len(list(path.parent.glob("labels.replaced-*.events.jsonl"))) == 1
    path.unlink()
    make_sound(path)
    assert state(path) == before


def test_a_log_that_lacks_a_line_in_the_middle_is_made_whole_in_order(path):
    before = state(path)
    log_of(path).write_bytes(b"".join(lines(path)[:70] + lines(path)[71:]))
    open_store(path).close()
    path.unlink()
    open_store(path).close()
    assert state(path) == before


def test_a_log_ahead_of_its_database_is_followed(path):
    before = state(path)
    (copy,) = (path.parent / "backups").iterdir()
    shutil.copyfile(copy, path)
    report = make_sound(path)
    assert report.action == "mended" and "26 lines" in report.facts[0]
    assert state(path) == before and not list(path.parent.glob("*replaced*"))


def test_a_new_database_beside_an_old_log_takes_up_what_was_there(path):
    before = state(path)
    path.unlink()
    LabelStore(path).close()  # by an older command, say
    assert make_sound(path).action == "mended"
    assert state(path) == before


def test_an_event_that_was_never_acknowledged_stays_out(path):
    before = state(path)
    written = lines(path)
    orphan = json.dumps(json.loads(written[-2]) | {"token": "orphan"}).encode() + b"\n"
    log_of(path).write_bytes(b"".join(written[:-1] + [orphan, written[-1]]))
    assert make_sound(path).facts == () and state(path) == before


def test_snapshots_of_another_database_are_passed_over(path, make):
    before = state(path)
    (copy,) = (path.parent / "backups").iterdir()
    copy.unlink()
    with LabelStore(path.parent / "other.db") as other:
        other.add_candidates([make(1)])
        other.label(make(1).id, "mai", "trivial", token="elsewhere")
        snapshot(other, default_path(path.parent / "backups"))
    path.unlink()
    assert "of another database" in make_sound(path).facts[0]
    assert state(path) == before


def test_what_is_not_ours_or_newer_is_refused_and_stays(path, tmp_path):
    other = tmp_path / "else" / "labels.db"
    other.parent.mkdir()
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE theirs (a)")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    for file, said in ((other, "not one of labels"), (path, "newer version")):
        before = file.read_bytes()
        with pytest.raises(NotALabelDatabase, match=said):
            open_store(file)
        assert file.read_bytes() == before


def test_a_damaged_database_in_use_is_left_alone(path):
    with LabelStore(path):
        headless(path)
        with pytest.raises(DatabaseUnavailable, match="in use"):
            open_store(path)
    assert make_sound(path).action == "restored"


LABELLING = """
import sys, uuid
from annotations.backup.opening import open_store
with open_store(sys.argv[1]) as store:
    ids = [candidate.id for candidate in store.candidates()]
    for number in range(10**9):
        token = uuid.uuid4().hex
        if number % 7 == 6:
            store.undo("lan", token=token)
        else:
            store.label(ids[number % len(ids)], "lan", ("hard", "trivial")[number % 2], token=token)
        sys.stdout.write(token + "\\n")
        sys.stdout.flush()
"""


def test_what_was_acknowledged_survives_being_killed_at_any_moment(path):
    random.seed(1)
    acknowledged, environment = [], os.environ | {"OMP_NUM_THREADS": "1"}
    for attempt in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", LABELLING, str(path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        first = process.stdout.readline()
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        said = (first + process.stdout.read()).split("\n")[:-1]
        process.wait()
        assert said
        acknowledged += said
        if attempt % 5 == 4:  # and the database lost as well
            path.unlink()
        with open_store(path) as store:
            here = [event["token"] for event in store.events()]
        wanted = set(acknowledged)
        assert [token for token in here if token in wanted] == acknowledged
        check(path)
    assert make_sound(path).facts == ()


def test_settings_gold_and_decisions_count_as_rows_like_any_other(tmp_path, make):
    path = tmp_path / "new" / "labels.db"
    with open_store(path) as store:
        store.add_candidates([make(1), make(2)])
        first, second = (candidate.id for candidate in store.candidates())
        store.change_settings(by="an", overlap=2)
        add_gold(store, [GoldAnswer(second, "hard")])
        store.label(first, "an", "hard", token="1")
        decide(store, first, "chi", "trivial", "edge_case", token="d1")
    assert make_sound(path).action == "sound"
    lines = log_path(path).read_text("utf-8").splitlines(keepends=True)
    log_path(path).write_text("".join(line for line in lines if '"decision"' not in line), "utf-8")
    assert make_sound(path).action == "mended"  # the log had lost a decision
    open_store(path).close()  # which writes the log anew
    path.unlink()
    with open_store(path) as store:
        assert [item.label for item in store.labelled()] == ["trivial"] and store.settings().overlap == 2
