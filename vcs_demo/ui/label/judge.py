"""The Label tab: one candidate at a time, keys on the buttons, every decision kept."""

import threading
from collections.abc import Callable, Iterator

import gradio as gr

from annotations.assignment.leases import LeaseRefused
from annotations.store.label_store import LABELS, LabelStore, TokenReused
from vcs_demo.errors import UserError
from vcs_demo.library import Library
from vcs_demo.ui.access import Access
from vcs_demo.ui.components import Localised
from vcs_demo.ui.html import render
from vcs_demo.ui.label import mine_export as pool
from vcs_demo.ui.label.desk import Desk, Turn, label_name
from vcs_demo.words import explain, guideline, say

# Keys press the buttons they are printed on, unless someone is typing or holds a modifier. Keys in a fast row wait
# for one another: each is pressed once the answer to the one before it is on the page, so order is kept and every
# decision is about the candidate that is shown.
KEYS = """<script>
(() => {
  const waiting = [];
  let busy = false;
  const turn = () => document.querySelector("#vcs-judge [data-turn]")?.dataset.turn;
  const next = () => {
    const key = waiting.shift();
    const button = key && document.getElementById("vcs-key-" + key);
    busy = Boolean(button && button.offsetParent !== null);
    if (!busy) { waiting.length = 0; return; }
    const before = turn(), began = Date.now();
    button.click();
    const look = () => (turn() !== before || Date.now() - began > 1500) ? next() : setTimeout(look, 20);
    look();
  };
  document.addEventListener("keydown", (e) => {
    if (e.repeat || e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable='true']";
    if (e.target.closest && e.target.closest(typing + ", [role='listbox']")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    const key = e.key.toLowerCase(), button = document.getElementById("vcs-key-" + key);
    if (button && button.offsetParent !== null) {
      e.preventDefault();
      waiting.push(key);
      if (!busy) next();
      return;
    }
    const note = document.querySelector("#vcs-note textarea, #vcs-note input");
    if (key === "n" && note && note.offsetParent !== null) { e.preventDefault(); note.focus(); }
    const flag = document.querySelector("#vcs-flag input");
    if (key === "f" && flag && flag.offsetParent !== null) { e.preventDefault(); flag.click(); }
  });
})();
</script>"""


# The time by the annotator's own device goes with every decision.
WITH_CLOCK = "(...values) => [...values.slice(0, -1), new Date().toISOString()]"


