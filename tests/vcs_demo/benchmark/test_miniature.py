import json
import unicodedata

import pytest

from vcs_demo.benchmark.sources import MINIATURE
from vcs_demo.benchmark.tasks import RETRIEVAL_SPLITS, VIMED_SUBSETS, load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.catalog import load_ranker

MARKED = set("ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ")


def rows(path):
    return [json.loads(line) for line in (MINIATURE / path).read_text("utf-8").splitlines()]


def vimed(split=None, subset=None):
    return [
        row | {"split": s, "subset": c}
        for c in VIMED_SUBSETS
        for s in RETRIEVAL_SPLITS
        for row in rows(f"tmnam20/ViMedAQA/{c}/{s}.jsonl")
        if split in (None, s) and subset in (None, c)
    ]


GROUPS = {
    "ContextSearchLM/ViNLI_reranking/test.jsonl": 120,
    "ContextSearchLM/ViGLUE-R/mnli_r.jsonl": 100,
    "ContextSearchLM/ViGLUE-R/qnli_r.jsonl": 100,
}


def texts():
    for row in vimed():
        yield from (row[column] for column in ("question", "answer", "context", "title"))
    for path in GROUPS:
        for row in rows(path):
            yield from (row["anchor"], *row["pos"], *row["neg"])


def test_vimedaqa_has_its_size_and_the_hubs_columns():
    assert all(len({r["context"] for r in vimed(subset=c)}) >= 60 for c in VIMED_SUBSETS)
    for context in {r["context"] for r in vimed()}:
        assert 60 <= len(context.split()) <= 200
        assert sum(r["context"] == context for r in vimed()) == 2
    for row in vimed():
        assert {"question", "answer", "context", "title", "keyword"} <= row.keys()
        assert all(isinstance(value, str) and value for value in row.values())


@pytest.mark.parametrize(("path", "size"), GROUPS.items())
def test_reranking_groups_have_their_size_and_schema(path, size):
    groups = rows(path)
    assert len(groups) >= size
    for group in groups:
        assert group.keys() == {"anchor", "pos", "neg"}
        assert 1 <= len(group["pos"]) <= 2 and 2 <= len(group["neg"]) <= 6
        if "ViNLI" in path:
            assert len(group["neg"]) >= 3


def test_every_text_is_vietnamese_in_nfc_with_its_diacritics():
    for text in texts():
        assert text == unicodedata.normalize("NFC", text) == text.strip()
        if len(text.split()) > 3:
            assert MARKED & set(text.lower()), text


def test_nothing_is_there_twice():
    contexts = {(r["context"], r["subset"], r["split"]) for r in vimed()}
    assert len({c for c, _, _ in contexts}) == len(contexts)
    questions = [r["question"].lower() for r in vimed()]
    assert len(set(questions)) == len(questions)
    for path in GROUPS:
        anchors = [g["anchor"] for g in rows(path)]
        assert len(set(anchors)) == len(anchors)
        for group in rows(path):
            candidates = group["pos"] + group["neg"]
            assert len(set(candidates)) == len(candidates) and group["anchor"] not in candidates


def test_no_context_and_no_subject_is_shared_between_splits():
    for column in ("context", "keyword"):
        seen = {s: {(r["subset"], r[column]) for r in vimed(split=s)} for s in RETRIEVAL_SPLITS}
        assert not seen["train"] & seen["test"] and not seen["train"] & seen["validation"]
        assert not seen["validation"] & seen["test"]


def test_a_third_of_the_questions_share_few_words_with_their_context():
    def shared(row):
        asked = set(row["question"].lower().split())
        return len(asked & set(row["context"].lower().split())) / len(asked)

    few = sum(shared(row) < 0.5 for row in vimed())
    assert few >= len(vimed()) / 3


def test_bm25_alone_does_not_win():
    run = evaluate(load_task("vimedretrieve"), load_ranker("bm25"))
    assert 0.45 <= run.metrics["accuracy@1"] <= 0.85
