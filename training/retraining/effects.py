"""What each label does to the loss, before anything is trained: the term of its query with and without it.

Beside a query's positive, the denominator holds the query's other hard negatives and a fixed sample of other queries'
positives, less what is known to be relevant; the formulas are those of `training/losses.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annotations.candidates import LABELS, LabelledCandidate
from training.retraining.relevance import Pairs, Relevance
from training.retraining.settings import EffectSettings, RetrainSettings
from vcs_demo.measuring.metrics import bootstrap_interval
from vcs_demo.text import content_hash

if TYPE_CHECKING:
    from vcs_demo.rankers.dense import DenseRanker

MEASURES = ("positive_similarity", "similarity", "without", "as_negative", "with_label", "difference")


@dataclass(frozen=True)
class Effect:
    """What one label does to the loss term of its query under one model.

    Attributes:
        item: the labelled candidate.
        positive_similarity: s⁺, cosine of query and positive, in [−1, 1].
        similarity: s, cosine of query and candidate, in [−1, 1].
        negatives: texts in the denominator beside the positive and the candidate.
        without: the term with the candidate left out, ≥ 0.
        as_negative: the term with the candidate as a negative, which mining alone makes of it, ≥ 0.
        with_label: the term that training sees, ≥ 0. `hard`: as a negative (left out where it is known to be
            relevant); `false_negative`: the mean over the two positives, neither a negative of the other;
            `trivial`, `unsure`: left out.
    """

    item: LabelledCandidate
    positive_similarity: float
    similarity: float
    negatives: int
    without: float
    as_negative: float
    with_label: float

    @property
    def difference(self) -> float:
        """What the label adds to the term: with it, less without it."""
        return self.with_label - self.without

    @property
    def margin(self) -> float:
        """By how much the positive is nearer to the query: s⁺ − s, in [−2, 2]."""
        return self.positive_similarity - self.similarity


def effects(
    labelled: Sequence[LabelledCandidate],
    ranker: "DenseRanker",
    settings: EffectSettings | RetrainSettings,
    judged: Pairs = frozenset(),
) -> list[Effect]:
    """Return the effect of every label under a model, in the order of the labels; every text is encoded once.

    Args:
        labelled: candidates with their labels.
        ranker: the model, with its own prompts.
        settings: loss and temperature; a query has the positives of `batch_size` − 1 others in its denominator, where
            there are as many, in a sample that depends on `seed` and the labels alone.
        judged: (query hash, text hash) of what else is relevant, such as what the source judges.
    """
    import torch
    from torch.nn.functional import logsigmoid

    from training.losses import terms

    if not labelled:
        return []
    keys = [tuple(map(content_hash, (item.query, item.positive, item.passage))) for item in labelled]
    relevant, negatives = denominators(labelled, settings.batch_size, settings.seed, judged)
    queries = _vectors({key[0]: item.query for key, item in zip(keys, labelled, strict=True)}, ranker, True)
    texts = {key[1]: item.positive for key, item in zip(keys, labelled, strict=True)}
    texts |= {key[2]: item.passage for key, item in zip(keys, labelled, strict=True)}
    documents = _vectors(texts, ranker, False)

    cosines, rests, sizes = np.empty((2, len(labelled))), np.empty(len(labelled)), []
    for row, (query, positive, passage) in enumerate(keys):
        others = [text for text in negatives[query] if text not in (positive, passage)]
        similar = np.stack([documents[text] for text in (positive, passage, *others)]) @ queries[query]
        cosines[:, row] = similar[:2]
        rests[row] = np.logaddexp.reduce(
            similar[2:].astype(np.float64) / settings.temperature, initial=-np.inf
        )
        sizes.append(len(others))
    (positive, candidate), rest = torch.from_numpy(cosines) / settings.temperature, torch.from_numpy(rests)
    # logsigmoid(a − log Σ exp b) is the log-softmax of a among the b.
    without = terms(logsigmoid(positive - rest), settings.loss).tolist()
    as_negative = terms(logsigmoid(positive - torch.logaddexp(rest, candidate)), settings.loss).tolist()
    as_positive = terms(logsigmoid(candidate - rest), settings.loss).tolist()

    result = []
    for row, (item, (query, _, passage)) in enumerate(zip(labelled, keys, strict=True)):
        with_label = without[row]
        if item.label == "false_negative":
            with_label = (without[row] + as_positive[row]) / 2
        elif item.label == "hard" and (query, passage) not in relevant:
            with_label = as_negative[row]
        pair = map(float, cosines[:, row])
        result.append(Effect(item, *pair, sizes[row], without[row], as_negative[row], with_label))
    return result


def denominators(
    labelled: Sequence[LabelledCandidate], batch_size: int, seed: int, judged: Pairs = frozenset()
) -> tuple[set[tuple[str, str]], dict[str, list[str]]]:
    """Return the (query, text) pairs that are relevant, and query → its negatives, all as content hashes.

    Negatives: what was called hard, and the positives of batch_size − 1 other queries drawn by seed and query, all
    less what is relevant (see `Relevance`).
    """
    relevance = Relevance(labelled, judged)
    positives: dict[str, set[str]] = {}
    for item in labelled:
        positives.setdefault(content_hash(item.query), set()).add(content_hash(item.positive))
    relevant, pool, negatives = relevance.pairs(positives), sorted(set().union(*positives.values())), {}
    for query, own in positives.items():
        generator = np.random.default_rng([seed % 2**32, int(query[:8], 16)])
        drawn = generator.choice(len(pool), min(len(pool), batch_size - 1 + len(own)), replace=False)
        sample = [pool[place] for place in drawn if pool[place] not in own][: batch_size - 1]
        candidates = {*relevance.hard.get(query, ()), *sample}
        negatives[query] = sorted(text for text in candidates if (query, text) not in relevant)
    return relevant, negatives


def _vectors(texts: dict[str, str], ranker: "DenseRanker", query: bool) -> dict[str, np.ndarray]:
    return dict(zip(texts, ranker.encode(list(texts.values()), query=query), strict=True))


def query_means(effects: Iterable[Effect], measure: str) -> list[float]:
    """Return the mean of a measure over each query's effects, in the order of the queries' first ones."""
    values: dict[str, list[float]] = {}
    for effect in effects:
        values.setdefault(content_hash(effect.item.query), []).append(getattr(effect, measure))
    return [float(np.mean(of_query)) for of_query in values.values()]


def summary(effects: Sequence[Effect]) -> dict[str, dict[str, Any]]:
    """Return label → `labels` and `queries` (how many), and measure → [mean, low, high].

    Means are over queries, each query's effects averaged first; intervals are 95 % bootstrap ones over queries, None of
    fewer than `FEWEST` queries.
    """
    by_label = {}
    for label in LABELS:
        of_label = [effect for effect in effects if effect.item.label == label]
        if of_label:
            means = {measure: query_means(of_label, measure) for measure in MEASURES}
            row = {"labels": len(of_label), "queries": len(means["difference"])}
            figures = {m: [float(np.mean(v)), *bootstrap_interval(v, bounds=None)] for m, v in means.items()}
            by_label[label] = row | figures
    return by_label
