"""Rankers held against one another, query by query: a part of the Leaderboard tab, on runs that are kept."""

from collections.abc import Sequence

import gradio as gr

from vcs_demo.benchmark.labelled_qrels import judged_passages
from vcs_demo.benchmark.sources import source_label
from vcs_demo.benchmark.tasks import MAIN_TASKS, Task, main_measure, subset_queries
from vcs_demo.errors import UserError
from vcs_demo.library import Library
from vcs_demo.measuring.charts import differences
from vcs_demo.measuring.comparison import Comparison, by_subset, compare, where
from vcs_demo.measuring.leaderboard import measured
from vcs_demo.measuring.run_store import Run, read_run
from vcs_demo.text import tidy
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import render
from vcs_demo.words import explain, say

MOST = 6  # rankers: fifteen pairs
QUERIES = 15


def choices(library: Library, task: str) -> list[str]:
    """List the rankers that have a kept run of a task on this source, best first."""
    return list(measured(task, source_label(library.source)))


def compared(
    library: Library, task_name: str, rankers: Sequence[str], measure: str, lang: str
) -> tuple[str, dict]:
    """Compare kept runs; return what to read and an update of the chart.

    Raises:
        UserError: too few or too many rankers, or one without a kept run.
    """
    kept = measured(task_name, source_label(library.source))
    chosen = [kept[name] for name in dict.fromkeys(rankers or ()) if name in kept]
    if not 2 <= len(chosen) <= MOST:
        raise UserError(
            say("en", "compare.choose", count=len(chosen), most=MOST),
            "compare.choose",
            count=len(chosen),
            most=MOST,
        )
    runs = [read_run(run.folder) for run in chosen]
    task = library.task(task_name)
    found = compare(runs, measure, judged_passages(task, []))
    parts = {}
    if task_name == MAIN_TASKS[0]:
        parts = by_subset(runs, measure, subset_queries(library.source, "test"))
    html = [render("notice", lang, kind="info", text=verdict(found, lang)), standings(found, lang)]
    html.append(pairs(found, lang))
    if parts:
        html.append(subsets(found, parts, lang))
    first, second = (next(r for r in runs if r.ranker == row.ranker) for row in found.standings[:2])
    html.append(queries(first, second, measure, task, lang))
    return "".join(html), gr.update(value=chart(found, lang), visible=True)


def verdict(found: Comparison, lang: str) -> str:
    """Say in a sentence whether the best is better than the second."""
    pair = found.pairs[0]
    key = "compare.ahead" if pair.p < 0.05 else "compare.tied"
    return say(
        lang,
        key,
        first=pair.first,
        second=pair.second,
        measure=found.measure,
        difference=f"{pair.difference:+.3f}",
        low=f"{pair.interval[0]:+.3f}",
        high=f"{pair.interval[1]:+.3f}",
        p=f"{pair.p:.4f}",
        queries=found.queries,
    )


def standings(found: Comparison, lang: str) -> str:
    """Lay out the rankers, best first."""
    heads = [
        say(lang, "board.ranker"),
        found.measure,
        say(lang, "board.group"),
        say(lang, "compare.unjudged"),
    ]
    lines = [
        [row.ranker, _figure(row.mean, row.interval), row.groups, f"{row.unjudged:.2f}"]
        for row in found.standings
    ]
    return render("table", lang, heads=heads, rows=lines, note="")


def pairs(found: Comparison, lang: str) -> str:
    """Lay out every pair: the difference, its test, wins and losses, overlap."""
    keys = ("pair", "difference", "p", "wins")
    heads = [*(say(lang, f"compare.{key}") for key in keys), "Jaccard@10", "RBO"]
    lines = [
        [
            f"{pair.first} − {pair.second}",
            f"{pair.difference:+.3f} [{pair.interval[0]:+.3f}, {pair.interval[1]:+.3f}]",
            f"{pair.p:.4f}",
            f"{pair.wins} / {pair.ties} / {pair.losses}",
            f"{pair.jaccard:.2f}",
            f"{pair.rbo:.2f}",
        ]
        for pair in found.pairs
    ]
    return render("table", lang, heads=heads, rows=lines, note=say(lang, "compare.explain"))


