"""Rankers compared query by query: a part of the Leaderboard tab, on runs that are there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import gradio as gr

from vcs_demo.benchmark.labelled_qrels import judged_passages
from vcs_demo.benchmark.sources import source_label
from vcs_demo.benchmark.tasks import MAIN_TASKS, Task, main_measure, subset_queries
from vcs_demo.library import Library
from vcs_demo.measuring.charts import differences
from vcs_demo.measuring.comparison import Comparison, by_subset, compare, where
from vcs_demo.measuring.leaderboard import measured, measures
from vcs_demo.measuring.run_store import Run, read_run
from vcs_demo.tables import Table
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice, refusal, tables
from vcs_demo.words import problem, say

MOST = 6  # rankers: fifteen pairs
QUERIES = 15


def choices(library: Library, task: str) -> list[str]:
    """List the rankers that have a run of a task on this source, best first."""
    return list(measured(task, source_label(library.source), library.here(task)))


def compared(
    library: Library, task_name: str, rankers: Sequence[str] | None, measure: str, lang: str
) -> tuple[str, object]:
    """Compare runs; return what to read, and the chart of the differences.

    Raises:
        UserError: too few or too many rankers, or one without a run.
    """
    runs_by_ranker = measured(task_name, source_label(library.source), library.here(task_name))
    names = [name for name in dict.fromkeys(rankers or ()) if name in runs_by_ranker]
    if not 2 <= len(names) <= MOST:
        raise problem("compare.choose", count=len(names), most=MOST)
    runs = {name: replace(read_run(runs_by_ranker[name].folder), ranker=name) for name in names}
    task = library.task(task_name)
    comparison = compare(list(runs.values()), measure, judged_passages(task, []))
    shown = [standings(comparison, lang), pairs(comparison, lang)]
    if task_name == MAIN_TASKS[0]:
        parts = by_subset(list(runs.values()), measure, subset_queries(library.source, "test"))
        shown += [subsets(comparison, parts, lang)] if parts else []
    best, second = (runs[standing.ranker] for standing in comparison.standings[:2])
    shown.append(queries(best, second, measure, task, lang))
    return notice(verdict(comparison, lang)) + tables(*shown), chart(comparison, lang)


def verdict(comparison: Comparison, lang: str) -> str:
    """Say in a sentence whether the best is better than the second."""
    pair = comparison.pairs[0]
    return say(
        lang,
        "compare.ahead" if pair.told_apart else "compare.tied",
        first=pair.first,
        second=pair.second,
        measure=comparison.measure,
        difference=f"{pair.difference:+.3f}",
        low=f"{pair.interval[0]:+.3f}",
        high=f"{pair.interval[1]:+.3f}",
        p=f"{pair.p:.4f}",
        queries=comparison.queries,
    )


def standings(comparison: Comparison, lang: str) -> Table:
    """Lay out the rankers, best first."""
    ranker, group, unjudged = (say(lang, key) for key in ("board.ranker", "board.group", "compare.unjudged"))
    return replace(comparison.standings_table(), heads=[ranker, comparison.measure, group, unjudged])


def pairs(comparison: Comparison, lang: str) -> Table:
    """Lay out every pair: the difference, its test, wins and losses, overlap."""
    table = comparison.pairs_table()
    heads = [say(lang, f"compare.{key}") for key in ("pair", "difference", "p", "wins")]
    rows = [[f"{first} − {second}", *figures] for first, second, *figures in table.rows]
    return Table([*heads, table.heads[-1]], rows, notes=[say(lang, "compare.explain")])


def subsets(whole: Comparison, parts: dict[str, Comparison], lang: str) -> Table:
    """Lay out the measure in each subset; letters again say who cannot be told apart there."""
    table = whole.subsets_table(parts)
    return replace(table, heads=[say(lang, "compare.subset"), *table.heads[1:]])


def queries(best: Run, second: Run, measure: str, task: Task, lang: str) -> Table:
    """List the queries on which the best two differ most; whole and as it is, to be copied into Search."""
    lines = [
        [f"{a:.2f}", f"{b:.2f}", task.queries.get(query, query)]
        for query, a, b in where(best, second, measure, QUERIES)
    ]
    note = say(lang, "compare.queries" if lines else "compare.no_queries")
    return Table([best.ranker, second.ranker, say(lang, "compare.query")], lines, notes=[note])


def chart(comparison: Comparison, lang: str) -> object:
    """Draw every pair's difference with its interval."""
    return differences(
        [f"{pair.first} − {pair.second}" for pair in comparison.pairs],
        [pair.difference for pair in comparison.pairs],
        [pair.interval for pair in comparison.pairs],
        say(lang, "compare.axis", measure=comparison.measure),
    )


def build(
    library: Library, words: Localised, language: gr.Radio, access: Access, task: gr.Dropdown
) -> Callable[[Callable], None]:
    """Build the part; return what lets an event refill its lists."""
    hidden = gr.update(visible=False)
    with words.make(gr.Accordion, {"label": "compare.title"}, open=False) as part:
        with gr.Row():
            several = {"choices": [], "multiselect": True, "elem_id": "vcs-compare-rankers"}
            rankers = words.make(gr.Dropdown, {"label": "compare.rankers"}, **several)
            measure = words.make(gr.Dropdown, {"label": "compare.measure"}, choices=[], min_width=160)
        go = words.make(gr.Button, {"value": "compare.go"}, variant="primary", elem_id="vcs-compare-go")
        plot = gr.Plot(show_label=False, visible=False, elem_id="vcs-compare-chart")
        data = gr.HTML(container=False, elem_id="vcs-compare")

    def refill(task: str, chosen: list[str] | None, measure: str) -> tuple[dict, dict]:
        names, offered = choices(library, task), measures(task, paper=False)
        still = [name for name in chosen or () if name in names] or names[:2]
        return (
            gr.update(choices=names, value=still),
            gr.update(choices=offered, value=measure if measure in offered else main_measure(task)),
        )

    def refill_on(event: Callable) -> None:
        event(refill, [task, rankers, measure], [rankers, measure], **QUIET)

    @guarded(access.anyone, lambda sentence: (refusal(sentence), hidden))
    def run(person: Person, lang: str, task: str, rankers: list[str], measure: str) -> tuple[str, dict]:
        html, figure = compared(library, task, rankers, measure, lang)
        return html, gr.update(value=figure, visible=True)

    refill_on(part.expand)
    refill_on(task.change)
    task.change(lambda: ("", hidden), None, [data, plot], **QUIET)
    chosen = [language, task, rankers, measure]
    go.click(run, chosen, [data, plot], concurrency_limit=2, api_visibility="private")
    return refill_on
