"""How far labelling is, out of the counters."""

from annotations.assignment.order import NO_CAP, ROUNDS
from annotations.assignment.rules import Settings
from annotations.database.connection import LabelDatabase

_EVERYONE = """
SELECT count(*) AS candidates, (SELECT count(*) FROM query_counts) AS queries,
    coalesce(sum(labels > 0), 0) AS labelled,
    (SELECT coalesce(sum(answered), 0) FROM annotator_counts) AS labels,
    (SELECT count(*) FROM annotator_counts WHERE answered > 0) AS annotators
FROM candidate_counts
"""
_HANDED_OUT = """
    (c.role = 'main' AND c.labels < :cap OR c.role = 'calibration' AND :calibration OR c.role = 'gold' AND :gold)
"""
_MINE = """
SELECT (SELECT coalesce(sum(answered), 0) FROM annotator_counts WHERE annotator = :annotator) AS answered,
    (SELECT count(*) FROM standing WHERE annotator = :annotator AND label IS NULL) AS skipped
"""
_LEFT = f"""
SELECT (SELECT count(*) FROM candidate_counts c WHERE {_HANDED_OUT}) - (
    SELECT count(*) FROM standing s JOIN candidate_counts c ON c.candidate_id = s.candidate_id
    WHERE s.annotator = :annotator AND (s.label IS NOT NULL OR s.skips >= :rounds) AND {_HANDED_OUT}) AS left
"""
_VOTES = "SELECT candidate_id, label, count(*) AS n FROM standing WHERE label IS NOT NULL GROUP BY 1, 2"


def everyones(database: LabelDatabase) -> dict[str, int]:
    """Count candidates, queries, labelled candidates, standing labels and annotators."""
    return database.rows(_EVERYONE)[0]


def ones_own(database: LabelDatabase, annotator: str) -> dict[str, int]:
    """Count what an annotator has answered and skipped."""
    return database.rows(_MINE, {"annotator": annotator})[0]


def left(database: LabelDatabase, annotator: str, settings: Settings) -> int:
    """Count what may still be lent to an annotator, as if nobody held anything."""
    facts = {
        "annotator": annotator,
        "rounds": ROUNDS,
        "cap": NO_CAP if settings.overlap is None else settings.overlap,
        "calibration": settings.calibration,
        "gold": settings.gold_share > 0,
    }
    return database.rows(_LEFT, facts)[0]["left"]


def votes(database: LabelDatabase) -> dict[str, dict[str, int]]:
    """Return candidate id → label → how many annotators say so, where anyone says anything."""
    found: dict[str, dict[str, int]] = {}
    for row in database.rows(_VOTES):
        found.setdefault(row["candidate_id"], {})[row["label"]] = row["n"]
    return found


def decided(database: LabelDatabase) -> dict[str, str]:
    """Return candidate id → the label that an adjudicator decided on, where one did."""
    rows = database.rows("SELECT candidate_id, label, max(id) FROM decisions GROUP BY candidate_id")
    return {row["candidate_id"]: row["label"] for row in rows}
