"""The audit's report, in English or Vietnamese: tables, plots, Markdown, and one HTML file."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from annotations.audit.estimate import AuditReport, Part, Share, needed
from annotations.audit.sample import UNRANKED
from annotations.candidates import LABELS
from vcs_demo.errors import UserError
from vcs_demo.tables import Table, figure
from vcs_demo.words import say

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_EXAMPLES, EXAMPLE_LENGTH = 50, 300  # a label; characters of a text
_FIGURE = set("0123456789.–[, ]/")
_MARKUP = re.compile(r"([\\`*_\[\]<>~&#$])")


def sections(
    report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0
) -> dict[str, Table]:
    """Return what a report says as tables of plain text: whoever renders them escapes it.

    Args:
        report: of `audit`.
        lang: `en` or `vi`.
        precision: half-width whose sample size is told, in (0, 0.5).
        examples: how many labelled candidates a label are quoted, 0 to `MOST_EXAMPLES`, texts cut.

    Returns:
        `state`, `shares`, those of `strata` that were asked for, `size`, `method`, and `examples` if there are any.

    Raises:
        UserError: a precision or number of examples outside its range.
    """
    if not 0 <= examples <= MOST_EXAMPLES:
        raise UserError(f"{examples} examples were asked for; ask for 0 to {MOST_EXAMPLES}.")
    level, counts = _level(report), {"candidates": report.candidates, "sample": len(report.sample)}
    unsure, unanswered = report.shares["unsure"].count, len(report.sample) - report.labelled
    state = [_say(lang, "state", labelled=report.labelled, unsure=unsure, **counts)]
    if unanswered:
        state.append(_say(lang, "partial", unanswered=unanswered))
    heads = (_say(lang, "label"), _say(lang, "share", level=level), _say(lang, "count"))
    rows = [(_say(lang, name), _figure(s), f"{s.count} / {s.of}") for name, s in report.shares.items()]
    parts = {"state": Table((), (), notes=state), "shares": Table(heads, rows, _say(lang, "shares"))}
    for by in report.strata:
        heads = [_say(lang, key) for key in (by, "pool", "sampled", "labelled", *LABELS)]
        rows = [
            (_name(p, lang), p.candidates, p.sampled, p.labelled, *map(_figure, p.shares.values()))
            for p in report.parts
            if p.by == by
        ]
        title, note = _say(lang, "by", strata=_say(lang, by)), _say(lang, "strata_note", level=level)
        parts[by] = Table(heads, rows, title, [note])
    size = []
    if report.labelled:
        worst = max((share.high - share.low) / 2 for share in report.shares.values())
        size.append(_say(lang, "reached", points=f"{100 * worst:.1f}"))
    enough = needed(precision, level=report.level)
    size.append(_say(lang, "needed", points=f"{100 * precision:.4g}", level=level, needed=enough))
    parts["size"] = Table((), (), _say(lang, "size"), size)
    method = [_say(lang, "draw", seed=report.seed), _say(lang, "consensus"), _say(lang, "wilson")]
    parts["method"] = Table((), (), _say(lang, "method"), method)
    if examples:
        parts["examples"] = Table((), (), _say(lang, "examples"), list(_examples(report, lang, examples)))
    return parts


def figures(report: AuditReport, lang: str = "en") -> "dict[str, go.Figure]":
    """Return the plots of `shares` and of the groups, by the names that `sections` gives them."""
    from vcs_demo.measuring.charts import bars, grouped_points

    if not report.labelled:
        return {}
    axis = _say(lang, "share", level=_level(report))
    shares = report.shares.values()
    ends = [(share.low, share.high) for share in shares]
    names = [_say(lang, label) for label in report.shares]
    plots = {"shares": bars(names, [share.share for share in shares], ends, axis)}
    for by in report.strata:
        parts = [part for part in report.parts if part.by == by]
        series = {
            name: [(s.share, s.low, s.high) if (s := part.shares[label]).of else None for part in parts]
            for label, name in zip(LABELS, names, strict=True)
        }
        plots[by] = grouped_points([_name(part, lang) for part in parts], series, axis)
    return plots


def markdown(report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0) -> str:
    """Return the report as Markdown, without plots; for the arguments and errors see `sections`."""
    parts = [f"# {_plain(_say(lang, 'title'))}"]
    for table in sections(report, lang, precision=precision, examples=examples).values():
        escaped = replace(
            table,
            heads=[_plain(head) for head in table.heads],
            rows=[[_plain(str(value)) for value in row] for row in table.rows],
            title=_plain(table.title),
            notes=[_plain(note) for note in table.notes],
        )
        parts.append(escaped.markdown(level=2))
    return "\n\n".join(parts) + "\n"


def html(report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0) -> str:
    """Return the report as one HTML file that needs nothing else; for the arguments and errors see `sections`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    settings = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    plots = {
        name: Markup(plot.to_html(full_html=False, include_plotlyjs=False, config=settings))
        for name, plot in figures(report, lang).items()
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
        title=_say(lang, "title"),
        sections=sections(report, lang, precision=precision, examples=examples),
        plots=plots,
        plotly=Markup(get_plotlyjs()) if plots else "",
    )


def _examples(report: AuditReport, lang: str, most: int) -> Iterator[str]:
    for label in LABELS:
        chosen = [candidate for candidate in report.sample if report.labels.get(candidate.id) == label]
        for candidate in chosen[:most]:
            texts = {name: f"“{_cut(getattr(candidate, name))}”" for name in ("query", "passage")}
            yield _say(lang, "example", id=candidate.id, label=_say(lang, label), **texts)


def _name(part: Part, lang: str) -> str:
    if part.by == "miner":
        return _cut(part.name) or _say(lang, "nameless")
    if part.name == UNRANKED:
        return _say(lang, "unranked")
    return _say(lang, "band", band=part.name.replace("-", "–"))


def _figure(share: Share) -> str:
    return figure(share.share, None if share.share is None else (share.low, share.high))


def _level(report: AuditReport) -> str:
    return f"{100 * report.level:.4g}"


def _say(lang: str, key: str, **values: object) -> str:
    return say(lang, f"audit_report.{key}", **values)


def _plain(text: str) -> str:
    """Escape what Markdown would read as markup; a figure has none."""
    return text if set(text) <= _FIGURE else _MARKUP.sub(r"\\\1", text)


def _cut(text: str) -> str:
    """Return a text on one line, without characters that only steer the display, cut to `EXAMPLE_LENGTH`."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
