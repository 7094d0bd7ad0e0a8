"""A Vietnamese tokenizer: lower case, NFC, tone marks kept; a syllable, or a frequent compound, is one token."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from vcs_demo.text import nfc

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNKNOWN, QUERY = "[PAD]", "[UNK]", "<|query|>"
QUERY_PROMPT = f"{QUERY} "
SPECIAL = (PAD, UNKNOWN, "[CLS]", "[SEP]", "[MASK]", QUERY)


def wordpiece(texts: Iterable[str], size: int) -> "Tokenizer":
    """Train WordPiece entries on the texts: most Vietnamese syllables become one token."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=64))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=400, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def compounds(texts: list[str], size: int, share: float = 0.5) -> "Tokenizer":
    """Make a unigram tokenizer whose entries can span syllables: `share` of them compounds such as `▁tiểu▁đường`.

    Compounds are the two- and three-syllable sequences whose parts attract one another most (frequency times pointwise
    mutual information); the segmentation is the most probable one.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    base = wordpiece(texts, size - int(size * share))
    words, grams = Counter(), Counter()
    for text in texts:
        for part in re.split(r"[^\w\s]+", nfc(text).lower()):
            syllables = part.split()
            words.update(syllables)
            grams.update(pairwise(syllables))
    total = words.total()
    good = {}
    for (a, b), n in grams.items():
        attraction = math.log(n * total / (words[a] * words[b]))
        if n >= 20 and attraction > 1.5 and a.isalpha() and b.isalpha():
            good[a, b] = n * attraction
    chosen = sorted(good, key=good.get, reverse=True)[: int(size * share)]
    counts = Counter()
    vocabulary = base.get_vocab()
    for start in range(0, len(texts), 10_000):
        for encoding in base.encode_batch(texts[start : start + 10_000]):
            counts.update(encoding.tokens)
    pieces: dict[str, float] = {}
    for token in sorted(vocabulary, key=vocabulary.get):
        if token in SPECIAL:
            continue
        piece = token[2:] if token.startswith("##") else "▁" + token
        pieces[piece] = max(pieces.get(piece, 0), counts[token] + 0.5)
    for a, b in chosen:
        pieces[f"▁{a}▁{b}"] = grams[a, b]
    for character in {c for p in pieces for c in p}:
        pieces.setdefault(character, 0.5)
    entries = [(token, 0.0) for token in SPECIAL]
    entries += [(piece, math.log(n / total)) for piece, n in pieces.items()]
    tokenizer = Tokenizer(models.Unigram(entries, unk_id=1, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(split=False)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer
