"""The TREC files: other programs compute our figures from them, to the last digit, however much a ranker ties."""

from dataclasses import replace

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from ir_measures import AP, RR, Success, nDCG

from vcs_demo.__main__ import main
from vcs_demo.benchmark.tasks import RerankingTask, RetrievalTask, load_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate, evaluate_kept
from vcs_demo.measuring.metrics import ACCURACY_AT
from vcs_demo.measuring.run_store import keep, kept_runs, read_run, token
from vcs_demo.measuring.trec import decreasing, write_qrels, write_run
from vcs_demo.rankers.base import PassageIndex, Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.text import written_hash

OURS = {AP: "map", RR @ 10: "mrr@10", nDCG @ 10: "ndcg@10"} | {
    Success @ k: f"accuracy@{k}" for k in ACCURACY_AT
}
PYTREC = {"map": "map", "success_1": "accuracy@1", "success_10": "accuracy@10", "success_100": "accuracy@100"}
PYTREC |= {"ndcg_cut_10": "ndcg@10", "success_20": "accuracy@20"}


class Constant(Ranker):
    """Ties everything, or knows a few values only."""

    def __init__(self, values=1, name="constant"):
        self.name = self.fingerprint = name
        self.values = values

    def index(self, passages, progress=None):
        values, size = self.values, len(passages)

        class Index(PassageIndex):
            def score(self, queries):
                return np.repeat([np.arange(size) % values / 7 - 0.2], len(queries), axis=0).astype(
                    np.float32
                )

        return Index()


class Trained(Constant):
    """Was trained on the first ten queries of the test split."""

    @property
    def training_hashes(self):
        queries = list(load_task("vimedretrieve", "mini").queries.values())[:10]
        return frozenset(written_hash(query)[:16] for query in queries)


def assert_same_figures(folder, stem, run, qrels=None):
    qrels, lines = folder / f"{qrels or stem.partition('.')[0]}.qrels", folder / f"{stem}.run"
    judged, ranked = (
        list(ir_measures.read_trec_qrels(str(qrels))),
        list(ir_measures.read_trec_run(str(lines))),
    )
    for figure in ir_measures.iter_calc(list(OURS), judged, ranked):
        assert figure.value == pytest.approx(run.per_query[OURS[figure.measure]][figure.query_id], abs=1e-12)
    for measure, value in ir_measures.calc_aggregate(list(OURS), judged, ranked).items():
        assert value == pytest.approx(run.metrics[OURS[measure]], abs=1e-12), measure
    with qrels.open() as one, lines.open() as other:
        relevant, results = pytrec_eval.parse_qrel(one), pytrec_eval.parse_run(other)
    found = pytrec_eval.RelevanceEvaluator(relevant, {"map", "success", "ndcg_cut"}).evaluate(results)
    assert found.keys() == run.per_query["map"].keys()
    for theirs, ours in PYTREC.items():
        for query, values in found.items():
            if theirs in values:
                assert values[theirs] == pytest.approx(run.per_query[ours][query], abs=1e-12)


@pytest.mark.parametrize("ranker", [BM25Ranker(), Constant(), Constant(3, "few")], ids=lambda r: r.name)
@pytest.mark.parametrize("name", ["vimedretrieve", "virerank"])
def test_the_files_give_our_figures(name, ranker, tmp_path):
    task = load_task(name, "mini")
    run = evaluate_kept(task, ranker, whole=True)
    write_run(tmp_path, run)
    write_qrels(tmp_path, task, [run])
    assert_same_figures(tmp_path, f"{name}-test.{ranker.name}", run)


