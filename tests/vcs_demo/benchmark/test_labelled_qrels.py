"""Labels of people feed the metrics, beside the benchmark as published."""

import json

import pytest

from vcs_demo.__main__ import main
from vcs_demo.benchmark.labelled_qrels import Judgement, judged_passages, read_judgements, with_labels
from vcs_demo.benchmark.tasks import load_task
from vcs_demo.errors import UserError
from vcs_demo.measuring.run_store import kept_runs
from vcs_demo.text import content_hash


def label(task, query, passage, name):
    return {"query": task.queries[query], "positive": "x", "negative": task.passages[passage], "label": name}


@pytest.fixture
def task():
    return load_task("vimedretrieve", "mini", "validation")


@pytest.fixture
def other(task):
    """Return a query and a passage that does not answer it."""
    query = next(iter(task.queries))
    return query, next(i for i in task.passages if i not in task.qrels[query])


def judgements(*rows):
    return [Judgement(content_hash(r["query"]), content_hash(r["negative"]), r["label"]) for r in rows]


def test_a_false_negative_becomes_relevant_and_nothing_else_does(task, other):
    query, passage = other
    changed, added = with_labels(task, judgements(label(task, query, passage, "false_negative")))
    assert added == 1 and changed.qrels[query] == task.qrels[query] | {passage}
    assert {q: ids for q, ids in changed.qrels.items() if q != query} == {
        q: ids for q, ids in task.qrels.items() if q != query
    }
    assert changed.source == "mini + labels" and changed.fingerprint != task.fingerprint
    for name in ("hard", "trivial", "unsure"):
        assert with_labels(task, judgements(label(task, query, passage, name))) == (task, 0)


def test_only_a_candidate_of_the_group_can_become_relevant():
    task = load_task("virerank", "mini")
    query = next(iter(task.queries))
    elsewhere = next(i for i in task.passages if i not in task.candidates[query])
    own = next(i for i in task.candidates[query] if i not in task.qrels[query])
    rows = [label(task, query, i, "false_negative") for i in (elsewhere, own)]
    changed, added = with_labels(task, judgements(*rows))
    assert added == 1 and changed.qrels[query] == task.qrels[query] | {own}


def test_what_people_said_is_judged_whatever_they_said(task, other):
    query, passage = other
    said = judgements(label(task, query, passage, "trivial"))
    assert judged_passages(task)[query] == task.qrels[query]
    assert judged_passages(task, said)[query] == task.qrels[query] | {passage}
    group = load_task("virerank", "mini")
    assert judged_passages(group) == {q: frozenset(ids) for q, ids in group.candidates.items()}


def test_the_command_shows_both_side_by_side_and_keeps_them_apart(task, other, tmp_path, capsys):
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(label(task, *other, "false_negative"), ensure_ascii=False) + "\n", "utf-8")
    words = ["--split", "validation", "--ranker", "bm25", "--labels", str(path)]
    assert main(["evaluate", "--task", "vimedretrieve", *words, "--trec", str(tmp_path / "t")]) == 0
    out = capsys.readouterr().out
    assert "| mini | validation | bm25 |" in out and "| mini + labels | validation | bm25 |" in out
    assert {run.source for run in kept_runs()} == {"mini", "mini + labels"}
    assert len(list((tmp_path / "t").iterdir())) == 4
    assert main(["compare", *words, "--ranker", "bm25+minilm"]) == 0
    assert "vimedretrieve (mini + labels, validation)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["not json", '{"query": "a"}', "[1]", '{"query": 1, "negative": "b", "label": "hard"}']
)
def test_a_broken_file_is_one_sentence(tmp_path, text):
    (tmp_path / "l.jsonl").write_text("\n" + text, "utf-8")
    with pytest.raises(UserError, match="Line 2 of 'l.jsonl' is no labelled candidate"):
        read_judgements(tmp_path / "l.jsonl")
    with pytest.raises(UserError, match="cannot be read"):
        read_judgements(tmp_path / "none.jsonl")


def test_a_query_from_a_corpus_cannot_write_to_the_terminal():
    from vcs_demo.text import cell

    assert cell("a\x1b[31mb | c\nd" + "x" * 900) == ("a [31mb ¦ c d" + "x" * 900)[:199] + "…"
