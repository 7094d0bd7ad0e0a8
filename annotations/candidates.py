"""What is labelled: a query, one of its positives, and a passage that a miner took for a negative."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vcs_demo.errors import UserError, quoted
from vcs_demo.text import folded, nfc, writings, written_hash

LABELS = ("hard", "false_negative", "trivial", "unsure")
MAX_TEXT = 20_000  # characters
MAX_NAME = 300  # characters of an id, a task, a source, a split, a miner

# Words of splits that models are evaluated on.
_HELD_OUT = re.compile("te?st|eval|hold|held|bench|unseen")
_SPLITS = {name: name for name in ("train", "validation")} | dict.fromkeys(
    ("valid", "val", "dev", "development"), "validation"
)


@dataclass(frozen=True)
class Candidate:
    """A passage to judge against a query, beside the positive that the annotator is shown.

    Attributes:
        id: first 16 hex of sha256 over the hashes (`written_hash`) of query, positive and passage (`candidate_id`).
        query_id: the task's id of the query.
        query: text of the query.
        positive_id: the task's id of the annotated positive.
        positive: text of the annotated positive.
        passage_id: the task's id of the passage.
        passage: the supposed negative, to be judged.
        task: task it was mined from, such as `vimedretrieve`.
        source: `mini`, `hub`, a folder's name, or the file it was imported from.
        split: split it was mined from, never `test`.
        miner: name of the ranker, or `imported`.
        rank: rank of the passage among all passages, from 1; None when unknown.
        score: the miner's score of the passage; None when unknown.
        positive_score: the miner's score of the positive; None when unknown.
    """

    id: str
    query_id: str
    query: str
    positive_id: str
    positive: str
    passage_id: str
    passage: str
    task: str = ""
    source: str = ""
    split: str = ""
    miner: str = ""
    rank: int | None = None
    score: float | None = None
    positive_score: float | None = None

    @classmethod
    def create(
        cls, *, query: str, positive: str, passage: str, **facts: str | int | float | None
    ) -> "Candidate":
        """Make a candidate of NFC texts and plain numbers, with its id.

        Args:
            query: text of the query.
            positive: text of the annotated positive.
            passage: the supposed negative.
            facts: further attributes; ids that are missing come from the texts.

        Raises:
            UserError: a text is empty or longer than `MAX_TEXT` characters, a name than `MAX_NAME`, or a split that
                `checked_split` refuses.
        """
        texts = {"query": nfc(query), "positive": nfc(positive), "passage": nfc(passage)}
        for name, text in texts.items():
            if not folded(text):
                raise UserError(f"The {name} is empty; every candidate needs a query, a positive, a passage.")
            check_length(name, text)
        names = {name: nfc(value) for name, value in facts.items() if isinstance(value, str) and value}
        if max(map(len, names.values()), default=0) > MAX_NAME:
            raise UserError(f"An id, task, source, split or miner has over {MAX_NAME} characters.")
        if "split" in names:
            names["split"] = checked_split(names["split"])
        numbers = {name: value for name, value in facts.items() if not isinstance(value, str)}
        for name, value in numbers.items():
            finite = value is not None and math.isfinite(value)
            numbers[name] = (int(value) if name == "rank" else float(value)) if finite else None
        ids = {f"{name}_id": f"{name[0]}{written_hash(text)[:12]}" for name, text in texts.items()}
        return cls(**{"id": candidate_id(**texts)} | texts | ids | numbers | names)


@dataclass(frozen=True)
class LabelledCandidate(Candidate):
    """A candidate with what its annotators said.

    Attributes:
        label: the adjudicator's where there is a decision, else the majority's, `unsure` when tied.
        votes: label → number of annotators, for the labels that were given.
        annotators: how many annotators have a standing label on it.
        consensus: how `label` came about: `adjudicated` or `majority`.
    """

    label: str = "unsure"
    votes: dict[str, int] = field(default_factory=dict, hash=False)
    annotators: int = 0
    consensus: str = "majority"


CANDIDATE_FIELDS = tuple(f.name for f in fields(Candidate))


def check_length(name: str, *texts: str) -> None:
    """Raise UserError for a text of a candidate that is too long; cheap, so it comes before any hash."""
    for text in texts:
        if len(text) > MAX_TEXT:
            raise UserError(f"The {name} has {len(text):,} characters; at most {MAX_TEXT:,} are allowed.")


def checked_split(split: str) -> str:
    """Return the split that a text names, `train` or `validation`; other words around the name are kept.

    Raises:
        UserError: it names a test split, or nothing that is known not to be one: what models are evaluated on must not
            be labelled and trained on, however its name is written.
    """
    plain = unicodedata.normalize("NFKC", split).strip().lower()
    words = re.findall(r"[a-z]+", plain)
    if plain in _SPLITS:
        return _SPLITS[plain]
    if plain.isascii() and set(words) & _SPLITS.keys() and not any(map(_HELD_OUT.match, words)):
        return plain
    raise UserError(
        f"The split is {quoted(split)}, a test split or an unknown one, which models may be evaluated on; "
        "leave it out, or name train or validation if it is of that."
    )


def candidate_id(query: str, positive: str, passage: str) -> str:
    """Return the id of a triple: the same texts (up to case and spaces) have the same id, whatever the version."""
    hashes = "\n".join(written_hash(text) for text in (query, positive, passage))
    return hashlib.sha256(hashes.encode()).hexdigest()[:16]


def alike_ids(candidate: Candidate) -> frozenset[str]:
    """Return the ids of the triple in each of its `writings`: the ids under which a pool may have it already."""
    texts = (candidate.query, candidate.positive, candidate.passage)
    return frozenset(candidate_id(*written) for written in set(zip(*map(writings, texts), strict=True)))


def checked(candidate: Candidate) -> Candidate:
    """Return the candidate in NFC and plain numbers; raises UserError as `create`, or for an id of other texts."""
    clean = Candidate.create(**{name: value for name, value in as_record(candidate).items() if name != "id"})
    if clean.id != candidate.id:
        raise UserError(
            f"The candidate id {quoted(candidate.id)} is not the one of its texts ({clean.id}); "
            "make candidates with Candidate.create."
        )
    return clean


def as_record(candidate: Candidate) -> dict[str, Any]:
    """Return the candidate's own fields as a dict, without what a subclass adds."""
    return {name: getattr(candidate, name) for name in CANDIDATE_FIELDS}


def from_record(record: Mapping[str, Any]) -> Candidate:
    """Return the candidate of a record that `as_record` or the database gave; other fields are passed over."""
    return Candidate(**{name: record[name] for name in CANDIDATE_FIELDS})


def majority(votes: Mapping[str, int]) -> str:
    """Return the label with most votes; `unsure` when the most is shared or there is none."""
    most = max(votes.values(), default=0)
    winners = [label for label, count in votes.items() if count == most]
    return winners[0] if len(winners) == 1 else "unsure"
