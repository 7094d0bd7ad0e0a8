import pytest

from annotations.candidates import Candidate, LabelledCandidate
from annotations.exchange.manifest import export_labels, read_labels
from annotations.store.label_store import LabelStore
from training.retraining.dataset import training_set
from training.retraining.held_out import HeldOut
from vcs_demo.benchmark.tasks import retrieval_task
from vcs_demo.errors import UserError
from vcs_demo.text import content_hash


def said(query, passage, label, positive="Thuốc này trị đau đầu."):
    candidate = Candidate.create(
        query=query, positive=positive, passage=passage, source="mini", task="vimedretrieve", split="train"
    )
    return LabelledCandidate(**vars(candidate), label=label, votes={label: 1}, annotators=1)


LABELS = [
    said("Đau đầu uống gì?", "Thuốc này trị ho.", "hard"),
    said("Đau đầu uống gì?", "Người đau đầu có thể uống thuốc này.", "false_negative"),
    said("Đau đầu uống gì?", "Gan ở bên phải.", "trivial"),
    said("Đau đầu uống gì?", "Uống nước.", "unsure"),
    said("Sốt thì làm gì?", "Tim ở bên trái.", "trivial", positive="Khi sốt nên uống nước."),
]


def test_each_label_becomes_what_it_says():
    found = training_set(LABELS)
    assert found.rows == [
        ("Đau đầu uống gì?", "Thuốc này trị đau đầu.", "Thuốc này trị ho."),
        ("Đau đầu uống gì?", "Người đau đầu có thể uống thuốc này.", "Thuốc này trị ho."),
    ]
    assert found.counts["labels: trivial"] == 2 and found.counts["labels: unsure"] == 1
    query = content_hash("Đau đầu uống gì?")
    assert (query, content_hash("Người đau đầu có thể uống thuốc này.")) in found.relevant
    assert found.query_hashes == [query]
    assert found.labels == tuple(LABELS[:4])  # the last one's query has nothing to train on


def test_a_false_negative_is_never_a_negative_even_if_someone_called_it_hard():
    twice = [
        said("Đau đầu uống gì?", "Thuốc này trị ho.", "hard"),
        said("Đau đầu uống gì?", "Thuốc này trị ho.", "false_negative", positive="Một đoạn đúng khác."),
    ]
    found = training_set(twice)
    assert all(negative is None for _, _, negative in found.rows)
    assert found.counts["negatives overruled by a false-negative label"] == 1


def test_what_is_unsure_or_another_annotators_positive_is_no_negative():
    labels = [*LABELS, said("Đau đầu uống gì?", "Da.", "trivial", positive="Nên uống thuốc giảm đau.")]
    found = training_set(labels)
    query = content_hash("Đau đầu uống gì?")
    for passage in ("Uống nước.", "Nên uống thuốc giảm đau."):
        assert (query, content_hash(passage)) in found.relevant
        assert not any(passage in row for row in found.rows)
    assert (query, content_hash("Thuốc này trị ho.")) not in found.relevant
    assert (query, content_hash("Gan ở bên phải.")) not in found.relevant
    # A passage that somebody else could not decide on beside another positive stays a hard negative.
    twice = [*LABELS, said("Đau đầu uống gì?", "Thuốc này trị ho.", "unsure", positive="Một đoạn khác.")]
    assert training_set(twice).rows == training_set(LABELS).rows
    assert (query, content_hash("Thuốc này trị ho.")) not in training_set(twice).relevant


def test_the_loss_is_told_of_positives_and_rows_without_a_negative():
    labels = [
        *LABELS[:2],
        said("Sốt thì làm gì?", "Sốt nên nghỉ.", "false_negative", positive="Khi sốt nên uống nước."),
    ]
    found = training_set(labels)
    known = found.known()
    assert known.negative[-1] is None and known.negative[0] == content_hash("Thuốc này trị ho.")
    assert all((q, p) in known.pairs for q, p in zip(known.query, known.positive, strict=True))
    assert all((q, n) not in known.pairs for q, n in zip(known.query, known.negative, strict=True))
    dataset = found.as_dataset(with_negatives=True)
    assert dataset.column_names == ["anchor", "positive", "negative", "label"]
    assert dataset["label"] == list(range(len(found.rows)))


def test_hard_negatives_alone_leave_out_rows_without_one_and_in_batch_takes_none():
    labels = [
        *LABELS,
        said("Sốt thì làm gì?", "Sốt nên nghỉ.", "false_negative", positive="Khi sốt nên uống nước."),
    ]
    hard = training_set(labels, negatives="hard")
    assert hard.counts["rows left out: no explicit negative"] == 2
    assert all(negative for _, _, negative in hard.rows)
    assert all(negative is None for _, _, negative in training_set(labels, negatives="in-batch").rows)


