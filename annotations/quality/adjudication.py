"""Adjudication: where annotators disagree or flag, an adjudicator sees what they said, decides, and names the cause."""

from collections.abc import Collection
from dataclasses import dataclass

from annotations.candidates import LABELS
from annotations.database.events import TokenReused, stamp, text
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.text import nfc
from vcs_demo.words import problem

CAUSES = ("ambiguous_text", "guideline_gap", "annotator_error", "edge_case")

# A candidate waits while its labels differ or one is flagged, and the latest of them came after the last decision.
# A decision names the latest event that it saw; one of an older database has only its time.
_OPEN = """
SELECT l.candidate_id, count(DISTINCT l.label) AS labels, max(l.flagged) AS flagged
FROM labels l JOIN (
    SELECT candidate_id FROM standing WHERE label IS NOT NULL GROUP BY 1 HAVING count(DISTINCT label) > 1
    UNION SELECT candidate_id FROM events WHERE flagged
) c ON c.candidate_id = l.candidate_id
GROUP BY l.candidate_id
HAVING (count(DISTINCT l.label) > 1 OR max(l.flagged)) AND max(l.id) > coalesce((
    SELECT coalesce(
        (SELECT id FROM events WHERE token = d.saw),
        (SELECT max(id) FROM events e WHERE e.candidate_id = d.candidate_id AND e.at <= d.at))
    FROM decisions d WHERE d.candidate_id = l.candidate_id ORDER BY d.id DESC LIMIT 1), 0)
ORDER BY max(l.flagged) DESC, max(l.id)
"""
_ANSWERS = """
SELECT label, note, seconds, confidence, flagged, guideline, at FROM labels
WHERE candidate_id = ? ORDER BY id
"""


@dataclass(frozen=True)
class Disagreement:
    """A candidate that waits for an adjudicator: whether its labels differ, and whether somebody flagged it."""

    candidate_id: str
    differ: bool
    flagged: bool


@dataclass(frozen=True)
class Answer:
    """What one annotator says of a candidate; `annotator` is A1, A2, … in the order they answered this one.

    Attributes:
        seconds: on screen; None: unknown.
        confidence: 1 (a guess) to 3 (sure); None: not said.
        guideline: version that was shown.
        at: when, in UTC.
    """

    annotator: str
    label: str
    note: str
    seconds: float | None
    confidence: int | None
    flagged: bool
    guideline: str
    at: str


def disagreements(store: LabelStore, exclude: Collection[str] = ()) -> list[Disagreement]:
    """List the candidates that wait, without the ids in `exclude`: the flagged first, then the oldest."""
    return [
        Disagreement(row["candidate_id"], row["labels"] > 1, bool(row["flagged"]))
        for row in store.database.rows(_OPEN)
        if row["candidate_id"] not in exclude
    ]


def answers_to(store: LabelStore, candidate_id: str) -> list[Answer]:
    """Return the standing labels of a candidate, without names: those would sway a decision."""
    rows = store.database.rows(_ANSWERS, [candidate_id])
    return [Answer(f"A{n}", **row | {"flagged": bool(row["flagged"])}) for n, row in enumerate(rows, start=1)]


def decide(
    store: LabelStore,
    candidate_id: str,
    adjudicator: str,
    label: str,
    cause: str,
    *,
    token: str,
    note: str = "",
) -> None:
    """Decide what a candidate is; a later decision supersedes, and the same token twice counts once.

    Raises:
        UserError: an unknown label, cause or candidate, one that nobody has labelled, or a text that is too long.
        TokenReused: the token stands for another decision.
        DatabaseUnavailable: it could not be saved.
    """
    if label not in LABELS:
        raise UserError(f"{quoted(label)} is not a label; the labels are {', '.join(LABELS)}.")
    if cause not in CAUSES:
        raise problem("error.cause", cause=quoted(cause), causes=", ".join(CAUSES))
    candidate_id = nfc(candidate_id)
    record = {
        "token": text("token", token),
        "at": stamp(store.clock()),
        "candidate_id": candidate_id,
        "adjudicator": text("annotator", adjudicator),
        "label": label,
        "cause": cause,
        "note": text("note", note, required=False),
    }
    database = store.database
    with database.write():
        for same in database.rows("SELECT * FROM decisions WHERE token = ?", [record["token"]]):
            if any(same[name] != record[name] for name in record if name != "at"):
                raise TokenReused(record["token"], same | {"kind": "decision"})
            return
        store.candidate(candidate_id)  # there is one
        if not database.rows("SELECT 1 FROM labels WHERE candidate_id = ?", [candidate_id]):
            raise problem("error.nothing_to_settle", candidate=candidate_id)
        database.add("decision", [record | {"saw": latest_event(store, candidate_id)}])


def is_decided(store: LabelStore, token: str) -> bool:
    """Tell whether there is a decision with this token."""
    return bool(store.database.rows("SELECT 1 FROM decisions WHERE token = ?", [token]))


def latest_event(store: LabelStore, candidate_id: str) -> str:
    """Return the token of the latest event on a candidate; empty where nobody has answered it."""
    sql = "SELECT token FROM events WHERE candidate_id = ? ORDER BY id DESC LIMIT 1"
    return next((row["token"] for row in store.database.rows(sql, [candidate_id])), "")


def causes(store: LabelStore) -> dict[str, int]:
    """Return cause → how many of the standing decisions name it; all causes, in their order."""
    rows = store.database.rows("SELECT cause, max(id) FROM decisions GROUP BY candidate_id")
    named = [row["cause"] for row in rows]
    return {cause: named.count(cause) for cause in CAUSES}
