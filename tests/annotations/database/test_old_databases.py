"""A data directory of the second version opens with nothing lost, whichever of its files are left."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from label_databases import assert_counted, second_version

from annotations.backup.opening import open_store
from annotations.backup.snapshot import backups, restore
from annotations.quality.adjudication import disagreements
from annotations.store.label_store import LabelStore

TABLES = ("candidates", "events", "settings", "gold", "calibration", "decisions")


def rows(path):
    """Return table → its rows, in order, without what later versions added."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        tables = {table: db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in TABLES}
    return {t: [{k: v for k, v in dict(row).items() if k != "saw"} for row in r] for t, r in tables.items()}


def as_it_is(path):
    pass


def without_database(path):
    path.unlink()


def without_log(path):
    path.with_suffix(".events.jsonl").unlink()


def damaged_with_a_snapshot(path):
    backups(path).mkdir()
    shutil.copy(path, backups(path) / "labels-20250301T090000Z.db")
    path.write_bytes(b"\xff" * 8192)


@pytest.mark.parametrize("left", [as_it_is, without_database, without_log, damaged_with_a_snapshot])
def test_nothing_is_lost(tmp_path, left):
    path = second_version(tmp_path)
    before = rows(path)
    assert {table: len(r) for table, r in before.items()} == {
        "candidates": 6, "events": 8, "settings": 2, "gold": 1, "calibration": 1, "decisions": 1
    }  # fmt: skip
    left(path)
    with open_store(path) as store:
        assert (store.settings().overlap, store.settings().gold_share) == (2, 0.25)
        assert store.counts() == {"hard": 2, "false_negative": 0, "trivial": 0, "unsure": 1}
        progress = store.progress("lan")
        assert (progress["labels"], progress["answered"], progress["skipped"], progress["left"]) == (
            4,
            2,
            1,
            4,
        )
        assert store.labelled()[0].consensus == "adjudicated" and disagreements(store) == []
        assert_counted(store)
    assert rows(path) == before
    path.unlink()
    restore(path)  # and the log has all of it
    assert rows(path) == before


def test_a_command_that_only_reads_brings_it_up_to_date(tmp_path):
    path = second_version(tmp_path)
    before = rows(path)
    with LabelStore(path, read_only=True) as store:
        assert store.progress()["labels"] == 4 and disagreements(store) == []
    assert rows(path) == before
