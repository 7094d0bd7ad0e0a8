import json
import shutil

import pytest
from label_databases import assert_counted, first_version

from annotations.backup.opening import open_store
from annotations.backup.snapshot import BackupError, check, restore, snapshot
from annotations.database.errors import DatabaseUnavailable, NotALabelDatabase
from annotations.quality.calibration import add_calibration
from annotations.quality.gold import GoldAnswer, add_gold
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@pytest.fixture
def path(tmp_path, make):
    """A database with three candidates, two labelled."""
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_candidates([make(n) for n in range(3)])
        store.label(make(0).id, "lan", "hard", token="1")
        store.label(make(1).id, "lan", "trivial", token="2")
    return tmp_path / "labels.db"


def copy_of(path, target):
    with LabelStore(path) as store:
        return snapshot(store, target)


def state(path):
    with LabelStore(path, read_only=True) as store:
        return (
            store.candidates(),
            [(e["token"], e["kind"], e["undoes"]) for e in store.events()],
            store.labelled(),
        )


def test_a_snapshot_of_an_open_store_holds_all(path, tmp_path, make):
    with LabelStore(path) as store:
        copy = snapshot(store, tmp_path / "backups" / "a.db")
        store.label(make(2).id, "lan", "hard", token="3")
    assert len(state(copy)[2]) == 2
    with LabelStore(path) as store, pytest.raises(BackupError, match="exists already"):
        snapshot(store, copy)
    assert [p.name for p in copy.parent.iterdir()] == ["a.db"]


def test_a_restore_replays_what_came_after_the_snapshot(path, tmp_path, make):
    copy = copy_of(path, tmp_path / "a.db")
    with LabelStore(path) as store:
        store.add_candidates([make(7)])
        store.label(make(7).id, "mai", "false_negative", token="3")
        store.undo("lan", token="4")
    before = state(path)
    path.write_bytes(b"x" * 5000)
    report = restore(path, copy)
    assert (report.candidates, report.events, report.replayed, report.unreadable) == (4, 4, 2, 0)
    assert state(path) == before
    assert report.moved_aside.read_bytes() == b"x" * 5000
    assert restore(path, copy).events == 4  # a second time gives the same


def test_a_restore_without_replay_goes_back_for_good(path, tmp_path, make):
    copy = copy_of(path, tmp_path / "a.db")
    then = state(path)
    with LabelStore(path) as store:
        store.label(make(2).id, "lan", "hard", token="3")
    report = restore(path, copy, replay=False)
    assert len(state(report.moved_aside)[1]) == 3
    for _ in range(2):
        LabelStore(path).close()
        assert state(path) == then
    path.unlink()  # nor do they come back out of the log, or of a snapshot that has them
    open_store(path).close()
    assert state(path) == then


def test_what_was_left_out_can_be_said_again_and_restored_by_choice(path, tmp_path, make):
    copy = copy_of(path, tmp_path / "a.db")
    with LabelStore(path) as store:
        store.add_candidates([make(7)])
        store.label(make(7).id, "lan", "hard", token="3")
    newer = copy_of(path, tmp_path / "b.db")
    aside = restore(path, copy, replay=False).moved_aside
    assert aside.with_suffix(".events.jsonl").read_text("utf-8").count("\n") == 7
    with LabelStore(path) as store:
        assert store.add_candidates([make(7)]) == (1, 0)
        store.label(make(7).id, "lan", "trivial", token="4")
    restore(path)
    assert [e[0] for e in state(path)[1]] == ["1", "2", "4"]
    restore(path, newer)
    assert [e[0] for e in state(path)[1]] == ["1", "2", "3", "4"]


def test_what_was_left_out_does_not_come_back_from_a_newer_snapshot(path, make):
    older = copy_of(path, path.parent / "backups" / "labels-20200101T000000Z.db")
    with LabelStore(path) as store:
        store.label(make(2).id, "lan", "hard", token="3")
    copy_of(path, path.parent / "backups" / "labels-20200102T000000Z.db")
    restore(path, older, replay=False)
    then = state(path)
    path.unlink()
    open_store(path).close()
    assert state(path) == then


def test_the_log_alone_is_enough(path):
    before = state(path)
    path.unlink()
    report = restore(path)
    assert state(path) == before
    assert report.moved_aside is None


def test_of_two_lines_with_one_token_the_last_counts(path, tmp_path):
    """The commit of the first failed, and it could not be taken back."""
    copy = copy_of(path, tmp_path / "a.db")
    log = path.with_suffix(".events.jsonl")
    last = json.loads(log.read_text("utf-8").splitlines()[-1])
    with log.open("a", encoding="utf-8") as file:
        for token, label in (("3", "unsure"), ("4", "hard"), ("3", "trivial")):
            file.write(json.dumps(last | {"token": token, "label": label}) + "\n")
    restore(path, copy)
    with LabelStore(path) as store:
        assert [(e["token"], e["label"]) for e in store.events()[2:]] == [("4", "hard"), ("3", "trivial")]


