"""The Leaderboard tab: kept runs with intervals, the paper's reported figures, and computing more."""

from collections.abc import Iterator

import gradio as gr

from vcs_demo.benchmark.paper_figures import CAVEAT, SOURCE
from vcs_demo.benchmark.tasks import MAIN_TASKS, TASK_NAMES, main_measure
from vcs_demo.errors import UserError
from vcs_demo.library import Library, ranker_choices
from vcs_demo.measuring.charts import bars
from vcs_demo.measuring.leaderboard import Row, is_listed, rows
from vcs_demo.measuring.metrics import ACCURACY_AT
from vcs_demo.measuring.run_store import Run
from vcs_demo.rankers.catalog import OURS
from vcs_demo.ui.access import Access
from vcs_demo.ui.compare import query_comparison as compare
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import render
from vcs_demo.words import explain, say


def measures(task: str, paper: bool) -> list[str]:
    """List the measures that say something about a task, the paper's main one first."""
    main = main_measure(task)
    shown = [main, "accuracy@1", "map", "mrr@10", "ndcg@10"]
    if task.startswith("vimedretrieve"):
        shown += [f"accuracy@{k}" for k in ACCURACY_AT]
    shown = list(dict.fromkeys(shown))
    return [
        name
        for m in shown
        for name in ([m, f"{m} (paper)"] if paper and not m.startswith(("mrr", "nd")) else [m])
    ]


def kind(row: Row, lang: str) -> str:
    """Say where a row's figures come from."""
    if row.run is None:
        return say(lang, "board.reported")
    return say(lang, "board.measured" if is_listed(row.ranker) else "board.unlisted")


def left_out(run: Run, lang: str) -> str:
    """Say how many queries were left out as trained on, or that nobody knows what the model was trained on."""
    return str(run.skipped) if run.training_known else say(lang, "board.unknown", count=run.skipped)


def table(found: list[Row], task: str, paper: bool, lang: str) -> str:
    """Lay the rows out as an HTML table, each figure with its interval."""
    columns = measures(task, paper)
    keys = ("ranker", "kind", "group", "queries", "skipped", "speed", "source")
    words = [say(lang, f"board.{key}") for key in keys]
    lines = []
    for row in found:
        run = row.run
        line = [row.ranker, kind(row, lang), row.group or "–"]
        for measure in columns:
            value = row.metrics.get(measure)
            figure = "–" if value is None else f"{value:.3f}"
            if run:
                figure += " [{:.3f}, {:.3f}]".format(*run.intervals[measure])
            line.append(figure)
        line += (
            [run.queries, left_out(run, lang), f"{run.milliseconds:.1f}", run.source] if run else ["–"] * 4
        )
        lines.append(line)
    note = say(lang, "board.explain", source=SOURCE)
    return render("table", lang, heads=[*words[:3], *columns, *words[3:]], rows=lines, note=note)


def shown(task: str, paper: bool, lang: str, warming: bool) -> tuple[str, dict, str]:
    """Return the table, the chart, and a line where nothing was measured yet."""
    found = rows(task)
    if any(row.run for row in found):
        return table(found, task, paper, lang), gr.update(value=chart(found, task), visible=True), ""
    text = say(lang, "board.warming" if warming else "board.empty")
    return (
        table(found, task, paper, lang),
        gr.update(visible=False),
        render("notice", lang, kind="info", text=text),
    )


def chart(found: list[Row], task: str) -> object:
    """Draw the main measure of the measured rows; reported ones are of other passages, so not beside them."""
    measure = main_measure(task)
    runs = [row.run for row in found if row.run]
    return bars(
        [f"{run.ranker} ({run.source})" for run in runs],
        [run.metrics[measure] for run in runs],
        [run.intervals[measure] for run in runs],
        measure,
    )


def computed(library: Library, tasks: list[str], rankers: list[str], lang: str) -> Iterator[str]:
    """Compute runs, yielding a line about where it is."""
    try:
        if not tasks or not rankers:
            raise UserError(say("en", "error.nothing_chosen"), "error.nothing_chosen")
        ready = 0
        for step in library.compute(tasks, rankers):
            ready += step.run is not None
            text = say(
                lang,
                "board.working",
                task=step.task,
                ranker=step.ranker,
                done=step.done,
                total=step.total or "…",
            )
            yield render("progress", lang, text=text, done=step.done, total=max(step.total, 1))
        yield render("notice", lang, kind="good", text=say(lang, "board.done", count=ready))
    except UserError as error:
        yield render("notice", lang, kind="bad", text=explain(error, lang))


def build(
    library: Library, words: Localised, language: gr.Radio, access: Access, warm: object
) -> dict[str, object]:
    """Lay out the tab; return the components that others update."""
    with words.make(gr.Tab, {"label": "board.tab"}, id="leaderboard") as tab:
        with gr.Row():
            task = words.make(
                gr.Dropdown,
                {"label": "board.task"},
                min_width=220,
                choices=list(TASK_NAMES),
                value=TASK_NAMES[0],
            )
            paper = words.make(gr.Checkbox, {"label": "board.paper"}, value=False)
        note = gr.HTML(container=False)
        plot = gr.Plot(show_label=False, elem_id="vcs-board-chart", visible=False)
        data = gr.HTML(container=False, elem_id="vcs-board")
        comparing = compare.build(library, words, language, task)
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
                go = words.make(
                    gr.Button, {"value": "board.compute"}, variant="primary", elem_id="vcs-board-go"
                )
                stop = words.make(gr.Button, {"value": "board.cancel"}, variant="stop")
            status = gr.HTML(container=False, elem_id="vcs-board-status")
        ticking = gr.Timer(3, active=False)

    def show(task: str, paper: bool, lang: str) -> tuple[str, dict, str]:
        return shown(task, paper, lang, not warm.finished)

    def tick(task: str, paper: bool, lang: str) -> tuple[str, dict, str, dict]:
        return *show(task, paper, lang), gr.Timer(active=not warm.finished)

    def run(
        tasks: list[str],
        rankers: list[str],
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> Iterator[str]:
        try:
            access.operator(profile, request)
        except UserError as error:
            yield render("notice", lang, kind="bad", text=explain(error, lang))
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
    for done in (tab.select, job.then):
        done(comparing["refill"], comparing["inputs"], comparing["outputs"], **quiet)

    def leaderboard(task: str = "vimedretrieve") -> list[dict]:
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
            for row in rows(task)
        ]

    return {"api": leaderboard, "rankers": rankers, "task": task}
