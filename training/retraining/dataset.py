"""Labels → training rows: what is a positive, what a negative, and what must never be trained on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from annotations.store.label_store import LabelledCandidate
from training.losses import KnownPositives
from training.retraining.origin import judged_pairs
from vcs_demo.benchmark.tasks import RetrievalTask, Task
from vcs_demo.errors import UserError
from vcs_demo.text import content_hash, nfc, syllables

if TYPE_CHECKING:
    import datasets


class DatasetError(UserError, ValueError):
    """Labels of which nothing can be trained on."""


@dataclass(frozen=True)
class TrainingSet:
    """Rows for the trainer, and what is known about them.

    Attributes:
        rows: (query, positive, negative); the negative is None where a row has none.
        relevant: (query hash, text hash) of everything that is or may be relevant, trained on or not.
        counts: what was read and what was left out, and why.
        labels: those of the rows' queries, trained on or left out as trivial or unsure.
        sources: (source, task) pairs that the labels came from.
    """

    rows: list[tuple[str, str, str | None]]
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
        """Number the rows' texts, for the loss to see what must not be a negative."""
        numbers: dict[str, int] = {}

        def number(text: str) -> int:
            return numbers.setdefault(content_hash(text), len(numbers))

        query = [number(q) for q, _, _ in self.rows]
        positive = [number(p) for _, p, _ in self.rows]
        negative = [-1 if n is None else number(n) for _, _, n in self.rows]
        pairs = {(numbers[q], numbers[d]) for q, d in self.relevant if q in numbers and d in numbers}
        return KnownPositives(query, positive, negative, frozenset(pairs))

    def as_dataset(self, with_negatives: bool) -> "datasets.Dataset":
        """Return columns anchor, positive, (negative,) label; the label is the row's number.

        A row without a negative carries its positive in that column; the loss masks it.
        """
        from datasets import Dataset

        columns = {"anchor": [q for q, _, _ in self.rows], "positive": [p for _, p, _ in self.rows]}
        if with_negatives:
            columns["negative"] = [p if n is None else n for _, p, n in self.rows]
        return Dataset.from_dict(columns | {"label": list(range(len(self.rows)))})


class HeldOut:
    """What must not be trained on, recognised whatever its spacing and punctuation, and in part."""

    SHINGLE = 8  # syllables

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._whole: set[str] = set()
        self._parts: set[tuple[str, ...]] = set()
        for task in tasks:
            self._whole |= {self._normal(text) for text in (*task.queries.values(), *task.passages.values())}
            for text in task.passages.values():
                self._parts |= self._shingles(text)

    def has(self, text: str) -> bool:
        """Tell whether a text is held out: the same syllables, or half of its shingles are held-out passages'."""
        if self._normal(text) in self._whole:
            return True
        shingles = self._shingles(text)
        return bool(shingles) and 2 * len(shingles & self._parts) >= len(shingles)

    @staticmethod
    def _normal(text: str) -> str:
        return " ".join(syllables(text))

    def _shingles(self, text: str) -> set[tuple[str, ...]]:
        words = syllables(text)
        return {tuple(words[i : i + self.SHINGLE]) for i in range(len(words) - self.SHINGLE + 1)}


