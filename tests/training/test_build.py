"""The recipe of the shipped model, on a small folder of data made from VCS-mini."""

import contextlib
import json
import lzma
import random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from training import build, corpus, watching
from training.batches import Batch, Batches, Kind, neighbourhoods, rarity
from training.corpus import Pair
from training.losses import ContextSearchLoss
from training.pretrain import Judged, Memory, Settings, train
from training.tokenizer import QUERY, UNKNOWN, compounds, wordpiece
from training.towers import ContextEncoder, StaticTable
from vcs_demo.errors import UserError
from vcs_demo.rankers import DenseRanker
from vcs_demo.runs import evaluate, training_hashes
from vcs_demo.tasks import load_task
from vcs_demo.text import content_hash

WEIGHTS = "news=1 qa=1 sections=1 medical=1 crops=1 newscrops=1 nli=1"


def write(folder, name, rows):
    with lzma.open(folder / f"{name}.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Lay the miniature's train split out like the training data."""
    folder = tmp_path_factory.mktemp("data")
    task = load_task("vimedretrieve", "mini", "train")
    texts = list(task.passages.values())
    asked = [(text, task.passages[min(task.qrels[query])]) for query, text in task.queries.items()]
    long = [" ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
    write(folder, "train_news_baomoi", [{"title": q, "lead": p, "body": p} for q, p in asked])
    write(folder, "train_qa_pairs", [{"source": "hỏi đáp", "query": q, "positive": p} for q, p in asked])
    write(folder, "train_text_other", [{"source": "y", "title": t[:20], "text": t} for t in long])
    write(
        folder, "train_text_viwiki", [{"title": "gan", "text": f"{t}\n== Vai trò ==\n{t}"} for t in long[:9]]
    )
    labels = ["entailment", "neutral", "contradiction"]
    rows = [{"premise": p, "hypothesis": q, "label": labels[i % 3]} for i, (q, p) in enumerate(asked)]
    write(folder, "train_nli_pairs_mnli_vi_mt", rows)
    return folder


@pytest.fixture(scope="module")
def work(data, tmp_path_factory):
    """Run the stages up to a trained encoder."""
    folder = tmp_path_factory.mktemp("work")
    common = ["--data", str(data), "--work", str(folder)]
    trained = [*common, "--batch-size", "8", "--every", "5", "--weights", WEIGHTS, "--max-tokens", "48"]
    assert build.main(["tokenizer", *common, "--vocabulary", "900"]) == 0
    static = ["static", *trained, "--steps", "20", "--neighbour-steps", "10"]
    assert build.main(static) == 0
    encoder = ["encoder", *trained, "--steps", "10", "--layers", "1", "--judged-weight", "0.1"]
    assert build.main(encoder) == 0
    return folder


def test_the_stages_make_a_model_that_the_app_loads_and_evaluates(work, tmp_path, capsys):
    assert (
        build.main(["save", "--work", str(work), "--run-name", "encoder", "--output", str(tmp_path / "m")])
        == 0
    )
    ranker = DenseRanker("m", tmp_path / "m")
    assert ranker.model.prompts == {"query": "<|query|> ", "document": ""}
    assert ranker.model.max_seq_length == 224 and ranker.model.get_embedding_dimension() == 384
    assert next(ranker.model.parameters()).dtype == torch.float32
    # What was trained is what was saved: the tower in bfloat16 and the model that was read back agree.
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    tower = ContextEncoder(torch.rand(tokenizer.get_vocab_size(), 384), layers=1)
    build._load(tower, work / "encoder")
    texts = ["Uống đủ nước mỗi ngày.", "Gan lọc máu và dự trữ năng lượng cho cơ thể"]
    ids = [np.array(tokenizer.encode(text).ids, dtype=np.int32) for text in texts]
    with torch.no_grad():
        own = torch.nn.functional.normalize(tower(ids), dim=-1).numpy()
    np.testing.assert_allclose((ranker.encode(texts) * own).sum(axis=1), 1, atol=3e-3)
    run = evaluate(load_task("vimedretrieve", "mini", "test"), ranker)
    assert run.skipped == 0
    query = next(iter(load_task("vimedretrieve", "mini", "train").queries.values()))
    assert content_hash(query)[:16] in training_hashes(ranker)
    with pytest.raises(UserError, match="would mean nothing"):
        evaluate(load_task("vimedretrieve", "mini", "train"), ranker)
    assert (
        build.main(["save", "--work", str(work), "--run-name", "encoder", "--output", str(tmp_path / "m")])
        == 1
    )
    assert "exists already" in capsys.readouterr().err


def test_a_blend_goes_a_share_of_the_way_from_the_table_to_the_encoder(work, capsys, monkeypatch):
    monkeypatch.setattr(watching, "WATCHED", {("vimedretrieve", "test"): ("accuracy@1",)})
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    texts = [
        np.array(tokenizer.encode(t).ids, dtype=np.int32) for t in ("gan lọc máu", "uống đủ nước mỗi ngày")
    ]

    def angles(tower):
        with torch.no_grad():
            vectors = torch.nn.functional.normalize(tower(texts), dim=-1)
        return vectors @ vectors.T

    ends = {}
    for share in ("0", "1"):
        words = [
            "blend",
            "--work",
            str(work),
            "--dev",
            "mini",
            "--shares",
            share,
            "--output-run",
            f"b{share}",
        ]
        assert build.main(words) == 0
        ends[share] = angles(build._tower(work / f"b{share}", tokenizer))
    trained = build._tower(work / "encoder", tokenizer)
    table = StaticTable(tokenizer.get_vocab_size())
    build._load(table, work / "static")
    torch.testing.assert_close(ends["1"], angles(trained))
    torch.testing.assert_close(ends["0"], angles(table), atol=0.02, rtol=0)
    assert "share 1 is kept in b1" in capsys.readouterr().err


def test_runs_are_compared_query_by_query_with_the_first(work, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watching, "WATCHED", {("vimedretrieve", "test"): ("accuracy@1",)})
    assert build.main(["compare", "--dev", "mini", str(work / "static"), str(work / "encoder")]) == 0
    head, _, static, encoder = capsys.readouterr().out.splitlines()
    assert head == "| run | vimedretrieve accuracy@1 |"
    mean = {row.split(" | ")[0]: float(row.split(" | ")[1].split()[0]) for row in (static, encoder)}
    difference = float(encoder.split("; ")[1].split()[0])
    assert difference == pytest.approx(mean["| encoder"] - mean["| static"], abs=0.0011)
    assert ";" not in static and encoder.count("[") == 2


def test_the_weight_of_bm25_is_chosen_and_kept_beside_the_model(work, tmp_path, capsys):
    output = tmp_path / "s"
    assert build.main(["save", "--work", str(work), "--run-name", "static", "--output", str(output)]) == 0
    assert build.main(["fuse", "--model", str(output), "--dev", "mini"]) == 0
    weight = json.loads((output / "fusion.json").read_text("utf-8"))["bm25_weight"]
    assert (
        DenseRanker("s", output).bm25_weight == weight
        and f"BM25 weighs {weight:.2f}" in capsys.readouterr().err
    )
    assert build.main(["speed", "--model", str(output), "--passages", "20", "--runs", "2"]) == 0
    assert "times as fast as minilm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "news"], "give kinds as 'news=2 qa=1'"),
        (["--weights", "gossip=1"], "names gossip; the kinds here are"),
        (["--data", "nowhere", "--rows", "7"], "holds none of train_news_vietnews"),
    ],
)
def test_bad_input_is_one_sentence(data, work, tmp_path, capsys, arguments, words):
    import shutil

    shutil.copy(work / "tokenizer.json", tmp_path)
    shutil.copytree(work / "pairs", tmp_path / "pairs")
    assert (
        build.main(["static", "--data", str(data), "--work", str(tmp_path), "--steps", "1", *arguments]) == 1
    )
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error


