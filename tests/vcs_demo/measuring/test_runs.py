import json
import re

import pytest

from vcs_demo.__main__ import main
from vcs_demo.benchmark.tasks import reranking_task, retrieval_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.evaluate import evaluate, evaluate_kept
from vcs_demo.measuring.run_store import kept_runs, read_run
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.rankers.fusion import FusionRanker
from vcs_demo.text import content_hash


@pytest.fixture
def task():
    rows = [
        {"question": "Thuốc trị đau đầu là gì?", "context": "Thuốc này trị đau đầu cho người lớn."},
        {"question": "Khi sốt nên làm gì?", "context": "Uống nước và nghỉ ngơi khi sốt."},
        {"question": "Gan ở đâu?", "context": "Lá gan nằm bên phải, dưới cơ hoành."},
    ]
    return retrieval_task("vimedretrieve", "here", "test", rows)


def test_the_example_of_the_package_gives_the_figures_that_it_shows():
    import vcs_demo

    example = [line.strip() for line in vcs_demo.__doc__.splitlines() if line.startswith("    ")]
    names = {}
    exec("\n".join(example[:-1]), names)
    accuracy, interval = eval(example[-1], names)
    assert f"# {accuracy:.3f}, ({interval[0]:.3f}, {interval[1]:.3f})" in example[-1]


def test_a_run_says_what_it_is_and_has_an_interval_for_every_metric(task):
    run = evaluate(task, BM25Ranker())
    assert run.metrics["accuracy@1"] == 1.0 and run.metrics["accuracy@1 (paper)"] == 0.0
    assert run.intervals.keys() == run.metrics.keys() == run.per_query.keys()
    assert {"task", "ranker", "source", "queries", "metrics"} <= run.as_json().keys()
    assert all(len(passages) == 3 for passages in run.ranking.values())


def test_a_kept_run_is_reused_when_nothing_changed_and_never_when_something_did(task):
    first = evaluate_kept(task, BM25Ranker())
    (folder,) = (p.parent for p in kept_folders())
    assert read_run(folder) == first
    assert evaluate_kept(task, BM25Ranker()) == first
    rows = [{"question": "Gan ở đâu?", "context": "Gan nằm bên phải."}]
    evaluate_kept(retrieval_task("vimedretrieve", "here", "test", rows), BM25Ranker())
    assert len(kept_runs()) == 2


def kept_folders():
    from vcs_demo.paths import runs_dir

    return list(runs_dir().glob("*/run.json"))


def test_a_broken_run_is_evaluated_anew(task):
    first = evaluate_kept(task, BM25Ranker())
    (path,) = kept_folders()
    path.write_text("{", "utf-8")
    assert kept_runs() == []
    assert evaluate_kept(task, BM25Ranker()).metrics == first.metrics


def test_a_cancelled_evaluation_leaves_nothing(task):
    def cancel(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate_kept(task, BM25Ranker(), progress=cancel)
    assert kept_folders() == []


def test_queries_that_were_trained_on_are_left_out_and_counted(task, tiny_model_dir, tmp_path):
    import shutil

    trained = tmp_path / "trained"
    shutil.copytree(tiny_model_dir, trained)
    ranker = DenseRanker("trained", trained)
    assert ranker.training_hashes == frozenset() and not ranker.training_known
    (trained / "training_queries.txt").write_text(content_hash("  gan Ở đâu? ") + "\n", "utf-8")
    run = evaluate(task, ranker)
    assert (run.queries, run.skipped, run.training_known) == (2, 1, True)
    fusion = FusionRanker(BM25Ranker(), ranker)
    assert fusion.training_hashes == ranker.training_hashes == {content_hash("gan ở đâu?")[:16]}
    assert BM25Ranker().training_known and fusion.training_known
    assert not FusionRanker(BM25Ranker(), DenseRanker("tiny", tiny_model_dir)).training_known
    hashes = [content_hash(text) for text in task.queries.values()]
    (trained / "training_queries.txt").write_text("\n".join(hashes[:2]), "utf-8")
    with pytest.raises(UserError, match="trained on 2 of the 3 queries"):
        evaluate(task, ranker)


def test_queries_are_recognised_in_lists_made_before_texts_were_folded(tiny_model_dir, tmp_path):
    import shutil
    from hashlib import sha256

    trained = shutil.copytree(tiny_model_dir, tmp_path / "trained")
    listed = ["viêm tuỵ cấp là gì?", "thủy đậu là gì?", "sốt\u200b là gì?"]
    lines = (sha256(text.encode()).hexdigest() for text in listed)
    (trained / "training_queries.txt").write_text("\n".join(lines), "utf-8")
    asked = [
        "Viêm tụy cấp là gì?",
        "Thuỷ  đậu là gì?",
        "Sốt\u200b là gì?",
        "Ho là gì?",
        "Gan?",
        "Tim?",
        "Da?",
    ]
    rows = [{"question": question, "context": f"Đoạn {number}."} for number, question in enumerate(asked)]
    run = evaluate(retrieval_task("vimedretrieve", "here", "test", rows), DenseRanker("trained", trained))
    assert (run.skipped, run.queries) == (3, 4)


def test_reranking_scores_each_querys_own_candidates_only():
    rows = [
        {"anchor": "Trời mưa to.", "pos": ["Mưa to."], "neg": ["Trời nắng."]},
        {"anchor": "Trời nắng gắt.", "pos": ["Nắng gắt."], "neg": ["Mưa to."]},
    ]
    run = evaluate(reranking_task("virerank", "here", rows), BM25Ranker())
    assert run.metrics["map"] == 1.0
    assert [len(passages) for passages in run.ranking.values()] == [2, 2]


def test_the_command_writes_the_list_that_others_rely_on(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["evaluate", "--task", "virerank", "--ranker", "bm25", "--json", str(out)]) == 0
    (result,) = json.loads(out.read_text("utf-8"))
    assert (result["task"], result["ranker"], result["source"]) == ("virerank", "bm25", "mini")
    assert result["queries"] >= 120 and 0 < result["metrics"]["map"] < 1
    assert re.search(r"\| virerank +\| mini +\| test +\| bm25 +\| 120 ", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--ranker", "gpt"], 1, "'gpt'"),
        (["--ranker", "bm25", "--source", "x"], 1, "'x'"),
        (["--ranker", "bm25", "--json", "nowhere/out.json"], 1, "cannot be written"),
        (["--ranker", "bm25", "--split", "train", "--task", "virerank"], 1, "'train'"),
        (["--ranker", "bm25", "--task", "x"], 2, "'vimedretrieve'"),
        (["--ranker", "bm25", "--split", "dev"], 2, "'validation'"),
        ([], 2, "--ranker"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_evaluated(arguments, code, says, capsys):
    assert main(["evaluate", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and says in error
    assert kept_runs() == []