def training_set(
    labelled: Iterable[LabelledCandidate],
    *,
    negatives: str = "both",
    pairs: RetrievalTask | None = None,
    held_out: Sequence[Task] = (),
    gold: Sequence[Task] = (),
) -> TrainingSet:
    """Turn labels into training rows.

    1. `hard` → an explicit negative of its query. `false_negative` → an additional positive of its query, and
       a negative of it nowhere. `trivial` and `unsure` are left out, and so is a query that has nothing else.
       What is `unsure` may be an answer, and every annotated positive is one: negatives of it nowhere either.
    2. A passage that was called hard beside one positive and false negative beside another is a positive.
    3. With `pairs`, the (query, window) pairs of a train split are added: of each context's windows the one that
       shares most syllables with the query; all its windows count as known to be relevant.
    4. No query and no passage of `held_out` is ever trained on: neither the same syllables, nor a text of which
       half or more stands in the held-out passages (a whole context beside its windows).
    5. What `gold` judges relevant to a training query is a negative of it nowhere, trained on or not.

    Args:
        labelled: what people said.
        negatives: of the loss; `hard` leaves out rows without an explicit negative, `in-batch` the negatives.
        pairs: a train split for more pairs.
        held_out: the tasks that the model is evaluated on.
        gold: tasks whose judgements are known, such as the train split that the labels were mined from.

    Raises:
        DatasetError: nothing is left to train on.
    """
    counts: Counter[str] = Counter()
    sources = set()
    held = HeldOut(held_out)
    text: dict[str, str] = {}
    positives: dict[str, dict[str, None]] = {}  # query hash → text hashes, in order
    hard: dict[str, dict[str, None]] = {}
    spared: set[tuple[str, str]] = set()  # (query hash, text hash)

    taken: list[LabelledCandidate] = []

    def key(value: str) -> str:
        digest = content_hash(value)
        text.setdefault(digest, nfc(value).strip())
        return digest

    for item in labelled:
        counts[f"labels: {item.label}"] += 1
        spared.add((content_hash(item.query), content_hash(item.positive)))
        if item.label == "unsure":
            spared.add((content_hash(item.query), content_hash(item.passage)))
        if item.label not in ("hard", "false_negative"):
            taken.append(item)
            continue
        query, positive, passage = key(item.query), key(item.positive), key(item.passage)
        if held.has(item.query) or held.has(item.positive) or held.has(item.passage):
            counts["labels left out: of the evaluation's queries or passages"] += 1
            continue
        taken.append(item)
        sources.add((item.source, item.task))
        positives.setdefault(query, {})[positive] = None
        if item.label == "false_negative":
            positives[query][passage] = None
        else:
            hard.setdefault(query, {})[passage] = None
    relevant = {(query, document) for query, found in positives.items() for document in found}
    rows: list[tuple[str, str, str | None]] = []
    for query, found in positives.items():
        own = [document for document in hard.get(query, ()) if (query, document) not in relevant]
        counts["negatives overruled by a false-negative label"] += len(hard.get(query, ())) - len(own)
        documents: list[str] = list(found)
        if negatives == "in-batch":
            own = []
        for place in range(max(len(documents), len(own))):
            # Each positive and each negative at least once; the shorter list goes round.
            document = documents[place % len(documents)]
            rows.append((text[query], text[document], text[own[place % len(own)]] if own else None))
    if pairs is not None:
        added, known = _pairs(pairs, held, counts)
        have = {(content_hash(q), content_hash(p)) for q, p, _ in rows}
        more = [(q, p, None) for q, p in added if (content_hash(q), content_hash(p)) not in have]
        counts["rows of pairs"] = 0 if negatives == "hard" else len(more)
        rows += more
        relevant |= known
    asked = {content_hash(query) for query, _, _ in rows}
    called_hard = {(query, document) for query, found in hard.items() for document in found}
    relevant |= {pair for pair in spared - called_hard if pair[0] in asked}
    relevant |= judged_pairs(gold, asked)
    if negatives == "hard":
        counts["rows left out: no explicit negative"] = sum(n is None for _, _, n in rows)
        rows = [row for row in rows if row[2] is not None]
    counts["rows"] = len(rows)
    if not rows:
        said = ", ".join(
            f"{n} {name.removeprefix('labels: ')}" for name, n in counts.items() if "labels: " in name
        )
        raise DatasetError(
            f"Nothing can be trained on (labels: {said or 'none'}); label some candidates as hard or as false "
            "negative, or add pairs of a train split (--pairs)."
        )
    trained = {content_hash(query) for query, _, _ in rows}
    return TrainingSet(
        rows,
        frozenset(relevant),
        {name: number for name, number in counts.items() if number},
        frozenset(sources),
        tuple(item for item in taken if content_hash(item.query) in trained),
    )


def _pairs(
    task: RetrievalTask, held: "HeldOut", counts: Counter[str]
) -> tuple[list[tuple[str, str]], set[tuple[str, str]]]:
    if not isinstance(task, RetrievalTask) or task.split == "test":
        raise DatasetError(
            f"The {task.split} split of {task.name} is for evaluation; take pairs from a train split."
        )
    words = {passage_id: set(syllables(passage)) for passage_id, passage in task.passages.items()}
    added, known = [], set()
    for query_id, query in task.queries.items():
        asked = set(syllables(query))
        windows = sorted(task.qrels[query_id])
        best = max(windows, key=lambda passage_id: len(asked & words[passage_id]))
        if held.has(query) or any(held.has(task.passages[window]) for window in windows):
            counts["pairs left out: of the evaluation's queries or passages"] += 1
            continue
        counts["pairs"] += 1
        added.append((query, task.passages[best]))
        known |= {(content_hash(query), content_hash(task.passages[w])) for w in windows}
    return added, known
