"""The experiments' results as tables, curves with warning signs, and CSV; the paper's figures beside them."""

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from training.paper.results import database_file, open_database, runs_of, settings, summary
from training.paper.settings import EXPERIMENTS
from training.paper.warning_signs import WATCHED, said
from vcs_demo.benchmark.paper_figures import CAVEAT, REPORTED, SOURCE
from vcs_demo.errors import UserError
from vcs_demo.files import written_whole
from vcs_demo.tables import Table, figure
from vcs_demo.words import say

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from sqlite_utils import Database

CURVES = ("loss", "positive", "gradient", "validation")  # fields of `Point`, in the order they are shown


def report(csv: Path | None = None) -> str:
    """Return all that was run as Markdown.

    Args:
        csv: a folder for results.csv and curves.csv; it is made.

    Raises:
        UserError: nothing was run yet.
        OSError: the folder cannot be written.
    """
    nothing = UserError("No experiment was run yet; start with `python training/experiments.py baseline`.")
    if not database_file().is_file():  # opening it would make it
        raise nothing
    with open_database() as database:
        experiments = settings(database)
        if not experiments:
            raise nothing
        if csv:
            _write_csv(database, csv)
        return "\n\n".join(part for pair in experiments for part in _markdown(database, *pair))


def _markdown(database: "Database", name: str, setting: str) -> Iterator[str]:
    runs = runs_of(database, name, setting)
    yield f"## {name}"
    if name in EXPERIMENTS:
        yield EXPERIMENTS[name].__doc__ or ""
    yield from (f"    {command}" for command in sorted({run["command"] for run in runs}))
    rows = summary(database, name, setting)
    measured = table(rows, runs, bold="**")
    notes = [f"{' '.join(measured.notes)} Bold: it excludes 0."]
    reported = [r for r in REPORTED if (r.task, r.measure) in _columns(rows)]
    if reported:
        quoted = "; ".join(f"{r.task} {r.measure} of {r.ranker} {figure(r.value)}" for r in reported)
        notes.append(
            f"Reported by {SOURCE} ({CAVEAT}), on the full benchmark and not measured here: {quoted}."
        )
    yield Table(measured.heads, measured.rows, notes=notes).markdown()
    yield "\n".join(f"- {line}" for line in sign_lines(runs)) or say("en", "experiments.no_signs")


def _columns(rows: Sequence[dict]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["task"], row["measure"]) for row in rows))


def table(rows: Sequence[dict], runs: Sequence[dict], lang: str = "en", bold: str = "") -> Table:
    """Lay out the arms: every figure with its interval, its spread between seeds, its difference from the first arm.

    Args:
        rows: of `summary`.
        runs: of `runs_of`.
        lang: `en` or `vi`.
        bold: set around differences whose interval excludes 0.
    """
    cells = {(row["arm"], row["task"], row["measure"]): _cell(row, bold) for row in rows}
    heads = [say(lang, f"experiments.{key}") for key in ("arm", "seeds", "seconds")]
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        seconds = [run["seconds"] for run in runs if run["arm"] == arm]
        mean = f"{sum(seconds) / len(seconds):.0f}" if seconds else "–"
        name = say(lang, "experiments.untrained") if arm == "untrained" else arm
        figures = [cells.get((arm, *column), "–") for column in _columns(rows)]
        lines.append([name, str(len(seconds) or "–"), mean, *figures])
    heads += [f"{task} {measure}" for task, measure in _columns(rows)]
    return Table(heads, lines, notes=[say(lang, "experiments.explain")])


def _cell(row: dict, bold: str) -> str:
    text = figure(row["mean"], (row["low"], row["high"]))
    if row["spread"] is not None:
        text += f" ± {figure(row['spread'])}"
    if "difference" in row:
        low, high = row["difference_low"], row["difference_high"]
        mark = bold if low > 0 or high < 0 else ""
        text += f"; {mark}Δ {figure(row['difference'], (low, high), signed=True)}{mark}"
    return text


def sign_lines(runs: Sequence[dict], lang: str = "en") -> list[str]:
    """List the warning signs of runs, and the runs that diverged, a sentence each."""
    lines = []
    for run in runs:
        where = say(lang, "experiments.run", arm=run["arm"], seed=run["seed"])
        if run["state"] != "done":
            lines.append(f"{where}: {say(lang, 'experiments.diverged', step=run['steps'])}")
        for sign in json.loads(run["signs"]):
            at = "" if sign["step"] is None else f", {say(lang, 'experiments.step', step=sign['step'])}"
            lines.append(f"{where}{at}: {said(sign, lang)}")
    return lines


def curves(database: "Database", runs: Sequence[dict], lang: str = "en") -> "list[go.Figure]":
    """Draw the runs' curves, a figure per field of `Point` that was measured, warning signs marked on them."""
    import pandas as pd
    import plotly.express as px

    # Plotly reads names as HTML.
    arms = [(run["key"], escape(run["arm"]), run["seed"]) for run in runs]
    signs = [
        (run["key"], sign["curve"], sign["step"], escape(said(sign, lang)))
        for run in runs
        for sign in json.loads(run["signs"])
    ]
    signs = pd.DataFrame(signs, columns=["key", "curve", "step", "said"])
    points = pd.DataFrame(database["curves"].rows, columns=["key", "step", *CURVES])
    points = pd.DataFrame(arms, columns=["key", "arm", "seed"]).merge(points, on="key")
    figures = []
    for measure in CURVES:
        part = points.dropna(subset=[measure])
        if part.empty:
            continue
        by_run = part.groupby("key")[measure]
        part = part.assign(value=by_run.transform(_smooth))
        few = bool(by_run.size().max() <= 30)
        lines = px.line(part, "step", "value", "key", color="arm", hover_data=["seed"], markers=few)
        marked = part.merge(signs[signs["curve"] == measure], on=["key", "step"])
        cross = {"color": marked["arm"].map({line.name: line.line.color for line in lines.data}), "size": 11}
        lines.add_scatter(
            x=marked["step"], y=marked["value"], hovertext=marked["said"], hoverinfo="text",
            mode="markers", marker=cross | {"symbol": "x"}, showlegend=False,
        )  # fmt: skip
        lines.update_layout(
            title=say(lang, f"curve.{measure}", measure=WATCHED), xaxis_title=say(lang, "curve.step"),
            height=400, margin={"l": 50, "r": 20, "t": 50, "b": 40}, legend={"orientation": "h", "y": -0.25},
            paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": "#888"},
            yaxis_title=None, legend_title=None, yaxis_type="log" if measure == "gradient" else "linear",
        )  # fmt: skip
        lines.update_xaxes(gridcolor="rgba(136,136,136,.25)")
        lines.update_yaxes(gridcolor="rgba(136,136,136,.25)")
        figures.append(lines)
    return figures


def _smooth(values: "pd.Series") -> "pd.Series":
    """Return the mean over a fiftieth of the curve before each point."""
    return values.rolling(max(1, len(values) // 50), min_periods=1).mean()


def _write_csv(database: "Database", folder: Path) -> None:
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    pairs = database.query("select distinct experiment, setting from runs")
    rows = [row for pair in list(pairs) for row in summary(database, pair["experiment"], pair["setting"])]
    points = database.query(
        "select r.experiment, r.arm, r.seed, c.step, c.loss, c.positive, c.gradient, c.validation "
        "from curves c join runs r on r.key = c.key order by r.rowid, c.step"
    )
    for name, content in (("results", rows), ("curves", list(points))):
        with written_whole(folder / f"{name}.csv", encoding="utf-8-sig", newline="") as file:
            pd.DataFrame(content).to_csv(file, index=False)
