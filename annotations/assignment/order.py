"""Who labels what next: calibration first, gold mixed in, else query by query, least labelled first."""

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from annotations.assignment.rules import AssignmentRules
from annotations.database.connection import LabelDatabase

ROUNDS = 2  # a candidate skipped once comes again when the rest is done; skipped twice, never
NO_CAP = 1 << 62

# In these statements: c a candidate's counters, s what the annotator has said of it (no row: nothing), q a query's.
_MINE = "LEFT JOIN standing s ON s.annotator = :annotator AND s.candidate_id = c.candidate_id"
# Candidates that the annotator has not labelled and that have room. With an overlap of 2, labelled by an and lent to
# binh: closed to lan, open to binh; once binh's lease has ended without an answer, open to lan.
_OPEN = """
    s.label IS NULL AND c.labels + (
        SELECT count(DISTINCT l.annotator) FROM leases l
        WHERE l.candidate_id = c.candidate_id AND l.expires > :now AND l.annotator <> :annotator AND NOT EXISTS (
            SELECT 1 FROM standing o WHERE o.annotator = l.annotator AND o.candidate_id = l.candidate_id
                AND o.label IS NOT NULL)
    ) < :cap
"""
# The open ones of a query that the annotator has not skipped either.
_OF_QUERY = f"""
SELECT c.candidate_id AS id, c.labels FROM candidate_counts c {_MINE}
WHERE c.query = :query AND c.role = 'main' AND c.labels < :cap AND s.skips IS NULL AND {_OPEN}
"""
# The query with fewest labels a candidate (its load) that has an open one, looked for along the index: of loads
# 0, 0, 0.5 at places 7, 3, 1 on the ring, the one at 7 for an annotator who stands at 5, the one at 3 at place 8.
_LIGHTEST = f"""
SELECT q.id, q.load FROM query_counts q INDEXED BY query_counts_by_load
WHERE q.load >= 0 AND q.least < :cap AND q.place BETWEEN :low AND :high
    AND EXISTS ({_OF_QUERY.replace(":query", "q.id")})
ORDER BY q.load, q.place LIMIT 1
"""
# The query of the annotator's latest event, which is finished first.
_CURRENT = """
SELECT q.id, q.place FROM events e
JOIN candidate_counts c ON c.candidate_id = e.candidate_id AND c.role = 'main' JOIN query_counts q ON q.id = c.query
WHERE e.annotator = :annotator ORDER BY e.id DESC LIMIT 1
"""
# Of some ids the open ones, those that were skipped once among them.
_PICKED = f"""
SELECT c.candidate_id AS id, c.query, c.labels, coalesce(s.skips, 0) AS skips
FROM json_each(:ids) picked CROSS JOIN candidate_counts c ON c.candidate_id = picked.value {_MINE}
WHERE c.role = 'main' AND coalesce(s.skips, 0) < :rounds AND {_OPEN}
"""
_SKIPPED = """
SELECT candidate_id FROM standing INDEXED BY standing_skipped
WHERE annotator = :annotator AND label IS NULL AND skips < :rounds
"""
# Calibration or gold that the annotator has not labelled, nor skipped twice; others do not count.
_EXEMPT = f"""
SELECT c.candidate_id AS id, coalesce(s.skips, 0) AS skips FROM {{table}} x
JOIN candidate_counts c ON c.candidate_id = x.candidate_id AND c.role = '{{table}}' {_MINE}
WHERE s.label IS NULL AND coalesce(s.skips, 0) < :rounds
"""
_CALIBRATION = _EXEMPT.format(table="calibration") + "ORDER BY skips, x.position, x.id"
_GOLD = _EXEMPT.format(table="gold")
# How many candidates the annotator has labelled or skipped, and the token of the first event.
_DONE = """
SELECT (SELECT coalesce(sum(answered), 0) FROM annotator_counts WHERE annotator = :annotator) + (
    SELECT count(*) FROM standing WHERE annotator = :annotator AND label IS NULL) AS done,
    (SELECT token FROM events WHERE annotator = :annotator ORDER BY id LIMIT 1) AS seed
"""


