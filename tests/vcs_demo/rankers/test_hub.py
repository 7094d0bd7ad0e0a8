"""Models and data of a hub, by the real client, from a small hub on loopback."""

import json
import os
import subprocess
import sys

import pytest
from loopback import hub

from vcs_demo.benchmark.sources import MINIATURE
from vcs_demo.errors import UserError
from vcs_demo.rankers.catalog import CATALOG, available, known_hub_model, load_ranker
from vcs_demo.rankers.cross_encoder import DEPTH, CrossEncoderRanker
from vcs_demo.rankers.hub import is_hub_id

WORDS = ("đau_đầu", "thuốc", "gan")


@pytest.fixture(scope="session")
def phobert_dir(tmp_path_factory):
    """Save a random encoder as PhoBERT's are: plain, with a vocabulary of segmented words and byte-pair codes."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    folder = tmp_path_factory.mktemp("phobert")
    merges, vocabulary = [], list(WORDS)
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        for end in range(1, len(parts)):
            merges.append(("".join(parts[:end]), parts[end]))
    vocabulary += [c for c in sorted(set("".join(WORDS)))] + [f"{c}" for c in sorted(set("".join(WORDS)))]
    (folder / "bpe.codes").write_text("".join(f"{a} {b} 1\n" for a, b in merges), "utf-8")
    (folder / "vocab.txt").write_text("".join(f"{token} 1\n" for token in vocabulary), "utf-8")
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(vocabulary) + 5, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=258, type_vocab_size=1, tokenizer_class="PhobertTokenizer",
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def reranker_dir(tmp_path_factory, tiny_model_dir):
    """Save a random cross-encoder of one output."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("reranker")
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_model_dir))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=300, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path):
    """Run Python against a hub in a process of its own: the client reads its settings when it is imported."""

    def run(url, *arguments, **settings):
        environment = os.environ | {
            "HF_ENDPOINT": url,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            **settings,
        }
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=240
        )

    return run


def served(state, name, folder):
    model = CATALOG[name].hub
    state.add("models", model.repository, folder, model.revision)


@pytest.mark.slow
def test_models_and_data_come_from_the_hub_once_and_are_used_as_their_authors_say(
    run, tmp_path, tiny_model_dir, phobert_dir, reranker_dir
):
    command = ["-m", "vcs_demo", "evaluate", "--task", "virerank", "--source", "hub", "--json"]
    command += [str(tmp_path / "out.json")]
    for name in ("multilingual-e5-small", "sup-simcse-phobert", "phoranker"):
        command += ["--ranker", name]
    with hub() as state:
        served(state, "multilingual-e5-small", tiny_model_dir)
        served(state, "sup-simcse-phobert", phobert_dir)
        served(state, "phoranker", reranker_dir)
        state.add(
            "datasets", "ContextSearchLM/ViNLI_reranking", MINIATURE / "ContextSearchLM/ViNLI_reranking"
        )
        state.breaks.add("model.safetensors")  # a transfer that breaks off is taken up again
        first = run(state.url, *command)
        assert first.returncode == 0, first.stderr
        assert "training data unknown" in first.stdout
        runs = json.loads((tmp_path / "out.json").read_text("utf-8"))
        assert [r["queries"] for r in runs] == [120] * 3 and not any(r["training_known"] for r in runs)
        transferred = [r for r in state.requests if r.startswith("GET") and r.endswith("model.safetensors")]
        assert len(transferred) == 4  # three files, one of them in two parts
        state.requests.clear()
        again = run(state.url, *command, VCS_DATA_DIR=str(tmp_path / "elsewhere"))
        assert again.returncode == 0, again.stderr
        assert not any(
            "model" in r for r in state.requests if "/datasets/" not in r
        )  # a pinned model asks nothing
    offline = run("http://127.0.0.1:9", "-c", OFFLINE, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout) == ["multilingual-e5-small", "phoranker", "sup-simcse-phobert"]


OFFLINE = """
import json
import numpy as np
from vcs_demo.rankers.catalog import available, known_hub_model, load_ranker
e5 = load_ranker("multilingual-e5-small", allow_paths=False)
assert e5.model.prompts == {"query": "query: ", "document": "passage: "}, e5.model.prompts
phobert = load_ranker("sup-simcse-phobert", allow_paths=False)
words = phobert.model.tokenizer.tokenize(phobert._cut("thuốc đau đầu"))
assert words == ["thuốc", "đau_đầu"], words
assert phobert.model.max_seq_length == 256 and phobert.model[1].pooling_mode == "cls"
passages = [f"thuốc trị ho số {i}" for i in range(150)] + ["gan"]
scores = load_ranker("phoranker").index(passages).score(["gan", "thuốc số 7"])
assert scores.shape == (2, 151) and scores[0].argmax() != 0, scores
logits = load_ranker("phoranker").read("gan", ["gan"])
assert np.isclose(scores[0, 150], logits[0], atol=1e-4), (scores[0, 150], logits)
print(json.dumps(sorted(filter(known_hub_model, available()))))
"""


