"""The paper's experiments that were run here: a part of the Train tab, with the figures of the report."""

import json

import gradio as gr

from training.paper.report import CURVES, curves, runs_of, settings, summary
from training.paper.run import database_file, open_database
from training.paper.warning_signs import said
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
    return table(rows, runs, lang) + signs(runs, lang), figures


def table(rows: list[dict], runs: list[dict], lang: str) -> str:
    """Lay out the arms: every figure with its interval, its spread between seeds, its difference from the first."""
    columns = list(dict.fromkeys((row["task"], row["measure"]) for row in rows))
    cells = {(row["arm"], row["task"], row["measure"]): row for row in rows}
    keys = ("arm", "seeds", "seconds")
    heads = [*(say(lang, f"experiments.{key}") for key in keys), *(f"{t} {m}" for t, m in columns)]
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        seconds = [run["seconds"] for run in runs if run["arm"] == arm]
        mean = f"{sum(seconds) / len(seconds):.0f}" if seconds else "–"
        shown_arm = say(lang, "experiments.untrained") if arm == "untrained" else arm
        figures = [_cell(cells.get((arm, *column))) for column in columns]
        lines.append([shown_arm, str(len(seconds) or "–"), mean, *figures])
    return render("table", lang, heads=heads, rows=lines, note=say(lang, "experiments.explain"))


def _cell(row: dict | None) -> str:
    if row is None:
        return "–"
    text = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    if row["spread"] is not None:
        text += f" ± {row['spread']:.3f}"
    if "difference" in row:
        text += f"; Δ {row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"
    return text


def signs(runs: list[dict], lang: str) -> str:
    """List the warning signs, or say that there was none."""
    lines = []
    for run in runs:
        where = say(lang, "experiments.run", arm=run["arm"], seed=run["seed"])
        if run["state"] != "done":
            lines.append(f"{where}: {say(lang, 'experiments.diverged', step=run['steps'])}")
        for sign in json.loads(run["signs"]):
            at = "" if sign["step"] is None else f", {say(lang, 'experiments.step', step=sign['step'])}"
            lines.append(f"{where}{at}: {said(sign, lang)}")
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
