"""Databases as earlier versions wrote them, and the counters compared with the views."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from annotations.database.counters import rebuild

# What the first version made, as it made it.
FIRST_VERSION = """
PRAGMA application_id = 1447252801;
PRAGMA user_version = 1;
CREATE TABLE candidates (
    id TEXT PRIMARY KEY,
    query_id TEXT NOT NULL, query TEXT NOT NULL,
    positive_id TEXT NOT NULL, positive TEXT NOT NULL,
    passage_id TEXT NOT NULL, passage TEXT NOT NULL,
    task TEXT NOT NULL, source TEXT NOT NULL, split TEXT NOT NULL, miner TEXT NOT NULL,
    rank INTEGER, score REAL, positive_score REAL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('label', 'skip', 'undo')),
    candidate_id TEXT NOT NULL REFERENCES candidates (id),
    annotator TEXT NOT NULL CHECK (annotator <> ''),
    label TEXT CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
    note TEXT NOT NULL DEFAULT '',
    seconds REAL,
    interface TEXT NOT NULL DEFAULT '',
    undoes INTEGER UNIQUE REFERENCES events (id),
    CHECK ((kind = 'label') = (label IS NOT NULL)),
    CHECK ((kind = 'undo') = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX events_by_item ON events (candidate_id, annotator, id);
CREATE INDEX events_by_annotator ON events (annotator, id);
CREATE VIEW answers AS  -- labels and skips that were not undone
    SELECT * FROM events e
    WHERE kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.id);
CREATE VIEW labels AS  -- what stands: each annotator's latest answer to a candidate, where it is a label
    SELECT id, at, candidate_id, annotator, label, note, seconds, interface FROM answers a
    WHERE kind = 'label' AND NOT EXISTS (
        SELECT 1 FROM answers later
        WHERE later.candidate_id = a.candidate_id AND later.annotator = a.annotator AND later.id > a.id
    );
CREATE TRIGGER candidates_no_update BEFORE UPDATE ON candidates
BEGIN SELECT RAISE(ABORT, 'candidates are append-only'); END;
CREATE TRIGGER candidates_no_delete BEFORE DELETE ON candidates
BEGIN SELECT RAISE(ABORT, 'candidates are append-only'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TABLE _sqlite_migrations (
    id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT
);
CREATE UNIQUE INDEX idx__sqlite_migrations_migration_set_name ON _sqlite_migrations (migration_set, name);
INSERT INTO _sqlite_migrations VALUES (1, 'annotations', 'm001_candidates_and_events', '2025-01-01 00:00:00');
"""
EVENTS = [  # token, kind, candidate, annotator, label, undoes
    ("1", "label", 0, "lan", "hard", None),
    ("2", "label", 1, "lan", "trivial", None),
    ("3", "label", 0, "mai", "unsure", None),
    ("4", "label", 0, "lan", "trivial", None),
    ("5", "undo", 1, "lan", None, 2),
    ("6", "skip", 2, "mai", None, None),
    ("7", "skip", 2, "mai", None, None),
    ("8", "skip", 3, "lan", None, None),
]
COUNTERS = {
    "query_counts": "task, source, query_id, candidates, labels, least",
    "candidate_counts": "candidate_id, role, labels",
    "annotator_counts": "annotator, answered",
    "standing": "*",
}


def counters(store):
    return {
        table: sorted(tuple(row.values()) for row in store.database.rows(f"SELECT {columns} FROM {table}"))
        for table, columns in COUNTERS.items()
    }


def assert_counted(store):
    """Hold the counters against the views, and against themselves made anew."""
    rows = store.database.rows
    labels = {(r["annotator"], r["candidate_id"], r["label"]) for r in rows("SELECT * FROM labels")}
    standing = rows("SELECT * FROM standing")
    assert {(r["annotator"], r["candidate_id"], r["label"]) for r in standing if r["label"]} == labels
    skips = Counter(
        (r["annotator"], r["candidate_id"]) for r in rows("SELECT * FROM answers WHERE kind = 'skip'")
    )
    assert {(r["annotator"], r["candidate_id"]): r["skips"] for r in standing if r["skips"]} == skips
    votes = Counter(candidate for _, candidate, _ in labels)
    found = {r["candidate_id"]: r["labels"] for r in rows("SELECT * FROM candidate_counts")}
    assert found == {candidate.id: votes[candidate.id] for candidate in store.candidates()}
    kept = counters(store)
    with store.database.write():
        rebuild(store.database.db)
    assert counters(store) == kept


def first_version(path, candidates):
    """Write a database of the first version, in use."""
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_VERSION)
    for candidate in candidates:
        row = vars(candidate) | {"at": "2025-01-01T00:00:00.000+00:00"}
        connection.execute(
            f"INSERT INTO candidates ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
        )
    for token, kind, number, annotator, label, undoes in EVENTS:
        connection.execute(
            "INSERT INTO events (token, at, kind, candidate_id, annotator, label, undoes) "
            "VALUES (?, '', ?, ?, ?, ?, ?)",
            [token, kind, candidates[number].id, annotator, label, undoes],
        )
    connection.commit()
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("candidates", "events")]
    connection.close()
    return rows


def second_version(folder):
    """Write a data directory of the second version: its database and its log; return the database's path."""
    made = Path(__file__).parent / "annotations" / "database" / "second_version"
    with closing(sqlite3.connect(folder / "labels.db")) as db:
        db.executescript((made / "labels.sql").read_text("utf-8"))
    shutil.copy(made / "labels.events.jsonl", folder)
    return folder / "labels.db"
