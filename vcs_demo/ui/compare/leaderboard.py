"""The Leaderboard tab: runs with intervals, the paper's reported figures, and computing more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import gradio as gr

from vcs_demo.benchmark.paper_figures import CAVEAT, SOURCE
from vcs_demo.benchmark.tasks import MAIN_TASKS, TASK_NAMES, main_measure
from vcs_demo.library import Library, ranker_choices
from vcs_demo.measuring.charts import bars
from vcs_demo.measuring.leaderboard import Row, is_listed, measures, rows
from vcs_demo.measuring.run_store import Run
from vcs_demo.rankers.catalog import OURS
from vcs_demo.tables import Table, figure
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.compare import query_comparison
from vcs_demo.ui.components import ENDED, QUIET, Localised, cut_off
from vcs_demo.ui.html import notice, progress, refusal, tables
from vcs_demo.ui.warm_up import WarmUp
from vcs_demo.words import problem, say


def kind(row: Row, lang: str) -> str:
    """Say where a row's figures come from."""
    if row.run is None:
        return say(lang, "board.reported")
    return say(lang, "board.measured" if is_listed(row.ranker) else "board.unlisted")


def left_out(run: Run, lang: str) -> str:
    """Say how many queries were left out as trained on, or that nobody knows what the model was trained on."""
    return str(run.skipped) if run.training_known else say(lang, "board.unknown", count=run.skipped)


def table(board: Sequence[Row], task: str, paper: bool, lang: str) -> Table:
    """Return the rows as a table, each figure with its interval; `paper` adds the authors' own measures."""
    columns = measures(task, paper)
    keys = ("ranker", "kind", "group", "queries", "skipped", "speed", "source")
    heads = [say(lang, f"board.{key}") for key in keys]
    lines = []
    for row in board:
        run, intervals, facts = row.run, {}, ["–"] * 4
        if run:
            intervals = run.intervals
            facts = [run.queries, left_out(run, lang), f"{run.milliseconds:.1f}", run.source]
        figures = [figure(row.metrics.get(measure), intervals.get(measure)) for measure in columns]
        lines.append([row.ranker, kind(row, lang), row.group or "–", *figures, *facts])
    note = say(lang, "board.explain", source=SOURCE)
    return Table([*heads[:3], *columns, *heads[3:]], lines, notes=[note])


def chart(board: Sequence[Row], task: str) -> object:
    """Draw the main measure of the measured rows; reported ones are of other passages, so not beside them."""
    measure = main_measure(task)
    runs = [row.run for row in board if row.run]
    return bars(
        [f"{run.ranker} ({run.source})" for run in runs],
        [run.metrics[measure] for run in runs],
        [run.intervals[measure] for run in runs],
        measure,
    )


def shown(
    task: str,
    paper: bool,
    lang: str,
    warming: bool,
    library: Library | None = None,
    failure: str = "",
) -> tuple[str, dict, str]:
    """Return the table, the chart, and a line where nothing was measured yet; `failure` says why it could not be."""
    board = rows(task, here=library and library.here(task))
    html = tables(table(board, task, paper, lang))
    if any(row.run for row in board):
        return html, gr.update(value=chart(board, task), visible=True), ""
    if failure and not warming:
        return html, gr.update(visible=False), refusal(say(lang, "board.not_computed", reason=failure))
    return html, gr.update(visible=False), notice(say(lang, "board.warming" if warming else "board.empty"))


def computed(library: Library, tasks: list[str], rankers: list[str], lang: str) -> Iterator[str]:
    """Compute runs, yielding a line about where it is; raises UserError."""
    if not tasks or not rankers:
        raise problem("error.nothing_chosen")
    ready = 0
    for step in library.compute(tasks, rankers):
        ready += step.run is not None
        facts = {"task": step.task, "ranker": step.ranker, "done": step.done, "total": step.total or "…"}
        yield progress(say(lang, "board.working", **facts), step.done, step.total)
    yield notice(say(lang, "board.done", count=ready), "good")


def api(library: Library) -> Callable:
    """Return what the HTTP API calls `leaderboard`."""

    def leaderboard(task: str = "vimedretrieve") -> list[dict]:
        """List a task's rows: measured ones with intervals and provenance, then the paper's reported figures."""
        return listed(task, library)

    return leaderboard


