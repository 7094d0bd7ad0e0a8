"""A database or a log that is replaced, cut or deleted while the app has it open: nothing acknowledged is lost."""

import os
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from annotations.backup.opening import open_store
from annotations.database.connection import connect
from annotations.database.errors import DatabaseUnavailable
from annotations.database.eventlog import log_path
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import export_labels
from annotations.quality.adjudication import decide
from annotations.store.label_store import LabelStore
from vcs_demo.words import explain


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "labels.db"


def answer(store, count, name="an"):
    """Label as the page does; return the tokens that were acknowledged."""
    tokens = []
    for _ in range(count):
        lease = store.claim(name)
        store.label(lease.candidate.id, name, "hard", lease=lease.token)
        tokens.append(lease.token)
    return tokens


def tokens(store):
    return [event["token"] for event in store.events()]


def copied_over(path, old):
    shutil.copyfile(old, path)


def moved_over(path, old):
    os.replace(old, path)


def deleted(path, old):
    path.unlink()


def emptied(path, old):
    path.write_bytes(b"")


def begun_anew(path, old):
    path.unlink()
    connect(path).close()


def log_deleted(path, old):
    log_path(path).unlink()


def log_emptied(path, old):
    log_path(path).write_bytes(b"")


def log_cut(path, old):
    log_path(path).write_bytes(log_path(path).read_bytes()[:-300])


def log_of_then(path, old):
    log = log_path(path)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:25]))


HARM = [
    *(copied_over, moved_over, deleted, emptied, begun_anew),
    *(log_deleted, log_emptied, log_cut, log_of_then),
]


@pytest.mark.parametrize("harm", HARM)
def test_what_is_replaced_under_a_running_app_is_made_whole_at_once(harm, path, tmp_path, make, caplog):
    with LabelStore(path) as store:
        store.add_candidates([make(n) for n in range(20)])
        said = answer(store, 5)
        old = shutil.copyfile(path, tmp_path / "old.db")
        said += answer(store, 5)
        harm(path, old)
        assert store.progress()["labels"] == 10 and len(store.labelled()) == 10  # also before anybody labels
        assert "replaced while in use" in caplog.text
        said += answer(store, 4)
        assert tokens(store) == said
    with open_store(path) as store:
        assert tokens(store) == said and store.progress()["candidates"] == 20
    path.unlink()
    with open_store(path) as store:  # and the log is whole as well
        assert tokens(store) == said


def test_a_decision_that_an_older_copy_lacks_comes_back(path, tmp_path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(1)])
        store.label(make(1).id, "an", "hard", token="1")
        old = shutil.copyfile(path, tmp_path / "old.db")
        decide(store, make(1).id, "chi", "trivial", "edge_case", token="d1")
        shutil.copyfile(old, path)
        assert store.counts()["trivial"] == 1


def test_another_process_that_writes_is_no_replacement(path, make, caplog):
    with LabelStore(path) as store, LabelStore(path) as other:
        store.add_candidates([make(n) for n in range(6)])
        assert answer(store, 2) + answer(other, 2, "binh") == tokens(store)
        assert answer(store, 1) and len(tokens(other)) == 5
    assert caplog.text == ""


def test_database_and_log_moved_away_together_stay_away(path, tmp_path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(1)])
        for file in (path, log_path(path)):
            file.rename(tmp_path / file.name)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced") as error:
                store.label(make(1).id, "an", "hard", token="1")
        assert "đã bị di chuyển, xóa hoặc thay thế" in explain(error.value, "vi")
        assert not path.exists()


def test_a_damaged_database_says_so_in_both_languages_and_nothing_is_lost(path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(n) for n in range(20)])
        said = answer(store, 5)
        path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 8192)
        with pytest.raises(DatabaseUnavailable, match="is damaged; restart the app") as error:
            store.label(make(19).id, "an", "hard", token="refused")
        assert "đã bị hỏng" in explain(error.value, "vi")
    with open_store(path) as store:
        assert tokens(store) == said


