"""The base: read from either kind of file, cut to the data's vocabulary."""

import json

import pytest
import torch

from training.recipe import corpus, e5
from training.recipe.__main__ import main
from training.recipe.tokenizer import QUERY


def test_the_base_is_read_from_either_kind_of_file(pretrained, packed, tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "e5.bin").write_bytes(packed(pretrained))
    four_bits = e5.read(tmp_path / "e5.bin")
    folder = tmp_path / "e5"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": pretrained.pieces}}), "utf-8")
    save_file(pretrained.weights | {"pooler.dense.bias": torch.zeros(384)}, folder / "model.safetensors")
    whole = e5.read(folder)
    assert whole.pieces == pretrained.pieces
    assert [piece for piece, _ in four_bits.pieces] == [piece for piece, _ in whole.pieces]
    assert set(whole.weights) == set(four_bits.weights) == set(pretrained.weights)
    for name, value in pretrained.weights.items():
        torch.testing.assert_close(whole.weights[name], value)
        torch.testing.assert_close(four_bits.weights[name], value, atol=float(value.abs().max()) / 12, rtol=0)


BROKEN = [b"", b"E5S1", b"E5S1" + bytes(200), b"PK" * 40, "cut", "folder", "missing"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_file_that_is_no_base_is_one_sentence(data, pretrained, packed, tmp_path, capsys, content):
    file = tmp_path / "e5.bin"
    if content == "folder":
        file.mkdir()
        (file / "tokenizer.json").write_text(json.dumps({"model": {"vocab": pretrained.pieces}}), "utf-8")
        (file / "model.safetensors").write_bytes(b"no safetensors")
    elif content == "cut":
        file.write_bytes(packed(pretrained)[:-5000])
    elif content == "missing":
        few = {n: w for n, w in pretrained.weights.items() if "layer.1.output.dense.bias" not in n}
        file.write_bytes(packed(pretrained._replace(weights=few)))
    else:
        file.write_bytes(content)
    assert main(["base", "--data", str(data), "--work", str(tmp_path), "--base", str(file)]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert "is not multilingual-e5-small" in error[-1] and "give a folder of" in error[-1]
    assert "Traceback" not in " ".join(error) and not (tmp_path / "tokenizer.json").exists()


def test_a_cut_vocabulary_reads_the_texts_as_the_whole_one_does(data, pretrained):
    texts = list(corpus.texts(data))
    tokenizer, cut = e5.cut(pretrained, texts, 5000)
    whole = e5.tokenizer_of(pretrained.pieces)
    words = [word for word, _ in pretrained.pieces]
    assert tokenizer.get_vocab_size() == len(cut.pieces) + 1 < len(words)
    for text in (*texts[:20], "Uống  thuốc\nsau ăn", "UỐNG THUỐC"):
        assert tokenizer.encode(text).tokens == whole.encode(text).tokens
    name = "embeddings.word_embeddings.weight"
    rows, wanted = cut.weights[name], pretrained.weights[name]
    torch.testing.assert_close(rows[:-1], wanted[[words.index(text) for text, _ in cut.pieces]])
    prompt = torch.tensor(e5.prompts(tokenizer)[0].tolist())
    torch.testing.assert_close(rows[tokenizer.token_to_id(QUERY)], rows[prompt].mean(dim=0))
    small, _ = e5.cut(pretrained, texts, 300)
    assert small.get_vocab_size() == 301
    assert "<unk>" not in small.encode("uống thuốc sau khi ăn").tokens  # spelt in smaller pieces
