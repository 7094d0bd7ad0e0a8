"""The Adjudicate tab: disagreements and flags one after the other, with what was said, to be decided."""

import uuid
from dataclasses import dataclass

import gradio as gr

from annotations.candidates import LABELS
from annotations.quality.adjudication import CAUSES, answers_to, causes, decide, disagreements
from annotations.quality.agreement import agreement, label_rows
from annotations.store.label_store import LabelStore
from vcs_demo.tables import Table
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice, quiet, refusal, tables
from vcs_demo.ui.label.desk import label_name, texts
from vcs_demo.words import problem, say

ANSWER = ("who", "label", "confidence", "seconds", "flagged", "note", "guideline")  # columns


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


def settled(
    store: LabelStore,
    case: Case,
    token: str,
    name: str,
    label: str | None,
    cause: str | None,
    note: str,
    lang: str,
) -> tuple[Case, str]:
    """Decide a case; return the next one and what to say.

    A click that bears another token than the case's was about another case, and decides nothing.

    Raises:
        UserError: no label or no cause was chosen, or the decision was refused.
    """
    if case.candidate_id is None or token != case.token:
        return next_case(store, case.passed), ""
    if not label or not cause:
        raise problem("error.decision")
    decide(store, case.candidate_id, name, label, cause, token=case.token, note=note or "")
    return next_case(store, case.passed), say(lang, "adjudicate.saved", label=label_name(label, lang))


def page(store: LabelStore, case: Case, lang: str) -> str:
    """Render the candidate as the annotators saw it, and below what they said, without names."""
    if case.candidate_id is None:
        return notice(say(lang, "adjudicate.none"), "good")
    candidate = texts(store.candidate(case.candidate_id), case.token, lang)
    rows = [
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
    return candidate + tables(Table([say(lang, f"adjudicate.{key}") for key in ANSWER], rows))


def progress(store: LabelStore, lang: str) -> str:
    """Say how many wait, and what the causes of the settled ones were."""
    named = ", ".join(f"{say(lang, f'cause.{name}')} {count}" for name, count in causes(store).items())
    return say(lang, "adjudicate.progress", waiting=len(disagreements(store)), causes=named)


def agreed(store: LabelStore, lang: str) -> str:
    """Lay out how far the annotators agree, overall, by label and by pair; annotators are A1, A2, …"""
    report = agreement(label_rows(store))
    titles = {label: label_name(label, lang) for label in LABELS}
    return quiet(say(lang, "agree.explain")) + tables(*report.tables(lang, titles))


@dataclass(frozen=True)
class Layout:
    """The tab's components that handlers read or change; `token` is the case's, so that a double click decides once."""

    case: gr.State
    token: gr.Textbox
    page: gr.HTML
    label: gr.Radio
    cause: gr.Radio
    note: gr.Textbox
    go: gr.Button
    later: gr.Button
    said: gr.Markdown
    agreement: gr.Accordion
    measured: gr.HTML

    @property
    def outputs(self) -> list:
        """What every handler but the agreement's fills, in its order."""
        return [self.case, self.token, self.page, self.label, self.cause, self.note, self.said]


def laid_out(words: Localised) -> Layout:
    """Lay out the case, what is decided of it, and the agreement."""
    words.make(gr.Markdown, {"value": "adjudicate.explain"})
    page = gr.HTML(container=False, elem_id="vcs-adjudicate")
    labels = {"choices": lambda lang: [(label_name(name, lang), name) for name in LABELS]}
    label = words.make(gr.Radio, {"label": "adjudicate.decision"} | labels)
    reasons = {"choices": lambda lang: [(say(lang, f"cause.{name}"), name) for name in CAUSES]}
    cause = words.make(gr.Radio, {"label": "adjudicate.cause"} | reasons)
    note = words.make(gr.Textbox, {"label": "adjudicate.own_note"}, lines=1, max_length=2_000)
    with gr.Row():
        go = words.make(gr.Button, {"value": "adjudicate.go"}, variant="primary", elem_id="vcs-adjudicate-go")
        later = words.make(gr.Button, {"value": "adjudicate.later"}, min_width=120)
    said = gr.Markdown(elem_id="vcs-adjudicate-said")
    with words.make(gr.Accordion, {"label": "agree.title"}, open=False) as agreement:
        measured = gr.HTML(container=False, elem_id="vcs-agreement")
    case, token = gr.State(Case()), gr.Textbox(visible=False)
    return Layout(case, token, page, label, cause, note, go, later, said, agreement, measured)


def build(store: LabelStore, words: Localised, language: gr.Radio, access: Access) -> None:
    """Build the tab."""
    with words.make(gr.Tab, {"label": "adjudicate.tab"}, id="adjudicate") as tab:
        on = laid_out(words)

    def shown(opened: Case, text: str, lang: str) -> tuple:
        text = " · ".join(part for part in (text, progress(store, lang)) if part)
        return opened, opened.token, page(store, opened, lang), None, None, "", text

    def refused(sentence: str) -> tuple:
        return *(gr.skip() for _ in on.outputs[:-1]), f"**{sentence}**"

    @guarded(access.adjudicator, refused)
    def settle(
        person: Person, lang: str, case: Case, token: str, label: str | None, cause: str | None, note: str
    ) -> tuple:
        return shown(*settled(store, case, token, person.name, label, cause, note, lang), lang)

    @guarded(access.adjudicator, refused)
    def put_off(person: Person, lang: str, case: Case) -> tuple:
        passed = case.passed + ((case.candidate_id,) if case.candidate_id else ())
        return shown(next_case(store, passed), "", lang)

    @guarded(access.adjudicator, refused)
    def open_tab(person: Person, lang: str, case: Case) -> tuple:
        return shown(next_case(store, case.passed), "", lang)

    @guarded(access.adjudicator, refusal)
    def measure(person: Person, lang: str) -> str:
        return agreed(store, lang)

    serial = {"trigger_mode": "multiple", "concurrency_limit": 1, "concurrency_id": "adjudicate"} | QUIET
    decided = [language, on.case, on.token, on.label, on.cause, on.note]
    on.go.click(settle, decided, on.outputs, **serial)
    on.later.click(put_off, [language, on.case], on.outputs, **serial)
    for event in (tab.select, language.change):
        event(open_tab, [language, on.case], on.outputs, **serial)
    on.agreement.expand(measure, language, on.measured, api_visibility="private", concurrency_limit=1)
