"""The Leaderboard tab: kept runs with intervals, the paper's reported figures, and computing more."""

from collections.abc import Iterator

import gradio as gr
import pandas as pd

from vcs_demo.browse import Library, ranker_choices
from vcs_demo.charts import MEASURED, REPORTED, bars
from vcs_demo.errors import UserError
from vcs_demo.leaderboard import compute, main_measure, rows
from vcs_demo.metrics import ACCURACY_AT
from vcs_demo.reported import SOURCE
from vcs_demo.tasks import MAIN_TASKS, TASK_NAMES
from vcs_demo.ui.access import Access
from vcs_demo.ui.html import render
from vcs_demo.ui.words import Localised, say


def measures(task: str, paper: bool) -> list[str]:
    """List the measures that say something about a task, the paper's main one first."""
    main = main_measure(task)
    shown = [main, "accuracy@1", "map", "mrr@10", "ndcg@10"]
    if task.startswith("vimedretrieve"):
        shown += [f"accuracy@{k}" for k in ACCURACY_AT]
    shown = list(dict.fromkeys(shown))
    return [name for m in shown for name in ([m, f"{m} (paper)"] if paper and not m.startswith(("mrr", "nd")) else [m])]


def table(task: str, paper: bool, lang: str) -> pd.DataFrame:
    """Lay the rows out, each figure with its interval."""
    words = {key: say(lang, f"board.{key}") for key in ("ranker", "kind", "source", "queries", "skipped", "speed")}
    lines = []
    for row in rows(task):
        run = row.run
        line = {
            words["ranker"]: row.ranker,
            words["kind"]: say(lang, "board.measured") if run else "reported",
        }
        for measure in measures(task, paper):
            value = row.metrics.get(measure)
            low, high = run.intervals[measure] if run else (None, None)
            figure = "–" if value is None else f"{value:.3f}"
            line[measure] = figure if low is None else f"{figure} [{low:.3f}, {high:.3f}]"
        line |= {
            words["queries"]: str(run.queries) if run else "–",
            words["skipped"]: str(run.skipped) if run else "–",
            words["speed"]: f"{run.milliseconds:.1f}" if run else "–",
            words["source"]: run.source if run else "–",
        }
        lines.append(line)
    return pd.DataFrame(lines)


def shown(task: str, paper: bool, lang: str, warming: bool) -> tuple[dict, dict, str]:
    """Return the table, the chart and the line above them."""
    data = table(task, paper, lang)
    if not any(row.run for row in rows(task)):
        key = "board.warming" if warming else "board.empty"
        note = render("notice", lang, kind="info", text=say(lang, key))
    else:
        note = f"<p class='vcs-quiet'>{say(lang, 'board.explain', source=SOURCE)}</p>"
    return gr.update(value=data, visible=len(data) > 0), gr.update(value=chart(task), visible=len(data) > 0), note


def chart(task: str) -> object:
    """Draw the main measure of every row, the reported ones in another colour."""
    measure = main_measure(task)
    lines = [row for row in rows(task) if measure in row.metrics]
    return bars(
        [f"{row.ranker} ({row.run.source})" if row.run else f"{row.ranker}, reported" for row in lines],
        [row.metrics[measure] for row in lines],
        [row.run.intervals[measure] if row.run else None for row in lines],
        measure,
        [MEASURED if row.run else REPORTED for row in lines],
    )


def computed(library: Library, tasks: list[str], rankers: list[str], lang: str) -> Iterator[str]:
    """Compute runs, yielding a line about where it is."""
    try:
        if not tasks or not rankers:
            raise UserError("Nothing was chosen; choose at least one task and one ranker.")
        ready = 0
        for step in compute(library, tasks, rankers):
            ready += step.run is not None
            text = say(
                lang, "board.working", task=step.task, ranker=step.ranker, done=step.done, total=step.total or "…"
            )
            yield render("progress", lang, text=text, done=step.done, total=max(step.total, 1))
        yield render("notice", lang, kind="good", text=say(lang, "board.done", count=ready))
    except UserError as error:
        yield render("notice", lang, kind="bad", text=str(error))


def build(library: Library, words: Localised, language: gr.Radio, access: Access, warm: object) -> dict[str, object]:
    """Lay out the tab; return the components that others update."""
    with words.make(gr.Tab, {"label": "board.tab"}, id="leaderboard") as tab:
        with gr.Row():
            task = words.make(gr.Dropdown, {"label": "board.task"}, choices=list(TASK_NAMES), value=TASK_NAMES[0])
            paper = words.make(gr.Checkbox, {"label": "board.paper"}, value=False)
        note = gr.HTML(container=False)
        plot = gr.Plot(show_label=False, elem_id="vcs-board-chart", visible=False)
        data = gr.Dataframe(
            interactive=False, show_label=False, elem_id="vcs-board", visible=False, pinned_columns=1, max_height=520
        )
        with words.make(gr.Accordion, {"label": "board.compute_title"}, open=False):
            tasks = words.make(
                gr.CheckboxGroup, {"label": "board.tasks"}, choices=list(TASK_NAMES), value=list(MAIN_TASKS)
            )
            rankers = words.make(
                gr.Dropdown,
                {"label": "board.rankers"},
                choices=ranker_choices(),
                value=["bm25", "minilm"],
                multiselect=True,
            )
            with gr.Row():
                go = words.make(gr.Button, {"value": "board.compute"}, variant="primary", elem_id="vcs-board-go")
                stop = words.make(gr.Button, {"value": "board.cancel"}, variant="stop")
            status = gr.HTML(container=False, elem_id="vcs-board-status")
    ticking = gr.Timer(3, active=False)

    def show(task: str, paper: bool, lang: str) -> tuple[dict, dict, str]:
        return shown(task, paper, lang, not warm.finished)

    def tick(task: str, paper: bool, lang: str) -> tuple[dict, dict, str, dict]:
        return *show(task, paper, lang), gr.Timer(active=not warm.finished)

    def run(
        tasks: list[str], rankers: list[str], lang: str, profile: gr.OAuthProfile | None
    ) -> Iterator[str]:
        try:
            access.operator(profile)
        except UserError as error:
            yield render("notice", lang, kind="bad", text=str(error))
            return
        yield from computed(library, tasks, rankers, lang)

    view, seen = [task, paper, language], [data, plot, note]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    task.change(show, view, seen, **quiet)
    paper.change(show, view, seen, **quiet)
    language.change(show, view, seen, **quiet)
    tab.select(tick, view, [*seen, ticking], **quiet)
    ticking.tick(tick, view, [*seen, ticking], **quiet)
    job = go.click(run, [tasks, rankers, language], status, concurrency_limit=1, **quiet)
    job.then(show, view, seen, **quiet)
    stop.click(
        lambda lang: render("notice", lang, kind="info", text=say(lang, "board.cancelled")),
        language,
        status,
        cancels=job,
        **quiet,
    ).then(show, view, seen, **quiet)

    def leaderboard(task: str = "vimedretrieve") -> list[dict]:
        """List a task's rows: measured ones with intervals and provenance, then the paper's reported figures."""
        if task not in TASK_NAMES:
            raise gr.Error(f"There is no such task; the tasks are {', '.join(TASK_NAMES)}.", print_exception=False)
        return [
            {"kind": "measured", **row.run.as_json()}
            if row.run
            else {"kind": "reported", "task": task, "ranker": row.ranker, "metrics": row.metrics, "from": SOURCE}
            for row in rows(task)
        ]

    gr.api(leaderboard, api_name="leaderboard")
    return {"rankers": rankers, "task": task}