@dataclass
class Assignment:
    """What one annotator is offered, at one time, by the current rules; changes nothing.

    Attributes:
        annotator: the name, as events have it.
        now: the time, as `stamp` writes it.
        only: ids to choose from; None: all.
    """

    database: LabelDatabase
    rules: AssignmentRules
    annotator: str
    now: str
    only: Collection[str] | None = None

    def next_id(self) -> str | None:
        """Return the id of the candidate that is due; None when nothing is left."""
        if self.rules.calibration and (waiting := self._narrowed(_CALIBRATION)):
            return waiting[0]["id"]
        if self._gold_is_due() and (gold := self._gold()):
            return gold
        return self._main() or self._gold()

    def _main(self) -> str | None:
        if self.only is not None:
            return self._among(self.only)
        current = self._rows(_CURRENT)
        if current and (waiting := self._rows(_OF_QUERY, query=current[0]["id"])):
            return self._first(waiting)
        query = self._lightest(current[0]["place"] if current else own_number(self.annotator))
        if query is not None:
            return self._first(self._rows(_OF_QUERY, query=query))
        return self._among([row["candidate_id"] for row in self._rows(_SKIPPED)])

    def _lightest(self, place: int) -> int | None:
        """Return the least labelled query that has something for the annotator; of equals, the next on the ring."""
        halves = self._rows(_LIGHTEST, low=place, high=2**32) + self._rows(_LIGHTEST, low=0, high=place - 1)
        return min(halves, key=lambda query: query["load"])["id"] if halves else None

    def _among(self, ids: Collection[str]) -> str | None:
        """Choose out of a few candidates, in the same order."""
        waiting = self._rows(_PICKED, ids=json.dumps(sorted(set(ids))))
        this_round = min((row["skips"] for row in waiting), default=0)
        queries: dict[int, list[dict[str, Any]]] = {}
        for row in waiting:
            if row["skips"] == this_round:
                queries.setdefault(row["query"], []).append(row)
        if not queries:
            return None
        current = self._rows(_CURRENT)
        chosen = queries.get(current[0]["id"]) if current else None
        if chosen is None:
            load = {query: sum(row["labels"] for row in rows) / len(rows) for query, rows in queries.items()}
            chosen = queries[min(queries, key=lambda q: (load[q], own_number(self.annotator, str(q))))]
        return self._first(chosen)

    def _first(self, rows: list[dict[str, Any]]) -> str:
        return min(rows, key=lambda row: (row["labels"], own_number(self.annotator, row["id"])))["id"]

    def _gold(self) -> str | None:
        if not self.rules.gold_share:
            return None
        waiting = self._narrowed(_GOLD)
        waiting.sort(key=lambda row: (row["skips"], own_number(self.annotator, row["id"])))
        return waiting[0]["id"] if waiting else None

    def _gold_is_due(self) -> bool:
        """Tell whether the next one is gold: one in each run of 1 / share, at a place nobody can foresee.

        With a share of 0.25, one of the answers 0 to 3, one of 4 to 7, and so on; which one depends on the random
        token of the annotator's first event. Before that, it is never gold.
        """
        row, share = self._rows(_DONE)[0], Fraction(str(self.rules.gold_share))
        if not share or row["seed"] is None:
            return False
        run = math.floor(row["done"] * share)
        first, length = math.ceil(run / share), math.ceil((run + 1) / share) - math.ceil(run / share)
        return row["done"] - first == own_number(row["seed"], str(run)) % length

    def _narrowed(self, sql: str) -> list[dict[str, Any]]:
        only = None if self.only is None else set(self.only)
        return [row for row in self._rows(sql) if only is None or row["id"] in only]

    def _rows(self, sql: str, **more: object) -> list[dict[str, Any]]:
        cap = NO_CAP if self.rules.overlap is None else self.rules.overlap
        facts = {"annotator": self.annotator, "now": self.now, "rounds": ROUNDS, "cap": cap}
        return self.database.rows(sql, facts | more)


def own_number(annotator: str, *key: str) -> int:
    """Return where something stands in an annotator's own order, below 2³²: fixed, unlike another annotator's."""
    digest = hashlib.blake2b("\n".join((annotator, *key)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")