def test_an_event_that_is_missing_in_the_middle_comes_back(path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(n) for n in range(9)])
        said = answer(store, 8)
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TRIGGER events_no_delete; DELETE FROM events WHERE id = 4")
    with LabelStore(path, read_only=True) as store:  # an export reads it so
        assert sorted(tokens(store)) == sorted(said)


def test_an_export_by_a_command_has_what_an_older_copy_lacks(path, tmp_path, make):
    with LabelStore(path) as app:
        app.add_candidates([make(n) for n in range(9)])
        answer(app, 2)
        old = shutil.copyfile(path, tmp_path / "old.db")
        answer(app, 2)
        shutil.copyfile(old, path)
        with LabelStore(path, read_only=True) as store:
            export_labels(store, tmp_path / "labels.jsonl")
        assert len(read_export(tmp_path / "labels.jsonl")) == 4
        shutil.copyfile(old, path)
        export_labels(app, tmp_path / "labels.jsonl")
        assert len(read_export(tmp_path / "labels.jsonl")) == 4


def test_a_lease_whose_answer_is_there_is_never_given_out(path, make):
    """As a copy of a database leaves it that was made by an earlier version, or between two events."""
    with LabelStore(path) as store:
        store.add_candidates([make(n) for n in range(3)])
        lease = store.claim("an")
        store.label(lease.candidate.id, "an", "hard", lease=lease.token)
        row = {name: getattr(lease, name) for name in ("token", "annotator", "kind", "at", "expires")}
        with store.database.write():
            store.database.insert("INSERT INTO leases", row | {"candidate_id": lease.candidate.id})
        following = store.claim("an")
        assert following.token != lease.token and following.candidate != lease.candidate


@pytest.mark.parametrize("last", ["label", "skip", "undo"])
def test_after_a_restore_the_annotator_goes_on_whatever_came_last(last, path, tmp_path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(n) for n in range(6)])
        answer(store, 1)
        lease = store.claim("an")
        old = shutil.copyfile(path, tmp_path / "old.db")  # with the lease open
        if last == "skip":
            store.skip(lease.candidate.id, "an", lease=lease.token)
        else:
            store.label(lease.candidate.id, "an", "hard", lease=lease.token)
        if last == "undo":
            store.undo("an", token="u")
    shutil.copyfile(old, path)
    with open_store(path) as store:
        assert len(set(answer(store, 4))) == 4


def modes(folder):
    return {
        p.name: stat.S_IMODE(p.stat().st_mode)
        for p in folder.rglob("*")
        if p.suffix in (".db", ".jsonl") or p.is_dir()
    }


def test_database_log_and_snapshots_are_for_their_owner_alone(path, make, tmp_path, monkeypatch):
    from annotations.backup.destinations import Folder
    from annotations.backup.push import push_now
    from annotations.backup.snapshot import default_path, snapshot

    before = os.umask(0o022)
    try:
        with LabelStore(path) as store:
            store.add_candidates([make(1)])
            snapshot(store, default_path(path))
            (tmp_path / "bucket").mkdir()
            push_now(store, Folder(tmp_path / "bucket"))
        found = modes(path.parent) | {n: m for n, m in modes(tmp_path / "bucket").items() if "." in n}
        assert {name: oct(m) for name, m in found.items() if m & 0o077} == {}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700 and len(found) >= 5
        for file in (path, log_path(path)):
            file.chmod(0o644)
        path.parent.chmod(0o500 if os.getuid() == 0 else 0o755)  # an operator's own choice stays
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        LabelStore(path).close()
        assert {stat.S_IMODE(file.stat().st_mode) for file in (path, log_path(path))} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_a_log_that_cannot_be_written_is_named_at_the_start_and_later(path, make):
    with LabelStore(path) as store:
        store.add_candidates([make(1)])
        log_path(path).unlink()
        log_path(path).mkdir()
        with pytest.raises(DatabaseUnavailable, match=r"labels\.events\.jsonl"):
            store.label(make(1).id, "an", "hard", token="1")
    with pytest.raises(DatabaseUnavailable, match=r"labels\.events\.jsonl"):
        LabelStore(path)