@pytest.mark.slow
def test_what_goes_wrong_with_a_hub_is_one_sentence_and_leaves_nothing_half(run, tiny_model_dir):
    with hub() as state:
        state.add("models", "team/model", tiny_model_dir)
        state.shortens.add("model.safetensors")
        script = """
import json, time
from vcs_demo.errors import UserError
from vcs_demo.rankers import hub
from vcs_demo.rankers.catalog import load_ranker
said = []
def attempt(name):
    began = time.monotonic()
    try:
        said.append(["ok", str(load_ranker(name).encode(["gan"]).shape), 0])
    except UserError as error:
        said.append(["error", str(error), time.monotonic() - began])
attempt("team/nothing")
attempt("team/model@no-such-branch")
attempt("team/model")
print(json.dumps(said))
"""
        failed = run(state.url, "-c", script)
        assert failed.returncode == 0, failed.stderr
        missing, revision, short = json.loads(failed.stdout)
        assert missing[0] == "error" and "'team/nothing@main'" in missing[1] and "Not Found" in missing[1]
        assert revision[0] == "error" and "Revision Not Found" in revision[1]
        assert short[0] == "error" and "Consistency check failed" in short[1]
        state.shortens.clear()
        state.add("models", "team/empty", MINIATURE)
        mended = run(state.url, "-c", script.replace("team/nothing", "team/empty"))
        none, _, whole = json.loads(mended.stdout)
        assert "has no weights that we load" in none[1]
        assert whole[:2] == ["ok", "(1, 16)"]
        state.hangs = True
        slow = run(state.url, "-c", script.replace("said = []", "hub.HUB_TIMEOUT = 1; said = []"))
        assert all(kind == "error" and seconds < 60 for kind, _, seconds in json.loads(slow.stdout)[:2])


def test_a_visitor_downloads_nothing():
    assert "bge-m3" not in available()
    with pytest.raises(UserError, match="'bge-m3' is not here.*--ranker bge-m3"):
        load_ranker("bge-m3", allow_paths=False)
    with pytest.raises(UserError, match="There is no ranker"):
        load_ranker("intfloat/multilingual-e5-small", allow_paths=False)
    with pytest.raises(UserError, match="not in the cache"):
        load_ranker("intfloat/multilingual-e5-small")


def test_only_an_owner_and_a_name_is_a_hub_id():
    assert is_hub_id("BAAI/bge-m3") and is_hub_id("BAAI/bge-m3@refs/pr/1")
    for name in ("bge-m3", "a/b/c", "../x", "a/..", "/etc", "a/b@", "a b/c", "a/b@x y", "x" * 200 + "/y"):
        assert not is_hub_id(name), name


def test_the_rows_of_the_hub_are_pinned_but_for_the_papers():
    models = {name: model for name in CATALOG if (model := known_hub_model(name))}
    assert len(models) == len(CATALOG) - 4 and all(
        entry.about and entry.licence for entry in CATALOG.values()
    )
    for name, model in models.items():
        assert is_hub_id(model.repository) and (name.startswith("paper-") or len(model.revision) == 40)


def test_a_cross_encoder_of_what_is_no_number_ranks_nothing(reranker_dir):
    ranker = CrossEncoderRanker("broken", reranker_dir)
    ranker.model.model.classifier.weight.data[:] = float("nan")
    with pytest.raises(UserError, match="broken gives values that are not numbers"):
        ranker.index(["một", "hai"]).score(["một"])


def test_a_cross_encoder_reads_what_shares_a_word_alone(reranker_dir, monkeypatch):
    ranker, read = CrossEncoderRanker("reader", reranker_dir), []
    passages = [f"gan {i}" if i % 40 == 0 else f"tim {i}" for i in range(DEPTH + 20)]
    logits = CrossEncoderRanker.read
    monkeypatch.setattr(CrossEncoderRanker, "read", lambda *a: read.append(a[2]) or logits(*a))
    (scores,) = ranker.index(passages).score(["gan"])
    assert read == [["gan 0", "gan 40", "gan 80"]] and min(scores[[0, 40, 80]]) > max(scores[1:40])
    (nothing,) = ranker.index(passages).score(["xyz"])
    assert len(read) == 1 and not ranker.found(nothing).any()
