"""Counter tables, maintained by SQLite triggers, so that the next candidate and progress need not scan the events.

They follow from candidates, events, gold and calibration alone, in the same transaction as those, whoever writes;
`rebuild` makes them anew. An annotator's answer to a candidate *stands* if it is the latest that was not undone.
"""

import sqlite3

from sqlite_utils import Database

_TABLES = """
CREATE TABLE query_counts (  -- of a query's main candidates: neither gold nor calibration
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL, source TEXT NOT NULL, query_id TEXT NOT NULL,
    candidates INTEGER NOT NULL DEFAULT 0,
    labels INTEGER NOT NULL DEFAULT 0,
    least INTEGER,  -- standing labels of the candidate that has fewest
    load REAL AS (1.0 * labels / candidates) VIRTUAL,
    place INTEGER AS ((id * 2654435761) & 4294967295) VIRTUAL,  -- on a ring, scattered (Knuth's multiplier)
    UNIQUE (task, source, query_id)
) STRICT;
CREATE INDEX query_counts_by_load ON query_counts (load, place, least);
CREATE TABLE candidate_counts (
    candidate_id TEXT PRIMARY KEY REFERENCES candidates (id),
    query INTEGER NOT NULL REFERENCES query_counts (id),
    role TEXT NOT NULL DEFAULT 'main' CHECK (role IN ('main', 'calibration', 'gold')),
    labels INTEGER NOT NULL DEFAULT 0  -- standing ones, one an annotator
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_counts_by_query ON candidate_counts (query, role, labels);
CREATE TABLE annotator_counts (annotator TEXT PRIMARY KEY, answered INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE standing (  -- as the view `labels`, and skips that were not undone
    annotator TEXT NOT NULL,
    candidate_id TEXT NOT NULL REFERENCES candidates (id),
    label TEXT,  -- NULL: skipped
    skips INTEGER NOT NULL,
    PRIMARY KEY (annotator, candidate_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_skipped ON standing (annotator, skips) WHERE label IS NULL;
"""

_FILL = """
INSERT INTO query_counts (task, source, query_id)
    SELECT task, source, query_id FROM candidates GROUP BY task, source, query_id ORDER BY min(rowid);
INSERT INTO standing
    SELECT annotator, candidate_id, label, skips FROM (
        SELECT annotator, candidate_id, label, sum(kind = 'skip') AS skips, max(id)  -- the label is the latest's
        FROM answers GROUP BY annotator, candidate_id);
INSERT INTO annotator_counts
    SELECT annotator, (SELECT count(label) FROM standing s WHERE s.annotator = e.annotator)
    FROM (SELECT DISTINCT annotator FROM events) e;
INSERT INTO candidate_counts
    SELECT c.id, q.id,
        CASE WHEN c.id IN (SELECT candidate_id FROM calibration) THEN 'calibration'
            WHEN c.id IN (SELECT candidate_id FROM gold) THEN 'gold' ELSE 'main' END,
        coalesce(s.labels, 0)
    FROM candidates c JOIN query_counts q USING (task, source, query_id)
    LEFT JOIN (SELECT candidate_id, count(label) AS labels FROM standing GROUP BY 1) s ON s.candidate_id = c.id
    ORDER BY c.rowid;
UPDATE query_counts SET (candidates, labels, least) = (
    SELECT count(*), coalesce(sum(c.labels), 0), min(c.labels) FROM candidate_counts c
    WHERE c.query = query_counts.id AND c.role = 'main');
"""

_TRIGGERS = """
CREATE TRIGGER candidates_counted AFTER INSERT ON candidates BEGIN
    INSERT OR IGNORE INTO query_counts (task, source, query_id) VALUES (NEW.task, NEW.source, NEW.query_id);
    INSERT INTO candidate_counts (candidate_id, query) SELECT NEW.id, id FROM query_counts
        WHERE task = NEW.task AND source = NEW.source AND query_id = NEW.query_id;
END;
CREATE TRIGGER candidate_counts_added AFTER INSERT ON candidate_counts BEGIN
    UPDATE query_counts SET candidates = candidates + 1, least = 0 WHERE id = NEW.query;
END;
CREATE TRIGGER candidate_counts_changed AFTER UPDATE ON candidate_counts BEGIN
    UPDATE query_counts SET
        candidates = candidates + (NEW.role = 'main') - (OLD.role = 'main'),
        labels = labels + NEW.labels * (NEW.role = 'main') - OLD.labels * (OLD.role = 'main'),
        least = (SELECT min(labels) FROM candidate_counts WHERE query = NEW.query AND role = 'main')
    WHERE id = NEW.query;
END;
CREATE TRIGGER gold_counted AFTER INSERT ON gold BEGIN
    UPDATE candidate_counts SET role = 'gold' WHERE candidate_id = NEW.candidate_id AND role = 'main';
END;
CREATE TRIGGER calibration_counted AFTER INSERT ON calibration BEGIN
    UPDATE candidate_counts SET role = 'calibration' WHERE candidate_id = NEW.candidate_id;
END;
CREATE TRIGGER standing_gone AFTER DELETE ON standing WHEN OLD.label IS NOT NULL BEGIN
    UPDATE candidate_counts SET labels = labels - 1 WHERE candidate_id = OLD.candidate_id;
    UPDATE annotator_counts SET answered = answered - 1 WHERE annotator = OLD.annotator;
END;
CREATE TRIGGER standing_new AFTER INSERT ON standing WHEN NEW.label IS NOT NULL BEGIN
    UPDATE candidate_counts SET labels = labels + 1 WHERE candidate_id = NEW.candidate_id;
    UPDATE annotator_counts SET answered = answered + 1 WHERE annotator = NEW.annotator;
END;
CREATE TRIGGER events_counted AFTER INSERT ON events BEGIN
    INSERT OR IGNORE INTO annotator_counts (annotator) VALUES (NEW.annotator);
    DELETE FROM standing WHERE annotator = NEW.annotator AND candidate_id = NEW.candidate_id;
    INSERT INTO standing
        SELECT annotator, candidate_id, label, skips FROM (
            SELECT annotator, candidate_id, label, sum(kind = 'skip') AS skips, max(id) FROM answers
            WHERE candidate_id = NEW.candidate_id AND annotator = NEW.annotator GROUP BY annotator);
END;
"""
_NAMES = ("query_counts", "candidate_counts", "annotator_counts", "standing")
_ON_SOURCES = ("candidates_counted", "gold_counted", "calibration_counted", "events_counted")


def rebuild(connection: sqlite3.Connection) -> None:
    """Drop the counter tables and their triggers and make them anew; inside a transaction."""
    db = Database(connection)  # whose executescript, unlike sqlite3's, does not commit
    for trigger in _ON_SOURCES:  # the others go with their tables
        db.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for table in reversed(_NAMES):  # those that refer to others first
        db.execute(f"DROP TABLE IF EXISTS {table}")
    for script in (_TABLES, _FILL, _TRIGGERS):
        db.executescript(script)
