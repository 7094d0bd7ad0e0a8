"""The two things that the recipe trains: a static table of token vectors, and a small transformer that starts as one.

Both map token ids to vectors: `tower(tokens)` takes a list of n arrays and returns float32 of shape (n, 384).
"""

import copy
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from training.batches import Tokens

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

DIMENSIONS = 384
MAX_TOKENS = 224
PLACES = 16  # directions that positions have of their own at the encoder's start


class StaticTable(nn.Module):
    """A text is the mean of its tokens' vectors: no layers, no positions.

    Args:
        vocabulary: number of tokens.
        seed: of the random start.
        lengths: of the tokens' vectors at the start, relative to one another, shape (vocabulary,); None: all alike.
    """

    def __init__(self, vocabulary: int, seed: int = 0, lengths: np.ndarray | None = None) -> None:
        super().__init__()
        start = torch.randn(vocabulary, DIMENSIONS, generator=torch.Generator().manual_seed(seed)) * 0.1
        if lengths is not None:
            start *= torch.from_numpy(lengths).float()[:, None]
        self.table = nn.Parameter(start)

    def forward(self, tokens: Tokens) -> Tensor:
        """Average token vectors."""
        ends = np.cumsum([len(ids) for ids in tokens])
        flat = torch.from_numpy(np.concatenate(tokens)).long()
        return embedding_bag(flat, self.table, torch.from_numpy(np.append(0, ends[:-1])), mode="mean")

    def before_step(self) -> None:
        """Nothing to gather: the gradients are where the optimizer looks."""

    def after_step(self) -> None:
        """Nothing to copy."""

    def sentence_transformer(self, tokenizer: "Tokenizer") -> "SentenceTransformer":
        """Return the table as a SentenceTransformer."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        static = StaticEmbedding(tokenizer, embedding_weights=self.table.detach().numpy())
        return SentenceTransformer(modules=[static, Normalize()], device="cpu")


class ContextEncoder(nn.Module):
    """A BERT encoder, mean-pooled and projected, that starts as a static table and learns what context adds.

    BERT normalises every token's vector, so it cannot hold a table whose vectors differ in length, which is where a
    table keeps how much a token matters. Here each vector is completed to one length along a direction of its own, and
    positions have a few directions of theirs; the projection after pooling drops them all, and the layers' output
    matrices start at zero. So before its first step the encoder gives the table's vectors, up to rounding and the
    table's weakest directions.

    The optimizer works on float32 weights; forward and backward run on a bfloat16 copy, which on a CPU with AVX-512
    BF16 is about four times as fast.

    Args:
        table: float32 of shape (vocabulary, 384).
        layers: number of transformer layers.
        heads: attention heads of a layer.
        seed: of the layers' first weights.
    """

    MICROBATCH = 2048  # padded tokens of one forward pass

    def __init__(self, table: Tensor, layers: int, heads: int = 4, seed: int = 0) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        torch.manual_seed(seed)
        vocabulary, size = table.shape
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * size,
            max_position_embeddings=MAX_TOKENS,
            type_vocab_size=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        # Eager attention: on a CPU its backward pass is several times as fast as the fused one's.
        self.bert = BertModel._from_config(config, add_pooling_layer=False, attn_implementation="eager")
        self.project = nn.Linear(size, size, bias=False)
        with torch.no_grad():
            self._start_as(table)
        self._fast = [copy.deepcopy(self.bert).bfloat16()]  # in a list, so that it is no submodule
        self.after_step()

    def _start_as(self, table: Tensor) -> None:
        size = table.shape[1]
        table = table / table.norm(dim=1).quantile(0.999) * 0.9
        table = table * (0.98 / table.norm(dim=1, keepdim=True)).clamp(max=1)
        centred = table - table.mean(dim=0)
        frame = torch.randn(size, size)
        frame[:, 0] = 1  # the mean of a vector's entries, which layer normalisation removes
        frame = torch.linalg.qr(frame)[0]
        spare, places, basis = frame[:, 1], frame[:, 2 : 2 + PLACES], frame[:, 2 + PLACES :]
        main = torch.linalg.eigh(centred.T @ centred)[1].T.flip(0)[: basis.shape[1]]  # by variance
        vectors = table @ main.T @ basis.T  # (vocabulary, 384), without the table's weakest directions
        missing = (1 - vectors.square().sum(dim=1)).clamp(min=1e-4).sqrt()
        embeddings = self.bert.embeddings
        embeddings.word_embeddings.weight.copy_((vectors + missing[:, None] * spare) * math.sqrt(size))
        self.project.weight.copy_(basis @ basis.T)
        angles = torch.arange(MAX_TOKENS)[:, None] / 100 ** (torch.arange(0, PLACES, 2) / PLACES)
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # (224, PLACES), of one length
        embeddings.position_embeddings.weight.copy_(waves @ places.T * 0.3 * math.sqrt(size * 2 / PLACES))
        embeddings.token_type_embeddings.weight.zero_()
        for layer in self.bert.encoder.layer:
            for part in (layer.attention.output, layer.output):
                part.dense.weight.zero_()
                part.dense.bias.zero_()

    def forward(self, tokens: Tokens) -> Tensor:
        """Encode in microbatches of texts of similar length, so that little is padding."""
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        parts, start = [], 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * max(1, len(tokens[order[end]])) <= self.MICROBATCH:
                end += 1
            parts.append(self._pooled([tokens[i] for i in order[start:end]]))
            start = end
        place = torch.empty(len(order), dtype=torch.long)
        place[torch.tensor(order)] = torch.arange(len(order))
        return self.project(torch.cat(parts)[place])

    def _pooled(self, tokens: Tokens) -> Tensor:
        width = max(1, *map(len, tokens))
        ids = torch.zeros(len(tokens), width, dtype=torch.long)
        mask = torch.zeros(len(tokens), width)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = torch.from_numpy(text).long()
            mask[row, : len(text)] = 1
        states = self._fast[0](ids, attention_mask=mask.long()).last_hidden_state  # (n, width, 384)
        return (states.float() * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)

    def before_step(self) -> None:
        """Take the gradients from the bfloat16 copy."""
        for whole, fast in zip(self.bert.parameters(), self._fast[0].parameters(), strict=True):
            whole.grad = None if fast.grad is None else fast.grad.float()
            fast.grad = None

    def after_step(self) -> None:
        """Copy the weights into the bfloat16 copy."""
        with torch.no_grad():
            for whole, fast in zip(self.bert.parameters(), self._fast[0].parameters(), strict=True):
                fast.copy_(whole)

    def sentence_transformer(self, tokenizer: "Tokenizer") -> "SentenceTransformer":
        """Return the encoder as a SentenceTransformer of standard modules, at most 224 tokens."""
        import tempfile

        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Dense, Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling
        from transformers import PreTrainedTokenizerFast

        from training.tokenizer import PAD, QUERY, UNKNOWN

        size = self.bert.config.hidden_size
        dense = Dense(size, size, bias=False, activation_function=nn.Identity())
        dense.linear.weight.data.copy_(self.project.weight.detach())
        with tempfile.TemporaryDirectory() as folder:
            self.bert.save_pretrained(folder)
            PreTrainedTokenizerFast(
                tokenizer_object=tokenizer,
                pad_token=PAD,
                unk_token=UNKNOWN,
                additional_special_tokens=[QUERY],
                model_max_length=MAX_TOKENS,
                model_input_names=["input_ids", "attention_mask"],
            ).save_pretrained(folder)
            transformer = Transformer(str(Path(folder)), max_seq_length=MAX_TOKENS)
        modules = [transformer, Pooling(size, pooling_mode="mean"), dense, Normalize()]
        return SentenceTransformer(modules=modules, device="cpu")
