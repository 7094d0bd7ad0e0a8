"""The Audit tab: what share of the mined negatives is hard, mislabelled or trivial."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from annotations.audit.estimate import AuditReport, audit
from annotations.audit.report import figures, html, markdown, sections
from annotations.audit.sample import STRATA, draw, parsed_strata
from annotations.store.label_store import LabelStore
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised, number
from vcs_demo.ui.html import notice, refusal, tables
from vcs_demo.ui.label.desk import AUDIT_SEED, AUDIT_SIZE
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.words import say

CHOICES = {
    "": "audit.strata_none",
    "miner": "audit.strata_miner",
    "rank": "audit.strata_rank",
    "miner,rank": "audit.strata_both",
}
HIDDEN = gr.update(visible=False)


def audited(store: LabelStore, size: float, strata: str) -> AuditReport:
    """Audit the store as the tab's fields ask; raises UserError for a value outside its range."""
    return audit(store, int(number(size)), seed=AUDIT_SEED, strata=parsed_strata(strata))


def shown(store: LabelStore, size: float, strata: str, lang: str) -> tuple[str, dict, str, dict, dict, str]:
    """Return the shares and their chart, the tables by miner and rank and theirs, and the rest of the report."""
    report = audited(store, size, strata)
    parts, charts = sections(report, lang), figures(report, lang)
    plots = [gr.update(value=charts.get(name), visible=name in charts) for name in ("shares", *STRATA)]
    offered = {candidate.id for candidate in draw(store.candidates(), AUDIT_SIZE, seed=AUDIT_SEED)}
    beyond = sum(c.id not in report.labels and c.id not in offered for c in report.sample)
    note = notice(say(lang, "audit.beyond", count=beyond)) if beyond else ""
    return (
        tables(parts["state"], parts["shares"]) + note,
        plots[0],
        tables(*(parts[name] for name in report.strata)),
        *plots[1:],
        tables(parts["size"], parts["method"]),
    )


def written(report: AuditReport, folder: Path, lang: str) -> list[Path]:
    """Write the report to new files of a folder, HTML and Markdown; return their paths."""
    page, text = folder / "audit.html", folder / "audit.md"
    page.write_text(html(report, lang), "utf-8")
    text.write_text(markdown(report, lang), "utf-8")
    return [page, text]


@dataclass(frozen=True)
class Layout:
    """The tab's components that handlers read or change."""

    size: gr.Number
    strata: gr.Dropdown
    refresh: gr.Button
    save: gr.Button
    files: gr.HTML
    outputs: list


def laid_out(words: Localised) -> Layout:
    """Lay out what is asked and what the report says."""
    words.make(gr.Markdown, {"value": lambda lang: say(lang, "audit.explain", seed=AUDIT_SEED)})
    with gr.Row():
        whole = {"value": AUDIT_SIZE, "minimum": 1, "maximum": 10_000, "precision": 0}
        size = words.make(gr.Number, {"label": "audit.size"}, min_width=140, **whole)
        divided = {"choices": lambda lang: [(say(lang, key), value) for value, key in CHOICES.items()]}
        strata = words.make(gr.Dropdown, {"label": "audit.strata"} | divided, value="", min_width=180)
    with gr.Row():
        refresh = words.make(gr.Button, {"value": "audit.refresh"}, min_width=150)
        save = words.make(gr.Button, {"value": "audit.report"}, min_width=150, elem_id="vcs-audit-report")
    files = words.make(gr.HTML, {"label": "audit.files"}, visible=False, elem_id="vcs-audit-files")
    outputs = [
        gr.HTML(container=False, elem_id="vcs-audit"),
        gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-chart"),
        gr.HTML(container=False, elem_id="vcs-audit-strata"),
        gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-miner-chart"),
        gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-rank-chart"),
        gr.HTML(container=False, elem_id="vcs-audit-rest"),
        files,
    ]
    return Layout(size, strata, refresh, save, files, outputs)


def build(
    store: LabelStore, words: Localised, language: gr.Radio, access: Access, downloads: Downloads
) -> None:
    """Build the tab."""
    with words.make(gr.Tab, {"label": "audit.tab"}, id="audit") as tab:
        on = laid_out(words)

    @guarded(access.adjudicator, lambda sentence: (refusal(sentence), HIDDEN, "", HIDDEN, HIDDEN, "", HIDDEN))
    def show(person: Person, lang: str, size: float, strata: str) -> tuple:
        return *shown(store, size, strata, lang), HIDDEN

    @guarded(access.adjudicator)
    def save_report(person: Person, lang: str, size: float, strata: str) -> dict:
        paths = written(audited(store, size, strata), downloads.folder(), lang)
        return gr.update(value=downloads.links(paths, person, access.adjudicator, lang), visible=True)

    asked = [language, on.size, on.strata]
    events = [tab.select, on.refresh.click, on.strata.input, language.change]
    gr.on(events, show, asked, on.outputs, **QUIET)
    on.save.click(save_report, asked, on.files, concurrency_limit=1, api_visibility="private")