def test_lines_that_fit_nothing_are_counted(path):
    log = path.with_suffix(".events.jsonl")
    good = json.loads(log.read_text("utf-8").splitlines()[-1])
    with log.open("a", encoding="utf-8") as file:
        for bad in (
            good | {"token": "3", "candidate_id": "0000"},
            good | {"token": "4", "label": "easy"},
            good | {"token": "5", "kind": "undo", "label": None, "undoes": "nothing"},
            good | {"token": "6", "note": ["a"]},
            {"kind": "candidate", "id": {}},
        ):
            file.write(json.dumps(bad) + "\n")
        file.write('{"kind": "lab')
    before = state(path)
    report = restore(path)
    assert (report.events, report.unreadable) == (2, 6)
    assert state(path) == before


def test_a_database_in_use_is_not_replaced(path, tmp_path):
    copy = copy_of(path, tmp_path / "a.db")
    with LabelStore(path), pytest.raises(DatabaseUnavailable, match="in use"):
        restore(path, copy)
    restore(path, copy)


def test_a_journal_left_behind_goes_aside_with_its_database(path, tmp_path):
    copy = copy_of(path, tmp_path / "a.db")
    journal = path.with_name("labels.db-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + bytes(504))
    aside = restore(path, copy).moved_aside
    assert not journal.exists()
    assert aside.with_name(aside.name + "-journal").exists()


def test_damaged_and_strange_snapshots_are_refused_and_change_nothing(path, tmp_path):
    copy = copy_of(path, tmp_path / "a.db")
    before = path.read_bytes()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(copy.read_bytes()[:4096] + b"\xff" * 4096 + copy.read_bytes()[8192:])
    cut = tmp_path / "cut.db"
    cut.write_bytes(copy.read_bytes()[:10_000])
    strange = tmp_path / "strange.db"
    shutil.copy(__file__, strange)
    for file in (damaged, cut):
        with pytest.raises(UserError, match="damaged|malformed"):
            restore(path, file)
    with pytest.raises(NotALabelDatabase):
        restore(path, strange)
    with pytest.raises(NotALabelDatabase, match="no database"):
        restore(path, tmp_path / "none.db")
    with pytest.raises(BackupError, match="nothing to restore"):
        restore(tmp_path / "new.db")
    assert path.read_bytes() == before
    check(path)
    assert not list(tmp_path.glob(".*partial*"))


def rules(path):
    with LabelStore(path, read_only=True) as store:
        return [
            store.database.rows(f"SELECT * FROM {table} ORDER BY id")
            for table in ("settings", "gold", "calibration")
        ] + [store.settings(), store.progress("lan")]


@pytest.fixture
def ruled(path, make):
    """The database, with rules of assignment and what everyone labels."""
    with LabelStore(path) as store:
        store.change_settings(by="admin", overlap=2)
        add_gold(store, [GoldAnswer(make(0).id, "hard", "vì sao")])
        add_calibration(store, [make(2).id])
        lease = store.claim("lan")
        store.label(lease.candidate.id, "lan", "hard", lease=lease.token, confidence=3, flagged=True)
        store.change_settings(by="admin", overlap=3)
    return path


def test_rules_gold_and_calibration_come_back_out_of_the_log(ruled):
    before, events = rules(ruled), state(ruled)
    ruled.unlink()
    report = restore(ruled)
    assert (report.events, report.replayed, report.unreadable) == (3, 3, 0)
    assert rules(ruled) == before and state(ruled) == events
    with LabelStore(ruled) as store:
        last = store.events()[-1]
        assert (last["confidence"], last["flagged"], last["lease"]) == (3, 1, last["token"])


def test_rules_newer_than_the_snapshot_come_back(ruled, tmp_path):
    copy = copy_of(ruled, tmp_path / "a.db")
    restore(ruled, copy)
    assert rules(ruled)[3].overlap == 3
    with LabelStore(ruled) as store:
        store.change_settings(by="admin", lease_minutes=5)
    before = rules(ruled)
    restore(ruled, copy)
    assert rules(ruled)[3:] == before[3:]


def test_a_log_begun_out_of_a_database_has_all_of_it(ruled):
    before = rules(ruled)
    ruled.with_suffix(".events.jsonl").unlink()
    LabelStore(ruled).close()
    ruled.unlink()
    restore(ruled)
    assert rules(ruled) == before


def test_a_log_of_the_first_version_restores(path):
    log = path.with_suffix(".events.jsonl")
    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    since = ("confidence", "flagged", "guideline", "client_at", "lease")
    old = [{name: value for name, value in record.items() if name not in since} for record in records]
    log.write_text("".join(json.dumps(record) + "\n" for record in old), "utf-8")
    before = state(path)
    path.unlink()
    assert restore(path).unreadable == 0
    assert state(path) == before


def test_a_snapshot_of_the_first_version_restores(tmp_path, make):
    candidates = [make(1, 1), make(1, 2), make(2, 1), make(2, 2)]
    first_version(tmp_path / "old.db", candidates)
    report = restore(tmp_path / "labels.db", tmp_path / "old.db")
    assert (report.candidates, report.events) == (4, 8)
    with LabelStore(tmp_path / "labels.db") as store:
        assert_counted(store)
