"""The Rerank tab: a group's candidates, or one's own, ordered by several rankers."""

import random
from collections.abc import Iterator

import gradio as gr

from vcs_demo.benchmark.tasks import MAIN_TASKS
from vcs_demo.errors import UserError, quoted
from vcs_demo.library import (
    MAX_CANDIDATES,
    Library,
    checked_query,
    checked_rankers,
)
from vcs_demo.text import tidy
from vcs_demo.ui.compare.search import DEFAULT_RANKERS, as_data, ranker_picker
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import content_words, render
from vcs_demo.words import explain

RERANKING_TASKS = list(MAIN_TASKS[1:])
RELEVANT_MARK = "+ "


def parsed(lines: str) -> tuple[list[str], list[bool]]:
    """Read candidates, one a line; a line that begins with `+ ` is relevant."""
    kept = [line.strip() for line in str(lines or "").splitlines() if line.strip()]
    marks = [line.startswith(RELEVANT_MARK) for line in kept]
    return [line.removeprefix(RELEVANT_MARK).strip() for line in kept], marks


def reranked(library: Library, query: str, lines: str, rankers: list[str], lang: str) -> Iterator[str]:
    """Yield the page of results, once for every ranker that has answered."""
    try:
        query, names = checked_query(query), checked_rankers(rankers)
        passages, marks = parsed(lines)
        answers = library.rerank(query, passages, names, marks)
        columns = [{"ranker": name, "ranking": None, "work": None} for name in names]
        words = content_words(query)
        for column in columns:
            if column is not columns[0]:
                yield render("rankings", lang, columns=columns, words=words, note="")
            column["ranking"] = next(answers)
        yield render("rankings", lang, columns=columns, words=words, note="")
    except UserError as error:
        yield render("notice", lang, kind="bad", text=explain(error, lang))


def groups_of(library: Library, task: str) -> list[tuple[str, str]]:
    """List a task's groups as (query, id); empty where the source does not have it."""
    try:
        return [(text, query_id) for query_id, text in library.task(task).queries.items()]
    except UserError:
        return []


def filled(library: Library, task: str, query_id: str | None) -> tuple[str, str]:
    """Return a group's query and its candidates as lines."""
    if not query_id:
        return "", ""
    query, _, texts, marks = library.group(task, query_id)
    lines = [f"{RELEVANT_MARK if mark else ''}{tidy(text)}" for text, mark in zip(texts, marks, strict=True)]
    return query, "\n".join(lines)


def build(library: Library, words: Localised, language: gr.Radio) -> dict[str, object]:
    """Lay out the tab; return the components that others update."""
    with words.make(gr.Tab, {"label": "rerank.tab"}, id="rerank"):
        with gr.Row():
            task = words.make(
                gr.Dropdown, {"label": "search.task"}, choices=RERANKING_TASKS, value=RERANKING_TASKS[0]
            )
            pick = words.make(gr.Dropdown, {"label": "rerank.pick"}, choices=[], value=None, scale=3)
        query = words.make(gr.Textbox, {"label": "rerank.query"}, lines=2, max_length=1_000)
        lines = words.make(
            gr.Textbox,
            {"label": "rerank.candidates", "info": "rerank.candidates_info"},
            lines=5,
            max_lines=14,
            max_length=MAX_CANDIDATES * 1_000,
        )
        rankers = ranker_picker(words)
        with gr.Row():
            go = words.make(gr.Button, {"value": "rerank.go"}, variant="primary")
            lucky = words.make(gr.Button, {"value": "rerank.random"})
        results = gr.HTML(elem_id="vcs-rerank-results", container=False)

    def run(query: str, lines: str, rankers: list[str], lang: str) -> Iterator[str]:
        yield from reranked(library, query, lines, rankers, lang)

    def refill(task: str) -> dict:
        return gr.update(choices=groups_of(library, task), value=None)

    def fill(task: str, query_id: str | None) -> tuple[str, str]:
        try:
            return filled(library, task, query_id)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def choose(task: str) -> tuple[str, str]:
        groups = groups_of(library, task)
        return filled(library, task, random.choice(groups)[1]) if groups else ("", "")

    inputs = [query, lines, rankers, language]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    go.click(run, inputs, results, concurrency_limit=4, **quiet)
    task.change(refill, task, pick, **quiet)
    pick.input(fill, [task, pick], [query, lines], **quiet).then(run, inputs, results, **quiet)
    lucky.click(choose, task, [query, lines], **quiet).then(run, inputs, results, **quiet)

    def rerun(query: str, lines: str, rankers: list[str], lang: str) -> Iterator[str]:
        if query and lines:
            yield from reranked(library, query, lines, rankers, lang)
        else:
            yield ""

    language.change(rerun, inputs, results, **quiet)

    def rerank(
        query: str,
        passages: list[str],
        rankers: list[str] = DEFAULT_RANKERS,  # noqa: B006 (the schema shows it; never changed)
        relevant: list[int] | None = None,
    ) -> list[dict]:
        """Order passages for a query with several rankers; `relevant` lists numbers from 1, and then AP is given."""
        try:
            given = relevant if isinstance(relevant, list) else [] if relevant is None else [relevant]
            if not all(isinstance(number, int) for number in given):
                raise UserError(
                    f"Relevant is {quoted(relevant)}; give a list of candidates' numbers, from 1."
                )
            size = len(passages) if isinstance(passages, list) else 0
            marks = [number in given for number in range(1, min(size, MAX_CANDIDATES) + 1)]
            return [as_data(ranking) for ranking in library.rerank(query, passages, rankers, marks)]
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return {"api": rerank, "rankers": rankers, "pick": pick, "task": task, "refill": refill}
