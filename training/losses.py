"""InfoNCE and the paper's modified loss, as a loss of the sentence-transformers trainer.

With cosine similarity s, temperature τ and p⁺ = exp(s⁺/τ) / Σ exp(s/τ):

- InfoNCE is −log p⁺;
- the paper's is (1 − p⁺) · (−log p⁺), the factor not detached (arXiv 2503.07470). Its gradient is InfoNCE's
  times w(p) = 1 − p − p ln p.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vcs_demo.errors import UserError, quoted

Weight = Literal["modified", "infonce"]
Directions = Literal["paper", "authors"]
Negatives = Literal["in-batch", "hard", "both"]


class LossError(UserError, ValueError):
    """Settings of the loss that do not exist or do not go together."""


@dataclass(frozen=True)
class KnownPositives:
    """What is known to be relevant, by row of the training data, so that it never counts as a negative.

    Attributes:
        query: number of each row's query (equal texts have equal numbers).
        positive: number of each row's positive text.
        negative: number of each row's explicit negative, −1 where the row has none (its text is then ignored).
        pairs: every (query, text) known to be relevant.
    """

    query: Sequence[int]
    positive: Sequence[int]
    negative: Sequence[int] = ()
    pairs: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def masks(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return what must not be in a denominator, for the rows of one batch, as boolean tensors.

        `qd` (bs, 2·bs, or bs without negatives): row i's query against all positives, then all negatives;
        `dq`, `qq`, `dd` (bs, bs): row i against row j. The diagonals, which hold the positives, are False.
        """
        queries, positives = [self.query[r] for r in rows], [self.positive[r] for r in rows]
        negatives = [self.negative[r] for r in rows] if self.negative else []
        known = torch.tensor(
            [[d < 0 or (q, d) in self.pairs for d in positives + negatives] for q in queries],
            dtype=torch.bool,
        )
        size = len(rows)
        own = torch.eye(size, dtype=torch.bool)
        relevant = known[:, :size]
        same_query = torch.tensor([[a == b for b in queries] for a in queries], dtype=torch.bool)
        masks = {"qd": known.clone(), "dq": relevant.T.clone(), "qq": same_query, "dd": relevant | relevant.T}
        for mask in masks.values():
            mask[:, :size] &= ~own
        return masks


