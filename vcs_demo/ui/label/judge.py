"""The Label tab: one candidate at a time, keys on the buttons, every decision kept."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gradio as gr

from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore
from vcs_demo.library import Library
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice
from vcs_demo.ui.label import mine_export
from vcs_demo.ui.label.desk import Desk, Turn, why
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.words import guideline, say

# The time by the annotator's own device goes with every decision.
WITH_CLOCK = "(...values) => [...values.slice(0, -1), new Date().toISOString()]"
UNCHANGED = (gr.skip(),) * 5  # note, confidence, flag, why, token


@dataclass(frozen=True)
class Layout:
    """The tab's components that handlers read or change.

    `token` is the turn's on the page: a click that does not bear the due turn's token decides nothing.
    """

    turn: gr.State
    page: gr.HTML
    token: gr.Textbox
    clock: gr.Textbox
    buttons: dict[str, gr.Button]
    undo: gr.Button
    said: gr.Markdown
    confidence: gr.Radio
    flag: gr.Checkbox
    note: gr.Textbox
    why: gr.HTML
    sample: gr.Checkbox

    @property
    def outputs(self) -> list:
        """What `shown` fills, in its order."""
        return [self.turn, self.page, self.said, self.note, self.confidence, self.flag, self.why, self.token]


def laid_out(words: Localised) -> Layout:
    """Lay out guideline, candidate, buttons and what goes with an answer."""
    with words.make(gr.Accordion, {"label": "label.guide_title"}, open=False):
        words.make(gr.Markdown, {"value": lambda lang: guideline(lang)[1]}, elem_id="vcs-guideline")
        words.make(gr.Markdown, {"value": "label.keys"})
    page = gr.HTML(container=False, elem_id="vcs-judge")

    def button(name: str, key: str | int, **look: object) -> gr.Button:
        return words.make(gr.Button, {"value": f"label.{name}"}, elem_id=f"vcs-key-{key}", **look)

    with gr.Row(elem_classes="vcs-decide"):
        buttons = {
            label: button(label, number, variant="primary", min_width=150)
            for number, label in enumerate(LABELS, start=1)
        }
    with gr.Row():
        undo = button("undo", "u", size="sm", min_width=120)
        buttons["skip"] = button("skip", "s", size="sm", min_width=120)
    said = gr.Markdown(elem_id="vcs-said")
    sure = {"choices": lambda lang: [(say(lang, f"confidence.{n}"), n) for n in (1, 2, 3)]}
    confidence = words.make(gr.Radio, {"label": "label.confidence"} | sure, elem_id="vcs-confidence")
    flag = words.make(gr.Checkbox, {"label": "label.flag"}, value=False, elem_id="vcs-flag")
    note = words.make(gr.Textbox, {"label": "label.note"}, lines=1, max_length=2_000, elem_id="vcs-note")
    with words.make(gr.Accordion, {"label": "label.why_title"}, open=False):
        reason = gr.HTML(container=False, elem_id="vcs-why")
    return Layout(
        turn=gr.State(Turn()),
        page=page,
        token=gr.Textbox(visible=False),
        clock=gr.Textbox(visible=False),
        buttons=buttons,
        undo=undo,
        said=said,
        confidence=confidence,
        flag=flag,
        note=note,
        why=reason,
        sample=words.make(gr.Checkbox, {"label": "label.sample"}, value=False),
    )


def shown(
    desk: Desk, name: str, lang: str, turn: Turn, opened: Turn, text: str, reason: str | None = None
) -> tuple:
    """Return what the outputs show after an action that led from one turn to the next, and what it has to say.

    A new candidate gets a new note, confidence and flag. `reason` tells why the one before was mined, if anything.
    """
    text = " · ".join(part for part in (text, desk.progress(name, lang)) if part)
    same = opened.candidate == turn.candidate
    typed = (gr.skip(),) * 3 if same else ("", None, False)
    return (
        opened,
        desk.page(opened, lang),
        text,
        *typed,
        gr.skip() if reason is None else reason,
        opened.token,
    )


def refused(sentence: str) -> tuple:
    """Say why nothing was done, and leave the rest of the page as it is."""
    return gr.skip(), gr.skip(), f"**{sentence}**", *UNCHANGED


def build(
    library: Library,
    store: LabelStore,
    words: Localised,
    language: gr.Radio,
    access: Access,
    pooled: threading.Event,
    downloads: Downloads,
) -> gr.Dropdown:
    """Build the tab; return the list of rankers that mine. `pooled` is set once the starter pool is there."""
    desk = Desk(store)
    with words.make(gr.Tab, {"label": "label.tab"}, id="label") as tab:
        on = laid_out(words)
        miners, mined = mine_export.build(library, store, words, language, access, downloads)

    def press(label: str) -> Callable:
        @guarded(access.annotator, refused)
        def decide(
            person: Person,
            lang: str,
            turn: Turn,
            token: str,
            sample_only: bool,
            note: str,
            confidence: int | None,
            flagged: bool,
            clock: str,
        ) -> tuple:
            if token != turn.token:  # sent before the candidate that is due was on the page
                return shown(desk, person.name, lang, turn, turn, "")
            facts = {"confidence": confidence or None, "flagged": flagged, "client_at": clock}
            opened, text = desk.answer(turn, person.name, label, note, lang, sample_only=sample_only, **facts)
            reason = why(turn, lang) if label != "skip" and opened.token != turn.token else None
            return shown(desk, person.name, lang, turn, opened, text, reason)

        return decide

    @guarded(access.annotator, refused)
    def take_back(person: Person, lang: str, turn: Turn) -> tuple:
        opened = desk.undo(person.name)
        text = say(lang, "label.undone" if opened else "label.nothing_to_undo")
        return shown(desk, person.name, lang, turn, opened or turn, text)

    @guarded(access.annotator, refused)
    def open_turn(person: Person, lang: str, turn: Turn, sample_only: bool) -> Iterator[tuple]:
        if not pooled.is_set():  # opened in the first seconds after the start
            yield gr.skip(), notice(say(lang, "label.preparing")), gr.skip(), *UNCHANGED
            pooled.wait(60)
        yield shown(desk, person.name, lang, turn, desk.next(person.name, sample_only), "")

    # One decision after the other, none dropped: each sees the turn that the one before it left.
    serial = {"trigger_mode": "multiple", "concurrency_limit": 1, "concurrency_id": "judge"} | QUIET
    answered = [language, on.turn, on.token, on.sample, on.note, on.confidence, on.flag, on.clock]
    for label, button in on.buttons.items():
        button.click(press(label), answered, on.outputs, js=WITH_CLOCK, **serial)
    on.undo.click(take_back, [language, on.turn], on.outputs, **serial)
    opening = [language, on.turn, on.sample]
    for event in (tab.select, language.change, on.sample.input, mined.then):
        event(open_turn, opening, on.outputs, **serial)
    return miners
