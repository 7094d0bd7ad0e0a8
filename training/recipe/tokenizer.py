"""The static table's tokenizer: lower case, NFC, tone marks kept; most syllables are one token."""

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

PAD, UNKNOWN, QUERY = "[PAD]", "[UNK]", "<|query|>"
QUERY_PROMPT = f"{QUERY} "
SPECIAL = (PAD, UNKNOWN, "[CLS]", "[SEP]", "[MASK]", QUERY)


def wordpiece(texts: Iterable[str], size: int) -> Tokenizer:
    """Train WordPiece entries on the texts: most Vietnamese syllables become one token."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=64))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=400, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
