"""The Audit tab: what share of the mined negatives is hard, mislabelled or trivial."""

import gradio as gr

from annotations.audit import AuditReport, Share, audit, needed
from annotations.store import LabelStore
from vcs_demo.charts import bars
from vcs_demo.errors import UserError
from vcs_demo.ui.html import render
from vcs_demo.ui.label import AUDIT_SEED, AUDIT_SIZE, label_name
from vcs_demo.ui.words import Localised, say


def table(report: AuditReport, lang: str) -> str:
    """Lay out the shares, all together and by miner, as an HTML table."""
    heads = [say(lang, f"audit.{key}") for key in ("label", "share", "interval", "count", "miner")]
    parts = [(say(lang, "audit.all"), report.shares)]
    if len(report.by_miner) > 1:
        parts += list(report.by_miner.items())
    lines = [
        [label_name(label, lang), _share(s), _interval(s), f"{s.count} / {s.of}", miner]
        for miner, shares in parts
        for label, s in shares.items()
    ]
    return render("table", lang, heads=heads, rows=lines, note="")


def _share(share: Share) -> str:
    return f"{share.share:.1%}" if share.of else "–"


def _interval(share: Share) -> str:
    return f"{share.low:.1%} – {share.high:.1%}" if share.of else "–"


def shown(store: LabelStore, size: int, lang: str) -> tuple[str, str, dict]:
    """Return the line, the table and the chart of an audit."""
    report = audit(store, int(size or 0), seed=AUDIT_SEED)
    text = say(
        lang,
        "audit.state",
        labelled=report.labelled,
        sample=len(report.sample),
        candidates=report.candidates,
        needed=needed(0.05),
    )
    if report.labelled < len(report.sample):
        text += say(lang, "audit.partial")
    figure = bars(
        [label_name(label, lang) for label in report.shares],
        [share.share for share in report.shares.values()],
        [(share.low, share.high) for share in report.shares.values()],
        say(lang, "audit.chart"),
    )
    return text, table(report, lang), gr.update(value=figure, visible=report.labelled > 0)


def build(store: LabelStore, words: Localised, language: gr.Radio) -> None:
    """Lay out the tab."""
    with words.make(gr.Tab, {"label": "audit.tab"}, id="audit") as tab:
        words.make(gr.Markdown, {"value": lambda lang: say(lang, "audit.explain", seed=AUDIT_SEED)})
        with gr.Row():
            size = words.make(
                gr.Number, {"label": "audit.size"}, value=AUDIT_SIZE, minimum=1, maximum=10_000, precision=0
            )
            refresh = words.make(gr.Button, {"value": "audit.refresh"})
        state = gr.Markdown()
        plot = gr.Plot(show_label=False, visible=False, elem_id="vcs-audit-chart")
        data = gr.HTML(container=False, elem_id="vcs-audit")

    def show(size: int, lang: str) -> tuple[str, str, dict]:
        try:
            return shown(store, size, lang)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on([tab.select, refresh.click, language.change], show, [size, language], [state, data, plot], **quiet)
