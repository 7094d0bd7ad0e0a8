"""Pseudonyms: what annotators are called outside their own database, by a hash of a random token."""

import hashlib
import re
import uuid

from annotations.store.label_store import LabelStore

_PSEUDONYM = re.compile(r"p-[0-9a-f]{20}")
_USERS = uuid.UUID(
    "6f0f2f9e-5c0f-5a52-9f0e-2b1f1f6f7a11"
)  # namespace of the ids that Argilla knows people by


def pseudonym(token: str) -> str:
    """Return the pseudonym of the annotator whose first event has this token: `p-` and 80 bits of a hash.

    The token is random, so the pseudonym tells neither name nor order, and two teams' never meet. Nor does
    it tell the token.
    """
    return "p-" + hashlib.sha256(f"annotator\n{token}".encode()).hexdigest()[:20]


def is_pseudonym(name: str) -> bool:
    """Tell whether a name has the form of a pseudonym."""
    return bool(_PSEUDONYM.fullmatch(name))


def first_tokens(store: LabelStore) -> dict[str, str]:
    """Return annotator → token of the annotator's first event, in the order in which they came."""
    rows = store.database.rows(
        "SELECT annotator, token FROM events WHERE id IN (SELECT min(id) FROM events GROUP BY annotator) ORDER BY id"
    )
    return {row["annotator"]: row["token"] for row in rows}


def pseudonyms(store: LabelStore) -> dict[str, str]:
    """Return annotator → pseudonym; people of an import, filed as `sender:p-…`, keep theirs."""
    return {
        name: last if is_pseudonym(last := name.rpartition(":")[2]) else pseudonym(token)
        for name, token in first_tokens(store).items()
    }


def user_id(name: str) -> str:
    """Return the UUID that Argilla knows a pseudonym by."""
    return str(uuid.uuid5(_USERS, name))
