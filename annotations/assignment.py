"""Who labels what next: query by query, least labelled first, in an order of each annotator's own."""

import hashlib
from collections.abc import Collection

from annotations.database import LabelDatabase

ROUNDS = 2  # a candidate skipped once comes again when the rest is done; skipped twice, never

_PENDING = """
SELECT id, task, source, query_id, coalesce(labels, 0) AS labels, coalesce(skips, 0) AS skips
FROM candidates
LEFT JOIN (SELECT candidate_id, count(*) AS labels FROM labels GROUP BY 1) l ON l.candidate_id = id
LEFT JOIN (SELECT candidate_id, count(*) AS skips FROM answers
           WHERE annotator = :annotator AND kind = 'skip' GROUP BY 1) s ON s.candidate_id = id
WHERE coalesce(skips, 0) < :rounds
  AND id NOT IN (SELECT candidate_id FROM labels WHERE annotator = :annotator)
"""
_CURRENT_QUERY = """
SELECT task, source, query_id FROM candidates
WHERE id = (SELECT candidate_id FROM events WHERE annotator = :annotator ORDER BY id DESC LIMIT 1)
"""


def next_id(
    database: LabelDatabase,
    annotator: str,
    exclude: Collection[str],
    only: Collection[str] | None,
) -> str | None:
    """Return the id of the candidate that `LabelStore.next_candidate` describes."""
    with database.lock:
        pending = database.rows(_PENDING, {"annotator": annotator, "rounds": ROUNDS})
        current = database.rows(_CURRENT_QUERY, {"annotator": annotator})
    excluded, wanted = set(exclude), None if only is None else set(only)
    pending = [p for p in pending if p["id"] not in excluded and (wanted is None or p["id"] in wanted)]
    if not pending:
        return None
    this_round = min(p["skips"] for p in pending)
    queries: dict[tuple[str, ...], list[dict]] = {}
    for p in pending:
        if p["skips"] == this_round:
            queries.setdefault((p["task"], p["source"], p["query_id"]), []).append(p)
    chosen = queries.get(tuple(current[0].values())) if current else None
    if chosen is None:
        load = {query: sum(p["labels"] for p in rows) / len(rows) for query, rows in queries.items()}
        least = min(load.values())
        lightest = (query for query in queries if load[query] == least)
        chosen = queries[min(lightest, key=lambda query: own_order(annotator, *query))]
    return min(chosen, key=lambda p: (p["labels"], own_order(annotator, p["id"])))["id"]


def own_order(annotator: str, *key: str) -> bytes:
    """Return where something stands in an annotator's own order: fixed, and unlike another annotator's."""
    return hashlib.blake2b("\n".join((annotator, *key)).encode(), digest_size=8).digest()