def test_a_stage_before_its_time_says_what_to_run_first(data, tmp_path, capsys):
    assert build.main(["static", "--data", str(data), "--work", str(tmp_path)]) == 1
    assert "run the stage that makes it first" in capsys.readouterr().err


def test_a_broken_file_is_one_sentence(tmp_path):
    (tmp_path / "train_qa_pairs.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(UserError, match=r"'train_qa_pairs.jsonl.xz' cannot be read"):
        corpus.pairs(tmp_path)


def test_pairs_are_the_same_for_the_same_seed_and_their_passages_fit_the_windows(data):
    first, second = corpus.pairs(data, 1), corpus.pairs(data, 1)
    assert first == second != corpus.pairs(data, 2)
    assert set(first) == {"news", "qa", "sections", "medical", "crops", "newscrops", "nli"}
    for row in first["medical"] + first["crops"]:
        assert 15 <= len(row.passage.split()) <= 130 and row.query
        assert row.negative not in row.passage or not row.negative


def test_a_crop_keeps_the_words_of_its_passage():
    passage = "Gan nằm ở bên phải ổ bụng và lọc máu. Tim bơm máu đi khắp cơ thể người mỗi ngày."
    forms = {word for form in corpus._FORMS for word in form.replace("{}", "").split()}
    for seed in range(50):
        query = corpus.crop(passage, "", random.Random(seed))
        assert set(query.rstrip("?").split()) <= {w.strip(".") for w in passage.split()} | forms | {
            w.strip("?") for w in forms
        }
        assert len(query.split()) >= 3


@pytest.mark.parametrize("make", [wordpiece, compounds])
def test_tokens_tell_tone_marks_apart_in_either_unicode_form(data, make):
    import unicodedata

    tokenizer = make(list(corpus.texts(data)), 900)
    sick = tokenizer.encode("bệnh").ids
    assert sick == tokenizer.encode(unicodedata.normalize("NFD", "BỆNH")).ids != tokenizer.encode("bênh").ids
    assert tokenizer.encode(f"{QUERY} gan").ids[0] == tokenizer.token_to_id(QUERY)
    assert UNKNOWN not in tokenizer.encode("uống thuốc sau khi ăn").tokens


def kind(rows):
    tokenizer = wordpiece([" ".join(row) for row in rows], 200)
    return Kind.of([Pair(*row, 0) for row in rows], tokenizer, 20), tokenizer


def test_no_text_is_twice_in_a_batch_and_a_positive_is_no_negative():
    rows = [(f"hỏi {i % 5}", f"đáp {i % 7}", f"đáp {(i + 1) % 7}") for i in range(35)]
    made, tokenizer = kind(rows)
    batches = Batches({"k": made}, {"k": 1}, size=4, seed=0, query_token=1, longest=20)
    for step in range(20):
        batch = batches.draw(step)
        texts = [tuple(ids) for ids in batch.passages]
        assert len(set(texts)) == len(texts) == len({tuple(ids) for ids in batch.queries})
        assert not set(texts) & {tuple(ids) for ids in batch.negatives}
        assert all(ids[0] == 1 for ids in batch.queries)
        again = batches.draw(step)
        assert [tuple(ids) for ids in again.passages] == texts


def test_passages_of_earlier_batches_are_negatives_unless_they_share_a_text():
    memory = Memory(2)

    def batch(name, *numbers):
        return Batch(name, [], [], [], np.array(numbers))

    for start in (0, 4, 8):
        memory.add(batch("k", (start, start + 1), (start + 2, start + 3)), torch.full((2, 3), float(start)))
    assert [len(part) for part in memory.negatives(batch("k", (20, 21)))] == [2, 2]  # the first batch is gone
    shared = memory.negatives(batch("k", (20, 9), (6, 22)))  # 9: a kept passage; 6: a kept passage's query
    assert [part[:, 0].tolist() for part in shared] == [[4.0], [8.0]]
    assert memory.negatives(batch("other", (20, 21))) == []


def test_rare_tokens_start_with_longer_vectors():
    made, tokenizer = kind([(f"gan số{i}", f"gan là câu{i}", "") for i in range(30)])
    lengths = rarity({"k": made}, tokenizer.get_vocab_size())
    everywhere, once = (tokenizer.encode(word).ids[0] for word in ("gan", "là"))
    unseen = tokenizer.token_to_id("[MASK]")
    assert lengths[everywhere] < lengths[once] < lengths[unseen]
    start = StaticTable(len(lengths), lengths=lengths).table.detach().norm(dim=1).numpy()
    assert np.corrcoef(start, lengths)[0, 1] > 0.9


def test_neighbours_stand_together():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 16)) * 10
    vectors = (centres[np.arange(64) % 8] + rng.normal(size=(64, 16)) * 0.1).astype(np.float32)
    order = neighbourhoods(vectors, 0, size=8)
    assert sorted(order) == list(range(64))
    assert all(len(set(order[i : i + 8] % 8)) == 1 for i in range(0, 64, 8))


