"""The Rerank tab: a group's candidates, or one's own, ordered by several rankers."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict

import gradio as gr

from vcs_demo.benchmark.tasks import MAIN_TASKS
from vcs_demo.errors import UserError, quoted
from vcs_demo.library import Library
from vcs_demo.text import tidy
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.compare.search import DEFAULT_RANKERS, ranker_list, side_by_side
from vcs_demo.ui.components import QUIET, Localised, Part, api_errors
from vcs_demo.ui.html import refusal

RERANKING_TASKS = list(MAIN_TASKS[1:])
RELEVANT_MARK = "+ "
_LINE_END = re.compile(r"\r\n|[\r\n]")  # and not what else Python takes for one: texts hold U+2028


def parsed(lines: str | None) -> tuple[list[str], list[bool]]:
    """Read candidates, one a line; a line that begins with `+ ` is relevant."""
    filled_lines = [line.strip() for line in _LINE_END.split(str(lines or "")) if line.strip()]
    marks = [line.startswith(RELEVANT_MARK) for line in filled_lines]
    return [line.removeprefix(RELEVANT_MARK).strip() for line in filled_lines], marks


def reranked(library: Library, query: str, lines: str, rankers: list[str], lang: str) -> Iterator[str]:
    """Yield the page of results, filled as rankers answer; raises UserError."""
    passages, marks = parsed(lines)
    yield from side_by_side(
        query, rankers, lambda report: library.rerank(query, passages, rankers, marks), lang
    )


def marked(relevant: object, size: int) -> list[bool]:
    """Return a mark a candidate; raises UserError unless `relevant` lists numbers from 1 to `size`, each once."""
    numbers = relevant if isinstance(relevant, list) else [] if relevant is None else [relevant]
    whole = all(type(number) is int for number in numbers)  # neither True nor 1.0, which equal 1
    if not whole or len(set(numbers) & set(range(1, size + 1))) < len(numbers):
        raise UserError(
            f"Relevant is {quoted(relevant)}; give a list of candidates' numbers, from 1 to {size}, each once."
        )
    return [number in numbers for number in range(1, size + 1)]


def api(library: Library) -> Callable:
    """Return what the HTTP API calls `rerank`."""

    def rerank(
        query: str,
        passages: list[str],
        rankers: list[str] = DEFAULT_RANKERS,  # noqa: B006 (the schema shows it; never changed)
        relevant: list[int] | None = None,
    ) -> list[dict]:
        """Order passages for a query with several rankers; `relevant` lists numbers from 1, and then AP is given."""
        with api_errors():
            marks = marked(relevant, len(passages)) if isinstance(passages, list) else []
            return [asdict(ranking) for ranking in library.rerank(query, passages, rankers, marks)]

    return rerank


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


def build(library: Library, words: Localised, language: gr.Radio, access: Access) -> Part:
    """Build the tab."""
    with words.make(gr.Tab, {"label": "rerank.tab"}, id="rerank"):
        with gr.Row():
            names = {"choices": RERANKING_TASKS, "value": RERANKING_TASKS[0]}
            task = words.make(gr.Dropdown, {"label": "search.task"}, **names)
            pick = words.make(gr.Dropdown, {"label": "rerank.pick"}, choices=[], value=None, scale=3)
        query = words.make(gr.Textbox, {"label": "rerank.query"}, lines=2)
        texts = {"label": "rerank.candidates", "info": "rerank.candidates_info"}
        lines = words.make(gr.Textbox, texts, lines=5, max_lines=14)
        rankers = ranker_list(words)
        with gr.Row():
            go = words.make(gr.Button, {"value": "rerank.go"}, variant="primary", elem_id="vcs-rerank-go")
            lucky = words.make(gr.Button, {"value": "rerank.random"})
        results = gr.HTML(elem_id="vcs-rerank-results", container=False)

    @guarded(access.anyone, refusal)
    def run(person: Person, lang: str, query: str, lines: str, rankers: list[str]) -> Iterator[str]:
        yield from reranked(library, query, lines, rankers, lang)

    @guarded(access.anyone, refusal)
    def rerun(person: Person, lang: str, query: str, lines: str, rankers: list[str]) -> Iterator[str]:
        yield from reranked(library, query, lines, rankers, lang) if query and lines else [""]

    @guarded(access.anyone)
    def fill(person: Person, lang: str, task: str, query_id: str | None) -> tuple[str, str]:
        return filled(library, task, query_id)

    def refill(task: str) -> dict:
        return gr.update(choices=groups_of(library, task), value=None)

    def refill_on(event: Callable) -> None:
        event(refill, task, pick, **QUIET)

    def choose(task: str) -> tuple[str, str]:
        groups = groups_of(library, task)
        return filled(library, task, random.choice(groups)[1]) if groups else ("", "")

    inputs = [language, query, lines, rankers]
    picked = pick.input(fill, [language, task, pick], [query, lines], **QUIET)
    chosen = lucky.click(choose, task, [query, lines], **QUIET)
    for event in (go.click, picked.then, chosen.then):
        event(run, inputs, results, concurrency_limit=4, **QUIET)
    refill_on(task.change)
    language.change(rerun, inputs, results, **QUIET)
    return Part(rankers, refill_on, [query, lines, rankers, task])