def test_the_command_gives_them_by_default_also_of_runs_that_were_kept(tmp_path, capsys):
    words = [
        "evaluate",
        "--task",
        "vimedretrieve",
        "--task",
        "virerank",
        "--ranker",
        "bm25",
        "--ranker",
        "vcs-static",
    ]
    assert main(words) == 0 and len(kept_runs()) == 4
    assert main([*words, "--paper", "--trec", str(tmp_path / "new" / "t")]) == 0
    runs = {(run.task, run.ranker): run for run in kept_runs()}
    assert len(runs) == 4
    for (task, ranker), run in runs.items():
        assert_same_figures(tmp_path / "new" / "t", f"{task}-test.{ranker}", read_run(run.folder))
    assert sorted(path.name for path in (tmp_path / "new" / "t").glob("*.qrels")) == [
        "vimedretrieve-test.qrels",
        "virerank-test.qrels",
    ]
    stored = read_run(runs["vimedretrieve", "bm25"].folder).ranking
    assert max(map(len, stored.values())) == 100  # the store stays small


def test_queries_that_a_ranker_left_out_are_not_in_its_qrels(tmp_path):
    task = load_task("vimedretrieve", "mini")
    runs = [evaluate(task, ranker, whole=True) for ranker in (Trained(3, "trained"), Constant(3, "few"))]
    assert [run.skipped for run in runs] == [10, 0]
    for run in runs:
        write_run(tmp_path, run)
    write_qrels(tmp_path, task, runs)
    for run in runs:
        assert_same_figures(
            tmp_path, f"vimedretrieve-test.{run.ranker}", run, f"vimedretrieve-test.{run.ranker}"
        )
    write_qrels(tmp_path, task, runs[:1])
    assert_same_figures(tmp_path, "vimedretrieve-test.trained", runs[0])


IDS = ["", "a b", "a\tb", "a%20b", "%", "a\u2028b", "câu hỏi", "a\u00a0b", "a\nb", "\ufeff", "ab", "#"]


def test_odd_ids_are_escaped_alike_in_run_and_qrels(tmp_path):
    assert len({token(name) for name in IDS}) == len(IDS)
    assert all(len(token(name).split()) == 1 and token(name).isprintable() for name in IDS)
    assert token("câuhỏi-1") == "câuhỏi-1"
    passages = {name: f"đoạn {number}" for number, name in enumerate(IDS)}
    queries = {name: f"đoạn {number}" for number, name in enumerate(IDS[:-1])}
    qrels = {name: frozenset([name, IDS[-1]]) for name in queries}
    retrieval = RetrievalTask("odd", "here", "test", queries, passages, qrels)
    groups = {"candidates": {name: tuple(passages) for name in queries}}
    for task in (retrieval, RerankingTask("odd-r", "here", "test", queries, passages, qrels, **groups)):
        run = replace(evaluate(task, BM25Ranker(), whole=True), ranker="ours/of all")
        write_run(tmp_path, run)
        write_qrels(tmp_path, task, [run])
        plain = {measure: {token(q): v for q, v in of.items()} for measure, of in run.per_query.items()}
        assert_same_figures(tmp_path, f"{task.name}-test.ours%2Fof%20all", replace(run, per_query=plain))
        keep(run, tmp_path / f"kept-{task.name}")
        assert read_run(tmp_path / f"kept-{task.name}").ranking == run.ranking


def test_scores_fall_by_as_little_as_they_can():
    below = np.nextafter(np.float32(1), np.float32(0))
    tied = np.array([3, 1, 1, 1, below, 0, 0, -0.0, -1, -1], dtype=np.float32)
    strict = decreasing(tied)
    assert (np.diff(strict) < 0).all() and strict.dtype == np.float32
    np.testing.assert_allclose(strict, tied, atol=1e-6)
    assert strict[[0, 1, 5, 8]].tolist() == [3, 1, 0, -1]
    assert not np.any((np.abs(strict) > 0) & (np.abs(strict) < np.finfo(np.float32).tiny))
    plain = np.array([5.5, 2.25, 1e-3, -7], dtype=np.float32)
    np.testing.assert_array_equal(decreasing(plain), plain)
    assert decreasing(np.zeros(0, dtype=np.float32)).shape == (0,)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "f").write_text("")
    run = evaluate(load_task("virerank", "mini"), Constant())
    with pytest.raises(UserError, match="cannot be written"):
        write_run(tmp_path / "f", run)
