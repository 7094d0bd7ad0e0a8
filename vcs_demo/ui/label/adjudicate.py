"""The Adjudicate tab: disagreements and flags one after the other, with what was said, to be decided."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from annotations.quality.adjudication import CAUSES, answers_to, causes, decide, disagreements
from annotations.quality.agreement import agreement, label_rows
from annotations.quality.agreement_report import OF_A_PAIR, OVERALL, Estimate
from annotations.store.label_store import LABELS, LabelStore
from vcs_demo.errors import UserError
from vcs_demo.ui.access import Access
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import render
from vcs_demo.ui.label.desk import label_name, texts
from vcs_demo.words import explain, say


@dataclass(frozen=True)
class Case:
    """What is in front of an adjudicator; kept on the server.

    Attributes:
        candidate_id: None when nothing waits.
        token: of the decision to come.
        passed: ids that were put off in this sitting.
    """

    candidate_id: str | None = None
    token: str = ""
    passed: tuple[str, ...] = ()


def next_case(store: LabelStore, passed: tuple[str, ...] = ()) -> Case:
    """Open what waits next; what was put off comes again when nothing else is left."""
    waiting = disagreements(store, exclude=passed)
    if not waiting and passed:
        passed, waiting = (), disagreements(store)
    return Case(waiting[0].candidate_id if waiting else None, uuid.uuid4().hex, passed)


def page(store: LabelStore, case: Case, lang: str) -> str:
    """Render the candidate as the annotators saw it, and below what they said, without names."""
    if case.candidate_id is None:
        return render("notice", lang, kind="good", text=say(lang, "adjudicate.none"))
    seen = texts(store.candidate(case.candidate_id), case.token, lang)
    keys = ("who", "label", "confidence", "seconds", "flagged", "note", "guideline")
    lines = [
        [
            answer.annotator,
            label_name(answer.label, lang),
            "–" if answer.confidence is None else say(lang, f"confidence.{answer.confidence}"),
            "–" if answer.seconds is None else f"{answer.seconds:.0f}",
            "⚑" if answer.flagged else "–",
            answer.note or "–",
            answer.guideline or "–",
        ]
        for answer in answers_to(store, case.candidate_id)
    ]
    heads = [say(lang, f"adjudicate.{key}") for key in keys]
    return seen + render("table", lang, heads=heads, rows=lines, note="")


def progress(store: LabelStore, lang: str) -> str:
    """Say how many wait, and what the causes of the settled ones were."""
    named = ", ".join(f"{say(lang, f'cause.{name}')} {count}" for name, count in causes(store).items())
    return say(lang, "adjudicate.progress", waiting=len(disagreements(store)), causes=named)


def agreed(store: LabelStore, lang: str) -> str:
    """Lay out how far the annotators agree, overall, by label and by pair; annotators are A1, A2, …"""
    report = agreement(label_rows(store))
    names = {"raw": say(lang, "agree.raw"), "kappa": "κ (Cohen)", "fleiss": "κ (Fleiss)"}
    names |= {"alpha": "α (Krippendorff)", "ac1": "AC1 (Gwet)"}
    rows = [(say(lang, "agree.all"), report.overall)]
    rows += [(label_name(label, lang), found) for label, found in report.by_label.items()]
    heads = [say(lang, "adjudicate.label"), *(names[key] for key in OVERALL)]
    lines = [[name, *(_estimate(found[key], lang) for key in OVERALL)] for name, found in rows]
    html = render("table", lang, heads=heads, rows=lines, note=say(lang, "agree.explain"))
    shared = [pair for pair in report.pairs if pair.estimates["raw"].items]
    heads = [say(lang, "agree.pair"), say(lang, "agree.shared"), *(names[key] for key in OF_A_PAIR)]
    lines = [
        [f"{pair.first}, {pair.second}", pair.estimates["raw"].items]
        + [_estimate(pair.estimates[key], lang) for key in OF_A_PAIR]
        for pair in shared
    ]
    return html + (render("table", lang, heads=heads, rows=lines, note="") if lines else "")


def _estimate(found: Estimate, lang: str) -> str:
    if found.value is None:
        return f"– ({say(lang, f'agree.{found.reason}')})"
    if found.low is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def build(store: LabelStore, words: Localised, language: gr.Radio, access: Access) -> None:
    """Lay out the tab."""
    with words.make(gr.Tab, {"label": "adjudicate.tab"}, id="adjudicate") as tab:
        words.make(gr.Markdown, {"value": "adjudicate.explain"})
        case = gr.State(Case())
        shown = gr.Textbox(visible=False)  # the case's token, so that a double click decides once
        view = gr.HTML(container=False, elem_id="vcs-adjudicate")
        label = words.make(
            gr.Radio,
            {
                "label": "adjudicate.decision",
                "choices": lambda lang: [(label_name(name, lang), name) for name in LABELS],
            },
        )
        cause = words.make(
            gr.Radio,
            {
                "label": "adjudicate.cause",
                "choices": lambda lang: [(say(lang, f"cause.{name}"), name) for name in CAUSES],
            },
        )
        note = words.make(gr.Textbox, {"label": "adjudicate.own_note"}, lines=1, max_length=2_000)
        with gr.Row():
            go = words.make(
                gr.Button, {"value": "adjudicate.go"}, variant="primary", elem_id="vcs-adjudicate-go"
            )
            later = words.make(gr.Button, {"value": "adjudicate.later"}, min_width=120)
        said = gr.Markdown(elem_id="vcs-adjudicate-said")
        with words.make(gr.Accordion, {"label": "agree.title"}, open=False) as part:
            measured = gr.HTML(container=False, elem_id="vcs-agreement")

    seen = [case, shown, view, label, cause, note, said]

    def guarded(
        act: Callable[[str], tuple[Case, str]],
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None,
    ) -> tuple:
        try:
            opened, text = act(access.adjudicator(profile, request).name)
        except UserError as error:
            return *(gr.skip() for _ in seen[:-1]), f"**{explain(error, lang)}**"
        text = " · ".join(part for part in (text, progress(store, lang)) if part)
        return opened, opened.token, page(store, opened, lang), None, None, "", text

    def settle(
        case: Case,
        shown: str,
        label: str | None,
        cause: str | None,
        note: str,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> tuple:
        def act(name: str) -> tuple[Case, str]:
            if case.candidate_id is None or shown != case.token:
                return next_case(store, case.passed), ""
            if not label or not cause:
                raise UserError(say("en", "error.decision"), "error.decision")
            decide(store, case.candidate_id, name, label, cause, token=case.token, note=note or "")
            return next_case(store, case.passed), say(lang, "adjudicate.saved", label=label_name(label, lang))

        return guarded(act, lang, profile, request)

    def put_off(
        case: Case, lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None
    ) -> tuple:
        passed = case.passed + ((case.candidate_id,) if case.candidate_id else ())
        return guarded(lambda name: (next_case(store, passed), ""), lang, profile, request)

    def open_tab(
        case: Case, lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None
    ) -> tuple:
        return guarded(lambda name: (next_case(store, case.passed), ""), lang, profile, request)

    def measure(lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None) -> str:
        try:
            access.adjudicator(profile, request)
            return agreed(store, lang)
        except UserError as error:
            return render("notice", lang, kind="bad", text=explain(error, lang))

    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    part.expand(measure, language, measured, api_visibility="private", concurrency_limit=1)
    serial = {"trigger_mode": "multiple", "concurrency_limit": 1, "concurrency_id": "adjudicate"}
    go.click(settle, [case, shown, label, cause, note, language], seen, **serial, **quiet)
    later.click(put_off, [case, language], seen, **serial, **quiet)
    tab.select(open_tab, [case, language], seen, **serial, **quiet)
    language.change(open_tab, [case, language], seen, **serial, **quiet)
