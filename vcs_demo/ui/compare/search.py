"""The Search tab: one query, several rankers side by side."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

import gradio as gr

from vcs_demo.background import Progress, watched
from vcs_demo.benchmark.tasks import RETRIEVAL_SPLITS, TASK_NAMES
from vcs_demo.errors import UserError
from vcs_demo.library import MAX_K, MAX_RANKERS, Library, ranker_choices
from vcs_demo.rankers.catalog import OURS
from vcs_demo.rankings import Ranking
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised, Part, api_errors
from vcs_demo.ui.html import content_words, refusal, render
from vcs_demo.words import say

RETRIEVAL_TASKS = [name for name in TASK_NAMES if name.startswith("vimedretrieve")]
DEFAULT_RANKERS = ["bm25", OURS]


def side_by_side(
    query: str,
    rankers: Sequence[str] | None,
    ask: Callable[[Progress], Iterable[Ranking]],
    lang: str,
    unjudged: str = "",
) -> Iterator[str]:
    """Yield the page of results while rankers answer; closing the iterator ends the work.

    Args:
        query: its words are marked in the passages.
        rankers: who is asked, in this order.
        ask: gives their rankings, reporting how far an index is that has to be built.
        lang: of the page.
        unjudged: what to say below where the query has no judgements.

    Raises:
        UserError: whatever `ask` raised.
    """
    names, rankings = list(dict.fromkeys(rankers or ())), []
    words = content_words(str(query or ""))

    def work(report: Progress) -> bool:
        for ranking in ask(report):
            rankings.append(ranking)
        return True

    for state in watched(work):
        note = unjudged if state.result and rankings[0].first_relevant is None else ""
        facts = {"words": words, "done": state.done, "total": state.total, "note": note}
        yield render("rankings", lang, names=names, rankings=list(rankings), **facts)


def searched(
    library: Library, query: str, rankers: list[str], task: str, split: str, k: int, lang: str
) -> Iterator[str]:
    """Yield the page of results, filled as rankers answer; raises UserError."""

    def ask(report: Progress) -> Iterator[Ranking]:
        # The first search of a large source encodes all of it; closing the page or Cancel ends that.
        return library.search(query, rankers, task, split, k, progress=report)

    yield from side_by_side(query, rankers, ask, lang, say(lang, "results.no_gold"))


def api(library: Library) -> Callable:
    """Return what the HTTP API calls `search`."""

    def search(
        query: str,
        rankers: list[str] = DEFAULT_RANKERS,  # noqa: B006 (the schema shows it; never changed)
        task: str = "vimedretrieve",
        split: str = "test",
        k: int = 10,
    ) -> list[dict]:
        """Search a VCS retrieval task with several rankers; each ranking's hits, gold marks and latency."""
        with api_errors():
            return [asdict(ranking) for ranking in library.search(query, rankers, task, split, k)]

    return search


def queries_of(library: Library, task: str, split: str) -> list[str]:
    """List a task's queries, for the list of examples; empty where the source does not have it."""
    try:
        return list(library.task(task, split).queries.values())
    except UserError:
        return []


def ranker_list(words: Localised, scale: int | None = None) -> gr.Dropdown:
    """Make the list to choose rankers from, for Search and Rerank."""
    return words.make(
        gr.Dropdown,
        {"label": "search.rankers"},
        choices=ranker_choices(),
        value=DEFAULT_RANKERS,
        multiselect=True,
        max_choices=MAX_RANKERS,
        scale=scale,
    )


def build(library: Library, words: Localised, language: gr.Radio, access: Access) -> Part:
    """Build the tab."""
    with words.make(gr.Tab, {"label": "search.tab"}, id="search"):
        with gr.Row():
            names = {"choices": RETRIEVAL_TASKS, "value": RETRIEVAL_TASKS[0], "min_width": 220}
            task = words.make(gr.Dropdown, {"label": "search.task"}, **names)
            splits = {"choices": list(reversed(RETRIEVAL_SPLITS)), "value": "test"}
            split = words.make(gr.Dropdown, {"label": "search.split"}, **splits)
            texts = {"label": "search.pick", "info": "search.pick_info"}
            pick = words.make(gr.Dropdown, texts, choices=[], value=None, scale=3)
        texts = {"label": "search.query", "placeholder": "search.query_hint"}
        query = words.make(gr.Textbox, texts, lines=1, elem_id="vcs-search-query")
        with gr.Row():
            rankers = ranker_list(words, scale=3)
            k = words.make(gr.Slider, {"label": "search.k"}, minimum=1, maximum=MAX_K, step=1, value=10)
        with gr.Row():
            go = words.make(gr.Button, {"value": "search.go"}, variant="primary", elem_id="vcs-search-go")
            lucky = words.make(gr.Button, {"value": "search.random"})
            stop = words.make(gr.Button, {"value": "board.cancel"}, variant="stop", elem_id="vcs-search-stop")
        results = gr.HTML(elem_id="vcs-search-results", container=False)

    @guarded(access.anyone, refusal)
    def run(
        person: Person, lang: str, query: str, rankers: list[str], task: str, split: str, k: int
    ) -> Iterator[str]:
        yield from searched(library, query, rankers, task, split, k, lang)

    @guarded(access.anyone, refusal)
    def rerun(person: Person, lang: str, query: str, *rest: object) -> Iterator[str]:
        yield from searched(library, query, *rest, lang) if query else [""]

    def refill(task: str, split: str) -> dict:
        return gr.update(choices=queries_of(library, task, split), value=None)

    def refill_on(event: Callable) -> None:
        event(refill, [task, split], pick, **QUIET)

    def choose(task: str, split: str) -> str:
        return random.choice(queries_of(library, task, split) or [""])

    inputs = [language, query, rankers, task, split, k]
    picked = pick.input(lambda text: text or "", pick, query, **QUIET)
    chosen = lucky.click(choose, [task, split], query, **QUIET)
    started = (go.click, query.submit, picked.then, chosen.then)
    jobs = [event(run, inputs, results, concurrency_limit=4, **QUIET) for event in started]
    stop.click(None, None, None, cancels=jobs)
    refill_on(task.change)
    refill_on(split.change)
    language.change(rerun, inputs, results, **QUIET)
    return Part(rankers, refill_on, [query, rankers, task, split, k])