def subsets(whole: Comparison, parts: dict[str, Comparison], lang: str) -> str:
    """Lay out the measure in each subset; letters again say who cannot be told apart there."""
    heads = [say(lang, "compare.subset"), *(f"{name} ({part.queries})" for name, part in parts.items())]
    lines = []
    for ranker in (row.ranker for row in whole.standings):
        own = [next(row for row in part.standings if row.ranker == ranker) for part in parts.values()]
        lines.append([ranker, *(f"{_figure(row.mean, row.interval)} {row.groups}" for row in own)])
    return render("table", lang, heads=heads, rows=lines, note="")


def queries(first: Run, second: Run, measure: str, task: Task, lang: str) -> str:
    """List the queries on which the best two differ most; one can be copied into Search to see why."""
    rows = [
        [f"{a:.2f}", f"{b:.2f}", tidy(task.queries.get(query, query))[:200]]
        for query, a, b in where(first, second, measure, QUERIES)
    ]
    heads = [first.ranker, second.ranker, say(lang, "compare.query")]
    key = "compare.queries" if rows else "compare.no_queries"
    return render("table", lang, heads=heads, rows=rows, note=say(lang, key))


def chart(found: Comparison, lang: str) -> object:
    """Draw every pair's difference with its interval."""
    return differences(
        [f"{pair.first} − {pair.second}" for pair in found.pairs],
        [pair.difference for pair in found.pairs],
        [pair.interval for pair in found.pairs],
        say(lang, "compare.axis", measure=found.measure),
    )


def _figure(mean: float, interval: tuple[float, float]) -> str:
    return f"{mean:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def build(library: Library, words: Localised, language: gr.Radio, task: gr.Dropdown) -> dict[str, object]:
    """Lay out the part; return what the tab refreshes when it is opened."""
    with words.make(gr.Accordion, {"label": "compare.title"}, open=False) as part:
        with gr.Row():
            rankers = words.make(
                gr.Dropdown,
                {"label": "compare.rankers"},
                choices=[],
                multiselect=True,
                elem_id="vcs-compare-rankers",
            )
            measure = words.make(gr.Dropdown, {"label": "compare.measure"}, choices=[], min_width=160)
        go = words.make(gr.Button, {"value": "compare.go"}, variant="primary", elem_id="vcs-compare-go")
        plot = gr.Plot(show_label=False, visible=False, elem_id="vcs-compare-chart")
        data = gr.HTML(container=False, elem_id="vcs-compare")

    def refill(task: str, chosen: list[str], measure: str) -> tuple[dict, dict]:
        from vcs_demo.ui.compare.leaderboard import measures

        names, known = choices(library, task), measures(task, paper=False)
        kept = [name for name in chosen or () if name in names] or names[:2]
        return (
            gr.update(choices=names, value=kept),
            gr.update(choices=known, value=measure if measure in known else main_measure(task)),
        )

    def run(task: str, rankers: list[str], measure: str, lang: str) -> tuple[str, dict]:
        try:
            return compared(library, task, rankers, measure, lang)
        except UserError as error:
            return render("notice", lang, kind="bad", text=explain(error, lang)), gr.update(visible=False)

    quiet = {"api_visibility": "private"}
    part.expand(refill, [task, rankers, measure], [rankers, measure], show_progress="hidden", **quiet)
    task.change(refill, [task, rankers, measure], [rankers, measure], show_progress="hidden", **quiet)
    task.change(lambda: ("", gr.update(visible=False)), None, [data, plot], show_progress="hidden", **quiet)
    go.click(run, [task, rankers, measure, language], [data, plot], concurrency_limit=2, **quiet)
    return {"refill": refill, "inputs": [task, rankers, measure], "outputs": [rankers, measure]}
