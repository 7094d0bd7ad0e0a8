"""Labels → training rows: what is a positive, what a negative, and what is left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from annotations.candidates import LabelledCandidate
from training.losses import KnownPositives
from training.retraining.held_out import HeldOut
from training.retraining.relevance import Relevance, judged_pairs
from vcs_demo.benchmark.tasks import RetrievalTask, Task
from vcs_demo.errors import UserError
from vcs_demo.text import content_hash, nfc, syllables

if TYPE_CHECKING:
    import datasets

Row = tuple[str, str, str | None]  # query, positive, negative
_LEFT_OUT = "left out: of the evaluation's queries or passages"


@dataclass(frozen=True)
class TrainingSet:
    """Rows for the trainer, and what is known about them.

    Attributes:
        rows: (query, positive, negative); the negative is None where a row has none.
        relevant: (query hash, text hash) of everything that is or may be relevant, trained on or not.
        counts: what was read and what was left out, and why.
        labels: those of the rows' queries, trained on or left out as trivial or unsure.
        sources: (source, task) pairs that the labels came from.
        fingerprint: of rows and `relevant`, 16 hex digits.
    """

    rows: list[Row]
    relevant: frozenset[tuple[str, str]]
    counts: dict[str, int]
    sources: frozenset[tuple[str, str]] = frozenset()
    labels: tuple[LabelledCandidate, ...] = ()
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha256()
        for row in self.rows:
            digest.update("\x1f".join(part or "" for part in row).encode() + b"\x1e")
        for pair in sorted(self.relevant):
            digest.update("".join(pair).encode())
        object.__setattr__(self, "fingerprint", digest.hexdigest()[:16])

    @property
    def query_hashes(self) -> list[str]:
        """The content hashes of all training queries, sorted: what travels with the model."""
        return sorted({content_hash(query) for query, _, _ in self.rows})

    def known(self) -> KnownPositives:
        """Name the rows' texts by their content hashes, for the loss to mask what is relevant."""
        columns = (
            [t if t is None else content_hash(t) for t in texts] for texts in zip(*self.rows, strict=True)
        )
        return KnownPositives(*columns, self.relevant)

    def as_dataset(self, with_negatives: bool) -> "datasets.Dataset":
        """Return columns anchor, positive, (negative,) label; the label is the row's number.

        A row without a negative carries its positive in that column; the loss masks it.
        """
        from datasets import Dataset

        columns = {"anchor": [q for q, _, _ in self.rows], "positive": [p for _, p, _ in self.rows]}
        if with_negatives:
            columns["negative"] = [p if n is None else n for _, p, n in self.rows]
        return Dataset.from_dict(columns | {"label": list(range(len(self.rows)))})


def training_set(
    labelled: Iterable[LabelledCandidate],
    *,
    negatives: str = "both",
    pairs: RetrievalTask | None = None,
    held_out: Sequence[Task] = (),
    gold: Sequence[Task] = (),
) -> TrainingSet:
    """Turn labels into training rows.

    1. `hard` → an explicit negative of its query; `false_negative` → another positive of its query. `trivial` and
       `unsure` are left out, and so is a query that has nothing else.
    2. What is relevant or may be (see `Relevance`) is a negative of its query in no row and no batch.
    3. With `pairs`, the (query, window) pairs of a train split are added: of each context's windows the one that
       shares most syllables with the query; all its windows count as relevant.
    4. No query and no passage of `held_out` is trained on: neither the same syllables, nor a text of which half or
       more is in the held-out passages (a whole context beside its windows).

    Args:
        labelled: candidates with their labels.
        negatives: of the loss; `hard` leaves out rows without an explicit negative, `in-batch` the negatives.
        pairs: a train split for more pairs.
        held_out: the tasks that the model is evaluated on.
        gold: tasks whose judgements are known, such as the train split that the labels were mined from.

    Raises:
        UserError: no row is left to train on, or `pairs` are an evaluation's.
    """
    counts: Counter[str] = Counter()
    held, relevance = HeldOut(held_out), Relevance()
    used = _usable(labelled, held, relevance, counts)
    of_rows = [item for item in used if item.label in ("hard", "false_negative")]
    rows = _rows(of_rows, relevance, negatives, counts)
    if pairs is not None:
        _add_pairs(rows, pairs, held, relevance, negatives, counts)
    queries = {content_hash(query) for query, _, _ in rows}
    relevance.judge(judged_pairs(gold, queries))
    if negatives == "hard":
        counts["rows left out: no explicit negative"] = sum(n is None for _, _, n in rows)
        rows = [row for row in rows if row[2] is not None]
    counts["rows"] = len(rows)
    if not rows:
        said = ", ".join(
            f"{n} {name.removeprefix('labels: ')}" for name, n in counts.items() if "labels: " in name
        )
        raise UserError(
            f"Nothing can be trained on (labels: {said or 'none'}); label some candidates as hard or as false "
            "negative, or add pairs of a train split (--pairs)."
        )
    trained = {content_hash(query) for query, _, _ in rows}
    return TrainingSet(
        rows,
        frozenset(relevance.pairs(queries)),
        {name: number for name, number in counts.items() if number},
        frozenset((item.source, item.task) for item in of_rows),
        tuple(item for item in used if content_hash(item.query) in trained),
    )


