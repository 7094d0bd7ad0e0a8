"""Plotly figures that read on a light and on a dark page alike."""

from collections.abc import Mapping, Sequence
from html import escape

import plotly.graph_objects as go

GREY, GRID = "#888888", "rgba(136,136,136,.25)"
BLUE = "#3d7fd6"
COLOURS = (BLUE, "#d6633d", "#3da35d", "#999999", "#a23dd6", "#b08a1e", "#d63d8a", "#3dbcc4")
LONGEST = 30  # characters of a name beside its group
Interval = tuple[float, float]


def bars(
    names: Sequence[str], values: Sequence[float], intervals: Sequence[Interval | None], axis: str
) -> go.Figure:
    """Draw horizontal bars with their intervals, the first at the top; values in [0, 1]."""
    bar = go.Bar(
        x=list(values),
        y=list(names),
        orientation="h",
        marker_color=BLUE,
        error_x=_error(values, intervals),
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure = _plain(go.Figure(bar), len(names))
    figure.update_xaxes(range=[0, 1], title=axis, gridcolor=GRID, zerolinecolor=GRID)
    return figure.update_yaxes(autorange="reversed", automargin=True)


def differences(
    names: Sequence[str], values: Sequence[float], intervals: Sequence[Interval], axis: str
) -> go.Figure:
    """Draw differences as points with their intervals beside a line at 0, the first at the top."""
    points = go.Scatter(
        x=list(values),
        y=list(names),
        mode="markers",
        marker={"color": BLUE, "size": 10},
        error_x=_error(values, intervals),
        hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
    )
    figure = _plain(go.Figure(points), len(names))
    figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(title=axis, gridcolor=GRID, zeroline=False)
    return figure.update_yaxes(autorange="reversed", automargin=True, gridcolor=GRID)


def grouped_points(
    names: Sequence[str],
    series: Mapping[str, Sequence[tuple[float, float, float] | None]],
    axis: str,
) -> go.Figure:
    """Draw a group of points a name, one a series, with their intervals: (value, low, high) in [0, 1], or None.

    Names are texts: none is markup. A long one is cut beside its group and whole where one points.
    """
    figure = _plain(go.Figure(), len(names))
    for number, ((title, triples), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
        drawn = [(group, *triple) for group, triple in enumerate(triples) if triple]
        offset = 0.18 * (number - (len(series) - 1) / 2)
        values, intervals = [v for _, v, _, _ in drawn], [(low, high) for *_, low, high in drawn]
        figure.add_scatter(
            x=values,
            y=[group + offset for group, *_ in drawn],
            name=title,
            mode="markers",
            marker={"color": colour, "size": 9},
            error_x=_error(values, intervals, color=colour, thickness=2, width=0),
            hovertext=[escape(names[group]) for group, *_ in drawn],
            hovertemplate="%{hovertext}: %{x:.3f}",
        )
    figure.update_layout(
        height=110 + (16 * len(series) + 14) * len(names),
        showlegend=True,
        margin={"t": 50},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    short = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in names]
    figure.update_xaxes(range=[-0.02, 1.02], title=axis, gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(
        automargin=True,
        range=[len(names) - 0.5, -0.5],
        autorange=False,
        tickvals=list(range(len(names))),
        ticktext=[escape(name) for name in short],
        ticklabelstandoff=6,
        showgrid=False,
        zeroline=False,
    )
    for group in range(1, len(names)):
        figure.add_hline(y=group - 0.5, line={"color": GRID, "width": 1})
    return figure


def _error(values: Sequence[float], intervals: Sequence[Interval | None], **style: object) -> dict:
    """Return plotly's error bars of values with their intervals; None: a value without one."""
    ends = [interval or (value, value) for value, interval in zip(values, intervals, strict=True)]
    above = [high - value for value, (_, high) in zip(values, ends, strict=True)]
    below = [value - low for value, (low, _) in zip(values, ends, strict=True)]
    return {"type": "data", "array": above, "arrayminus": below, "color": GREY, "thickness": 1.5} | style


def _plain(figure: go.Figure, rows: int) -> go.Figure:
    return figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 13},
        margin={"l": 10, "r": 20, "t": 10, "b": 40},
        height=max(180, 60 + 42 * rows),
        showlegend=False,
    )
