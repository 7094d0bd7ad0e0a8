"""Plotly figures that read on a light and on a dark page alike."""

from collections.abc import Sequence

import plotly.graph_objects as go

GREY, GRID = "#888888", "rgba(136,136,136,.25)"
BLUE = "#3d7fd6"


def bars(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Draw horizontal bars with their intervals, the first at the top; values in [0, 1]."""
    ends = [pair or (value, value) for value, pair in zip(values, intervals, strict=True)]
    below = [value - low for value, (low, _) in zip(values, ends, strict=True)]
    above = [high - value for value, (_, high) in zip(values, ends, strict=True)]
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            marker_color=BLUE,
            error_x={"type": "data", "array": above, "arrayminus": below, "color": GREY, "thickness": 1.5},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    _plain(figure, len(names))
    figure.update_xaxes(range=[0, 1], title=axis, gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def differences(
    names: Sequence[str], values: Sequence[float], intervals: Sequence[tuple[float, float]], axis: str
) -> go.Figure:
    """Draw differences as points with their intervals beside a line at 0, the first at the top."""
    figure = go.Figure(
        go.Scatter(
            x=list(values),
            y=list(names),
            mode="markers",
            marker={"color": BLUE, "size": 10},
            error_x={
                "type": "data",
                "array": [high - value for value, (_, high) in zip(values, intervals, strict=True)],
                "arrayminus": [value - low for value, (low, _) in zip(values, intervals, strict=True)],
                "color": GREY,
                "thickness": 1.5,
            },
            hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
        )
    )
    _plain(figure, len(names))
    figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(title=axis, gridcolor=GRID, zeroline=False)
    figure.update_yaxes(autorange="reversed", automargin=True, gridcolor=GRID)
    return figure


def _plain(figure: go.Figure, rows: int) -> None:
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 13},
        margin={"l": 10, "r": 20, "t": 10, "b": 40},
        height=max(180, 60 + 42 * rows),
        showlegend=False,
    )
