from dataclasses import replace

import numpy as np
import pytest

from annotations.mining import mine
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.catalog import CATALOG, available, installed_path, load_ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.rankers.fusion import FusionRanker, standardised, worst_ranks
from vcs_demo.rankers.vectors import VectorIndex, kept_vectors

PASSAGES = ["Thuốc trị đau đầu.", "Uống nước khi sốt.", "Bệnh gan ở trẻ em là gì?", "Da và mắt."]


class Fixed(Ranker):
    """Scores that were written down."""

    def __init__(self, name, scores):
        self.name, self.fingerprint, self._scores = name, name, np.array([scores], dtype=np.float32)

    def index(self, passages, progress=None):
        scores = self._scores

        class Index(PassageIndex):
            def score(self, queries):
                return np.repeat(scores, len(queries), axis=0)

        return Index()


def test_bm25_finds_syllables_whatever_case_and_unicode_form():
    import unicodedata

    index = BM25Ranker().index(PASSAGES)
    for query in ("BỆNH GAN", unicodedata.normalize("NFD", "bệnh gan")):
        assert index.score([query])[0].argmax() == 2
    assert index.score(["benh gan"])[0][2] < index.score(["bệnh gan"])[0][2]  # diacritics count


def test_bm25_gives_zero_where_nothing_is_shared_and_takes_empty_input():
    index = BM25Ranker().index(PASSAGES)
    assert not index.score(["xyz", "", "?"]).any()
    assert BM25Ranker().index(["", "!"]).score(["thuốc"]).shape == (1, 2)
    assert BM25Ranker().index([]).score(["thuốc"]).shape == (1, 0)


def test_an_embedding_does_not_depend_on_the_padding_of_its_batch(tiny_model_dir):
    ranker = DenseRanker("tiny", tiny_model_dir)
    alone = ranker.encode([PASSAGES[0]])[0]
    padded = ranker.encode([PASSAGES[0], "thuốc đau đầu " * 20])[0]
    np.testing.assert_allclose(alone, padded, atol=1e-6)


def test_the_real_minilm_does_not_depend_on_padding_and_strips_tone_marks():
    ranker = load_ranker("minilm")
    long = "Uống đủ nước mỗi ngày giúp cơ thể khỏe mạnh. " * 12
    alone, padded = ranker.encode([PASSAGES[1]])[0], ranker.encode([PASSAGES[1], long])[0]
    np.testing.assert_allclose(alone, padded, atol=1e-5)
    ma = ranker.encode(["ma", "má", "mà", "mả", "mã", "mạ"])
    np.testing.assert_allclose(ma @ ma.T, 1, atol=1e-5)
    # Equal vectors make equal scores, so the tie is seen as one.
    assert len(set(ranker.index(["ma", "má", "mà"]).score(["mạ"])[0])) == 1


def test_a_dense_ranker_uses_the_models_own_prompts(tiny_model_dir):
    ranker = DenseRanker("tiny", tiny_model_dir)
    query, document = ranker.encode(["đau đầu"], query=True), ranker.encode(["đau đầu"])
    assert not np.allclose(query, document, atol=1e-4)
    np.testing.assert_allclose(query, ranker.encode(["thuốc đau đầu"]), atol=1e-6)


def test_vectors_are_kept_on_disk_and_made_anew_when_broken(tiny_model_dir, own_data_dir, own_vectors):
    ranker = DenseRanker("tiny", tiny_model_dir)
    passages = [f"thuốc số {i} trị ho" for i in range(70)]
    first = ranker.index(passages).score(["ho"])
    (file,) = (own_data_dir / "vectors").glob("*.npy")
    seen = []
    ranker.index(passages, lambda done, total: seen.append(done))
    assert not seen  # nothing was encoded again
    file.write_bytes(b"broken")
    np.testing.assert_array_equal(ranker.index(passages).score(["ho"]), first)


def test_fusion_is_the_sum_of_reciprocal_ranks_and_ties_share_the_worst():
    fused = FusionRanker(Fixed("a", [3, 2, 1]), Fixed("b", [1, 5, 5])).index(PASSAGES[:3]).score(["q"])
    expected = [1 / 61 + 1 / 63, 1 / 62 + 1 / 62, 1 / 63 + 1 / 62]
    np.testing.assert_allclose(fused[0], expected, rtol=1e-6)
    assert worst_ranks(np.array([[1.0, 5.0, 5.0]])).tolist() == [[3, 2, 2]]


def test_bm25_adds_nothing_to_a_fusion_where_no_word_is_shared():
    fused = FusionRanker(BM25Ranker(), Fixed("b", [4, 3, 2, 1])).index(PASSAGES).score(["xyz"])
    np.testing.assert_allclose(fused[0], [1 / 61, 1 / 62, 1 / 63, 1 / 64], rtol=1e-6)