def _usable(
    labelled: Iterable[LabelledCandidate], held: HeldOut, relevance: Relevance, counts: Counter[str]
) -> list[LabelledCandidate]:
    """Return the labels that touch no held-out text, and take all labels into `relevance` and the counts."""
    used = []
    for item in labelled:
        counts[f"labels: {item.label}"] += 1
        makes_rows = item.label in ("hard", "false_negative")
        left_out = makes_rows and held.has(item.query, item.positive, item.passage)
        relevance.add(item, trained_on=not left_out)
        if left_out:
            counts[f"labels {_LEFT_OUT}"] += 1
        else:
            used.append(item)
    return used


def _rows(
    labelled: list[LabelledCandidate], relevance: Relevance, negatives: str, counts: Counter[str]
) -> list[Row]:
    """Return a row for each positive and each negative at least; the shorter list of a query goes round."""
    texts: dict[str, str] = {}
    for item in labelled:
        for text in (item.query, item.positive, item.passage):
            texts.setdefault(content_hash(text), nfc(text).strip())
    rows: list[Row] = []
    for query, found in relevance.positives.items():
        positives, hard = list(found), relevance.negatives(query)
        counts["negatives overruled by a false-negative label"] += len(relevance.hard.get(query, ())) - len(
            hard
        )
        if negatives == "in-batch":
            hard = []
        for place in range(max(len(positives), len(hard))):
            positive = positives[place % len(positives)]
            rows.append((texts[query], texts[positive], texts[hard[place % len(hard)]] if hard else None))
    return rows


def _add_pairs(
    rows: list[Row],
    task: RetrievalTask,
    held: HeldOut,
    relevance: Relevance,
    negatives: str,
    counts: Counter[str],
) -> None:
    """Add the (query, window) pairs of a train split that are not among the rows."""
    if not isinstance(task, RetrievalTask) or task.split not in ("train", "validation"):
        raise UserError(
            f"The {task.split} split of {task.name} is for evaluation; take pairs from a train split."
        )
    row_pairs = {(content_hash(query), content_hash(positive)) for query, positive, _ in rows}
    words = {passage_id: set(syllables(passage)) for passage_id, passage in task.passages.items()}
    added = 0
    for query_id, query in task.queries.items():
        windows = sorted(task.qrels[query_id])
        if held.has(query, *(task.passages[window] for window in windows)):
            counts[f"pairs {_LEFT_OUT}"] += 1
            continue
        counts["pairs"] += 1
        asked = set(syllables(query))
        best = task.passages[max(windows, key=lambda window: len(asked & words[window]))]
        if (content_hash(query), content_hash(best)) not in row_pairs:
            rows.append((query, best, None))
            added += 1
        relevance.judge({(content_hash(query), content_hash(task.passages[window])) for window in windows})
    counts["rows of pairs"] = 0 if negatives == "hard" else added
