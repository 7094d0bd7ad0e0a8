"""The Audit tab: what share of the mined negatives is hard, mislabelled or trivial."""

import gradio as gr

from annotations.audit.estimate import AuditReport, audit, draw
from annotations.audit.report import figures, html, markdown
from annotations.audit.sample import ALLOCATIONS, parsed_strata
from annotations.audit.sections import sections
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.ui.access import Access
from vcs_demo.ui.components import Localised, number
from vcs_demo.ui.downloads import new_folder
from vcs_demo.ui.html import render
from vcs_demo.ui.label.desk import AUDIT_SEED, AUDIT_SIZE
from vcs_demo.words import explain, say

STRATA = {
    "": "audit.strata_none",
    "miner": "audit.strata_miner",
    "rank": "audit.strata_rank",
    "miner,rank": "audit.strata_both",
}


def audited(store: LabelStore, size: float, strata: str, allocation: str) -> AuditReport:
    """Audit the store as the tab's fields ask; raises UserError for a value outside its range."""
    return audit(
        store, int(number(size)), seed=AUDIT_SEED, strata=parsed_strata(strata), allocation=allocation
    )


def shown(
    store: LabelStore, size: float, strata: str, allocation: str, lang: str
) -> tuple[str, dict, str, dict, str]:
    """Return the shares and their chart, the strata and theirs, and the rest of the report."""
    report = audited(store, size, strata, allocation)
    found, charts = sections(report, lang), figures(report, lang)
    cut = 2 if report.parts else 1
    plots = [gr.update(value=charts.get(name), visible=name in charts) for name in ("shares", "strata")]
    offered = {candidate.id for candidate in draw(store.candidates(), AUDIT_SIZE, seed=AUDIT_SEED)}
    beyond = sum(c.id not in report.labels and c.id not in offered for c in report.sample)
    note = say(lang, "audit.beyond", count=beyond) if beyond else ""
    return (
        render("report", lang, sections=found[:1], note=note),
        plots[0],
        render("report", lang, sections=found[1:cut], note=""),
        plots[1],
        render("report", lang, sections=found[cut:], note=""),
    )


def written(report: AuditReport, lang: str) -> list[str]:
    """Write the report to new temporary files, HTML and Markdown; return their paths."""
    folder = new_folder()
    page, text = folder / "audit.html", folder / "audit.md"
    page.write_text(html(report, lang), "utf-8")
    text.write_text(markdown(report, lang), "utf-8")
    return [str(page), str(text)]


def build(store: LabelStore, words: Localised, language: gr.Radio, access: Access) -> None:
    """Lay out the tab."""
    with words.make(gr.Tab, {"label": "audit.tab"}, id="audit") as tab:
        words.make(gr.Markdown, {"value": lambda lang: say(lang, "audit.explain", seed=AUDIT_SEED)})
        with gr.Row():
            size = words.make(
                gr.Number,
                {"label": "audit.size"},
                value=AUDIT_SIZE,
                minimum=1,
                maximum=10_000,
                precision=0,
                min_width=140,
            )
            strata = words.make(
                gr.Dropdown,
                {
                    "label": "audit.strata",
                    "choices": lambda lang: [(say(lang, key), value) for value, key in STRATA.items()],
                },
                value="",
                min_width=180,
            )
            allocation = words.make(
                gr.Dropdown,
                {
                    "label": "audit.allocation",
                    "choices": lambda lang: [(say(lang, f"audit.{name}"), name) for name in ALLOCATIONS],
                },
                value=ALLOCATIONS[0],
                min_width=180,
            )
        with gr.Row():
            refresh = words.make(gr.Button, {"value": "audit.refresh"}, min_width=150)
            save = words.make(gr.Button, {"value": "audit.report"}, min_width=150, elem_id="vcs-audit-report")
        files = words.make(
            gr.File, {"label": "audit.files"}, visible=False, file_count="multiple", interactive=False
        )
        data = gr.HTML(container=False, elem_id="vcs-audit")
        plot = gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-chart")
        parts = gr.HTML(container=False, elem_id="vcs-audit-strata")
        by_part = gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-strata-chart")
        rest = gr.HTML(container=False, elem_id="vcs-audit-rest")

    def show(
        size: float,
        strata: str,
        allocation: str,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> tuple:
        try:
            access.reader(profile, request)
            return *shown(store, size, strata, allocation, lang), gr.update(visible=False)
        except UserError as error:
            hidden = gr.update(visible=False)
            return (
                render("notice", lang, kind="bad", text=explain(error, lang)),
                hidden,
                "",
                hidden,
                "",
                hidden,
            )

    def make(
        size: float,
        strata: str,
        allocation: str,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> dict:
        try:
            access.reader(profile, request)
            return gr.update(value=written(audited(store, size, strata, allocation), lang), visible=True)
        except UserError as error:
            raise gr.Error(explain(error, lang), print_exception=False) from error

    asked = [size, strata, allocation, language]
    seen = [data, plot, parts, by_part, rest, files]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    events = [tab.select, refresh.click, strata.input, allocation.input, language.change]
    gr.on(events, show, asked, seen, **quiet)
    save.click(make, asked, files, concurrency_limit=1, api_visibility="private")
