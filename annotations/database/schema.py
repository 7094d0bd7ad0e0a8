"""The label database: its tables, its views, its migrations, and how it is opened."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from annotations.database import counters as tally
from vcs_demo.errors import UserError, quoted

MEMORY = ":memory:"
BUSY_SECONDS = 30
APPLICATION_ID = 0x56435341  # "VCSA", in the file's header: tells our databases from anybody else's
SCHEMA_VERSION = 3  # the number of the last migration
OLDEST_READ = 2  # the oldest version that is opened read-only, so without being migrated

migrations = Migrations("annotations")


class NotALabelDatabase(UserError, ValueError):
    """The file is no SQLite database, is another program's, or is missing."""


class DatabaseUnavailable(UserError):
    """The database or its event log cannot be read or written at the moment; nothing was saved."""


@migrations()
def m001_candidates_and_events(db: Database) -> None:
    """Create candidates and events, both append-only, and the views of what stands."""
    db.executescript(f"""
    PRAGMA application_id = {APPLICATION_ID};
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
    """)
    for table in ("candidates", "events"):
        _append_only(db, table)


@migrations()
def m002_assignment_and_adjudication(db: Database) -> None:
    """Add who holds what, the rules, what everyone labels, what was decided, and the counters behind the views."""
    db.executescript("""
    PRAGMA user_version = 2;
    ALTER TABLE events ADD COLUMN confidence INTEGER CHECK (confidence BETWEEN 1 AND 3);
    ALTER TABLE events ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1));
    ALTER TABLE events ADD COLUMN guideline TEXT NOT NULL DEFAULT '';  -- the version that was shown
    ALTER TABLE events ADD COLUMN client_at TEXT NOT NULL DEFAULT '';  -- by the clock of the annotator's device
    ALTER TABLE events ADD COLUMN lease TEXT NOT NULL DEFAULT '';
    DROP VIEW labels;
    CREATE VIEW labels AS  -- what stands: each annotator's latest answer to a candidate, where it is a label
        SELECT id, at, candidate_id, annotator, label, note, seconds, interface,
            confidence, flagged, guideline, client_at, lease
        FROM answers a
        WHERE kind = 'label' AND NOT EXISTS (
            SELECT 1 FROM answers later
            WHERE later.candidate_id = a.candidate_id AND later.annotator = a.annotator AND later.id > a.id
        );
    CREATE TABLE leases (  -- who was given what; no label hangs on them, so they are neither logged nor kept
        token TEXT PRIMARY KEY,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        annotator TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('main', 'calibration', 'gold')),
        at TEXT NOT NULL,
        expires TEXT NOT NULL  -- in UTC, like every time here: open as long as it is later than now
    ) STRICT;
    CREATE INDEX leases_by_candidate ON leases (candidate_id, expires);
    CREATE INDEX leases_by_annotator ON leases (annotator, expires);
    CREATE INDEX leases_by_expiry ON leases (expires);
    CREATE TABLE settings (  -- the latest of a name stands
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL CHECK (json_valid(value)),
        by TEXT NOT NULL
    ) STRICT;
    CREATE TABLE gold (  -- what is known; the latest of a candidate stands
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        label TEXT NOT NULL CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
        note TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX gold_by_candidate ON gold (candidate_id, id);
    CREATE TABLE calibration (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        candidate_id TEXT NOT NULL UNIQUE REFERENCES candidates (id),
        position INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE decisions (  -- an adjudicator's; the latest of a candidate stands
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
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
    tally.rebuild(db)


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


def connect(path: Path | str, *, read_only: bool = False, older: bool = False) -> Database:
    """Open a label database, made and migrated if need be; for use by several threads behind one lock.

    Read-only it is not migrated, so one older than `OLDEST_READ` is refused unless `older` says to take it as it is.

    Raises:
        NotALabelDatabase: see the class.
        DatabaseUnavailable: it cannot be opened, or another process holds it for too long.
    """
    if str(path) == MEMORY:
        target = MEMORY
    elif read_only:
        if not Path(path).is_file():
            raise NotALabelDatabase(f"There is no database at {quoted(path)}; run `mine` or `import` first.")
        target = f"{Path(path).resolve().as_uri()}?mode=ro"
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        target = str(path)
    connection = None
    try:
        connection = sqlite3.connect(target, BUSY_SECONDS, check_same_thread=False, uri=read_only)
        # Read before any pragma that writes: a stranger's file must not be touched.
        _check_ours(connection, path, read_only, older)
        db = Database(connection, strict=True)
        db.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = FULL")
            # One immediate transaction around, so that two processes starting together do not both migrate.
            db.execute("BEGIN IMMEDIATE")
            migrations.apply(db)
            db.commit()
        return db
    except BaseException as error:
        if connection:
            connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise DatabaseUnavailable(f"The database {quoted(path)} cannot be opened: {error}.") from error
        if isinstance(error, sqlite3.DatabaseError):
            raise NotALabelDatabase(f"{quoted(path)} is not a label database ({error}).") from error
        raise


def _check_ours(connection: sqlite3.Connection, path: Path | str, read_only: bool, older: bool) -> None:
    connection.execute("BEGIN")  # one view of the file: another process may be making it at this moment
    try:
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    finally:
        connection.rollback()
    if not ours and (read_only or not empty):
        raise NotALabelDatabase(
            f"{quoted(path)} is a database, but not one of labels; give the path of a labels.db."
        )
    if ours and version > SCHEMA_VERSION:
        raise NotALabelDatabase(
            f"{quoted(path)} was written by a newer version of this program (schema {version}, "
            f"this one knows {SCHEMA_VERSION}); update the program."
        )
    if ours and read_only and not older and version < OLDEST_READ:
        raise NotALabelDatabase(
            f"{quoted(path)} was written by an older version (schema {version}); open it once in the app."
        )