def test_weighted_fusion_adds_standardised_scores():
    parts = Fixed("a", [3, 2, 1]), Fixed("b", [1, 5, 5])
    fused = FusionRanker(*parts, (0.75, 0.25)).index(PASSAGES[:3]).score(["q"])
    a, b = np.array([1, 0, -1]) * 1.5**0.5, np.array([-2, 1, 1]) / 2**0.5
    np.testing.assert_allclose(fused[0], 0.75 * a + 0.25 * b, atol=1e-5)
    assert FusionRanker(*parts, (0.75, 0.25)).fingerprint != FusionRanker(*parts, (0.5, 0.5)).fingerprint
    assert not standardised(np.array([[2.0, 2.0], [0.1, 0.1]])).any()
    assert standardised(np.zeros((2, 0))).shape == (2, 0)


def test_a_model_that_brings_the_weight_of_bm25_is_fused_by_it(tiny_model_dir, tmp_path):
    import shutil

    folder = tmp_path / "weighted"
    shutil.copytree(tiny_model_dir, folder)
    (folder / "fusion.json").write_text('{"bm25_weight": 0.75}', "utf-8")
    dense, plain = DenseRanker("weighted", folder), DenseRanker("tiny", tiny_model_dir)
    assert FusionRanker.of(BM25Ranker(), dense).weights == (0.75, 0.25)
    assert FusionRanker.of(dense, BM25Ranker()).weights == (0.25, 0.75)
    assert FusionRanker.of(BM25Ranker(), plain).weights is FusionRanker.of(dense, plain).weights is None
    for broken in ('{"bm25_weight": 2}', "{}", "?"):
        (folder / "fusion.json").write_text(broken, "utf-8")
        with pytest.raises(UserError, match="bm25_weight"):
            _ = DenseRanker("weighted", folder).bm25_weight


@pytest.mark.parametrize(("name", "parameters"), [("vcs-20m", 20.06e6), ("vcs-static", 9.2e6)])
def test_a_shipped_model_is_what_its_card_says(name, parameters):
    ranker = load_ranker(name)
    assert sum(p.numel() for p in ranker.model.parameters()) == pytest.approx(parameters, rel=0.002)
    assert (ranker.path / "model.safetensors").stat().st_size < 50e6
    assert ranker.model.prompts == {"query": "<|query|> ", "document": ""}
    assert ranker.model.get_embedding_dimension() == 384
    assert next(ranker.model.parameters()).dtype.is_floating_point and ranker.bm25_weight is not None
    # A tokenizer that keeps tone marks: the six syllables are six vectors.
    ma = ranker.encode(["ma", "má", "mà", "mả", "mã", "mạ"])
    assert (ma @ ma.T)[~np.eye(6, dtype=bool)].max() < 0.99
    query, passages = (
        ["Đau họng thì uống gì?"],
        ["Khi đau họng nên uống nước ấm.", "Giá xăng tăng từ hôm nay."],
    )
    assert ranker.index(passages).score(query)[0].argmax() == 0


def test_names_lead_to_rankers(tiny_model_dir, own_data_dir):
    import shutil

    assert available()[:4] == ["bm25", "vcs-20m", "vcs-static", "minilm"]
    assert load_ranker("bm25+minilm").name == "bm25+minilm"
    assert load_ranker(str(tiny_model_dir)).name == "model"
    shutil.copytree(tiny_model_dir, own_data_dir / "models" / "cua-toi")
    shutil.copytree(tiny_model_dir, own_data_dir / "models" / "half.partial")
    assert available()[-1] == "cua-toi"
    assert load_ranker("cua-toi", allow_paths=False).name == "cua-toi"


@pytest.mark.parametrize("name", ["gpt", "a+b+c", "../etc", "", "bm25+", "half.partial"])
def test_an_unknown_ranker_is_one_sentence_with_the_valid_ones(name):
    with pytest.raises(UserError, match="bm25, vcs-20m, vcs-static, minilm"):
        load_ranker(name, allow_paths=False)


def test_a_visitor_cannot_name_a_directory(tiny_model_dir):
    for name in (str(tiny_model_dir), f"bm25+{tiny_model_dir}"):
        with pytest.raises(UserError):
            load_ranker(name, allow_paths=False)


@pytest.mark.parametrize("name", ["vcs-20m", "vcs-static", "minilm"])
def test_weights_with_another_hash_are_refused(name, monkeypatch):
    monkeypatch.setitem(CATALOG, name, replace(CATALOG[name], sha256="0" * 64))
    with pytest.raises(UserError, match="not loaded"):
        installed_path(name)


