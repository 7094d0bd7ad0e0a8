import json

import pandas as pd
import pytest

from vcs_demo.benchmark.tasks import load_task, reranking_task, retrieval_task, windows
from vcs_demo.errors import UserError

CONTEXT = "Nên uống nước ấm khi bị ho. " * 30


@pytest.fixture
def folder(tmp_path):
    """A source folder with one split of one subset in Parquet."""
    path = tmp_path / "source" / "tmnam20" / "ViMedAQA" / "drug"
    path.mkdir(parents=True)
    rows = [{"question": "Khi ho nên uống gì?", "context": CONTEXT}, {"question": "Vì sao?", "context": "  "}]
    pd.DataFrame(rows).to_parquet(path / "test.parquet")
    return tmp_path / "source"


def test_windows_are_96_words_starting_64_after_the_last(monkeypatch):
    monkeypatch.setattr("pyvi.ViTokenizer.tokenize", lambda text: text)
    words = [f"từ{i}" for i in range(128)]
    first, second, last = windows(" ".join(words))
    assert first.split() == words[:96]
    assert second.split() == words[64:]
    assert last == ""  # 128 // 64 + 1 windows: the authors' empty one


def test_windows_turn_the_segmenters_underscores_back():
    assert windows("bệnh viện đa khoa") == ["bệnh viện đa khoa"]


def test_empty_windows_and_contexts_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr("pyvi.ViTokenizer.tokenize", lambda text: text)
    rows = [
        {"question": "Hỏi một?", "context": "từ " * 64},
        {"question": "Hỏi hai?", "context": ""},
        {"question": None, "context": "có"},
    ]
    task = retrieval_task("vimedretrieve", "here", "test", rows)
    assert task.notes["windows"] == 2 and task.notes["empty_windows"] == 1
    assert task.notes["empty_contexts"] == 1 and task.notes["empty_questions"] == 1
    assert len(task.passages) == 1


def test_every_window_of_the_context_is_relevant_and_so_is_a_twin_of_it(monkeypatch):
    monkeypatch.setattr("pyvi.ViTokenizer.tokenize", lambda text: text)
    shared = " ".join(f"a{i}" for i in range(64))
    tail = " ".join(f"b{i}" for i in range(32))
    rows = [
        {"question": "Hỏi một?", "context": f"{shared} {tail}"},
        {"question": "Hỏi hai?", "context": tail},
    ]
    task = retrieval_task("vimedretrieve", "here", "test", rows)
    one, two = task.qrels.values()
    assert len(one) == 3  # two windows of its own, and the other context's window with the same text
    assert len(two) == 2


def test_reranking_drops_and_counts_groups_that_cannot_be_ranked():
    rows = [
        {"anchor": "Trời mưa.", "pos": ["Có mưa."], "neg": ["Trời nắng.", "Có mưa."]},
        {"anchor": "Trời gió.", "pos": [], "neg": ["Trời lặng."]},
    ]
    task = reranking_task("virerank", "here", rows)
    assert task.notes["dropped_groups"] == 1
    (candidates,) = task.candidates.values()
    assert len(candidates) == 2  # the positive that was also a negative is a positive


