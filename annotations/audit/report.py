"""The audit's report: what `sections` says and its plots, as Markdown and as one HTML file."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from annotations.audit.estimate import AuditReport
from annotations.audit.sections import level_of, sections, stratum_name
from annotations.audit.words import say
from annotations.candidates import LABELS

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$])")


def figures(report: AuditReport, lang: str = "en") -> "dict[str, go.Figure]":
    """Return the plots by the names in `Section.chart`: the shares, and those of the strata, with intervals."""
    from vcs_demo.measuring.charts import bars, grouped_points

    axis, found = say(lang, "chart", level=level_of(report)), {}
    shares = {say(lang, label): share for label, share in report.shares.items()}
    if all(share.share is not None for share in shares.values()):
        found["shares"] = bars(
            list(shares),
            [share.share for share in shares.values()],
            [(share.low, share.high) for share in shares.values()],
            axis,
        )
    if report.parts and report.labelled:
        names = [stratum_name(part.stratum, report.strata, lang) for part in report.parts]
        series = {
            say(lang, label): [
                None if (s := part.shares[label]).share is None else (s.share, s.low, s.high)
                for part in report.parts
            ]
            for label in LABELS
        }
        found["strata"] = grouped_points(names, series, axis)
    return found


def markdown(report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0) -> str:
    """Return the report as Markdown, without plots; for the arguments and errors see `sections`."""
    lines = [f"# {_plain(say(lang, 'title'))}"]
    for section in sections(report, lang, precision=precision, examples=examples):
        lines += ["", f"## {_plain(section.title)}"]
        for text in section.lead:
            lines += ["", _plain(text)]
        if section.heads:
            lines += ["", _row(section.heads), "|---" * len(section.heads) + "|"]
            lines += [_row(row) for row in section.rows]
        for text in section.notes:
            lines += ["", _plain(text)]
        if section.items:
            lines += ["", *(f"- {_plain(item)}" for item in section.items)]
    return "\n".join(lines) + "\n"


def html(report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0) -> str:
    """Return the report as one HTML file that needs nothing else; for the arguments and errors see `sections`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    settings = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    plots = {
        name: Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=settings))
        for name, figure in figures(report, lang).items()
    }
    page = Environment(
        loader=PackageLoader("annotations.audit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return page.get_template("audit.html").render(
        lang="vi" if lang == "vi" else "en",
        title=say(lang, "title"),
        sections=sections(report, lang, precision=precision, examples=examples),
        plots=plots,
        plotly=Markup(get_plotlyjs()) if plots else "",
    )


def _plain(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return _SPECIAL.sub(r"\\\1", text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"
