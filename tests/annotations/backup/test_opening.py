"""Nothing acknowledged is lost: damage, missing files, and a process killed at any moment."""

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

from annotations.backup.opening import open_store, repair
from annotations.backup.snapshot import BackupError, check, default_path, snapshot
from annotations.database.errors import DatabaseUnavailable, NotALabelDatabase
from annotations.database.eventlog import log_path
from annotations.database.events import TokenReused
from annotations.quality.adjudication import decide
from annotations.quality.gold import GoldAnswer, add_gold
from annotations.store.label_store import LabelStore


@pytest.fixture
def path(tmp_path, tmp_path_factory, make):
    """A database of 60 candidates, most of them labelled, one undone, a snapshot of the first half beside it."""
    made = tmp_path_factory.getbasetemp() / "kept"
    if not made.exists():
        with LabelStore(made / "labels.db") as store:
            store.add_candidates([make(n) for n in range(60)])
            for n in range(50):
                if n == 25:
                    snapshot(store, default_path(made / "labels.db"))
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
    said = repair(path)
    assert ("snapshot" in said[0]) == (snapshots != "none")
    assert ("passed over" in said[0]) == (snapshots == "damaged")
    open_store(path).close()
    assert state(path) == before
    check(path)
    assert harmed in [p.read_bytes() for p in path.parent.glob("labels.replaced-*.db")] or not harmed
    assert repair(path) == []


def test_a_sound_database_is_opened_as_it_is(path, caplog):
    before = path.read_bytes(), log_of(path).read_bytes()
    assert repair(path) == []
    open_store(path).close()
    assert caplog.text == ""
    assert (path.read_bytes(), log_of(path).read_bytes()) == before


def test_where_nothing_is_a_new_one_is_made(tmp_path):
    assert repair(tmp_path / "labels.db") == []
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
    assert path.read_bytes() == before
    assert {p.name for p in path.parent.iterdir()} == {"labels.db", "labels.lock"}


def from_the_log_alone(path):
    """Return the state of a database that was made out of the log."""
    path.unlink()
    shutil.rmtree(path.parent / "backups", ignore_errors=True)
    open_store(path).close()
    return state(path)


def test_a_log_that_is_gone_is_written_anew(path, caplog):
    before = state(path)
    log_of(path).unlink()
    open_store(path).close()
    assert len(lines(path)) == 60 + 51 and "111 rows" in caplog.text
    assert from_the_log_alone(path) == before


def test_a_last_line_that_was_cut_off_is_no_loss(path, make, caplog):
    before = state(path)
    with log_of(path).open("ab") as file:
        file.write(b'{"token": "t51", "kind": "label", "never acknowled')
    with open_store(path) as store:
        store.label(make(50).id, "lan", "hard", token="t51")
    open_store(path).close()
    assert caplog.text == ""
    _, events, _ = from_the_log_alone(path)
    assert events[:-1] == before[1] and events[-1]["token"] == "t51"


@pytest.mark.parametrize("lost", [(61, 111), (80, 111), (110, 111), (70, 71), (109, 110), (0, 61)])
def test_a_log_that_lacks_lines_gets_them_in_order(path, caplog, lost):
    before = state(path)
    log_of(path).write_bytes(b"".join(lines(path)[: lost[0]] + lines(path)[lost[1] :]))
    open_store(path).close()
    assert f"{lost[1] - lost[0]} rows" in caplog.text
    assert state(path) == before
    caplog.clear()
    open_store(path).close()
    assert caplog.text == ""
    assert from_the_log_alone(path) == before


def test_a_log_ahead_of_its_database_is_followed(path, caplog):
    before = state(path)
    (copy,) = (path.parent / "backups").iterdir()
    shutil.copyfile(copy, path)
    open_store(path).close()
    assert "26 lines" in caplog.text
    assert state(path) == before and not list(path.parent.glob("*replaced*"))


def test_a_new_database_beside_an_old_log_takes_up_what_was_there(path):
    before = state(path)
    path.unlink()
    LabelStore(path).close()  # by any command
    assert state(path) == before


def test_a_label_logged_by_a_process_that_was_killed_before_its_commit_counts_once(path, make):
    with LabelStore(path) as store:
        store.change_settings(by="admin", overlap=1, gold_share=0)
        lease = store.claim("lan")
    database = path.read_bytes()
    with LabelStore(path) as store:
        store.label(lease.candidate.id, "lan", "hard", lease=lease.token)
    path.write_bytes(database)  # as if the commit had not been
    with open_store(path) as store:
        assert [e["token"] for e in store.events()][-1] == lease.token
        assert store.claim("lan").candidate != lease.candidate  # its lease has ended
        assert store.claim("mai") is None or store.claim("mai").candidate != lease.candidate
        with pytest.raises(TokenReused):
            store.label(lease.candidate.id, "lan", "trivial", lease=lease.token)
        count = len(store.events())
        id, following = store.label_and_claim(lease.candidate.id, "lan", "hard", lease=lease.token)
        assert id == count and following.candidate != lease.candidate


def test_a_write_that_fails_takes_its_lines_back(path, make, monkeypatch):
    before = state(path), log_of(path).read_bytes()
    with LabelStore(path) as store:
        connection = store.database.db

        class Full:
            def __getattr__(self, name):
                return getattr(connection, name)

            def commit(self):
                raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(store.database, "db", Full())
        with pytest.raises(DatabaseUnavailable, match="disk is full"):
            store.label(make(55).id, "lan", "hard", token="refused")
    assert (state(path), log_of(path).read_bytes()) == before


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
    assert "damaged" in repair(path)[0]


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
        words = [sys.executable, "-c", LABELLING, str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
            first = process.stdout.readline()
            time.sleep(random.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            said = (first + process.stdout.read()).split("\n")[:-1]
        assert said
        acknowledged += said
        if attempt % 5 == 4:  # and the database lost as well
            path.unlink()
        with open_store(path) as store:
            here = [event["token"] for event in store.events()]
        wanted = set(acknowledged)
        assert [token for token in here if token in wanted] == acknowledged
        check(path)
    assert repair(path) == []


def test_settings_gold_and_decisions_count_as_rows_like_any_other(tmp_path, make):
    path = tmp_path / "new" / "labels.db"
    with open_store(path) as store:
        store.add_candidates([make(1), make(2)])
        first, second = (candidate.id for candidate in store.candidates())
        store.change_settings(by="an", overlap=2)
        add_gold(store, [GoldAnswer(second, "hard")])
        store.label(first, "an", "hard", token="1")
        decide(store, first, "chi", "trivial", "edge_case", token="d1")
    lines = log_path(path).read_text("utf-8").splitlines(keepends=True)
    log_path(path).write_text("".join(line for line in lines if '"decision"' not in line), "utf-8")
    open_store(path).close()  # the log had lost a decision
    path.unlink()
    with open_store(path) as store:
        assert [item.label for item in store.labelled()] == ["trivial"] and store.settings().overlap == 2