def test_a_folder_source_is_read_as_parquet_or_jsonl(folder):
    task = load_task("vimedretrieve/drug", str(folder))
    assert list(task.queries.values()) == ["Khi ho nên uống gì?"]
    drug = folder / "tmnam20" / "ViMedAQA" / "drug"
    rows = pd.read_parquet(drug / "test.parquet").to_dict("records")
    (drug / "train.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    assert load_task("vimedretrieve/drug", str(folder), "train").passages == task.passages


def test_the_parts_make_the_whole_and_a_missing_part_is_named(folder):
    with pytest.raises(UserError, match="not of medicine, disease, body-part"):
        load_task("vimedretrieve", str(folder))
    vimed = folder / "tmnam20" / "ViMedAQA"
    for number, part in enumerate(("medicine", "disease", "body-part")):
        (vimed / part).mkdir()
        row = {"question": f"Câu hỏi {number}?", "context": f"Đoạn văn số {number}."}
        (vimed / part / "test.jsonl").write_text(json.dumps(row), "utf-8")
    assert len(load_task("vimedretrieve", str(folder)).queries) == 4


@pytest.mark.parametrize("value", [5, True, {"a": "b"}, [["a"]], [5]])
def test_a_value_that_is_no_text_is_one_sentence_with_its_row(value):
    good = {"anchor": "Trời mưa.", "pos": ["Có mưa."], "neg": ["Nắng."]}
    for column in good:
        with pytest.raises(
            UserError, match=rf"Row 2 of virerank .here. has .* belongs \({column}\); mend the file"
        ):
            reranking_task("virerank", "here", [good, good | {column: value}])
    with pytest.raises(UserError, match="Row 1 of virerank .here. has a list written as text"):
        reranking_task("virerank", "here", [good | {"pos": "['Có mưa.', 'Mưa.']"}])
    with pytest.raises(
        UserError, match="Row 1 of vimedretrieve .here. has .* where a text belongs .context."
    ):
        retrieval_task("vimedretrieve", "here", "test", [{"question": "Gì?", "context": value}])


def test_empty_cells_are_no_text():
    rows = [{"anchor": "a", "pos": ["Có."], "neg": [None, float("nan"), "Không."]}]
    rows += [{"anchor": None, "pos": float("nan"), "neg": None}, {"anchor": "b"}]
    assert reranking_task("virerank", "here", rows).notes["dropped_groups"] == 2


def test_text_is_nfc_whatever_the_file_holds(tmp_path):
    import unicodedata

    path = tmp_path / "ContextSearchLM" / "ViGLUE-R"
    path.mkdir(parents=True)
    row = {"anchor": unicodedata.normalize("NFD", "Bệnh gì?"), "pos": ["Ốm."], "neg": ["Khỏe."]}
    (path / "qnli_r.jsonl").write_text(json.dumps(row), "utf-8")
    assert list(load_task("qnli-r", str(tmp_path)).queries.values()) == ["Bệnh gì?"]


@pytest.mark.parametrize(
    ("name", "split", "words"),
    [("vimed", "test", "'vimed'"), ("virerank", "train", "'train'"), ("vimedretrieve", "dev", "'dev'")],
)
def test_an_unknown_task_or_split_is_one_sentence_with_the_valid_ones(name, split, words):
    with pytest.raises(UserError, match=words) as caught:
        load_task(name, "mini", split)
    valid = {"vimed": "virerank", "train": "test", "dev": "validation"}[words.strip("'")]
    assert valid in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_the_file_says_what_it_has(folder):
    with pytest.raises(UserError, match="disease/test.parquet.*it has tmnam20/ViMedAQA/drug/test.parquet"):
        load_task("vimedretrieve/disease", str(folder))
    with pytest.raises(UserError, match="'no-such-folder' is not a folder"):
        load_task("virerank", "no-such-folder")


def test_a_missing_column_is_named_with_those_there(folder):
    drug = folder / "tmnam20" / "ViMedAQA" / "drug"
    pd.DataFrame([{"cau_hoi": "Gì?", "context": "Có."}]).to_parquet(drug / "validation.parquet")
    with pytest.raises(UserError, match="no column 'question'; it has 'cau_hoi', 'context'"):
        load_task("vimedretrieve/drug", str(folder), "validation")


def test_a_broken_file_is_one_sentence(folder):
    drug = folder / "tmnam20" / "ViMedAQA" / "drug"
    (drug / "validation.parquet").write_bytes(b"PAR1 and no more")
    (drug / "train.jsonl").write_text('{"question": "Gì?", "context"', "utf-8")
    for split in ("validation", "train"):
        with pytest.raises(UserError, match="cannot be read as") as caught:
            load_task("vimedretrieve/drug", str(folder), split)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["test.jsonl", "test.json", "test.ndjson", "TEST.parquet"])
def test_an_empty_file_is_one_sentence(tmp_path, name):
    path = tmp_path / "ContextSearchLM" / "ViNLI_reranking" / name.lower().replace("parquet", "PARQUET")
    path.parent.mkdir(parents=True)
    if "parquet" in name:
        pd.DataFrame({"anchor": [], "pos": [], "neg": []}).to_parquet(path)
    else:
        path.write_text("\n" if "json" in name else "", "utf-8")
    with pytest.raises(UserError, match="has no row"):
        load_task("virerank", str(tmp_path))


