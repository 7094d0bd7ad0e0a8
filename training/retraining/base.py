"""The model that a training starts from: which can be one, and a copy of it to train."""

import math
from typing import TYPE_CHECKING

from vcs_demo.errors import UserError, quoted
from vcs_demo.rankers.catalog import known_hub_model, load_ranker
from vcs_demo.rankers.dense import DenseRanker

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_NO_EMBEDDING_MODEL = (
    "{} is not an embedding model; give 'vcs-20m', 'minilm' or a SentenceTransformer directory."
)
_DOCUMENT = ("document", "passage", "corpus")  # the names under which encode_document looks for its prompt


def check_base(name: str) -> None:
    """Refuse a base whose name alone tells that it cannot be trained, before anything is downloaded or read.

    Raises:
        UserError: it is no embedding model, or its texts are segmented words.
    """
    model = known_hub_model(name)
    if name == "bm25" or (model and model.reranker):
        raise UserError(_NO_EMBEDDING_MODEL.format(quoted(name)))
    if model and model.usage.segmented:
        raise UserError(
            f"{quoted(name)} reads segmented words, which cannot be trained here; give another base."
        )


def trainable(name: str) -> DenseRanker:
    """Return a base by its name; raises UserError for one that cannot be trained or does not exist."""
    check_base(name)
    return embedding_model(name)


def embedding_model(name: str) -> DenseRanker:
    """Return an embedding model by its name; raises UserError for any other ranker."""
    ranker = load_ranker(name)
    if not isinstance(ranker, DenseRanker):
        raise UserError(_NO_EMBEDDING_MODEL.format(quoted(name)))
    return ranker


def fresh(base: DenseRanker, *, max_length: int, query_prompt: str | None = None) -> "SentenceTransformer":
    """Load the base anew, since the ranker's own copy must not change, and set its length and prompts.

    Args:
        base: the model to start from.
        max_length: tokens of a text, at most the base's own limit.
        query_prompt: prefix of queries; one like `<|query|> ` becomes a token of its own. None: the base's own.
    """
    model = DenseRanker(base.name, base.path, base.usage).model
    limit = model.max_seq_length or max_length
    if math.isfinite(limit):  # a static model reads a text to its end
        model.max_seq_length = min(max_length, limit)
    if query_prompt is not None:
        model.prompts = {"query": query_prompt, "document": prompts_of(model)[1]}
        token = query_prompt.strip()
        if token.startswith("<|") and token.endswith("|>"):
            _add_token(model, token)
    return model


def prompts_of(model: "SentenceTransformer") -> tuple[str, str]:
    """Return the prompts that encode_query and encode_document put before a text; empty where there is none."""
    prompts = model.prompts or {}
    document = next((prompts[name] for name in _DOCUMENT if name in prompts), None)
    return prompts.get("query") or "", document or ""


def _add_token(model: "SentenceTransformer", token: str) -> None:
    """Give a prompt its own token, its vector the mean of the table: a random one costs quality until trained."""
    import torch

    if not hasattr(model[0], "auto_model"):
        raise UserError(
            f"The base has no vocabulary that could take the token {quoted(token)}; leave --query-prompt out."
        )
    if token in model.tokenizer.get_vocab():
        return
    model.tokenizer.add_tokens([token], special_tokens=True)
    encoder = model[0].auto_model
    with torch.no_grad():
        mean = encoder.get_input_embeddings().weight.mean(dim=0)
        encoder.resize_token_embeddings(len(model.tokenizer), mean_resizing=False)
        encoder.get_input_embeddings().weight[-1] = mean
