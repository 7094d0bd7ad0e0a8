"""Pairs out of the training data."""

import json
import lzma
import random

import pytest

from training.recipe import corpus
from training.recipe.corpus import Pair
from vcs_demo.errors import UserError


def write(folder, name, rows):
    with lzma.open(folder / f"{name}.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_pairs_are_the_same_for_the_same_seed_and_their_passages_fit_the_windows(data):
    first, second = corpus.pairs(data, 1), corpus.pairs(data, 1)
    assert first == second != corpus.pairs(data, 2)
    assert set(first) == {"news", "qa", "sections", "medical", "crops", "newscrops", "nli"}
    for row in first["medical"] + first["crops"]:
        assert 15 <= len(row.passage.split()) <= 130 and row.query
        assert row.negative not in row.passage or not row.negative


def test_the_medical_kind_leaves_law_and_general_knowledge_out(tmp_path):
    law = "Điều một quy định về hợp đồng lao động giữa hai bên ký kết. " * 8
    health = "Gan lọc máu và dự trữ năng lượng cho cơ thể con người mỗi ngày. " * 8
    rows = [("vlc_laws", law), ("alqac2022", law), ("unc_dantri", law), ("health", health)]
    write(tmp_path, "train_text_other", [{"source": s, "title": "", "text": text} for s, text in rows])
    qa = [{"source": s, "query": "hỏi gì?", "positive": text} for s, text in rows]
    write(tmp_path, "train_qa_pairs", qa)
    passages = [row.passage for row in corpus.pairs(tmp_path)["medical"]]
    assert passages and all("Gan lọc máu" in passage for passage in passages)
    assert not any("hợp đồng" in passage for passage in passages)
    assert {row.passage[:4] for row in corpus.pairs(tmp_path)["qa"]} == {
        "Điều",
        "Gan ",
    }  # as questions they stay


def test_headings_are_queries_of_their_sections_and_no_questions(tmp_path):
    text = "Uống thuốc sau bữa ăn và không tự ý tăng liều khi chưa hỏi bác sĩ hoặc dược sĩ."
    rows = [{"source": "longchau_sections", "query": "Cách dùng", "positive": text}]
    rows += [{"source": "faq", "query": "Uống khi nào?", "positive": text}]
    write(tmp_path, "train_qa_pairs", rows)
    made = corpus.pairs(tmp_path)
    assert {row.query for row in made["qa"]} == {"Uống khi nào?"}
    assert {row.query for row in made["sections"]} == {"Cách dùng"}


def test_a_judged_group_gives_a_pair_per_passage_with_one_of_its_negatives(tmp_path):
    rows = [
        {"anchor": "Ai?", "pos": ["một", "hai"], "neg": ["ba"]},
        {"anchor": "Gì?", "pos": ["bốn"], "neg": []},
    ]
    write(tmp_path, "train_qa_groups_hardneg", rows)
    expected = [Pair("Ai?", "một", "ba"), Pair("Ai?", "hai", "ba"), Pair("Gì?", "bốn", "")]
    assert corpus.pairs(tmp_path) == {"qa": expected}


def test_a_crop_keeps_the_words_of_its_passage():
    passage = "Gan nằm ở bên phải ổ bụng và lọc máu. Tim bơm máu đi khắp cơ thể người mỗi ngày."
    forms = {word.strip("?") for form in corpus._FORMS for word in form.replace("{}", "").split()}
    for seed in range(50):
        query = corpus.crop(passage, "", random.Random(seed))
        assert set(query.rstrip("?").split()) <= {word.strip(".") for word in passage.split()} | forms
        assert len(query.split()) >= 3


def test_a_broken_file_is_one_sentence(tmp_path):
    (tmp_path / "train_qa_pairs.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(UserError, match=r"'train_qa_pairs.jsonl.xz' cannot be read"):
        corpus.pairs(tmp_path)
