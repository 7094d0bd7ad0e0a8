"""Labels of people feed the metrics, beside the benchmark as published."""

import ir_measures
import pytest
from factories import candidate

from annotations.exchange.manifest import export_labels
from annotations.store.label_store import LabelStore
from vcs_demo.__main__ import main
from vcs_demo.benchmark.labelled_qrels import Judgement, judged_passages, with_labels
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.measuring.run_store import kept_runs


def judgement(task, query, passage, label):
    return Judgement.of(task.queries[query], task.passages[passage], label)


@pytest.fixture
def task():
    return load_task("vimedretrieve", "mini", "validation")


@pytest.fixture
def other(task):
    """Return a query and a passage that does not answer it."""
    query = next(iter(task.queries))
    return query, next(i for i in task.passages if i not in task.qrels[query])


def test_a_false_negative_becomes_relevant_and_nothing_else_does(task, other):
    query, passage = other
    changed, added = with_labels(task, [judgement(task, query, passage, "false_negative")])
    assert added == 1 and changed.qrels[query] == task.qrels[query] | {passage}
    assert {q: ids for q, ids in changed.qrels.items() if q != query} == {
        q: ids for q, ids in task.qrels.items() if q != query
    }
    assert changed.source == "mini + labels" and changed.fingerprint != task.fingerprint
    for name in ("hard", "trivial", "unsure"):
        assert with_labels(task, [judgement(task, query, passage, name)]) == (task, 0)


def test_only_a_candidate_of_the_group_can_become_relevant():
    task = load_task("virerank", "mini")
    query = next(iter(task.queries))
    elsewhere = next(i for i in task.passages if i not in task.candidates[query])
    own = next(i for i in task.candidates[query] if i not in task.qrels[query])
    labels = [judgement(task, query, i, "false_negative") for i in (elsewhere, own)]
    changed, added = with_labels(task, labels)
    assert added == 1 and changed.qrels[query] == task.qrels[query] | {own}


def test_what_people_said_is_judged_whatever_they_said(task, other):
    query, passage = other
    labels = [judgement(task, query, passage, "trivial")]
    assert judged_passages(task)[query] == task.qrels[query]
    assert judged_passages(task, labels)[query] == task.qrels[query] | {passage}
    group = load_task("virerank", "mini")
    assert judged_passages(group) == {q: frozenset(ids) for q, ids in group.candidates.items()}


@pytest.fixture
def labels(task, other, tmp_path):
    """Export one confirmed false negative; return its file, beside which its manifest and its database are."""
    query, passage = other
    found = candidate(
        query=task.queries[query],
        positive=task.passages[min(task.qrels[query])],
        passage=task.passages[passage],
    )
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_candidates([found])
        store.label(found.id, "an", "false_negative", token="t")
        export_labels(store, tmp_path / "labels.jsonl")
    return tmp_path / "labels.jsonl"


def test_the_command_shows_both_side_by_side_and_keeps_them_apart(labels, tmp_path, capsys):
    words = ["--split", "validation", "--ranker", "bm25", "--labels", str(labels)]
    assert main(["evaluate", "--task", "vimedretrieve", *words, "--trec", str(tmp_path / "t")]) == 0
    ours = [[c.strip() for c in line.split("|")[1:5]] for line in capsys.readouterr().out.splitlines()[2:4]]
    assert ours == [
        ["vimedretrieve", "mini", "validation", "bm25"],
        ["vimedretrieve", "mini + labels", "validation", "bm25"],
    ]
    assert {run.source for run in kept_runs()} == {"mini", "mini + labels"}
    assert len(list((tmp_path / "t").iterdir())) == 4
    for run in kept_runs():
        stem = tmp_path / f"t/vimedretrieve-validation{'-labels' if run.source.endswith('labels') else ''}"
        qrels = list(ir_measures.read_trec_qrels(f"{stem}.qrels"))
        ranking = list(ir_measures.read_trec_run(f"{stem}.bm25.run"))
        found = ir_measures.calc_aggregate([ir_measures.AP], qrels, ranking)
        assert found[ir_measures.AP] == pytest.approx(run.metrics["map"], abs=1e-12)
    for run in kept_runs():
        stem = tmp_path / f"t/vimedretrieve-validation{'-labels' if run.source.endswith('labels') else ''}"
        qrels = list(ir_measures.read_trec_qrels(f"{stem}.qrels"))
        ranking = list(ir_measures.read_trec_run(f"{stem}.bm25.run"))
        found = ir_measures.calc_aggregate([ir_measures.AP], qrels, ranking)
        assert found[ir_measures.AP] == pytest.approx(run.metrics["map"], abs=1e-12)


def test_a_label_database_serves_as_well_as_an_export(labels, capsys):
    rankers = ["--ranker", "bm25", "--ranker", "vcs-static"]
    assert (
        main(["compare", "--split", "validation", *rankers, "--labels", str(labels.parent / "labels.db")])
        == 0
    )
    assert "vimedretrieve (mini + labels, validation)" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["evaluate"], ["compare", "--ranker", "vcs-static"]], ids=lambda c: c[0])
def test_an_export_that_was_changed_is_refused_as_retraining_refuses_it(labels, command, capsys):
    labels.write_text(labels.read_text("utf-8").replace("false_negative", "hard"), "utf-8")
    assert main([*command, "--split", "validation", "--ranker", "bm25", "--labels", str(labels)]) == 1
    error = capsys.readouterr().err
    assert "'labels.jsonl' was changed after its export" in error and error.count("\n") == 1
    assert kept_runs() == []


@pytest.mark.parametrize("text", ["not json", '{"query": "a"}', "[1]"])
def test_a_file_that_is_no_export_is_one_sentence(tmp_path, text, capsys):
    (tmp_path / "l.jsonl").write_text(text, "utf-8")
    for path in (tmp_path / "l.jsonl", tmp_path / "none.jsonl"):
        assert main(["evaluate", "--ranker", "bm25", "--labels", str(path)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_a_query_from_a_corpus_cannot_write_to_the_terminal():
    from vcs_demo.text import cell

    assert cell("a\x1b[31mb | c\nd" + "x" * 900) == ("a [31mb ¦ c d" + "x" * 900)[:199] + "…"
