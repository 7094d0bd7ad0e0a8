"""The experiments' database as one HTML file: tables with intervals, curves with warning signs, the paper's figures."""

import argparse
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.paper.run import WATCHED, open_database
from training.paper.warning_signs import said
from vcs_demo.benchmark.paper_figures import CAVEAT, REPORTED, SOURCE
from vcs_demo.errors import UserError
from vcs_demo.measuring.metrics import bootstrap_interval, paired_difference
from vcs_demo.terminal import say

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from sqlite_utils import Database

CURVES = {  # English, Vietnamese
    "loss": ("loss of the batch", "mất mát của lô"),
    "positive": ("mean p⁺ of the batch", "p⁺ trung bình của lô"),
    "gradient": ("norm of the gradient", "chuẩn của gradient"),
    "validation": (f"{WATCHED} on the validation split", f"{WATCHED} trên tập validation"),
}
COLOURS = ("#3d7fd6", "#d6633d", "#3da35d", "#a23dd6", "#b08a1e", "#d63d8a", "#3dbcc4", "#777777")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
color: #222; background: #fff; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .3rem .7rem;
border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; } small { color: #666; } li { margin: .3rem 0; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #14161a; } td, th { border-color: #333; }
small { color: #999; } }
"""  # fmt: skip


def write(options: argparse.Namespace) -> int:
    """Carry out `training/experiments.py report`.

    Raises:
        UserError: nothing was run yet, or a file that cannot be written.
    """
    with open_database() as database:
        experiments = settings(database)
        if not experiments:
            raise UserError(
                "No experiment was run yet; start with `python training/experiments.py baseline`."
            )
        parts = [part for pair in experiments for part in _experiment(database, *pair)]
        try:
            if options.csv:
                _csv(database, options.csv)
            options.html.write_text(_page(parts), "utf-8")
        except OSError as error:
            raise UserError(
                f"{options.html} or {options.csv} cannot be written: {error.strerror}."
            ) from error
    say(
        f"{', '.join(dict.fromkeys(name for name, _ in experiments))}: {options.html}"
        + (f", CSV in {options.csv}" if options.csv else "")
    )
    return 0


def settings(database: "Database") -> list[tuple[str, str]]:
    """List what was run, the oldest first: (experiment, setting)."""
    query = "select experiment, setting, min(created) c from runs where seed >= 0 group by 1, 2 order by c"
    return [(row["experiment"], row["setting"]) for row in database.query(query)]


def runs_of(database: "Database", experiment: str, setting: str) -> list[dict]:
    """Return the runs of an experiment in one setting, in the order they were made."""
    query = "select * from runs where experiment = ? and setting is ? and seed >= 0 order by rowid"
    return list(database.query(query, [experiment, setting]))


def summary(database: "Database", experiment: str, setting: str | None) -> list[dict]:
    """Return an experiment's figures in one setting, a row per arm, task and measure, arms in the order they were run.

    The value of a query is its mean over the seeds, so intervals are over queries; `spread` is the standard deviation
    of the means of the seeds. Differences are from the first arm, over the queries and seeds that both have.

    Returns:
        Rows with experiment, setting, arm, seeds, task, measure, mean, low, high, spread, and difference,
        difference_low, difference_high where there is a first arm with the same task.
    """
    values: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {}
    query = """select r.arm, r.seed, p.task, p.measure, p.query, p.value from per_query p join runs r on r.key = p.key
        where r.experiment = ? and r.setting is ? order by r.rowid"""
    for row in database.query(query, [experiment, setting]):
        seeds = values.setdefault((row["arm"], row["task"], row["measure"]), {})
        seeds.setdefault(row["seed"], {})[row["query"]] = row["value"]
    first = next((arm for arm, _, _ in values if arm != "untrained"), None)
    found = []
    for (arm, task, measure), seeds in values.items():
        own = _over_seeds(seeds, seeds)
        means = [float(np.mean(list(one.values()))) for one in seeds.values()]
        low, high = bootstrap_interval(list(own.values()))
        row = {
            "experiment": experiment,
            "setting": setting, "arm": arm, "seeds": len(seeds), "task": task, "measure": measure,
            "mean": float(np.mean(list(own.values()))), "low": low, "high": high,
            "spread": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        }  # fmt: skip
        other = values.get((first, task, measure)) if first else None
        shared = seeds.keys() & other.keys() if other else set()
        if arm not in (first, "untrained") and shared:
            a, b = _over_seeds(seeds, shared), _over_seeds(other, shared)
            common = sorted(a.keys() & b.keys())
            mean, low, high = paired_difference([a[q] for q in common], [b[q] for q in common])
            row |= {"difference": mean, "difference_low": low, "difference_high": high}
        found.append(row)
    return found


def _over_seeds(seeds: dict[int, dict[str, float]], chosen: Iterable[int]) -> dict[str, float]:
    parts = [seeds[seed] for seed in sorted(chosen)]
    common = sorted(set.intersection(*map(set, parts)))  # in one order: the bootstrap is seeded
    return {query: float(np.mean([part[query] for part in parts])) for query in common}


def _experiment(database: "Database", name: str, setting: str) -> list[str]:
    from training.experiments import EXPERIMENTS

    runs = runs_of(database, name, setting)
    commands = sorted({run["command"] for run in runs})
    parts = [
        f"<h2>{escape(name)}</h2><p>{escape(EXPERIMENTS.get(name, ''))}</p>",
        *(f"<p><code>{escape(command)}</code></p>" for command in commands),
        _table(summary(database, name, setting), runs),
    ]
    parts += [_signs(runs), *(_figure(figure) for figure in curves(database, runs))]
    return [part for part in parts if part]


def _table(rows: Sequence[dict], runs: Sequence[dict]) -> str:
    columns = list(dict.fromkeys((row["task"], row["measure"]) for row in rows))
    cells = {(row["arm"], row["task"], row["measure"]): row for row in rows}
    heads = ["arm", "seeds", "seconds a run", *(f"{task} {measure}" for task, measure in columns)]
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [run for run in runs if run["arm"] == arm]
        seconds = f"{np.mean([run['seconds'] for run in own]):.0f}" if own else "–"
        line = [escape(arm), str(len(own) or "–"), seconds]
        for task, measure in columns:
            row = cells.get((arm, task, measure))
            line.append(_cell(row) if row else "–")
        lines.append(line)
    reported = {(figure.task, figure.measure): [] for figure in REPORTED}
    for figure in REPORTED:
        reported[figure.task, figure.measure].append(f"{escape(figure.ranker)} {figure.value:.3f}")
    quoted = ["<small>the paper's, reported</small>", "", ""]
    quoted += [f"<small>{'<br>'.join(reported.get(column, []))}</small>" for column in columns]
    note = (
        "Means over queries (each the mean over seeds) with 95 % bootstrap intervals; ± is the standard "
        "deviation between seeds; Δ is the difference from the first arm, paired by query, with its own interval: bold "
        f"where that excludes 0. Rows “reported” are quoted from {escape(SOURCE)} ({escape(CAVEAT)}), on the full "
        "benchmark, and not measured here."
    )
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in [*lines, quoted])
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div><p><small>{note}</small></p>'


def _cell(row: dict) -> str:
    text = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    if row["spread"] is not None:
        text += f" ± {row['spread']:.3f}"
    if "difference" in row:
        low, high = row["difference_low"], row["difference_high"]
        delta = f"Δ {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
        text += "<br>" + (f"<b>{delta}</b>" if low > 0 or high < 0 else delta)
    return text


def _signs(runs: Sequence[dict]) -> str:
    lines = []
    for run in runs:
        if run["state"] != "done":
            lines.append(
                f"<li>{escape(run['arm'])}, seed {run['seed']}: diverged at step {run['steps']}.</li>"
            )
        for sign in json.loads(run["signs"]):
            place = "" if sign["step"] is None else f" at step {sign['step']}"
            lines.append(f"<li>{escape(run['arm'])}, seed {run['seed']}{place}: {escape(said(sign))}</li>")
    return (
        f"<h3>Warning signs</h3><ul>{''.join(lines)}</ul>"
        if lines
        else "<p>No warning sign of the paper showed.</p>"
    )


def curves(database: "Database", runs: Sequence[dict], lang: str = "en") -> "list[go.Figure]":
    """Draw the runs' curves, a figure per field of `Point` that was measured, warning signs marked on them."""
    import plotly.graph_objects as go

    arms = list(dict.fromkeys(run["arm"] for run in runs))
    found = []
    for measure, titles in CURVES.items():
        figure = go.Figure()
        for run in runs:
            points = list(
                database.query(
                    f"select step, {measure} v from curves where key = ? and {measure} is not null order by step",
                    [run["key"]],
                )
            )
            if not points:
                continue
            colour = COLOURS[arms.index(run["arm"]) % len(COLOURS)]
            x, y = [p["step"] for p in points], [p["v"] for p in points]
            figure.add_scatter(
                x=x, y=_smooth(y), mode="lines" if len(x) > 30 else "lines+markers",
                line={"color": colour, "width": 1.5}, name=escape(run["arm"]),
                legendgroup=run["arm"], showlegend=run is next(r for r in runs if r["arm"] == run["arm"]),
                hovertemplate=f"{escape(run['arm'])}, seed {run['seed']}, step %{{x}}: %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
            own = [
                sign for sign in json.loads(run["signs"]) if sign["step"] in x and sign["curve"] == measure
            ]
            if own:
                figure.add_scatter(
                    x=[sign["step"] for sign in own], y=[_smooth(y)[x.index(sign["step"])] for sign in own],
                    mode="markers", marker={"color": colour, "size": 11, "symbol": "x"}, showlegend=False,
                    hovertext=[escape(said(sign, lang)) for sign in own], hoverinfo="text", legendgroup=run["arm"],
                )  # fmt: skip
        if figure.data:
            figure.update_layout(
                title=titles[lang == "vi"], xaxis_title=("step", "bước")[lang == "vi"],
                height=400, margin={"l": 50, "r": 20, "t": 50, "b": 40}, legend={"orientation": "h", "y": -0.25},
                paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": "#888"},
            )  # fmt: skip
            figure.update_xaxes(gridcolor="rgba(136,136,136,.25)")
            figure.update_yaxes(
                gridcolor="rgba(136,136,136,.25)", type="log" if measure == "gradient" else "linear"
            )
            found.append(figure)
    return found


def _smooth(values: Sequence[float]) -> list[float]:
    """Return the mean over a fiftieth of the curve before each point."""
    width = max(1, len(values) // 50)
    return [float(np.mean(values[max(0, i + 1 - width) : i + 1])) for i in range(len(values))]


def _figure(figure: "go.Figure") -> str:
    return figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})


def _page(parts: Sequence[str]) -> str:
    from plotly.offline import get_plotlyjs

    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>VCS experiments</title><style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>"
        f"<body><h1>VCS experiments</h1>{''.join(parts)}</body></html>\n"
    )


def _csv(database: "Database", folder: Path) -> None:
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    pairs = [
        (row["experiment"], row["setting"])
        for row in database.query("select distinct experiment, setting from runs")
    ]
    pd.DataFrame([row for pair in pairs for row in summary(database, *pair)]).to_csv(
        folder / "results.csv", index=False
    )
    curves = database.query(
        "select r.experiment, r.arm, r.seed, c.step, c.loss, c.positive, c.gradient, c.validation "
        "from curves c join runs r on r.key = c.key order by r.rowid, c.step"
    )
    pd.DataFrame(list(curves)).to_csv(folder / "curves.csv", index=False)
