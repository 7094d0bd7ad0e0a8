"""The schema of the label database, as migrations; loaded only where a database is made or brought up to date."""

import sqlite3

from sqlite_utils import Database, Migrations

from annotations.database.counters import rebuild

migrations = Migrations("annotations")


def migrate(connection: sqlite3.Connection, application_id: int) -> None:
    """Mark the file as ours and apply what is missing, in one immediate transaction: two may start together."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {application_id}")
    migrations.apply(Database(connection, strict=True))
    connection.commit()


@migrations()
def m001_candidates_and_events(db: Database) -> None:
    """Create candidates and events, both append-only, and the view of answers that were not undone."""
    db.executescript("""
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
        id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('label', 'skip', 'undo')),
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        annotator TEXT NOT NULL CHECK (annotator <> ''),
        label TEXT CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
        note TEXT NOT NULL DEFAULT '', seconds REAL, interface TEXT NOT NULL DEFAULT '',
        undoes INTEGER UNIQUE REFERENCES events (id),
        CHECK ((kind = 'label') = (label IS NOT NULL)),
        CHECK ((kind = 'undo') = (undoes IS NOT NULL))
    ) STRICT;
    CREATE INDEX events_by_item ON events (candidate_id, annotator, id);
    CREATE INDEX events_by_annotator ON events (annotator, id);
    CREATE VIEW answers AS  -- labels and skips that were not undone
        SELECT * FROM events e
        WHERE kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.id);
    """)
    for table in ("candidates", "events"):
        _append_only(db, table)


@migrations()
def m002_assignment_and_adjudication(db: Database) -> None:
    """Add leases, settings, gold, calibration, decisions, what goes with an answer, and the counter tables."""
    db.executescript("""
    PRAGMA user_version = 2;
    ALTER TABLE events ADD COLUMN confidence INTEGER CHECK (confidence BETWEEN 1 AND 3);
    ALTER TABLE events ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1));
    ALTER TABLE events ADD COLUMN guideline TEXT NOT NULL DEFAULT '';  -- the version that was shown
    ALTER TABLE events ADD COLUMN client_at TEXT NOT NULL DEFAULT '';  -- by the clock of the annotator's device
    ALTER TABLE events ADD COLUMN lease TEXT NOT NULL DEFAULT '';
    DROP VIEW IF EXISTS labels;  -- as the first version made it
    CREATE VIEW labels AS  -- what stands: each annotator's latest answer to a candidate, where it is a label
        SELECT id, at, candidate_id, annotator, label, note, seconds, interface,
            confidence, flagged, guideline, client_at, lease
        FROM answers a
        WHERE kind = 'label' AND NOT EXISTS (
            SELECT 1 FROM answers later
            WHERE later.candidate_id = a.candidate_id AND later.annotator = a.annotator AND later.id > a.id
        );
    CREATE TABLE leases (  -- temporary: not logged, not backed up
        token TEXT PRIMARY KEY,
        candidate_id TEXT NOT NULL REFERENCES candidates (id), annotator TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('main', 'calibration', 'gold')), at TEXT NOT NULL,
        expires TEXT NOT NULL  -- in UTC, like every time here: open as long as it is later than now
    ) STRICT;
    CREATE INDEX leases_by_candidate ON leases (candidate_id, expires);
    CREATE INDEX leases_by_annotator ON leases (annotator, expires);
    CREATE INDEX leases_by_expiry ON leases (expires);
    CREATE TABLE settings (  -- the latest of a name stands
        id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        name TEXT NOT NULL, value TEXT NOT NULL CHECK (json_valid(value)), by TEXT NOT NULL
    ) STRICT;
    CREATE TABLE gold (  -- what is known; the latest of a candidate stands
        id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        label TEXT NOT NULL CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
        note TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX gold_by_candidate ON gold (candidate_id, id);
    CREATE TABLE calibration (
        id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        candidate_id TEXT NOT NULL UNIQUE REFERENCES candidates (id), position INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE decisions (  -- an adjudicator's; the latest of a candidate stands
        id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        adjudicator TEXT NOT NULL CHECK (adjudicator <> ''),
        label TEXT NOT NULL CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
        cause TEXT NOT NULL
            CHECK (cause IN ('ambiguous_text', 'guideline_gap', 'annotator_error', 'edge_case')),
        note TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX decisions_by_candidate ON decisions (candidate_id, id);
    """)
    for table in ("settings", "gold", "calibration", "decisions"):
        _append_only(db, table)
    rebuild(db.conn)


@migrations()
def m003_what_a_decision_saw(db: Database) -> None:
    """Add to a decision the candidate's latest event at that time; earlier decisions have only their time."""
    db.executescript("""
    PRAGMA user_version = 3;
    ALTER TABLE decisions ADD COLUMN saw TEXT;  -- the event's token
    """)


def _append_only(db: Database, table: str) -> None:
    for change in ("UPDATE", "DELETE"):
        db.execute(f"""
        CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END
        """)