def listed(task: str = "vimedretrieve", library: Library | None = None) -> list[dict]:
    """List a task's rows: measured ones with intervals and provenance, then the paper's reported figures."""
    if task not in TASK_NAMES:
        raise gr.Error(
            f"There is no such task; the tasks are {', '.join(TASK_NAMES)}.", print_exception=False
        )
    return [
        {"kind": "measured", **row.run.as_json()}
        if row.run
        else {
            "kind": "reported",
            "task": task,
            "ranker": row.ranker,
            "metrics": row.metrics,
            "from": f"{SOURCE}, {CAVEAT}",
        }
        for row in rows(task, here=library and library.here(task))
    ]


@dataclass(frozen=True)
class Computing:
    """The components of the part where runs are computed; `begun` is what the event takes that begins it."""

    begun: dict[str, str]
    tasks: gr.CheckboxGroup
    rankers: gr.Dropdown
    go: gr.Button
    stop: gr.Button
    status: gr.HTML


def laid_out(words: Localised) -> Computing:
    """Lay out what is computed, for whom, and how far it is."""
    begun = cut_off(words, "compute")
    with words.make(gr.Accordion, {"label": "board.compute_title"}, open=False):
        tasks = words.make(
            gr.CheckboxGroup, {"label": "board.tasks"}, choices=list(TASK_NAMES), value=list(MAIN_TASKS)
        )
        rankers = words.make(
            gr.Dropdown,
            {"label": "board.rankers"},
            choices=ranker_choices(),
            value=["bm25", OURS, f"bm25+{OURS}"],
            multiselect=True,
        )
        with gr.Row():
            look = {"variant": "primary", "elem_id": "vcs-board-go"}
            go = words.make(gr.Button, {"value": "board.compute"}, **look)
            stop = words.make(gr.Button, {"value": "board.cancel"}, variant="stop")
        status = gr.HTML(container=False, elem_id="vcs-board-status")
    return Computing(begun, tasks, rankers, go, stop, status)


def build(
    library: Library, words: Localised, language: gr.Radio, access: Access, warm: WarmUp
) -> gr.Dropdown:
    """Build the tab; return its list of rankers. `warm` computes the first runs."""
    with words.make(gr.Tab, {"label": "board.tab"}, id="leaderboard") as tab:
        with gr.Row():
            names = {"choices": list(TASK_NAMES), "value": TASK_NAMES[0], "min_width": 220}
            task = words.make(gr.Dropdown, {"label": "board.task"}, **names)
            paper = words.make(gr.Checkbox, {"label": "board.paper"}, value=False)
        note = gr.HTML(container=False)
        plot = gr.Plot(show_label=False, elem_id="vcs-board-chart", visible=False)
        data = gr.HTML(container=False, elem_id="vcs-board")
        refill_comparison = query_comparison.build(library, words, language, access, task)
        computing = laid_out(words)
        timer = gr.Timer(3, active=False)

    def show(task: str, paper: bool, lang: str) -> tuple[str, dict, str]:
        return shown(task, paper, lang, not warm.finished.is_set(), library, warm.failure("runs", lang))

    def tick(task: str, paper: bool, lang: str) -> tuple[str, dict, str, dict]:
        return *show(task, paper, lang), gr.Timer(active=not warm.finished.is_set())

    def opened(task: str, paper: bool, lang: str) -> tuple[str, dict, str, dict]:
        warm.again()
        return tick(task, paper, lang)

    @guarded(access.operator, refusal)
    def run(person: Person, lang: str, tasks: list[str], rankers: list[str]) -> Iterator[str]:
        yield from computed(library, tasks, rankers, lang)

    view, outputs = [task, paper, language], [data, plot, note]
    for event in (task.change, paper.change, language.change):
        event(show, view, outputs, **QUIET)
    for event, handler in ((tab.select, opened), (timer.tick, tick)):
        event(handler, view, [*outputs, timer], **QUIET)
    chosen = [language, computing.tasks, computing.rankers]
    look = {"concurrency_limit": 1} | computing.begun | QUIET
    job = computing.go.click(run, chosen, computing.status, **look)
    stopped = computing.stop.click(
        lambda lang: notice(say(lang, "board.cancelled")), language, computing.status, cancels=job, **QUIET
    )
    for event in (job.then, stopped.then):
        event(show, view, outputs, **QUIET)
        event(**ENDED, **QUIET)
    for event in (tab.select, job.then):
        refill_comparison(event)
    return computing.rankers