def test_a_folder_that_is_no_model_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="not a SentenceTransformer directory"):
        load_ranker(str(tmp_path))
    (tmp_path / "modules.json").write_text("[{", "utf-8")
    with pytest.raises(UserError, match="cannot be loaded"):
        _ = load_ranker(str(tmp_path)).model


@pytest.mark.parametrize("name", ["vcs-20m", "vcs-static"])
def test_weights_kept_in_half_precision_are_used_in_single(name):
    """In half precision an optimizer's first step turns a table into noise."""
    import torch

    from vcs_demo.rankers.catalog import load_ranker

    assert {weights.dtype for weights in load_ranker(name).model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "written", ["Bệnh gan\u200b ở trẻ em", "B\u1eb9\u0302nh gan ở trẻ\u00a0em", "Ｂệnh gan ở trẻ em"]
)
def test_every_ranker_reads_the_folded_text(tiny_model_dir, written):
    passages = [*PASSAGES, "Viêm tụy là gì?"]
    for ranker in (BM25Ranker(), DenseRanker("tiny", tiny_model_dir), load_ranker("vcs-static")):
        index, other = (
            ranker.index(passages),
            ranker.index([text.replace("tụy", "tu\u00adỵ") for text in passages]),
        )
        plain = index.score([written.title(), "Bệnh Gan Ở Trẻ Em", "viêm tụy", "viêm tuỵ\ufeff"])
        np.testing.assert_array_equal(plain[0], plain[1])
        np.testing.assert_array_equal(plain[2], plain[3])
        np.testing.assert_array_equal(other.score(["viêm tụy"])[0], plain[2])


@pytest.fixture(params=[float("nan"), float("inf")], ids=str)
def damaged(tiny_model_dir, tmp_path, request):
    """Return a ranker with a model in whose table a number is none."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_model_dir))
    model[0].auto_model.get_input_embeddings().weight.data[:] = request.param
    model.save(str(tmp_path / "damaged"))
    return DenseRanker("damaged", tmp_path / "damaged")


def test_a_model_of_what_is_no_number_scores_nothing(damaged, own_data_dir):
    task = load_task("vimedretrieve", "mini", "validation")
    for ranker in (damaged, FusionRanker(BM25Ranker(), damaged)):
        with pytest.raises(UserError, match="damaged gives values that are not numbers"):
            ranker.index(PASSAGES).score(["gan"])
        with pytest.raises(UserError, match="damaged gives"):
            evaluate(task, ranker)
        with pytest.raises(UserError, match="damaged gives"):
            mine(task, ranker)
    with pytest.raises(UserError, match="damaged gives"):
        damaged.encode(["gan"], query=True)
    assert not list(own_data_dir.glob("vectors/*"))
    with pytest.raises(UserError, match="unit gives"):
        VectorIndex("unit", lambda queries: np.array([[np.nan, 0]], dtype=np.float32), np.eye(2)).score(["q"])


def test_a_model_whose_tokenizer_is_of_another_is_named(tiny_model_dir, tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_model_dir))
    model[0].auto_model.resize_token_embeddings(8)
    model.save(str(tmp_path / "mixed"))
    with pytest.raises(UserError, match="The model mixed cannot read a text .*: its tokenizer and weights"):
        DenseRanker("mixed", tmp_path / "mixed").index(PASSAGES)


def test_what_a_part_does_not_find_or_tell_apart_does_not_shuffle_a_fusion():
    other = Fixed("b", [4, 3, 2, 1])
    for parts in ((BM25Ranker(), other), (other, BM25Ranker()), (Fixed("same", [2, 2, 2, 2]), other)):
        for weights in (None, (0.5, 0.5)):
            fused = FusionRanker(*parts, weights)
            (scores,) = fused.index(PASSAGES).score(["xyz"])
            assert np.argsort(-scores, kind="stable").tolist() == [0, 1, 2, 3] and fused.found(scores).all()
    nothing = FusionRanker(BM25Ranker(), Fixed("same", [2, 2, 2, 2]))
    assert not nothing.found(nothing.index(PASSAGES).score(["xyz"])[0]).any()
    assert BM25Ranker().found(np.array([0, 0.1, 0])).tolist() == [False, True, False]
    assert other.found(np.array([0.2])).tolist() == [True]


def test_a_disk_without_room_for_vectors_stops_no_search(monkeypatch, own_vectors, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vcs_demo.rankers.vectors.np.save", full)
    found = kept_vectors("f", ["a"], lambda texts: np.ones((1, 2), np.float32))
    assert found.shape == (1, 2) and "no room left for" in caplog.text
