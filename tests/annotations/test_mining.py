import numpy as np
import pytest

from annotations.mining import mine
from vcs_demo.benchmark.tasks import RerankingTask, RetrievalTask, load_task, retrieval_task
from vcs_demo.errors import UserError
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.dense import DenseRanker


class TableRanker(Ranker):
    """Scores out of a table: query text → one score a passage."""

    name = fingerprint = "table"

    def __init__(self, table: dict[str, list[float]]) -> None:
        self.table = table

    def index(self, passages, progress=None):
        table = self.table

        class Index(PassageIndex):
            def score(self, queries):
                return np.array([table[query] for query in queries], dtype=np.float32)

        if progress:
            progress(len(passages), len(passages))
        return Index()


def task_of(passages: dict[str, str], qrels: dict[str, set[str]], split: str = "train") -> RetrievalTask:
    queries = {query_id: f"Câu hỏi {query_id}?" for query_id in qrels}
    return RetrievalTask(
        "vimedretrieve", "mini", split, queries, passages, {q: frozenset(ids) for q, ids in qrels.items()}
    )


def mined(scores: list[float], **options):
    """Mine one query whose positive windows are caa-0 and caa-1, of eight passages."""
    passages = {
        "caa-0": "Hạ sốt khi trên 38,5 độ.",
        "caa-1": "Uống đủ nước.",
        "caa-2": "Cửa sổ thứ ba của ngữ cảnh.",
        "cbb-0": "uống  đủ NƯỚC.",
        "ccc-0": "Nghỉ ngơi ba ngày.",
        "ccc-1": "Khám răng định kỳ.",
        "cdd-0": "Khám răng định kỳ.",
        "cee-0": "Đo huyết áp mỗi sáng.",
    }
    task = task_of(passages, {"q1": {"caa-0", "caa-1"}})
    return mine(task, TableRanker({"Câu hỏi q1?": scores}), **options)


def test_kept_are_those_far_enough_below_the_best_positive():
    #              caa-0 caa-1 caa-2 cbb-0 ccc-0 ccc-1 cdd-0 cee-0
    result = mined([0.80, 1.00, 0.99, 0.98, 0.96, 0.95, 0.94, 0.50])
    assert [(c.passage_id, c.rank) for c in result.candidates] == [("ccc-1", 5), ("cee-0", 8)]
    assert {c.positive_id for c in result.candidates} == {"caa-1"}
    assert result.candidates[0].score == pytest.approx(0.95)
    assert result.candidates[0].positive_score == 1
    # caa-2 is of the query's own context, cbb-0 says what caa-1 says, cdd-0 what ccc-1 does.
    assert result.rejected == {"own_context": 1, "same_text": 2, "too_close": 1}
    assert (result.dropped, result.queries, result.unretrieved) == ({}, 1, 0)


def test_a_wider_margin_and_a_smaller_depth_keep_less():
    scores = [0.80, 1.00, 0.99, 0.98, 0.96, 0.95, 0.94, 0.50]
    assert [c.passage_id for c in mined(scores, relative_margin=0.3).candidates] == ["cee-0"]
    assert [c.passage_id for c in mined(scores, depth=5).candidates] == ["ccc-1"]
    assert [c.passage_id for c in mined(scores, relative_margin=0, per_query=1).candidates] == ["ccc-0"]


def test_queries_are_dropped_with_a_reason():
    nothing_far_enough = mined([1, 0.9, 0, 0, 0.99, 0.99, 0.99, 0.99])
    assert nothing_far_enough.candidates == []
    assert nothing_far_enough.dropped == {"no_candidate": 1}
    not_scored = mined([-1, 0, 0, 0, 1, 2, 3, 4])
    assert not_scored.candidates == []
    assert not_scored.dropped == {"positive_not_found": 1}
    assert "scores their positive at zero or below" in not_scored.table().markdown()
    assert "chấm từ 0 điểm trở xuống" in not_scored.table("vi").markdown()


def test_a_passage_that_shares_nothing_is_no_hard_negative():
    result = mined([1, 0.9, 0, 0, 0.5, 0, -1, 0])
    assert [c.passage_id for c in result.candidates] == ["ccc-0"]
    assert result.rejected["nothing_shared"] == 3


def test_a_positive_beyond_the_depth_is_reported_not_dropped():
    result = mined([0.6, 0.5, 0, 0, 0.9, 0.55, 0.54, 0.4], depth=3, relative_margin=0.0)
    assert [c.passage_id for c in result.candidates] == ["ccc-1"]
    assert result.unretrieved == 0
    result = mined([0.6, 0.5, 0, 0, 0.9, 0.8, 0.7, 0.65], depth=3)
    assert result.unretrieved == 1
    assert "not within the depth (kept): 1" in result.table().markdown()


def many(queries: int = 150, passages: int = 60) -> tuple[RetrievalTask, TableRanker]:
    texts = {f"c{n:x}-0": f"Đoạn văn số {n}." for n in range(passages)}
    task = task_of(texts, {f"q{n}": {f"c{n % passages:x}-0"} for n in range(queries)})
    noise = np.random.default_rng(0)
    table = {text: noise.uniform(0.1, 1, passages).tolist() for text in task.queries.values()}
    return task, TableRanker(table)


def test_a_limit_spreads_over_queries():
    task, ranker = many()
    result = mine(task, ranker, limit=40)
    assert len(result.candidates) == len({c.query_id for c in result.candidates}) == 40
    everything = mine(task, ranker)
    assert len(everything.candidates) > 200
    assert everything.queries == 150
    most = mine(task, ranker, limit=200).candidates
    assert most == everything.candidates[:200]
    assert result.candidates == everything.candidates[:40]  # stopping early changes nothing


