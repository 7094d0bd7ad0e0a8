"""What every test shares: no network, a data directory of its own, vectors kept for the session, databases closed."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # on a busy machine, torch's threads else spin away the time

import sqlite3
import sys
import threading
import traceback
from contextlib import suppress

import pytest

from vcs_demo import paths
from vcs_demo.rankers import vectors

VOCABULARY = """[PAD] [UNK] [CLS] [SEP] [MASK] thuốc đau đầu gan tim phổi bệnh trẻ em uống nước sốt ho da mắt là gì
có thể khi nào không nên dùng cho người và của để ở tại sao bao nhiêu ngày lần trị chữa giảm viêm máu ? . ,""".split()


class WatchedConnection(sqlite3.Connection):
    """A connection that knows whether it was closed and which lines opened it."""

    closed = False

    def close(self):
        super().close()
        self.closed = True


@pytest.fixture(scope="session", autouse=True)
def connections():
    """Record every SQLite connection that is opened in this process. (Before Python 3.13 nothing warns of one left.)"""
    connect, opened = sqlite3.connect, []

    def connect_watched(*arguments, **settings):
        connection = connect(*arguments, **{"factory": WatchedConnection} | settings)
        if isinstance(connection, WatchedConnection):  # others are of libraries
            connection.stack = traceback.format_stack(limit=12)[:-1]
            opened.append(connection)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_watched)
        yield opened


@pytest.fixture(autouse=True)
def no_database_left_open(connections):
    """Fail a test that leaves a database open; a page may, since it labels as long as its process lives."""
    before = len(connections)
    yield
    left = [connection for connection in connections[before:] if not connection.closed]
    del connections[before:]
    for connection in left:
        with suppress(sqlite3.ProgrammingError):  # opened in another thread
            connection.close()
    faults = [c for c in left if not any("in build_app" in line for line in c.stack)]
    if faults:
        lines = "".join(faults[0].stack)
        pytest.fail(f"{len(faults)} databases left open; the first was opened at\n{lines}", pytrace=False)


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path, monkeypatch):
    """Give each test its own data directory."""
    folder = tmp_path / "data"
    monkeypatch.setenv("VCS_DATA_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def kept_vectors(tmp_path_factory):
    return tmp_path_factory.mktemp("vectors")


@pytest.fixture(autouse=True)
def vectors_of_the_session(kept_vectors, monkeypatch):
    """Keep passage vectors for all tests, so that VCS-mini is encoded once a model and not once a test."""
    monkeypatch.setattr(vectors, "data_dir", lambda: kept_vectors)


@pytest.fixture
def own_vectors(monkeypatch):
    """Keep passage vectors in the test's own data directory, as the app does."""
    monkeypatch.setattr(vectors, "data_dir", paths.data_dir)


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


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Keep the exit code of the whole run for `pytest_unconfigure`."""
    session.config.exitstatus_of_all = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End at once, as the app does: torch aborts where Python ends beside a thread that still computes."""
    status = getattr(config, "exitstatus_of_all", None)
    if status is not None and threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))
