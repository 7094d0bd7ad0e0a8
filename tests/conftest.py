"""What every test shares: no network, a data directory of its own, and a tiny random encoder."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import pytest

VOCABULARY = """[PAD] [UNK] [CLS] [SEP] [MASK] thuốc đau đầu gan tim phổi bệnh trẻ em uống nước sốt ho da mắt là gì
có thể khi nào không nên dùng cho người và của để ở tại sao bao nhiêu ngày lần trị chữa giảm viêm máu ? . ,""".split()


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path, monkeypatch):
    """Give each test its own data directory."""
    folder = tmp_path / "data"
    monkeypatch.setenv("VCS_DATA_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory):
    """Save a random two-layer encoder of 16 dimensions as a SentenceTransformer directory."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), strip_accents=False, model_max_length=64)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    model = SentenceTransformer(modules=[Transformer(str(folder / "bert")), Pooling(16, pooling_mode="mean")])
    model.prompts = {"query": "thuốc ", "document": ""}
    model.save(str(folder / "model"))
    return folder / "model"
