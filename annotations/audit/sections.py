"""What an audit's report says: sections of plain text and tables, in English or Vietnamese."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotations.audit.estimate import AuditReport, Share, needed
from annotations.audit.sample import UNRANKED, BadAuditRequest, Stratum
from annotations.audit.words import say
from annotations.candidates import LABELS

NAMED = 3  # strata that a sentence names
MOST_EXAMPLES, EXAMPLE_LENGTH = 50, 300  # a label; characters of a text


@dataclass(frozen=True)
class Section:
    """A part of the report, of plain texts: whoever renders it escapes them.

    Attributes:
        title: its heading.
        lead: paragraphs before the table.
        heads: of the table's columns; none, no table.
        rows: of the table, cells in the order of the heads.
        notes: paragraphs after the table.
        chart: `shares`, `strata` or none: which of `figures` belongs to it.
        items: of a list.
    """

    title: str
    lead: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    chart: str = ""
    items: tuple[str, ...] = ()


def sections(
    report: AuditReport, lang: str = "en", *, precision: float = 0.05, examples: int = 0
) -> list[Section]:
    """Return what a report says, in a language: shares, strata, sample size, method, examples.

    Args:
        report: of `audit`.
        lang: `en` or `vi`.
        precision: half-width whose sample size is told, in (0, 0.5).
        examples: how many labelled candidates a label are quoted, 0 to `MOST_EXAMPLES`, texts cut.

    Raises:
        BadAuditRequest: a precision or number of examples outside its range.
    """
    if not 0 <= examples <= MOST_EXAMPLES:
        raise BadAuditRequest(f"{examples} examples were asked for; ask for 0 to {MOST_EXAMPLES}.")
    found = [_shares(report, lang)]
    if report.parts:
        found.append(_strata(report, lang))
    found += [_size(report, lang, precision), _method(report, lang)]
    if examples:
        quoted = tuple(_examples(report, lang, examples))
        found.append(Section(say(lang, "examples"), items=quoted))
    return found


def _shares(report: AuditReport, lang: str) -> Section:
    open_, missing = report.open, len(report.sample) - report.labelled
    unsure = report.shares["unsure"].count
    lead = [
        say(
            lang,
            "state",
            labelled=report.labelled,
            sample=len(report.sample),
            unsure=unsure,
            candidates=report.candidates,
        )
    ]
    if missing:
        lead.append(say(lang, "partial", unanswered=missing))
    if report.unanswered and report.labelled:
        lead.append(say(lang, "undefined", strata=_listed(report.unanswered, report.strata, lang)))
    heads = [
        say(lang, "label"),
        say(lang, "share_weighted" if report.parts else "share"),
        say(lang, "interval", level=level_of(report)),
        say(lang, "count"),
        *([say(lang, "range")] if open_ else []),
    ]
    rows = []
    for label, share in report.shares.items():
        cells = [say(lang, label), _percent(share.share), _interval(share), f"{share.count} / {share.of}"]
        if open_:
            cells.append("–" if share.least is None else f"{_percent(share.least)} – {_percent(share.most)}")
        rows.append(tuple(cells))
    notes = (say(lang, "range_note", open=open_),) if open_ else ()
    chart = "shares" if any(share.share is not None for share in report.shares.values()) else ""
    return Section(say(lang, "shares"), tuple(lead), tuple(heads), tuple(rows), notes, chart)


def _strata(report: AuditReport, lang: str) -> Section:
    heads = [
        _dimensions(report, lang),
        *(say(lang, key) for key in ("pool", "weight", "sampled", "labelled", *LABELS)),
    ]
    rows = tuple(
        (
            stratum_name(part.stratum, report.strata, lang),
            str(part.candidates),
            _percent(part.candidates / report.candidates),
            str(part.sampled),
            str(part.labelled),
            *(_percent(s.share) + (f" ({_interval(s)})" if s.of else "") for s in part.shares.values()),
        )
        for part in report.parts
    )
    title = say(lang, "by", strata=_dimensions(report, lang))
    note = say(lang, "strata_note", level=level_of(report))
    return Section(title, (), tuple(heads), rows, (note,), "strata" if report.labelled else "")


def _size(report: AuditReport, lang: str, precision: float) -> Section:
    lead = []
    if all(share.share is not None for share in report.shares.values()):
        worst = max((share.high - share.low) / 2 for share in report.shares.values())
        lead.append(say(lang, "reached", points=f"{100 * worst:.1f}"))
    lead.append(
        say(
            lang,
            "needed",
            points=f"{100 * precision:.4g}",
            level=level_of(report),
            needed=needed(precision, level=report.level),
            corrected=min(
                report.candidates, needed(precision, level=report.level, pool=report.candidates or None)
            ),
            candidates=report.candidates,
        )
    )
    if report.design_effect and report.design_effect > 1.05:
        lead.append(say(lang, "effect", effect=f"{report.design_effect:.1f}"))
    return Section(say(lang, "size"), tuple(lead))


def _method(report: AuditReport, lang: str) -> Section:
    how = f"draw_{report.allocation}" if report.strata else "draw_plain"
    lead = [
        say(lang, how, strata=_dimensions(report, lang), seed=report.seed),
        say(lang, "consensus"),
        say(lang, "wilson"),
        *([say(lang, "weighted")] if report.strata else []),
        say(lang, "finite" if report.finite else "infinite"),
    ]
    return Section(say(lang, "method"), tuple(lead))


def _examples(report: AuditReport, lang: str, most: int) -> Iterator[str]:
    for label in LABELS:
        chosen = [candidate for candidate in report.sample if report.labels.get(candidate.id) == label]
        for candidate in chosen[:most]:
            query, passage = f"“{_cut(candidate.query)}”", f"“{_cut(candidate.passage)}”"
            yield say(lang, "example", id=candidate.id, label=say(lang, label), query=query, passage=passage)


def stratum_name(stratum: Stratum, strata: Sequence[str], lang: str) -> str:
    """Return what a stratum is called: its miner, its ranks, or both."""
    named = {
        "miner": lambda part: _cut(part) or say(lang, "nameless"),
        "rank": lambda part: (
            say(lang, "unranked") if part == UNRANKED else say(lang, "band", band=part.replace("-", "–"))
        ),
    }
    return ", ".join(named[name](part) for name, part in zip(strata, stratum, strict=True))


def _dimensions(report: AuditReport, lang: str) -> str:
    names = [say(lang, name) for name in report.strata]
    return say(lang, "both", first=names[0], second=names[1]) if len(names) == 2 else "".join(names)


def _listed(strata: Sequence[Stratum], dimensions: Sequence[str], lang: str) -> str:
    names = ["“" + stratum_name(stratum, dimensions, lang) + "”" for stratum in strata[:NAMED]]
    more = [say(lang, "and_more", count=len(strata) - NAMED)] if len(strata) > NAMED else []
    return ", ".join(names + more)


def level_of(report: AuditReport) -> str:
    """Return the level of the intervals in per cent."""
    return f"{100 * report.level:.4g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _interval(share: Share) -> str:
    return "–" if share.share is None else f"{share.low:.1%} – {share.high:.1%}"


def _cut(text: str) -> str:
    """Return a text on one line, without characters that only steer the display, cut to `EXAMPLE_LENGTH`."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