def build(
    library: Library,
    store: LabelStore,
    words: Localised,
    language: gr.Radio,
    access: Access,
    pooled: threading.Event,
) -> dict[str, object]:
    """Lay out the tab; return the components that others update. `pooled` is set once the starter pool is there."""
    desk = Desk(store)
    with words.make(gr.Tab, {"label": "label.tab"}, id="label") as tab:
        turn = gr.State(Turn(None, "", 0.0))
        with words.make(gr.Accordion, {"label": "label.guide_title"}, open=False):
            words.make(gr.Markdown, {"value": lambda lang: guideline(lang)[1]}, elem_id="vcs-guideline")
            words.make(gr.Markdown, {"value": "label.keys"})
        page = gr.HTML(container=False, elem_id="vcs-judge")
        on_page = gr.Textbox(visible=False)  # the turn's token, so that a double click decides once
        clock = gr.Textbox(visible=False)
        buttons: dict[str, gr.Button] = {}
        with gr.Row(elem_classes="vcs-decide"):
            for number, label in enumerate(LABELS, start=1):
                buttons[label] = words.make(
                    gr.Button,
                    {"value": f"label.{label}"},
                    elem_id=f"vcs-key-{number}",
                    variant="primary",
                    min_width=150,
                )
        with gr.Row():
            undo = words.make(
                gr.Button, {"value": "label.undo"}, elem_id="vcs-key-u", size="sm", min_width=120
            )
            buttons["skip"] = words.make(
                gr.Button, {"value": "label.skip"}, elem_id="vcs-key-s", size="sm", min_width=120
            )
        said = gr.Markdown(elem_id="vcs-said")
        confidence = words.make(
            gr.Radio,
            {
                "label": "label.confidence",
                "choices": lambda lang: [(say(lang, f"confidence.{n}"), n) for n in (1, 2, 3)],
            },
            elem_id="vcs-confidence",
        )
        flag = words.make(gr.Checkbox, {"label": "label.flag"}, value=False, elem_id="vcs-flag")
        note = words.make(gr.Textbox, {"label": "label.note"}, lines=1, max_length=2_000, elem_id="vcs-note")
        with words.make(gr.Accordion, {"label": "label.why_title"}, open=False):
            why = gr.HTML(container=False, elem_id="vcs-why")
        sample = words.make(gr.Checkbox, {"label": "label.sample"}, value=False)
        parts = pool.build(library, store, words, language, access)

    seen = [turn, page, said, note, confidence, flag, why, on_page]
    unchanged = (gr.skip(),) * 5  # note, confidence, flag, why, token

    def guarded(
        act: Callable[[str], tuple[Turn, str]],
        turn: Turn,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None,
        answered: bool = False,
    ) -> tuple:
        """Run an action for a person who may label; say what it did, or why not. A new candidate gets a new note."""
        try:
            name = access.annotator(profile, request).name
            opened, text = act(name)
            text = " · ".join(part for part in (text, desk.progress(name, lang)) if part)
            if opened.candidate_id == turn.candidate_id:
                typed = (gr.skip(),) * 3
            else:
                typed = ("", None, False)
            reason = desk.why(turn, lang) if answered and opened.token != turn.token else gr.skip()
            return opened, desk.page(opened, lang), text, *typed, reason, opened.token
        except UserError as error:
            return gr.skip(), gr.skip(), f"**{explain(error, lang)}**", *unchanged

    def judge(label: str) -> Callable:
        def handler(
            turn: Turn,
            note: str,
            confidence: int | None,
            flagged: bool,
            sample_only: bool,
            lang: str,
            token: str,
            clock: str,
            profile: gr.OAuthProfile | None,
            request: gr.Request | None = None,
        ) -> tuple:
            def act(name: str) -> tuple[Turn, str]:
                if token != turn.token:  # sent before the candidate that is due was on the page
                    return turn, ""
                facts = {"confidence": confidence or None, "flagged": flagged, "client_at": clock}
                try:
                    desk.judge(turn, name, label, note, lang, **facts)
                except (
                    LeaseRefused,
                    TokenReused,
                ) as error:  # answered elsewhere, or taken: on to the next one
                    return desk.next(name, sample_only), f"**{explain(error, lang)}**"
                if turn.candidate_id is None:
                    text = ""
                elif label == "skip":
                    text = say(lang, "label.skipped")
                else:
                    text = say(lang, "label.saved", label=label_name(label, lang))
                if desk.is_hasty(name):
                    text += f" · **{say(lang, 'label.hasty')}**"
                return desk.next(name, sample_only), text

            return guarded(act, turn, lang, profile, request, answered=label != "skip")

        return handler

    def take_back(
        turn: Turn, lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None
    ) -> tuple:
        def act(name: str) -> tuple[Turn, str]:
            opened = desk.undo(name)
            return (
                (opened, say(lang, "label.undone")) if opened else (turn, say(lang, "label.nothing_to_undo"))
            )

        return guarded(act, turn, lang, profile, request)

    def open_tab(
        turn: Turn,
        sample_only: bool,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> Iterator[tuple]:
        def act(name: str) -> tuple[Turn, str]:
            opened = desk.next(name, sample_only)  # what is held already, held for its full time again
            return opened, ""

        if not pooled.is_set():  # opened in the first seconds after the start
            wait = render("notice", lang, kind="info", text=say(lang, "label.preparing"))
            yield gr.skip(), wait, gr.skip(), *unchanged
            pooled.wait(60)
        yield guarded(act, turn, lang, profile, request)

    def narrow(
        turn: Turn,
        sample_only: bool,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> tuple:
        return guarded(lambda name: (desk.next(name, sample_only), ""), turn, lang, profile, request)

    # One decision after the other, none dropped: each sees the turn that the one before it left.
    serial = {
        "trigger_mode": "multiple",
        "concurrency_limit": 1,
        "concurrency_id": "judge",
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    given = [turn, note, confidence, flag, sample, language, on_page, clock]
    for label, button in buttons.items():
        button.click(judge(label), given, seen, js=WITH_CLOCK, **serial)
    undo.click(take_back, [turn, language], seen, **serial)
    tab.select(open_tab, [turn, sample, language], seen, **serial)
    language.change(open_tab, [turn, sample, language], seen, **serial)
    sample.input(narrow, [turn, sample, language], seen, **serial)
    parts.mined.then(open_tab, [turn, sample, language], seen, **serial)
    return {"miner": parts.miner}
