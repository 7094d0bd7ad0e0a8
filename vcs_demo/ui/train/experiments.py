"""The paper's experiments that were run here: a part of the Train tab, with the figures of the report."""

import json
from collections.abc import Sequence

import gradio as gr

from training.paper.report import CURVES, curves, sign_lines, table
from training.paper.results import database_file, open_database, runs_of, settings, summary
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice, tables
from vcs_demo.words import say


def choices() -> list[tuple[str, str]]:
    """List what was run, the newest first: (what a visitor reads, JSON of experiment and setting)."""
    if not database_file().is_file():
        return []
    with open_database() as database:
        experiments = settings(database)
    return [
        (f"{name}: {str(setting).partition(f' {name} ')[2]}"[:300], json.dumps([name, setting]))
        for name, setting in reversed(experiments)
    ]


def shown(choice: str | None, lang: str) -> tuple[str, list]:
    """Return an experiment's table and warning signs as HTML, and its figures (at most one a curve)."""
    offered = [value for _, value in choices()]
    if choice not in offered:
        return notice(say(lang, "experiments.choose" if offered else "experiments.none")), []
    name, setting = json.loads(choice)
    with open_database() as database:
        runs, rows = runs_of(database, name, setting), summary(database, name, setting)
        figures = curves(database, runs, lang)
    return tables(table(rows, runs, lang)) + signs(runs, lang), figures


def signs(runs: Sequence[dict], lang: str) -> str:
    """List the warning signs, or say that there was none."""
    lines = sign_lines(runs, lang)
    if not lines:
        return notice(say(lang, "experiments.no_signs"), "good")
    return notice("\n".join([say(lang, "experiments.signs"), *lines]), "bad")


def build(words: Localised, language: gr.Radio) -> None:
    """Build the part; what was run is read when it is opened."""
    with words.make(gr.Accordion, {"label": "experiments.title"}, open=False) as part:
        look = {"choices": [], "elem_id": "vcs-experiments-which"}
        chosen = words.make(gr.Dropdown, {"label": "experiments.which"}, **look)
        data = gr.HTML(container=False, elem_id="vcs-experiments")
        plots = [gr.Plot(show_label=False, visible=False) for _ in CURVES]

    def show(choice: str | None, lang: str) -> tuple:
        html, figures = shown(choice, lang)
        updates = [gr.update(value=figure, visible=True) for figure in figures]
        return html, *updates, *[gr.update(visible=False) for _ in plots[len(figures) :]]

    def refill(choice: str | None, lang: str) -> tuple:
        offered = choices()
        values = [value for _, value in offered]
        still = choice if choice in values else next(iter(values), None)
        return gr.update(choices=offered, value=still), *show(still, lang)

    part.expand(refill, [chosen, language], [chosen, data, *plots], **QUIET)
    for event in (chosen.input, language.change):
        event(show, [chosen, language], [data, *plots], **QUIET)
