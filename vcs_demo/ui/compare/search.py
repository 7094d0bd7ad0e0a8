"""The Search tab: one query, several rankers side by side."""

import random
from collections.abc import Iterator

import gradio as gr

from vcs_demo.background import watched
from vcs_demo.benchmark.tasks import RETRIEVAL_SPLITS, TASK_NAMES
from vcs_demo.errors import UserError
from vcs_demo.library import MAX_K, MAX_RANKERS, Library, checked_query, checked_rankers, ranker_choices
from vcs_demo.rankers.catalog import OURS
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import content_words, render
from vcs_demo.words import explain, say

RETRIEVAL_TASKS = [name for name in TASK_NAMES if name.startswith("vimedretrieve")]
DEFAULT_RANKERS = ["bm25", OURS]


def searched(
    library: Library, query: str, rankers: list[str], task: str, split: str, k: int, lang: str
) -> Iterator[str]:
    """Yield the page of results, once for every ranker that has answered."""
    try:
        query, names = checked_query(query), checked_rankers(rankers)
        answers = library.search(query, names, task, split, k)
        columns = [{"ranker": name, "ranking": None, "work": None} for name in names]
        words = content_words(query)
        passages = library.task(task, split)
        for column in columns:
            # The first search of a large source encodes all of it; closing the page or Cancel ends that.
            for work in watched(lambda report, name=column["ranker"]: library.index(name, passages, report)):
                if work.result is None:
                    column["work"] = work
                    yield render("rankings", lang, columns=columns, words=words, note="")
            column["ranking"] = next(answers)
            yield render("rankings", lang, columns=columns, words=words, note="")
        judged = columns[0]["ranking"].first_relevant is not None
        note = "" if judged else say(lang, "results.no_gold")
        yield render("rankings", lang, columns=columns, words=words, note=note)
    except UserError as error:
        yield render("notice", lang, kind="bad", text=explain(error, lang))


def search_api(library: Library, query: str, rankers: list[str], task: str, split: str, k: int) -> list[dict]:
    """Return rankings as plain data; raises gr.Error with one sentence."""
    try:
        answers = library.search(query, rankers, task, split, k)
        return [as_data(ranking) for ranking in answers]
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from error


def as_data(ranking: object) -> dict:
    """Turn a ranking into JSON-ready data."""
    from dataclasses import asdict

    return asdict(ranking)


def queries_of(library: Library, task: str, split: str) -> list[str]:
    """List a task's queries, for the list of examples; empty where the source does not have it."""
    try:
        return list(library.task(task, split).queries.values())
    except UserError:
        return []


def ranker_picker(words: Localised, scale: int | None = None) -> gr.Dropdown:
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


def build(library: Library, words: Localised, language: gr.Radio) -> dict[str, object]:
    """Lay out the tab; return the components that others update."""
    with words.make(gr.Tab, {"label": "search.tab"}, id="search"):
        with gr.Row():
            task = words.make(
                gr.Dropdown,
                {"label": "search.task"},
                min_width=220,
                choices=RETRIEVAL_TASKS,
                value=RETRIEVAL_TASKS[0],
            )
            split = words.make(
                gr.Dropdown, {"label": "search.split"}, choices=list(reversed(RETRIEVAL_SPLITS)), value="test"
            )
            pick = words.make(
                gr.Dropdown,
                {"label": "search.pick", "info": "search.pick_info"},
                choices=[],
                value=None,
                scale=3,
            )
        query = words.make(
            gr.Textbox,
            {"label": "search.query", "placeholder": "search.query_hint"},
            lines=1,
            max_length=1_000,
            elem_id="vcs-search-query",
        )
        with gr.Row():
            rankers = ranker_picker(words, scale=3)
            k = words.make(gr.Slider, {"label": "search.k"}, minimum=1, maximum=MAX_K, step=1, value=10)
        with gr.Row():
            go = words.make(gr.Button, {"value": "search.go"}, variant="primary", elem_id="vcs-search-go")
            lucky = words.make(gr.Button, {"value": "search.random"})
            stop = words.make(gr.Button, {"value": "board.cancel"}, variant="stop", elem_id="vcs-search-stop")
        results = gr.HTML(elem_id="vcs-search-results", container=False)

    def run(query: str, rankers: list[str], task: str, split: str, k: int, lang: str) -> Iterator[str]:
        yield from searched(library, query, rankers, task, split, k, lang)

    def refill(task: str, split: str) -> dict:
        return gr.update(choices=queries_of(library, task, split), value=None)

    def choose(task: str, split: str) -> str:
        return random.choice(queries_of(library, task, split) or [""])

    inputs = [query, rankers, task, split, k, language]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    jobs = [gr.on([go.click, query.submit], run, inputs, results, concurrency_limit=4, **quiet)]
    task.change(refill, [task, split], pick, **quiet)
    split.change(refill, [task, split], pick, **quiet)
    jobs.append(pick.input(lambda text: text or "", pick, query, **quiet).then(run, inputs, results, **quiet))
    jobs.append(lucky.click(choose, [task, split], query, **quiet).then(run, inputs, results, **quiet))
    stop.click(None, None, None, cancels=jobs)

    def rerun(query: str, rankers: list[str], task: str, split: str, k: int, lang: str) -> Iterator[str]:
        if query:
            yield from searched(library, query, rankers, task, split, k, lang)
        else:
            yield ""

    language.change(rerun, inputs, results, **quiet)

    def search(
        query: str,
        rankers: list[str] = DEFAULT_RANKERS,  # noqa: B006 (the schema shows it; never changed)
        task: str = "vimedretrieve",
        split: str = "test",
        k: int = 10,
    ) -> list[dict]:
        """Search a VCS retrieval task with several rankers; each ranking's hits, gold marks and latency."""
        return search_api(library, query, rankers, task, split, k)

    return {"api": search, "rankers": rankers, "pick": pick, "task": task, "split": split, "refill": refill}
