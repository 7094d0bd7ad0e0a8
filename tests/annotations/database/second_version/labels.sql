-- A database as commit 40e3f68 wrote it, schema 2: sqlite3's dump, and the two numbers of its header.
PRAGMA application_id = 1447252801;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
) STRICT;
INSERT INTO "_sqlite_migrations" VALUES(1,'annotations','m001_candidates_and_events','2026-11-28 00:25:26.044114+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'annotations','m002_assignment_and_adjudication','2026-11-28 00:25:26.093181+00:00');
CREATE TABLE annotator_counts (annotator TEXT PRIMARY KEY, answered INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "annotator_counts" VALUES('lan',2);
INSERT INTO "annotator_counts" VALUES('mai',1);
INSERT INTO "annotator_counts" VALUES('nam',1);
CREATE TABLE calibration (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        candidate_id TEXT NOT NULL UNIQUE REFERENCES candidates (id),
        position INTEGER NOT NULL
    ) STRICT;
INSERT INTO "calibration" VALUES(1,'453210f1cada46bbb10e874b03c45438','2025-03-01T08:00:09.000+00:00','5be7cb60eee79fd1',1);
CREATE TABLE candidate_counts (
    candidate_id TEXT PRIMARY KEY REFERENCES candidates (id),
    query INTEGER NOT NULL REFERENCES query_counts (id),
    role TEXT NOT NULL DEFAULT 'main' CHECK (role IN ('main', 'calibration', 'gold')),
    labels INTEGER NOT NULL DEFAULT 0  -- standing ones, one an annotator
) STRICT, WITHOUT ROWID;
INSERT INTO "candidate_counts" VALUES('842a1127319c0182',1,'main',1);
INSERT INTO "candidate_counts" VALUES('8ba589af06010004',1,'main',2);
INSERT INTO "candidate_counts" VALUES('337da1e349b9e996',2,'main',0);
INSERT INTO "candidate_counts" VALUES('c7daea0df61aa257',2,'main',0);
INSERT INTO "candidate_counts" VALUES('5be7cb60eee79fd1',3,'calibration',1);
INSERT INTO "candidate_counts" VALUES('66a46086310c84c7',3,'gold',0);
CREATE TABLE candidates (
        id TEXT PRIMARY KEY,
        query_id TEXT NOT NULL, query TEXT NOT NULL,
        positive_id TEXT NOT NULL, positive TEXT NOT NULL,
        passage_id TEXT NOT NULL, passage TEXT NOT NULL,
        task TEXT NOT NULL, source TEXT NOT NULL, split TEXT NOT NULL, miner TEXT NOT NULL,
        rank INTEGER, score REAL, positive_score REAL,
        at TEXT NOT NULL
    ) STRICT;
INSERT INTO "candidates" VALUES('8ba589af06010004','q1','Trẻ 1 tuổi sốt cao thì nên làm gì?','p2c37cc0f0efe','Trẻ 1 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p09f26fa4d886','Người lớn bị cúm nên nghỉ ngơi 1 ngày.','vimedretrieve','mini','train','bm25',1,7.16666666666666696272e+00,9.25,'2025-03-01T08:00:01.000+00:00');
INSERT INTO "candidates" VALUES('842a1127319c0182','q1','Trẻ 1 tuổi sốt cao thì nên làm gì?','p2c37cc0f0efe','Trẻ 1 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p94b85a186ab4','Người lớn bị cúm nên nghỉ ngơi 2 ngày.','vimedretrieve','mini','train','bm25',2,6.83333333333333303727e+00,9.25,'2025-03-01T08:00:02.000+00:00');
INSERT INTO "candidates" VALUES('337da1e349b9e996','q2','Trẻ 2 tuổi sốt cao thì nên làm gì?','p8971795cd353','Trẻ 2 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p09f26fa4d886','Người lớn bị cúm nên nghỉ ngơi 1 ngày.','vimedretrieve','mini','train','bm25',1,7.16666666666666696272e+00,9.25,'2025-03-01T08:00:03.000+00:00');
INSERT INTO "candidates" VALUES('c7daea0df61aa257','q2','Trẻ 2 tuổi sốt cao thì nên làm gì?','p8971795cd353','Trẻ 2 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p94b85a186ab4','Người lớn bị cúm nên nghỉ ngơi 2 ngày.','vimedretrieve','mini','train','bm25',2,6.83333333333333303727e+00,9.25,'2025-03-01T08:00:04.000+00:00');
INSERT INTO "candidates" VALUES('66a46086310c84c7','q3','Trẻ 3 tuổi sốt cao thì nên làm gì?','pe80e5ab0cc3d','Trẻ 3 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p09f26fa4d886','Người lớn bị cúm nên nghỉ ngơi 1 ngày.','vimedretrieve','mini','train','bm25',1,7.16666666666666696272e+00,9.25,'2025-03-01T08:00:05.000+00:00');
INSERT INTO "candidates" VALUES('5be7cb60eee79fd1','q3','Trẻ 3 tuổi sốt cao thì nên làm gì?','pe80e5ab0cc3d','Trẻ 3 tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.','p94b85a186ab4','Người lớn bị cúm nên nghỉ ngơi 2 ngày.','vimedretrieve','mini','train','bm25',2,6.83333333333333303727e+00,9.25,'2025-03-01T08:00:06.000+00:00');
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
INSERT INTO "decisions" VALUES(1,'d1','2025-03-01T08:00:19.000+00:00','8ba589af06010004','chi','hard','edge_case','quyết định');
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
        undoes INTEGER UNIQUE REFERENCES events (id), confidence INTEGER CHECK (confidence BETWEEN 1 AND 3), flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1)), guideline TEXT NOT NULL DEFAULT '', client_at TEXT NOT NULL DEFAULT '', lease TEXT NOT NULL DEFAULT '',
        CHECK ((kind = 'label') = (label IS NOT NULL)),
        CHECK ((kind = 'undo') = (undoes IS NOT NULL))
    ) STRICT;
