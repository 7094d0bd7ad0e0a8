"""The paper's experiments that were run here: a part of the Train tab, with the figures of the report."""

import json

import gradio as gr

from training.paper.report import CURVES, curves, sign_lines, table
from training.paper.results import database_file, open_database, runs_of, settings, summary
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import render
from vcs_demo.words import say


def choices() -> list[tuple[str, str]]:
    """List what was run, the newest first: (what a visitor reads, JSON of experiment and setting)."""
    if not database_file().is_file():
        return []
    with open_database() as database:
        found = settings(database)
    return [
        (f"{name}: {str(setting).partition(f' {name} ')[2]}"[:300], json.dumps([name, setting]))
        for name, setting in reversed(found)
    ]


def shown(choice: str | None, lang: str) -> tuple[str, list]:
    """Return an experiment's table and warning signs as HTML, and its figures (at most one a curve)."""
    known = [value for _, value in choices()]
    if choice not in known:
        key = "experiments.choose" if known else "experiments.none"
        return render("notice", lang, kind="info", text=say(lang, key)), []
    name, setting = json.loads(choice)
    with open_database() as database:
        runs, rows = runs_of(database, name, setting), summary(database, name, setting)
        figures = curves(database, runs, lang)
    arms = table(rows, runs, lang)
    html = render("table", lang, heads=arms.heads, rows=arms.rows, note=" ".join(arms.notes))
    return html + signs(runs, lang), figures


def signs(runs: list[dict], lang: str) -> str:
    """List the warning signs, or say that there was none."""
    lines = sign_lines(runs, lang)
    text = "\n".join(
        [say(lang, "experiments.signs"), *lines] if lines else [say(lang, "experiments.no_signs")]
    )
    return render("notice", lang, kind="bad" if lines else "good", text=text)


def build(words: Localised, language: gr.Radio) -> None:
    """Lay out the part; what was run is read when it is opened."""
    with words.make(gr.Accordion, {"label": "experiments.title"}, open=False) as part:
        chosen = words.make(
            gr.Dropdown, {"label": "experiments.which"}, choices=[], elem_id="vcs-experiments-which"
        )
        data = gr.HTML(container=False, elem_id="vcs-experiments")
        plots = [gr.Plot(show_label=False, visible=False) for _ in CURVES]

    def show(choice: str | None, lang: str) -> tuple:
        html, figures = shown(choice, lang)
        updates = [gr.update(value=figure, visible=True) for figure in figures]
        return html, *updates, *[gr.update(visible=False) for _ in plots[len(figures) :]]

    def refill(choice: str | None, lang: str) -> tuple:
        known = choices()
        kept = choice if choice in [value for _, value in known] else (known[0][1] if known else None)
        return gr.update(choices=known, value=kept), *show(kept, lang)

    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    part.expand(refill, [chosen, language], [chosen, data, *plots], **quiet)
    chosen.input(show, [chosen, language], [data, *plots], **quiet)
    language.change(show, [chosen, language], [data, *plots], **quiet)