class ContextSearchLoss(nn.Module):
    """The losses of the paper and of its authors' code, for the sentence-transformers trainer.

    1. Every text is embedded and normalised; scores are cosines over the temperature.
    2. A row's positive competes with its negatives in a softmax: `in-batch`, the batch's other positives;
       `hard`, the row's own negatives alone (the paper's triple form); `both`, own negatives and everything else
       in the batch. With `authors` directions the in-batch loss is the mean of four terms, query→document,
       document→query, query→query and document→document, each with its own softmax and weight (in the last two
       a text's positive is itself, so they spread the batch apart); with `both`, the other documents are in the
       first term only.
    3. −log p⁺ is taken as it is (`infonce`) or times 1 − p⁺ (`modified`). All of it in log space and at least
       float32, so a small temperature does not overflow in half precision.

    Args:
        model: the SentenceTransformer that is trained.
        weight: `modified` or `infonce`.
        temperature: τ > 0; the paper recommends 0.1.
        directions: `paper` (one) or `authors` (four).
        negatives: `in-batch`, `hard` or `both`.
        known: what is relevant; rows are told by a `label` column that holds the row's number.

    Inputs:
        | texts | label |
        |---|---|
        | (anchor, positive) | the row's number, if `known` is given |
        | (anchor, positive, negative) | the same |
        | (anchor, positive, negative, …) | none: `known` tells of one negative a row |

    Relations: with `infonce` and `in-batch` it equals MultipleNegativesRankingLoss(scale=1/τ).

    Example::

        loss = ContextSearchLoss(model, weight="modified", temperature=0.1, negatives="both")
        SentenceTransformerTrainer(model=model, args=args, train_dataset=dataset, loss=loss).train()

    Raises:
        LossError: an unknown choice, τ ≤ 0, or `authors` directions with `hard` negatives.
    """

    def __init__(
        self,
        model: nn.Module | None,
        *,
        weight: Weight = "modified",
        temperature: float = 0.1,
        directions: Directions = "paper",
        negatives: Negatives = "in-batch",
        known: KnownPositives | None = None,
    ) -> None:
        super().__init__()
        for name, value, kind in (
            ("loss", weight, Weight),
            ("directions", directions, Directions),
            ("negatives", negatives, Negatives),
        ):
            if value not in get_args(kind):
                raise LossError(f"{quoted(value)} is not one of the {name}: {', '.join(get_args(kind))}.")
        if not temperature > 0:
            raise LossError(
                f"The temperature is {temperature}; it must be above 0 (the paper recommends 0.1)."
            )
        if directions == "authors" and negatives == "hard":
            raise LossError(
                "With 'hard' negatives the authors' code has no directions; take 'paper' directions, or 'both'."
            )
        self.model = model
        self.weight, self.temperature = weight, temperature
        self.directions, self.negatives, self.known = directions, negatives, known
        self._positives: list[Tensor] = []

    def positive(self) -> float:
        """Return the last batch's mean p⁺ of queries against documents, in [0, 1]; NaN before the first batch."""
        return float(self._positives[0]) if self._positives else float("nan")

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """Embed the columns of a batch and return the loss, a scalar."""
        columns = list(sentence_features)
        if self.negatives == "in-batch":
            columns = columns[:2]
        vectors = [self._embed(features) for features in columns[:2]]
        vectors += [self._embed_negatives(features, vectors[1], labels) for features in columns[2:]]
        return self.of_embeddings(vectors, labels)

    def _embed(self, features: dict[str, Tensor]) -> Tensor:
        return self.model(features)["sentence_embedding"]

    def _embed_negatives(
        self, features: dict[str, Tensor], positives: Tensor, labels: Tensor | None
    ) -> Tensor:
        """Embed the rows that have a negative; the others, which are masked, cost nothing."""
        if self.known is None or labels is None or not self.known.negative:
            return self._embed(features)
        size = len(positives)
        there = torch.tensor(
            [self.known.negative[row] >= 0 for row in labels.tolist()], device=positives.device
        )
        by_row = all(v.shape[:1] == (size,) for v in features.values() if torch.is_tensor(v))
        if (
            there.all() or "offsets" in features or not by_row
        ):  # offsets: texts in one stream (StaticEmbedding)
            return self._embed(features)
        filled = positives.detach().clone()
        if there.any():
            vectors = self._embed({k: v[there] if torch.is_tensor(v) else v for k, v in features.items()})
            filled = filled.to(vectors.dtype).index_put((there.nonzero().squeeze(1),), vectors)
        return filled

    def of_embeddings(self, vectors: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Return the loss of embeddings, one tensor (bs, dimensions) a column: anchor, positive, negatives."""
        self._positives = []
        with torch.autocast(vectors[0].device.type, enabled=False):
            queries, positives, *negatives = [_normalised(column) for column in vectors]
            if self.negatives != "in-batch" and not negatives:
                raise LossError(
                    f"Negatives '{self.negatives}' need a third column of negatives; there is none."
                )
            rows = None if labels is None or self.known is None else labels.tolist()
            masks = self.known.masks(rows) if self.known and rows is not None else {}
            if masks and self.negatives != "in-batch" and (len(negatives) > 1 or not self.known.negative):
                raise LossError(
                    f"`known` must tell the one negative of each row; there are {len(negatives)} columns of them."
                )
            if self.negatives == "hard":
                return self._triples(queries, positives, negatives, masks.get("qd"))
            return self._in_batch(queries, positives, negatives, masks)

    def _triples(self, q: Tensor, p: Tensor, negatives: list[Tensor], mask: Tensor | None) -> Tensor:
        logits = torch.stack([(q * d).sum(1) for d in (p, *negatives)], dim=1)  # (bs, 1 + n_neg)
        if mask is not None:
            own = mask[:, len(q) :].diagonal().to(q.device)  # (bs,)
            banned = torch.zeros_like(logits, dtype=torch.bool)
            banned[:, 1] = own
            logits = logits.masked_fill(banned, float("-inf"))
        return self._weighted((logits / self.temperature).log_softmax(dim=1)[:, 0])

    def _in_batch(self, q: Tensor, p: Tensor, negatives: list[Tensor], masks: dict[str, Tensor]) -> Tensor:
        documents = torch.cat([p, *negatives]) if self.negatives == "both" else p  # (bs * (1 + n_neg), d)
        terms = [self._softmax(q, documents, masks.get("qd"))]
        if self.directions == "authors":
            terms += [
                self._softmax(p, q, masks.get("dq")),
                self._softmax(q, q, masks.get("qq")),
                self._softmax(p, p, masks.get("dd")),
            ]
        return torch.stack(terms).mean()

    def _softmax(self, left: Tensor, right: Tensor, mask: Tensor | None) -> Tensor:
        logits = left @ right.T / self.temperature  # (bs, n), the positive on the diagonal
        if mask is not None:
            logits = logits.masked_fill(mask[:, : logits.shape[1]].to(logits.device), float("-inf"))
        return self._weighted(logits.log_softmax(dim=1).diagonal())

    def _weighted(self, log_p: Tensor) -> Tensor:
        self._positives.append(log_p.detach().exp().mean())
        return terms(log_p, self.weight).mean()

    def get_config_dict(self) -> dict[str, Any]:
        """Return the settings, for the model card."""
        return {name: getattr(self, name) for name in ("weight", "temperature", "directions", "negatives")}

    @property
    def citation(self) -> str:
        """The paper that proposed the modified loss."""
        return (
            "@inproceedings{vcs2024,\n"
            "    title = {Advancing Vietnamese Information Retrieval with Learning Objective and Benchmark},\n"
            "    booktitle = {Proceedings of PACLIC 38},\n"
            "    year = {2024},\n"
            "    url = {https://arxiv.org/abs/2503.07470},\n"
            "}"
        )


def terms(log_p: Tensor, weight: Weight) -> Tensor:
    """Return the loss of each log p⁺ ≤ 0, of the same shape: (1 − p⁺)(−log p⁺) (`modified`) or −log p⁺."""
    # Without forming 1 − p by subtraction, which loses everything as p → 1.
    return torch.expm1(log_p) * log_p if weight == "modified" else -log_p


def _normalised(vectors: Tensor) -> Tensor:
    wide = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    return normalize(wide, dim=-1)
