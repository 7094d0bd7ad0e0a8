"""The Label tab: one candidate at a time, keys on the buttons, every decision saved.

The page carries the token of the lease and nothing is remembered between two events here, so that an answer counts
also where the server was restarted or has forgotten the page. What is typed and not sent lives in the browser
(`drafts.js`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore
from vcs_demo.library import Library
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice, refusal
from vcs_demo.ui.label import mine_export
from vcs_demo.ui.label.desk import Desk, Turn, draft_key, why
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.ui.warm_up import WarmUp
from vcs_demo.words import guideline, say

# What `drafts.js` does as somebody types, with an answer that is sent (the device's time goes along), once it is
# answered, and when the page was opened.
TYPED, SETTLED = "vcsDrafts.input('judge')", "vcsDrafts.settled('judge')"
SENT = """(...values) => {{
  vcsDrafts.sent("judge", "{button}", values.slice(3, 6));
  return [...values.slice(0, -1), new Date().toISOString()];
}}"""
RESTORED = "vcsDrafts.restored('judge')"
LOOK_AGAIN = 2  # seconds, while the first candidates are being mined


@dataclass(frozen=True)
class Layout:
    """The tab's components that handlers read or change.

    `token` is the lease's and `draft` names what was typed, see `draft_key`; after a space, what was saved just now.
    """

    page: gr.HTML
    token: gr.Textbox
    draft: gr.Textbox
    clock: gr.Textbox
    buttons: dict[str, gr.Button]
    undo: gr.Button
    said: gr.Markdown
    confidence: gr.Radio
    flag: gr.Checkbox
    note: gr.Textbox
    why: gr.HTML
    sample: gr.Checkbox
    timer: gr.Timer

    @property
    def typed(self) -> list:
        """What goes with an answer."""
        return [self.note, self.confidence, self.flag]

    @property
    def outputs(self) -> list:
        """What `shown` fills, in its order."""
        return [self.page, self.said, *self.typed, self.why, self.token, self.draft]


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
    note = words.make(gr.Textbox, {"label": "label.note"}, lines=1, elem_id="vcs-note")
    with words.make(gr.Accordion, {"label": "label.why_title"}, open=False):
        reason = gr.HTML(container=False, elem_id="vcs-why")
    return Layout(
        page=page,
        token=gr.Textbox(visible=False),
        draft=gr.Textbox(visible=False),
        clock=gr.Textbox(visible=False),
        buttons=buttons,
        undo=undo,
        said=said,
        confidence=confidence,
        flag=flag,
        note=note,
        why=reason,
        sample=words.make(gr.Checkbox, {"label": "label.sample"}, value=False),
        timer=gr.Timer(LOOK_AGAIN, active=False),
    )


def shown(
    desk: Desk,
    person: Person,
    lang: str,
    before: str,
    opened: Turn,
    sample_only: bool,
    text: str,
    **also: Any,
) -> tuple:
    """Return what the outputs show once a turn is due, and what was said of the one before it.

    Args:
        desk: of the tab.
        person: who sees it.
        lang: of the page.
        before: the token that the page had; another candidate than its gets a new note, confidence and flag.
        opened: what is due.
        sample_only: whether the audit's sample alone was asked for.
        text: what to tell.
        also: `typed` puts something else into note, confidence and flag; `reason` tells why the candidate before was
            mined; `saved` is what its draft was filed under.
    """
    text = " · ".join(part for part in (text, desk.progress(person.name, lang)) if part)
    fresh = ("", None, False) if before != opened.token else (gr.skip(),) * 3
    key = draft_key(opened.candidate.id if opened.candidate else "", person.name)
    return (
        desk.page(opened, person, lang, sample_only=sample_only),
        text,
        *also.get("typed", fresh),
        also.get("reason", gr.skip()),
        opened.token,
        f"{key} {also.get('saved', '')}",
    )


def refused(sentence: str) -> tuple:
    """Say why nothing was done, and leave the rest of the page as it is."""
    return gr.skip(), f"**{sentence}**", *(gr.skip(),) * 6


def not_opened(sentence: str) -> tuple:
    """Say why nothing was opened, where the candidate would be."""
    return refusal(sentence), *(gr.skip(),) * 7, gr.Timer(active=False)


def build(
    library: Library,
    store: LabelStore,
    words: Localised,
    language: gr.Radio,
    access: Access,
    warm: WarmUp,
    downloads: Downloads,
) -> gr.Dropdown:
    """Build the tab; return the list of rankers that mine. `warm` mines the first candidates."""
    desk = Desk(store)
    with words.make(gr.Tab, {"label": "label.tab"}, id="label", elem_id="vcs-tab-label") as tab:
        on = laid_out(words)
        miners, mined = mine_export.build(library, store, words, language, access, downloads)

    def press(label: str) -> Callable:
        @guarded(access.annotator, refused)
        def decide(
            person: Person,
            lang: str,
            token: str,
            sample_only: bool,
            note: str,
            confidence: int | None,
            flagged: bool,
            clock: str,
        ) -> tuple:
            token = str(token or "")
            facts = {"confidence": confidence or None, "flagged": flagged, "client_at": clock}
            judged, opened, text = desk.answer(
                token, person.name, label, note, lang, sample_only=sample_only, **facts
            )
            also = {} if judged is None else {"saved": draft_key(judged.id, person.name)}
            if judged and label != "skip":
                also["reason"] = why(judged, lang)
            return shown(desk, person, lang, token, opened, sample_only, text, **also)

        return decide

    @guarded(access.annotator, refused)
    def take_back(person: Person, lang: str, token: str) -> tuple:
        token = str(token or "")
        taken, opened, typed = desk.undo(person.name, token)
        text = say(lang, "label.undone" if taken else "label.nothing_to_undo")
        also = {"typed": typed} if typed else {}
        return shown(desk, person, lang, token, opened, False, text, **also)

    def opening(by_person: bool) -> Callable:
        @guarded(access.annotator, not_opened)
        def open_turn(person: Person, lang: str, token: str, sample_only: bool) -> tuple:
            opened = desk.next(person.name, sample_only)
            html, *rest = shown(desk, person, lang, str(token or ""), opened, sample_only, "")
            mining = False
            if opened.candidate is None and store.progress()["candidates"] == 0:
                if by_person:
                    warm.again()
                mining = not warm.pooled.is_set()
                if mining:
                    html = notice(say(lang, "label.preparing"))
                elif failure := warm.failure("pool", lang):
                    html = refusal(say(lang, "label.not_prepared", reason=failure))
            return html, *rest, gr.Timer(active=mining)

        return open_turn

    # Every event is whole by itself, and a page sends the next one once it has the answer to the one before it.
    together = {"trigger_mode": "multiple", "concurrency_limit": 8, "concurrency_id": "judge"} | QUIET
    answered = [language, on.token, on.sample, *on.typed, on.clock]
    presses = [
        button.click(press(label), answered, on.outputs, js=SENT.format(button=button.elem_id), **together)
        for label, button in on.buttons.items()
    ]
    presses.append(on.undo.click(take_back, [language, on.token], on.outputs, **together))
    opened, look_again = opening(True), opening(False)
    by_person = (tab.select, language.change, on.sample.input, mined.then)
    asked, outputs = [language, on.token, on.sample], [*on.outputs, on.timer]
    openings = [event(opened, asked, outputs, **together) for event in by_person]
    openings.append(on.timer.tick(look_again, asked, outputs, **together))
    kept = [on.draft, *on.typed]
    gr.on([on.note.input, on.confidence.input, on.flag.input], None, kept, None, js=TYPED, **QUIET)
    for events, then in ((presses, SETTLED), (openings, RESTORED)):
        for event in events:
            event.then(None, kept, on.typed, js=then, **QUIET)
    return miners
