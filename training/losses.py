"""InfoNCE and the paper's modified loss, as a loss of the sentence-transformers trainer.

With cosine similarity s, temperature τ and p⁺ = exp(s⁺/τ) / Σ exp(s/τ):

- InfoNCE is −log p⁺;
- the paper's is (1 − p⁺) · (−log p⁺), the factor not detached (arXiv 2503.07470). Its gradient is InfoNCE's
  times w(p) = 1 − p − p ln p.
"""

from collections.abc import Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.retraining.settings import LossSettings
from vcs_demo.errors import UserError

Weight = Literal["modified", "infonce"]
Directions = Literal["paper", "authors"]
Negatives = Literal["in-batch", "hard", "both"]


@dataclass(frozen=True)
class KnownPositives:
    """What is known to be relevant, by row of the training data, so that it never counts as a negative.

    Queries and texts are named by anything hashable, such as a number or a content hash; equal ones have equal names.

    Attributes:
        query: each row's query.
        positive: each row's positive text.
        negative: each row's explicit negative, None where the row has none (its text is then ignored).
        pairs: every (query, text) known to be relevant.
    """

    query: Sequence[Hashable]
    positive: Sequence[Hashable]
    negative: Sequence[Hashable | None] = ()
    pairs: AbstractSet[tuple[Hashable, Hashable]] = frozenset()

    def masks(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return what must not be in a denominator, for the rows of one batch, as boolean tensors.

        `qd` (bs, 2·bs, or bs without negatives): row i's query against all positives, then all negatives;
        `dq`, `qq`, `dd` (bs, bs): row i against row j. The diagonals, which hold the positives, are False.
        """
        queries, texts = [self.query[r] for r in rows], [self.positive[r] for r in rows]
        texts += [self.negative[r] for r in rows] if self.negative else []
        known = torch.tensor([[t is None or (q, t) in self.pairs for t in texts] for q in queries])
        same_query = torch.tensor([[a == b for b in queries] for a in queries])
        relevant = known[:, : len(rows)]
        masks = {"qd": known.clone(), "dq": relevant.T.clone(), "qq": same_query, "dd": relevant | relevant.T}
        for mask in masks.values():
            mask.fill_diagonal_(False)
        return masks


class ContextSearchLoss(nn.Module):
    """InfoNCE or the paper's modified loss over in-batch negatives, explicit negatives or both.

    In plain words:

    1. Every text of a batch is embedded and normalised; a score is a cosine over the temperature.
    2. A query's positive competes with its negatives in a softmax, which gives its probability p⁺.
    3. The loss of a query is −log p⁺ (`infonce`) or (1 − p⁺)(−log p⁺) (`modified`), which gives less weight to queries
       that are answered well already. It is computed in log space and at least in float32, so that a small temperature
       does not overflow in half precision.

    When to use it: for retrieval with (query, passage) pairs or with labelled hard negatives, above all where a passage
    can be relevant to several queries of a batch, which `known` then keeps from counting as a negative. Where nothing
    is known and `infonce` will do, take the library's `MultipleNegativesRankingLoss`, which also has a cached variant
    for large batches.

    Args:
        model: the SentenceTransformer that is trained.
        weight: `modified` or `infonce`.
        temperature: τ > 0; the paper recommends 0.1. It is 1 / `scale` of the library's losses: 0.05 is scale=20.
        directions: `paper`: queries against documents (the library's `query_to_doc`). `authors`: the mean of four terms
            with a softmax each: `query_to_doc`, `doc_to_query`, `query_to_query` and `doc_to_doc`. In the last two a
            text's positive is itself, so that they spread the batch apart, unlike the library's.
        negatives: `in-batch`: the other rows' positives. `hard`: the row's own negatives alone. `both`: the other rows'
            positives and all negatives of the batch, in the term `query_to_doc`.
        known: what is relevant beside the rows' own positives; it is masked in every denominator. The batch's `label`
            column must then hold each row's number in it.

    Inputs:
        | texts | label |
        |---|---|
        | (anchor, positive) | the row's number in `known`, if that is given |
        | (anchor, positive, negative) | the same |
        | (anchor, positive, negative_1, …, negative_n) | none: `known` describes one negative a row |

    Relations: with `infonce`, `paper` and `in-batch` or `both` it equals
    `MultipleNegativesRankingLoss(model, scale=1 / temperature)`.

    Variants::

        ContextSearchLoss(model, temperature=0.1)  # the paper's, arXiv 2503.07470
        ContextSearchLoss(model, temperature=0.1, directions="authors")  # its authors' code
        ContextSearchLoss(model, temperature=0.1, negatives="hard")  # the paper's triple form

    Example::

        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from training.losses import ContextSearchLoss

        model = SentenceTransformer("vcs_demo/checkpoints/vcs-20m")
        rows = {
            "anchor": ["Đau đầu uống thuốc gì?", "Sốt cao nên làm gì?"],
            "positive": ["Paracetamol giảm đau đầu.", "Khi sốt cao nên uống nhiều nước."],
            "negative": ["Paracetamol có dạng viên sủi.", "Sốt xuất huyết do muỗi truyền."],
        }
        loss = ContextSearchLoss(model, negatives="both")
        SentenceTransformerTrainer(model=model, train_dataset=Dataset.from_dict(rows), loss=loss).train()

    Raises:
        UserError: settings that `LossSettings` refuses; in `forward`, negatives that are missing or not in `known`.
    """

    citation = """@inproceedings{vcs2024,
    title = {Advancing Vietnamese Information Retrieval with Learning Objective and Benchmark},
    booktitle = {Proceedings of PACLIC 38},
    year = {2024},
    url = {https://arxiv.org/abs/2503.07470},
}"""  # for the library's model card

    def __init__(
        self,
        model: nn.Module,
        *,
        weight: Weight = "modified",
        temperature: float = 0.1,
        directions: Directions = "paper",
        negatives: Negatives = "in-batch",
        known: KnownPositives | None = None,
    ) -> None:
        super().__init__()
        LossSettings(loss=weight, negatives=negatives, directions=directions, temperature=temperature)
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
        has_one = torch.tensor([self.known.negative[row] is not None for row in labels.tolist()])
        has_one = has_one.to(positives.device)
        by_row = all(v.shape[:1] == (size,) for v in features.values() if torch.is_tensor(v))
        # offsets: texts in one stream (StaticEmbedding)
        if has_one.all() or "offsets" in features or not by_row:
            return self._embed(features)
        filled = positives.detach().clone()
        if has_one.any():
            vectors = self._embed({k: v[has_one] if torch.is_tensor(v) else v for k, v in features.items()})
            filled = filled.to(vectors.dtype).index_put((has_one.nonzero().squeeze(1),), vectors)
        return filled

    def of_embeddings(self, vectors: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Return the loss of embeddings, one tensor (bs, dimensions) a column: anchor, positive, negatives."""
        self._positives = []
        with torch.autocast(vectors[0].device.type, enabled=False):
            queries, positives, *negatives = [_normalised(column) for column in vectors]
            if self.negatives != "in-batch" and not negatives:
                raise UserError(
                    f"Negatives '{self.negatives}' need a third column of texts, and the batch has two; "
                    "add a column `negative`, or use negatives='in-batch'."
                )
            rows = None if labels is None or self.known is None else labels.tolist()
            masks = self.known.masks(rows) if self.known and rows is not None else {}
            if masks and self.negatives != "in-batch" and (len(negatives) > 1 or not self.known.negative):
                raise UserError(
                    f"`known` must name the one negative of each row, and the batch has {len(negatives)} columns of "
                    "negatives; give it `negative`, or leave it out."
                )
            if self.negatives == "hard":
                return self._triples(queries, positives, negatives, masks.get("qd"))
            return self._in_batch(queries, positives, negatives, masks)

    def _triples(self, q: Tensor, p: Tensor, negatives: list[Tensor], mask: Tensor | None) -> Tensor:
        logits = torch.stack([(q * d).sum(1) for d in (p, *negatives)], dim=1)  # (bs, 1 + n_neg)
        if mask is not None:
            own = mask[:, len(q) :].diagonal().to(q.device)  # (bs,)
            logits[:, 1] = logits[:, 1].masked_fill(own, float("-inf"))
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


def terms(log_p: Tensor, weight: Weight) -> Tensor:
    """Return the loss of each log p⁺ ≤ 0, of the same shape: (1 − p⁺)(−log p⁺) (`modified`) or −log p⁺."""
    # Without forming 1 − p by subtraction, which loses everything as p → 1.
    return torch.expm1(log_p) * log_p if weight == "modified" else -log_p


def _normalised(vectors: Tensor) -> Tensor:
    wide = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    return normalize(wide, dim=-1)