INSERT INTO "events" VALUES(1,'1','2025-03-01T08:00:10.000+00:00','label','8ba589af06010004','lan','hard','ghi chú',4.5,'web/vi',NULL,3,1,'v1','2025-03-01T15:00:00Z','');
INSERT INTO "events" VALUES(2,'2','2025-03-01T08:00:11.000+00:00','label','8ba589af06010004','mai','trivial','',NULL,'',NULL,NULL,0,'','','');
INSERT INTO "events" VALUES(3,'3','2025-03-01T08:00:12.000+00:00','label','842a1127319c0182','lan','false_negative','',NULL,'',NULL,NULL,0,'','','');
INSERT INTO "events" VALUES(4,'4','2025-03-01T08:00:13.000+00:00','skip','337da1e349b9e996','lan',NULL,'',NULL,'',NULL,NULL,0,'','','');
INSERT INTO "events" VALUES(5,'5','2025-03-01T08:00:14.000+00:00','label','c7daea0df61aa257','mai','hard','',NULL,'',NULL,NULL,0,'','','');
INSERT INTO "events" VALUES(6,'6','2025-03-01T08:00:15.000+00:00','undo','c7daea0df61aa257','mai',NULL,'',NULL,'',5,NULL,0,'','','');
INSERT INTO "events" VALUES(7,'7','2025-03-01T08:00:16.000+00:00','label','842a1127319c0182','lan','unsure','',NULL,'',NULL,NULL,0,'','','');
INSERT INTO "events" VALUES(8,'977f7b04169344aea6f7024156218f57','2025-03-01T08:00:18.000+00:00','label','5be7cb60eee79fd1','nam','hard','',NULL,'',NULL,NULL,0,'','','977f7b04169344aea6f7024156218f57');
CREATE TABLE gold (  -- what is known; the latest of a candidate stands
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        label TEXT NOT NULL CHECK (label IN ('hard', 'false_negative', 'trivial', 'unsure')),
        note TEXT NOT NULL DEFAULT ''
    ) STRICT;
INSERT INTO "gold" VALUES(1,'8e4fe98b087347d59fe3cda17fef1e25','2025-03-01T08:00:08.000+00:00','66a46086310c84c7','trivial','vì sao');
CREATE TABLE leases (  -- who was given what; no label hangs on them, so they are neither logged nor kept
        token TEXT PRIMARY KEY,
        candidate_id TEXT NOT NULL REFERENCES candidates (id),
        annotator TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('main', 'calibration', 'gold')),
        at TEXT NOT NULL,
        expires TEXT NOT NULL  -- in UTC, like every time here: open as long as it is later than now
    ) STRICT;