def test_a_file_changed_under_an_old_time_is_read_anew(folder):
    import os

    path = folder / "tmnam20" / "ViMedAQA" / "drug" / "test.parquet"
    first, times = load_task("vimedretrieve/drug", str(folder)), path.stat()
    assert load_task("vimedretrieve/drug", str(folder)) is first
    content = path.read_bytes().replace("gì".encode(), b"gi`")
    assert len(content) == times.st_size
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert list(load_task("vimedretrieve/drug", str(folder)).queries.values()) == ["Khi ho nên uống gi`?"]


def test_a_folder_is_found_however_its_letters_were_typed(folder):
    import unicodedata

    for there, typed in (("NFC", "NFD"), ("NFD", "NFC")):
        path = folder.parent / unicodedata.normalize(there, "nguồn") / unicodedata.normalize(typed, "bệnh")
        path.parent.mkdir()
        folder.rename(path)
        for form in ("NFC", "NFD"):
            task = load_task("vimedretrieve/drug", unicodedata.normalize(form, str(path)))
            assert task.source == "bệnh" and len(task.queries) == 1
        folder = path


@pytest.mark.parametrize("name", ["mini", "hub"])
def test_a_folder_is_not_mistaken_for_another_source(folder, name):
    folder.rename(folder.parent / name)
    assert load_task("vimedretrieve/drug", str(folder.parent / name)).source == f"{folder.parent.name}/{name}"


def test_the_disk_is_blamed_for_its_own_faults(monkeypatch):
    import datasets

    def full(*_, **__):
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise ValueError("An error occurred while generating the dataset") from error

    monkeypatch.setattr(datasets, "load_dataset", full)
    with pytest.raises(UserError, match="no room left for 'the hub's cache'"):
        load_task("virerank", "hub")


def test_a_hub_that_cannot_be_reached_is_one_sentence():
    with pytest.raises(UserError, match="cannot be fetched from the hub") as caught:
        load_task("virerank", "hub")
    assert "\n" not in str(caught.value) and "HF_HUB_OFFLINE" in str(caught.value)


def test_the_fingerprint_follows_the_content():
    rows = [{"anchor": "Trời mưa.", "pos": ["Có mưa."], "neg": ["Trời nắng."]}]
    one, same = reranking_task("virerank", "a", rows), reranking_task("virerank", "b", rows)
    rows[0]["neg"] = ["Trời râm."]
    assert one.fingerprint == same.fingerprint != reranking_task("virerank", "a", rows).fingerprint


def test_texts_of_which_nothing_shows_are_dropped_and_counted():
    rows = [
        {"question": "Ho?", "context": "Uống nước."},
        {"question": "Sốt?", "context": "\u200b\ufeff"},
        {"question": "\u2060", "context": "Uống nước."},
    ]
    task = retrieval_task("vimedretrieve", "here", "test", rows)
    assert list(task.passages.values()) == ["Uống nước ."] and len(task.queries) == 1
    assert (task.notes["empty_contexts"], task.notes["empty_questions"]) == (1, 1)
    group = {"anchor": "Ho.", "pos": ["Ho khan.", "\u3164"], "neg": ["\u00ad", "Ngủ."]}
    assert sorted(reranking_task("virerank", "here", [group]).passages.values()) == ["Ho khan.", "Ngủ."]


def test_texts_that_look_alike_are_one_in_the_judgements():
    rows = [
        {"question": "Viêm tuỵ là gì?", "context": "Viêm tuỵ là bệnh."},
        {"question": "Viêm tụy là gì?\u200b", "context": "Viêm tụy là bệnh."},
    ]
    task = retrieval_task("vimedretrieve", "here", "test", rows)
    assert len(task.queries) == 1 and len(task.passages) == 2
    assert list(task.qrels.values()) == [frozenset(task.passages)]
    group = {
        "anchor": "Ho.",
        "pos": ["Viêm tuỵ.", "Viêm tụy."],
        "neg": ["Vi\u200bêm tụy.", "Ngủ.", "Ngủ\ufeff."],
    }
    task = reranking_task("virerank", "here", [group])
    assert len(task.passages) == 2 and len(task.qrels["a00000"]) == 1


def test_ids_and_fingerprints_are_those_of_before():
    rows = [{"question": "Viêm tuỵ\u200b là gì?", "context": "Viêm tuỵ là bệnh."}]
    task = retrieval_task("vimedretrieve", "here", "test", rows)
    assert (list(task.queries), list(task.passages)) == (["q8b99878ef093"], ["ca9f7ca63b85a-0"])
    assert load_task("vimedretrieve").fingerprint == "e21ba301596f6d9c"