def test_the_encoder_starts_as_its_table():
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(300, 384, generator=generator) * torch.rand(300, 1, generator=generator)
    static, encoder = StaticTable(300), ContextEncoder(table, layers=2)
    static.table.data.copy_(table)
    rng = np.random.default_rng(0)
    ids = rng.integers(300, size=400).astype(np.int32)
    texts = [ids[start : start + length] for length in (4, 30, 120) for start in (0, 2, 20, 90, 200)]
    with torch.no_grad():  # the axes are turned, so what must stay is how texts relate to one another
        one, two = (torch.nn.functional.normalize(tower(texts), dim=-1) for tower in (static, encoder))
        alone = encoder(texts[:1])
        together = encoder(texts)[:1]
    torch.testing.assert_close(two @ two.T, one @ one.T, atol=0.02, rtol=0)
    torch.testing.assert_close(alone, together, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    "tower", [StaticTable, lambda size: ContextEncoder(torch.randn(size, 384), layers=1)]
)
def test_training_learns_and_a_stopped_run_ends_as_an_unstopped_one(tower, tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"a{i} b{i}", f"a{i} c{i} d{i}", f"e{i}") for i in range(16)]
    made, tokenizer = kind(rows)
    batches = Batches({"k": made}, {"k": 1}, size=8, seed=0, query_token=1, longest=20)
    loss = ContextSearchLoss(None, weight="infonce", temperature=0.05, negatives="both")
    texts = [rng.integers(tokenizer.get_vocab_size(), size=4).astype(np.int32) for _ in range(12)]
    judged = Judged(texts[:6], texts[6:], np.array([1, 0.5, 0, 1, 0.5, 0]))
    seen = []

    def run(name, steps, total=12):
        torch.manual_seed(0)
        one = tower(tokenizer.get_vocab_size())
        settings = Settings(steps=total, rate=0.01, warmup=2, every=4, judged_weight=0.1)

        def watch(step, _):
            seen.append(step)
            if step == steps < total:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) if steps < total else contextlib.nullcontext():
            train(one, batches, loss, settings, tmp_path / name, judged, watch)
        return one.state_dict()

    whole = run("whole", 12)
    run("stopped", 8)
    resumed = run("stopped", 12)
    assert seen == [0, 4, 8, 12, 0, 4, 8, 12]
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    made, _ = kind([(f"a{i}", f"b{i}", "") for i in range(8)])
    batches = Batches({"k": made}, {"k": 1}, size=4, seed=0, query_token=1, longest=20)
    tower = StaticTable(200)
    tower.table.data.fill_(float("nan"))
    loss = ContextSearchLoss(None, negatives="both")
    with pytest.raises(UserError, match="at step 0; give a lower --rate"):
        train(tower, batches, loss, Settings(steps=5, rate=0.1), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()