INSERT INTO "leases" VALUES('47618284a5714fe2a95fc6bf1749a553','c7daea0df61aa257','mai','main','2025-03-01T08:00:15.000+00:00','2025-03-01T08:20:20.000+00:00');
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
INSERT INTO "query_counts" VALUES(1,'vimedretrieve','mini','q1',2,3,1);
INSERT INTO "query_counts" VALUES(2,'vimedretrieve','mini','q2',2,0,0);
INSERT INTO "query_counts" VALUES(3,'vimedretrieve','mini','q3',0,0,NULL);
CREATE TABLE settings (  -- the latest of a name stands
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL CHECK (json_valid(value)),
        by TEXT NOT NULL
    ) STRICT;
INSERT INTO "settings" VALUES(1,'83d3d4a0478d4247836a698521a13a99','2025-03-01T08:00:07.000+00:00','overlap','2','lead');
INSERT INTO "settings" VALUES(2,'bfdfe639657a4e8bbab53a1508a2bff9','2025-03-01T08:00:07.000+00:00','gold_share','0.25','lead');
CREATE TABLE standing (  -- as the view `labels`, and skips that were not undone
    annotator TEXT NOT NULL,
    candidate_id TEXT NOT NULL REFERENCES candidates (id),
    label TEXT,  -- NULL: skipped
    skips INTEGER NOT NULL,
    PRIMARY KEY (annotator, candidate_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "standing" VALUES('lan','337da1e349b9e996',NULL,1);
INSERT INTO "standing" VALUES('lan','842a1127319c0182','unsure',0);
INSERT INTO "standing" VALUES('lan','8ba589af06010004','hard',0);
INSERT INTO "standing" VALUES('mai','8ba589af06010004','trivial',0);
INSERT INTO "standing" VALUES('nam','5be7cb60eee79fd1','hard',0);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX events_by_item ON events (candidate_id, annotator, id);
CREATE INDEX events_by_annotator ON events (annotator, id);
CREATE VIEW answers AS  -- labels and skips that were not undone
        SELECT * FROM events e
        WHERE kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.id);
CREATE TRIGGER candidates_no_update BEFORE UPDATE ON candidates
        BEGIN SELECT RAISE(ABORT, 'candidates are append-only'); END;
CREATE TRIGGER candidates_no_delete BEFORE DELETE ON candidates
        BEGIN SELECT RAISE(ABORT, 'candidates are append-only'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE VIEW labels AS  -- what stands: each annotator's latest answer to a candidate, where it is a label
        SELECT id, at, candidate_id, annotator, label, note, seconds, interface,
            confidence, flagged, guideline, client_at, lease
        FROM answers a
        WHERE kind = 'label' AND NOT EXISTS (
            SELECT 1 FROM answers later
            WHERE later.candidate_id = a.candidate_id AND later.annotator = a.annotator AND later.id > a.id
        );
CREATE INDEX leases_by_candidate ON leases (candidate_id, expires);
CREATE INDEX leases_by_annotator ON leases (annotator, expires);
CREATE INDEX leases_by_expiry ON leases (expires);
CREATE INDEX gold_by_candidate ON gold (candidate_id, id);
CREATE INDEX decisions_by_candidate ON decisions (candidate_id, id);
CREATE TRIGGER settings_no_update BEFORE UPDATE ON settings
        BEGIN SELECT RAISE(ABORT, 'settings are append-only'); END;
CREATE TRIGGER settings_no_delete BEFORE DELETE ON settings
        BEGIN SELECT RAISE(ABORT, 'settings are append-only'); END;
CREATE TRIGGER gold_no_update BEFORE UPDATE ON gold
        BEGIN SELECT RAISE(ABORT, 'gold are append-only'); END;
CREATE TRIGGER gold_no_delete BEFORE DELETE ON gold
        BEGIN SELECT RAISE(ABORT, 'gold are append-only'); END;
CREATE TRIGGER calibration_no_update BEFORE UPDATE ON calibration
        BEGIN SELECT RAISE(ABORT, 'calibration are append-only'); END;
CREATE TRIGGER calibration_no_delete BEFORE DELETE ON calibration
        BEGIN SELECT RAISE(ABORT, 'calibration are append-only'); END;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
        BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
        BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE INDEX query_counts_by_load ON query_counts (load, place, least);
CREATE INDEX candidate_counts_by_query ON candidate_counts (query, role, labels);
CREATE INDEX standing_skipped ON standing (annotator, skips) WHERE label IS NULL;
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('settings',2);
INSERT INTO "sqlite_sequence" VALUES('gold',1);
INSERT INTO "sqlite_sequence" VALUES('calibration',1);
INSERT INTO "sqlite_sequence" VALUES('events',8);
INSERT INTO "sqlite_sequence" VALUES('decisions',1);
COMMIT;
