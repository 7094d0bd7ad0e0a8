"""Each candidate's standing label, and how far labelling is."""

from collections import Counter
from typing import Any

from annotations.assignment.order import NO_CAP, ROUNDS
from annotations.assignment.rules import read_rules
from annotations.candidates import LABELS, LabelledCandidate, as_record, from_record, majority
from annotations.database.connection import LabelDatabase
from annotations.database.events import text

_EVERYONE = """
SELECT count(*) AS candidates, (SELECT count(*) FROM query_counts) AS queries,
    coalesce(sum(labels > 0), 0) AS labelled,
    (SELECT coalesce(sum(answered), 0) FROM annotator_counts) AS labels,
    (SELECT count(*) FROM annotator_counts WHERE answered > 0) AS annotators
FROM candidate_counts
"""
_MINE = """
SELECT (SELECT coalesce(sum(answered), 0) FROM annotator_counts WHERE annotator = :annotator) AS answered,
    (SELECT count(*) FROM standing WHERE annotator = :annotator AND label IS NULL) AS skipped
"""
# What is handed out at all, less what this annotator is done with: labelled, or skipped as often as it is offered.
# With a cap of 2, three main candidates labelled by 0, 1 and 2 people leave two to hand out; had the annotator
# labelled the second one, one is left.
_HANDED_OUT = """
    (c.role = 'main' AND c.labels < :cap OR c.role = 'calibration' AND :calibration OR c.role = 'gold' AND :gold)
"""
_LEFT = f"""
SELECT (SELECT count(*) FROM candidate_counts c WHERE {_HANDED_OUT}) - (
    SELECT count(*) FROM standing s JOIN candidate_counts c ON c.candidate_id = s.candidate_id
    WHERE s.annotator = :annotator AND (s.label IS NOT NULL OR s.skips >= :rounds) AND {_HANDED_OUT}) AS left
"""
_VOTES = "SELECT candidate_id, label, count(*) AS n FROM standing WHERE label IS NOT NULL GROUP BY 1, 2"
_DECIDED = "SELECT candidate_id, label, max(id) FROM decisions GROUP BY candidate_id"


class StandingLabels:
    """The reading side of the label store."""

    database: LabelDatabase

    def labelled(self) -> list[LabelledCandidate]:
        """Return every candidate with a standing label: what was decided, else the majority's; and the votes."""
        with self.database.lock:
            votes, decided = self._votes()
            rows = self.database.rows("SELECT * FROM candidates ORDER BY rowid")
        return [
            LabelledCandidate(
                **as_record(from_record(row)),
                label=decided.get(row["id"]) or majority(v),
                votes=v,
                annotators=sum(v.values()),
                consensus="adjudicated" if row["id"] in decided else "majority",
            )
            for row in rows
            if (v := votes.get(row["id"]))
        ]

    def counts(self) -> dict[str, int]:
        """Return label → number of candidates that stand under it (see `labelled`); all labels, in their order."""
        votes, decided = self._votes()
        numbers = Counter(decided.get(candidate_id) or majority(v) for candidate_id, v in votes.items())
        return {label: numbers[label] for label in LABELS}

    def progress(self, annotator: str | None = None, *, left: bool = True) -> dict[str, int]:
        """Count candidates, queries, labelled candidates, standing labels and annotators.

        With an annotator also that one's `answered`, `skipped` and, if wanted (the slowest), `left`: what may still be
        lent, as if nobody held anything.
        """
        counts = self.database.rows(_EVERYONE)[0]
        if annotator is None:
            return counts
        facts: dict[str, Any] = {"annotator": text("annotator", annotator)}
        counts |= self.database.rows(_MINE, facts)[0]
        if left:
            rules = read_rules(self.database)
            facts |= {
                "rounds": ROUNDS,
                "cap": NO_CAP if rules.overlap is None else rules.overlap,
                "calibration": rules.calibration,
                "gold": rules.gold_share > 0,
            }
            counts |= self.database.rows(_LEFT, facts)[0]
        return counts

    def _votes(self) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
        """Return, by candidate id, how many annotators gave which label, and the label that was decided on."""
        votes: dict[str, dict[str, int]] = {}
        with self.database.lock:
            for row in self.database.rows(_VOTES):
                votes.setdefault(row["candidate_id"], {})[row["label"]] = row["n"]
            decided = {row["candidate_id"]: row["label"] for row in self.database.rows(_DECIDED)}
        return votes, decided