ROWS = [
    {"question": "Gan ở đâu?", "context": "Lá gan nằm bên phải ổ bụng."},
    {"question": "Phổi làm gì?", "context": "Phổi trao đổi khí."},
]


def test_pairs_of_a_train_split_are_added_and_the_evaluations_own_are_not():
    train = retrieval_task("vimedretrieve", "mini", "train", ROWS)
    test = retrieval_task("vimedretrieve", "mini", "test", ROWS[1:])
    found = training_set(LABELS, pairs=train, held_out=[test])
    assert ("Gan ở đâu?", "Lá gan nằm bên phải ổ bụng .", None) in found.rows
    assert not any("Phổi" in query for query, _, _ in found.rows)
    assert found.counts["pairs left out: of the evaluation's queries or passages"] == 1
    with pytest.raises(UserError, match="for evaluation"):
        training_set(LABELS, pairs=test)


def test_a_label_on_the_evaluations_query_or_passage_is_left_out():
    test = retrieval_task(
        "vimedretrieve", "mini", "test", [{"question": "ĐAU đầu  uống gì?", "context": "Khác."}]
    )
    with pytest.raises(UserError, match="Nothing can be trained on"):
        training_set(LABELS, held_out=[test])


def test_a_context_of_the_evaluation_is_recognised_whole_and_however_it_is_spaced():
    context = (
        "Lá gan nằm bên phải, dưới cơ hoành; gan lọc máu, tạo mật (và dự trữ đường) cho cả cơ thể mỗi ngày. "
        * 4
    )
    test = retrieval_task("vimedretrieve", "mini", "test", [{"question": "Gan ở đâu?", "context": context}])
    assert len(test.passages) > 1 and context.strip() not in test.passages.values()
    held = HeldOut([test])
    assert held.has(context) and held.has("GAN ở đâu") and all(map(held.has, test.passages.values()))
    assert not held.has("Lá gan nằm bên phải.") and not held.has("")
    imported = said("Cơ quan nào tạo mật?", "Tim ở bên trái.", "hard", positive=context)
    with pytest.raises(UserError, match="Nothing can be trained on"):
        training_set([imported], held_out=[test])


def test_what_the_source_judges_relevant_is_no_negative_even_unlabelled():
    context = " ".join(f"từ{i}" for i in range(130))
    train = retrieval_task(
        "vimedretrieve", "mini", "train", [{"question": "Đau đầu uống gì?", "context": context}]
    )
    found = training_set(LABELS, gold=[train])
    query = content_hash("Đau đầu uống gì?")
    assert {(query, content_hash(window)) for window in train.passages.values()} <= found.relevant


def test_labels_are_read_from_a_database_and_from_every_export(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        candidate = Candidate.create(query="Đau đầu uống gì?", positive="Thuốc này.", passage="Thuốc kia.")
        store.add_candidates([candidate])
        store.label(candidate.id, "an", "hard", token="1")
        paths = [tmp_path / name for name in ("l.jsonl", "l.csv", "l.parquet", "folder")]
        for path in paths:
            export_labels(store, path)
        expected = store.labelled()
    fingerprints = set()
    for path in (tmp_path / "labels.db", *paths):
        labelled = read_labels(path).labelled
        assert [item.label for item in labelled] == ["hard"] == [item.label for item in expected]
        fingerprints.add(training_set(labelled).fingerprint)
    assert len(fingerprints) == 1


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    from vcs_demo.errors import UserError

    with pytest.raises(UserError, match="There are no labels at"):
        read_labels(tmp_path / "none.db")
    (tmp_path / "notes.txt").write_text("không phải nhãn", "utf-8")
    with pytest.raises(UserError) as caught:
        read_labels(tmp_path / "notes.txt")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"labels: 2 trivial"):
        training_set([LABELS[2], LABELS[4]])


def test_the_fingerprint_of_rows_stays_what_unfinished_runs_and_cards_say():
    assert training_set(LABELS).fingerprint == "0508abbb536f5a6b"


def test_texts_that_look_alike_are_one_to_the_training():
    labels = [
        said("Viêm tuỵ là gì?", "Đau bụng.", "hard"),
        said("Viêm tụy là gì?\u200b", "Ðau bụng.", "false_negative"),
        said("Viêm tụy là gì?", "Thuốc\u00ad này trị đau đầu.", "hard"),
    ]
    found = training_set(labels)
    assert all(negative is None for _, _, negative in found.rows) and len(found.query_hashes) == 1
    assert HeldOut([retrieval_task("vimedretrieve", "here", "test", [ROW])]).has("Viêm tuỵ\u200b là  gì")


ROW = {"question": "Viêm tụy là gì?", "context": "Viêm tụy là bệnh của tuyến tụy."}