def test_the_seed_decides_which_queries_a_limit_takes():
    task, ranker = many()
    assert mine(task, ranker, limit=20).candidates == mine(task, ranker, limit=20).candidates
    assert mine(task, ranker, limit=20).candidates != mine(task, ranker, limit=20, seed=1).candidates


def test_what_models_are_evaluated_on_is_refused():
    task = task_of({"ca-0": "a", "cb-0": "b"}, {"q": {"ca-0"}}, split="test")
    reranking = RerankingTask("virerank", "mini", "test", {}, {}, {}, {}, {})
    for refused in (task, reranking):
        with pytest.raises(UserError, match="evaluated on"):
            mine(refused, BM25Ranker())


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"per_query": 0}, {"depth": 0}, {"relative_margin": 1.0}, {"relative_margin": -0.1}],
)
def test_numbers_out_of_range_are_refused(wrong):
    task, ranker = many(2, 3)
    with pytest.raises(UserError, match="must be 1 or more"):
        mine(task, ranker, **wrong)


def test_progress_is_told_and_may_cancel():
    task, ranker = many()
    told = []
    mine(task, ranker, progress=lambda done, total: told.append((done, total)))
    assert told == [(60, 60), (64, 150), (128, 150), (150, 150)]

    def cancel(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        mine(task, ranker, progress=cancel)


def test_no_relevant_window_is_mined_from_the_miniature():
    task = load_task("vimedretrieve", "mini", "train")
    result = mine(task, BM25Ranker(), limit=50)
    assert len(result.candidates) == 50
    for candidate in result.candidates:
        assert candidate.passage_id not in task.qrels[candidate.query_id]
        assert candidate.positive_id in task.qrels[candidate.query_id]
        assert candidate.score <= candidate.positive_score * 0.95
        assert (candidate.task, candidate.split, candidate.miner) == ("vimedretrieve", "train", "bm25")


def test_it_agrees_with_sentence_transformers(tiny_model_dir):
    """The oracle is mine_hard_negatives, on one positive a query (with more it takes the lowest's score)."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    pairs = {
        "trẻ em sốt khi nào": "trẻ em sốt thì uống nước và thuốc",
        "đau đầu là bệnh gì": "đau đầu có thể là bệnh tim",
        "ho có nên uống thuốc": "ho nên uống nước , không nên dùng thuốc",
        "viêm gan chữa bao nhiêu ngày": "viêm gan chữa bao nhiêu lần và bao nhiêu ngày",
        "da và mắt có máu": "da viêm để người máu",
        "thuốc cho tim phổi": "thuốc giảm đau tim của người bệnh phổi",
    }
    task = retrieval_task(
        "vimedretrieve", "mini", "train", [{"question": q, "context": c} for q, c in pairs.items()]
    )
    assert all(len(relevant) == 1 for relevant in task.qrels.values())
    ranker = DenseRanker("tiny", tiny_model_dir)
    ours = mine(task, ranker, per_query=3, relative_margin=0.05)
    positive = {q: task.passages[next(iter(task.qrels[q]))] for q in task.queries}
    theirs = mine_hard_negatives(
        Dataset.from_dict({"query": list(task.queries.values()), "answer": list(positive.values())}),
        ranker.model,
        corpus=list(task.passages.values()),
        range_max=len(task.passages),
        relative_margin=0.05,
        num_negatives=3,
        query_prompt_name="query",
        output_format="triplet",
        verbose=False,
    )
    found = {(c.query, c.positive, c.passage) for c in ours.candidates}
    assert found == {(row["query"], row["answer"], row["negative"]) for row in theirs}
    assert 0 < len(found) < 3 * len(pairs)  # the margin did something


def test_a_passage_that_looks_like_a_positive_is_no_negative_of_it():
    passages = {
        "caa-0": "Viêm tuỵ cấp là gì.",
        "cbb-0": "Vi\u200bêm tuỵ cấp là gì.",
        "ccc-0": "Viêm tụy cấp  là gì.",
        "cdd-0": "Nghỉ ngơi vì bị sốt đỏ da.",
        "cee-0": "Nghỉ ngơi vì bị sốt\ufeff ðỏ da.",
    }
    task = task_of(passages, {"q1": {"caa-0"}})
    result = mine(task, TableRanker({"Câu hỏi q1?": [1.0, 0.9, 0.8, 0.7, 0.6]}))
    assert [c.passage_id for c in result.candidates] == ["cdd-0"] and result.rejected == {"same_text": 3}


def test_a_pool_that_is_written_otherwise_is_there_already(store):
    """Of two placements and with what does not show in it, mined and imported."""
    passages = {"caa-0": "Bệnh viện.", "cbb-0": "Uống thuốc khi hoá trị."}
    ways = [
        passages,
        passages | {"cbb-0": "Uống thuốc khi hóa trị.\u200b"},
        passages | {"cbb-0": "Uống thuốc khi hóa trị."},
    ]
    for way in ways:
        result = mine(task_of(way, {"q1": {"caa-0"}}), TableRanker({"Câu hỏi q1?": [1.0, 0.5]}))
        assert len(result.candidates) == 1
        store.add_candidates(result.candidates)
    assert [candidate.passage for candidate in store.candidates()] == ["Uống thuốc khi hoá trị."]
    skip = [candidate.id for candidate in store.candidates()]
    again = mine(task_of(ways[1], {"q1": {"caa-0"}}), TableRanker({"Câu hỏi q1?": [1.0, 0.5]}), skip=skip)
    assert again.candidates == [] and again.rejected == {"already_there": 1}
