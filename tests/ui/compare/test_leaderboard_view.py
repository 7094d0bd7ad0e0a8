"""The leaderboard: which run of many is shown, what is quoted, and computing that can be stopped."""

import re
import threading
from dataclasses import replace

import pytest

import vcs_demo.library
from vcs_demo.benchmark.tasks import main_measure, retrieval_task
from vcs_demo.errors import UserError
from vcs_demo.library import Library
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.measuring.leaderboard import measures, rows
from vcs_demo.measuring.run_store import keep, kept_runs
from vcs_demo.paths import runs_dir
from vcs_demo.rankers.base import Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.ui.compare.leaderboard import computed, shown, table
from vcs_demo.ui.html import notice, tables


@pytest.fixture(scope="module")
def run():
    rows = [
        {"question": "Thuốc trị đau đầu là gì?", "context": "Thuốc này trị đau đầu cho người lớn."},
        {"question": "Khi sốt nên làm gì?", "context": "Uống nước và nghỉ ngơi khi sốt."},
    ]
    return evaluate(retrieval_task("vimedretrieve", "here", "test", rows), BM25Ranker())


def kept(run, number, **changes):
    value = changes.pop("value", 0.5)
    changed = replace(run, metrics=run.metrics | {"accuracy@20": value}, **changes)
    keep(changed, runs_dir() / f"run-{number}")
    return replace(changed, per_query={}, ranking={})


def test_the_newest_run_of_a_ranker_and_source_is_listed_and_the_best_first(run):
    kept(run, 1, created="2026-01-01T00:00:00+00:00", value=0.9)
    newest = kept(run, 2, created="2026-01-03T00:00:00+00:00", value=0.2)
    kept(run, 3, created="2026-01-02T00:00:00+00:00", value=0.8)
    other_source = kept(run, 4, source="there", value=0.4)
    other_ranker = kept(run, 5, ranker="mine", value=0.3)
    kept(run, 6, split="validation", ranker="by validation")
    kept(run, 7, task="vimedretrieve/drug", ranker="of another task")
    measured = [row.run for row in rows("vimedretrieve") if row.run]
    assert measured == [other_source, other_ranker, newest]
    assert [row.run for row in rows("vimedretrieve", "there") if row.run] == [other_source]


def test_reported_figures_come_last_and_are_never_measured_ones(run):
    kept(run, 1)
    first, *reported = rows("vimedretrieve")
    assert first.run is not None and len(reported) == 4
    assert all(row.run is None and row.metrics.keys() == {"accuracy@20"} for row in reported)
    found = rows("vimedretrieve")
    html = tables(table(found, "vimedretrieve", False, "en"))
    assert html.count(">measured here<") == 1 and html.count(">reported<") == 4
    assert "0.500 [" in html
    assert tables(table(found, "vimedretrieve", False, "vi")).count(">theo bài báo<") == 4


def test_runs_of_a_changed_model_or_source_are_left_out_and_unlisted_ones_say_so(run):
    kept(run, 1, ranker_fingerprint="of an earlier version")
    assert not [row for row in rows("vimedretrieve") if row.run]
    newest = kept(run, 2, ranker="gone", created="2026-01-03T00:00:00+00:00")
    kept(run, 3, ranker="old", created="2026-01-01T00:00:00+00:00", task_fingerprint="of other passages")
    found = rows("vimedretrieve")
    assert [row.run for row in found if row.run] == [newest]
    assert "not among the rankers now" in tables(table(found, "vimedretrieve", False, "en"))


def test_the_main_measure_is_the_papers():
    assert main_measure("vimedretrieve/drug") == "accuracy@20"
    assert {main_measure(task) for task in ("virerank", "mnli-r", "qnli-r")} == {"map"}
    assert measures("virerank", paper=True)[:2] == ["map", "map (paper)"]
    assert not any("(paper)" in name for name in measures("vimedretrieve", paper=False))


def test_before_the_first_run_the_page_says_what_is_going_on(run):
    assert "being computed" in shown("virerank", False, "en", warming=True)[2]
    assert "No run yet" in shown("virerank", False, "en", warming=False)[2]
    failed = shown("virerank", False, "en", warming=False, failure="<b>no room</b>")[2]
    assert "could not be computed: &lt;b&gt;no room" in failed
    assert "being computed" in shown("virerank", False, "en", warming=True, failure="no room")[2]  # again
    kept(run, 1, task="virerank")
    html, plot, note = shown("virerank", True, "en", warming=False)
    assert note == "" and plot["visible"] and "map (paper)" in html


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "source" / "ContextSearchLM" / "ViNLI_reranking"
    folder.mkdir(parents=True)
    line = '{"anchor": "trẻ sốt cao %d", "pos": ["sốt cao %d"], "neg": ["gan", "mật"]}\n'
    (folder / "test.jsonl").write_text("".join(line % (n, n) for n in range(3)), "utf-8")
    return Library(str(tmp_path / "source"))


def test_computing_yields_where_it_is_and_keeps_the_run(small):
    *_, last = small.compute(["virerank"], ["bm25"])
    assert (last.task, last.ranker, last.done, last.total) == ("virerank", "bm25", 3, 3)
    assert last.run.source == "source" and last.run.metrics["map"] == 1
    assert kept_runs() == [replace(last.run, per_query={}, ranking={})]
    *_, again = small.compute(["virerank"], ["bm25"])
    assert again.run == last.run


def test_the_page_counts_what_is_ready(small):
    *_, last = computed(small, ["virerank"], ["bm25"], "en")
    assert last == notice("1 runs are ready.", "good")


class Endless(Ranker):
    """A ranker that works until its progress is refused."""

    name, fingerprint = "endless", "endless"

    def __init__(self):
        self.ended = threading.Event()

    def index(self, passages, progress=None):
        try:
            while True:
                progress(1, 100)
                self.ended.wait(0.01)
        finally:
            self.ended.set()


def test_closing_the_generator_ends_the_work_and_leaves_no_run(library, monkeypatch):
    endless = Endless()
    monkeypatch.setattr(vcs_demo.library, "load_ranker", lambda name, allow_paths: endless)
    steps = library.compute(["vimedretrieve"], ["endless"])
    step = next(steps)
    assert (step.ranker, step.run) == ("endless", None) and step.total > 0
    assert not endless.ended.is_set()
    steps.close()
    assert endless.ended.wait(5)
    assert kept_runs() == [] and list(runs_dir().iterdir()) == []


@pytest.mark.parametrize(
    ("tasks", "rankers", "says"),
    [
        ([], ["bm25"], "Nothing was chosen"),
        (["virerank"], [], "Nothing was chosen"),
        (["virerank"], ["no-such"], "no-such"),
        (["virerank"], ["../.."], "There is no ranker"),
        (["no-such"], ["bm25"], "no-such"),
        (["mnli-r"], ["bm25"], "mnli_r.parquet"),  # this source does not have it
    ],
)
def test_what_cannot_be_computed_is_refused(small, tasks, rankers, says):
    with pytest.raises(UserError, match=re.escape(says)):
        list(computed(small, tasks, rankers, "en"))
    assert kept_runs() == []


def test_a_failure_is_told_apart_from_a_wrong_choice(library, monkeypatch):
    class Broken(Endless):
        def index(self, passages, progress=None):
            raise ZeroDivisionError

    monkeypatch.setattr(vcs_demo.library, "load_ranker", lambda name, allow_paths: Broken())
    with pytest.raises(RuntimeError, match="see the log") as error:
        list(library.compute(["vimedretrieve"], ["broken"]))
    assert isinstance(error.value.__cause__, ZeroDivisionError) and not isinstance(error.value, UserError)
