"""The two things that the recipe trains: a static table of token vectors, and a small pre-trained transformer.

Both map token ids to vectors: `tower(tokens)` takes a list of n arrays and returns float32 of shape (n, 384).
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from training.recipe.batches import Tokens
from training.recipe.e5 import BOS, EOS, PAD, SIZE, UNKNOWN, Pretrained

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import BertModel

MAX_TOKENS = 224


class StaticTable(nn.Module):
    """A text is the mean of its tokens' vectors: no layers, no positions.

    Args:
        vocabulary: number of tokens.
        seed: of the random start.
    """

    facts: dict[str, int] = {}  # what an encoder is made again from; a table needs none

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(vocabulary, SIZE, generator=generator) * 0.1)

    def forward(self, tokens: Tokens) -> Tensor:
        """Average token vectors."""
        ends = np.cumsum([len(ids) for ids in tokens])
        flat = torch.from_numpy(np.concatenate(tokens)).long()
        return embedding_bag(flat, self.table, torch.from_numpy(np.append(0, ends[:-1])), mode="mean")

    def before_step(self) -> None:
        """Nothing to gather: the gradients are where the optimizer looks."""

    def after_step(self) -> None:
        """Nothing to copy."""

    def sentence_transformer(self, tokenizer: Tokenizer) -> "SentenceTransformer":
        """Return the table as a SentenceTransformer."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        static = StaticEmbedding(tokenizer, embedding_weights=self.table.detach().numpy())
        return SentenceTransformer(modules=[static, Normalize()], device="cpu")


class ContextEncoder(nn.Module):
    """A BERT encoder, mean-pooled.

    The optimizer works on float32 weights; forward and backward run on a bfloat16 copy, which on a CPU with AVX-512
    BF16 is about four times as fast.

    Args:
        vocabulary: number of tokens.
        layers: number of transformer layers.
        heads: attention heads of a layer.
        places: positions there are vectors for, those of `<s>` and `</s>` included.
        inner: width of a layer's feed-forward part.
    """

    MICROBATCH = 2048  # padded tokens of one forward pass

    def __init__(
        self, vocabulary: int, layers: int, heads: int = 12, places: int = MAX_TOKENS, inner: int = 4 * SIZE
    ) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        self.facts = {"vocabulary": vocabulary, "layers": layers, "heads": heads} | {
            "places": places,
            "inner": inner,
        }
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=SIZE,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=inner,
            max_position_embeddings=places,
            type_vocab_size=1,
            pad_token_id=PAD,
            bos_token_id=BOS,
            eos_token_id=EOS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        # Eager attention: on a CPU its backward pass is several times as fast as the fused one's.
        self.bert = BertModel._from_config(config, add_pooling_layer=False, attn_implementation="eager")
        self._fast = [copy.deepcopy(self.bert).bfloat16()]  # in a list, so that it is no submodule
        self.after_step()

    @classmethod
    def of(cls, base: Pretrained, layers: Sequence[int] | None = None) -> "ContextEncoder":
        """Take some of a pre-trained encoder's layers, in their order; None: all."""
        chosen = range(base.layers) if layers is None else layers
        weights = {name: value for name, value in base.weights.items() if name.startswith("embeddings.")}
        for new, old in enumerate(chosen):
            start = f"encoder.layer.{old}."
            old_names = [name for name in base.weights if name.startswith(start)]
            weights |= {f"encoder.layer.{new}.{n.removeprefix(start)}": base.weights[n] for n in old_names}
        for name, rows in (("position", MAX_TOKENS), ("token_type", 1)):
            name = f"embeddings.{name}_embeddings.weight"
            weights[name] = weights[name][:rows].clone()
        words, places = (
            len(weights[f"embeddings.{name}_embeddings.weight"]) for name in ("word", "position")
        )
        inner = len(weights["encoder.layer.0.intermediate.dense.bias"])
        tower = cls(words, len(chosen), places=places, inner=inner)
        tower.bert.load_state_dict(weights)
        tower.after_step()
        return tower

    @property
    def fast(self) -> "BertModel":
        """Return the bfloat16 copy."""
        return self._fast[0]

    def forward(self, tokens: Tokens) -> Tensor:
        """Encode in microbatches of texts of similar length, so that little is padding."""
        rows, parts = [], []
        for part in self.microbatches(tokens):
            rows += part
            parts.append(mean(*self.states([tokens[i] for i in part])))
        return torch.cat(parts)[torch.tensor(rows).argsort()]

    def microbatches(self, tokens: Tokens) -> list[list[int]]:
        """Part texts by length, each part with at most `MICROBATCH` padded tokens, or one text."""
        parts: list[list[int]] = []
        for i in sorted(range(len(tokens)), key=lambda i: len(tokens[i])):
            if parts and (len(parts[-1]) + 1) * (len(tokens[i]) + 2) <= self.MICROBATCH:
                parts[-1].append(i)
            else:
                parts.append([i])
        return parts

    def states(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Return the last layer's states, float32 of shape (n, width, 384), and which of them are tokens, (n, width).

        Every text stands between `<s>` and `</s>`, which count, and is cut where there are no more positions.
        """
        longest = self.facts["places"] - 2
        width = 2 + max(min(len(ids), longest) for ids in tokens)
        ids = torch.full((len(tokens), width), PAD)
        mask = torch.zeros(len(tokens), width)
        for row, text in enumerate(tokens):
            text = text[:longest]
            ids[row, 0], ids[row, 1 + len(text)] = BOS, EOS
            ids[row, 1 : 1 + len(text)] = torch.from_numpy(text)
            mask[row, : 2 + len(text)] = 1
        return self.fast(ids, attention_mask=mask.long()).last_hidden_state.float(), mask

    def before_step(self) -> None:
        """Take the gradients from the bfloat16 copy."""
        for whole, fast in zip(self.bert.parameters(), self.fast.parameters(), strict=True):
            whole.grad = None if fast.grad is None else fast.grad.float()
            fast.grad = None

    def after_step(self) -> None:
        """Copy the weights into the bfloat16 copy."""
        with torch.no_grad():
            for whole, fast in zip(self.bert.parameters(), self.fast.parameters(), strict=True):
                fast.copy_(whole)

    def sentence_transformer(self, tokenizer: Tokenizer) -> "SentenceTransformer":
        """Return the encoder as a SentenceTransformer of standard modules, at most 224 tokens."""
        import tempfile

        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling
        from transformers import BertModel, PreTrainedTokenizerFast

        ids = {"bos_token": BOS, "pad_token": PAD, "eos_token": EOS, "unk_token": UNKNOWN}
        names = {name: tokenizer.id_to_token(i) for name, i in ids.items()}
        names["model_input_names"] = ["input_ids", "attention_mask"]
        longest = self.facts["places"]
        whole = BertModel(self.bert.config)  # with the pooler that loaders expect, which nothing reads
        for weights in whole.pooler.parameters():
            nn.init.zeros_(weights)
        whole.load_state_dict(whole.state_dict() | self.bert.state_dict())
        with tempfile.TemporaryDirectory() as folder:
            whole.save_pretrained(folder)
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **names)
            fast.save_pretrained(folder)
            transformer = Transformer(folder, max_seq_length=longest)
        modules = [transformer, Pooling(SIZE, pooling_mode="mean"), Normalize()]
        return SentenceTransformer(modules=modules, device="cpu")


Tower = StaticTable | ContextEncoder


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """Average the states of each text's tokens; shapes (n, width, d) and (n, width) → (n, d)."""
    return (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
