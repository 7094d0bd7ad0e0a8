"""The Label tab: one candidate at a time, keys on the buttons, every decision kept."""

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from annotations.audit import draw
from annotations.exchange import FORMATS, export
from annotations.mining import MiningResult, mine
from annotations.store import LABELS, LabelStore, Lease, LeaseRefused, TokenReused
from vcs_demo.browse import Library, ranker_choices
from vcs_demo.catalog import load_ranker
from vcs_demo.errors import UserError
from vcs_demo.text import tidy
from vcs_demo.ui.access import Access
from vcs_demo.ui.html import content_words, render
from vcs_demo.ui.words import Localised, explain, number, say
from vcs_demo.work import watched

AUDIT_SIZE, AUDIT_SEED = 100, 0

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
  });
})();
</script>"""


@dataclass(frozen=True)
class Turn:
    """What is in front of an annotator; kept on the server, so that a page cannot name another's item.

    Attributes:
        candidate_id: None when nothing is left.
        token: of the lease, and so of the decision to come; sent twice it counts once.
        shown: when it was shown, on the server's clock.
    """

    candidate_id: str | None
    token: str
    shown: float

    @classmethod
    def of(cls, lease: Lease | None) -> "Turn":
        """Open a turn on what was lent."""
        if lease is None:
            return cls(None, uuid.uuid4().hex, time.monotonic())
        return cls(lease.candidate.id, lease.token, time.monotonic())


def label_name(label: str, lang: str) -> str:
    """Return a label's words without the key printed on its button."""
    return say(lang, f"label.{label}").partition(" · ")[2]


class Desk:
    """Judging candidates: what the page's buttons do, without the page."""

    def __init__(self, store: LabelStore) -> None:
        self.store = store
        self._sample: tuple[int, list[str]] = (0, [])  # of how many candidates, and their ids

    def sample(self) -> list[str]:
        """Return the ids of the audit's sample, drawn anew when candidates were added."""
        count = self.store.progress()["candidates"]
        if count != self._sample[0]:
            drawn = draw(self.store.candidates(), AUDIT_SIZE, seed=AUDIT_SEED)
            self._sample = count, [candidate.id for candidate in drawn]
        return self._sample[1]

    def next(self, annotator: str, sample_only: bool) -> Turn:
        """Open the annotator's next turn."""
        return Turn.of(self.store.claim(annotator, only=self.sample() if sample_only else None))

    def judge(self, turn: Turn, annotator: str, label: str, note: str, lang: str) -> None:
        """Keep a decision; on `skip`, that it was passed over."""
        if turn.candidate_id is None:
            return
        facts = {"lease": turn.token, "seconds": time.monotonic() - turn.shown, "interface": f"web/{lang}"}
        if label == "skip":
            self.store.skip(turn.candidate_id, annotator, **facts)
        else:
            self.store.label(turn.candidate_id, annotator, label, note=note or "", **facts)

    def undo(self, annotator: str) -> Turn | None:
        """Take the latest decision back and open its candidate again, if it is still free; None if there is none."""
        return Turn.of(self.store.claim(annotator)) if self.store.undo(annotator) else None

    def page(self, turn: Turn, lang: str) -> str:
        """Render what the annotator sees: neither miner, nor score, nor rank, nor others' answers."""
        if turn.candidate_id is None:
            empty = self.store.progress()["candidates"] == 0
            return render(
                "notice", lang, kind="info", text=say(lang, "label.empty" if empty else "label.done")
            )
        candidate = self.store.candidate(turn.candidate_id)
        return render(
            "judge",
            lang,
            turn=turn.token[:8],
            candidate=candidate,
            positive=tidy(candidate.positive),
            passage=tidy(candidate.passage),
            words=content_words(candidate.query),
            words_in_texts=content_words(candidate.positive, candidate.passage),
        )

    def progress(self, annotator: str, lang: str) -> str:
        """Say how far the annotator and everyone is."""
        counts = self.store.progress(annotator, left=False)
        return say(
            lang,
            "label.progress",
            mine=counts["answered"],
            labelled=counts["labelled"],
            total=counts["candidates"],
        )


def mining_report(result: MiningResult, lang: str) -> str:
    """Say what was found, and what was not and why, a line each."""
    taken = len({candidate.query_id for candidate in result.candidates})
    lines = [say(lang, "label.mined_from", count=len(result.candidates), taken=taken, queries=result.queries)]
    for key, counts in (("label.mined_dropped", result.dropped), ("label.mined_rejected", result.rejected)):
        for reason, count in counts.items():
            lines.append(say(lang, key, count=count, reason=say(lang, f"mining.{reason}")))
    if result.unretrieved:
        lines.append(say(lang, "label.mined_unretrieved", count=result.unretrieved))
    return "\n".join(lines)


def mined(
    library: Library, store: LabelStore, ranker: str, limit: int, margin: float, lang: str
) -> Iterator[str]:
    """Mine from the source's train split into the store, yielding a line about where it is."""
    try:
        task = library.task("vimedretrieve", "train")
        chosen = load_ranker(ranker, allow_paths=False)
        amount, share = number(limit), number(margin)
        result, there = None, {candidate.id for candidate in store.candidates()}
        for state in watched(
            lambda report: mine(
                task, chosen, limit=int(amount), relative_margin=share, skip=there, progress=report
            )
        ):
            result = state.result
            text = say(lang, "label.mining", ranker=ranker, done=state.done, total=state.total or "…")
            yield render("progress", lang, text=text, done=state.done, total=max(state.total, 1))
        added, known = store.add_candidates(result.candidates)
        text = say(lang, "label.mined", added=added, known=known, report=mining_report(result, lang))
        yield render("notice", lang, kind="good", text=text)
    except UserError as error:
        yield render("notice", lang, kind="bad", text=explain(error, lang))


def exported(store: LabelStore, format: str) -> tuple[Path, int]:
    """Write the labels to a new temporary file (a `dataset` folder as a ZIP); return its path and the row count."""
    if format not in FORMATS:
        raise UserError(f"There is no such format; the formats are {', '.join(FORMATS)}.")
    root = Path(tempfile.gettempdir()) / f"vcs-exports-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    for old in root.iterdir():
        if old.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=root))
    if format != "dataset":
        path = folder / f"labels.{format}"
        return path, export(store, path, format)
    count = export(store, folder / "labels", "dataset")
    return Path(shutil.make_archive(str(folder / "labels"), "zip", folder / "labels")), count


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
            words.make(gr.Markdown, {"value": "label.guide"})
        page = gr.HTML(container=False, elem_id="vcs-judge")
        on_page = gr.Textbox(visible=False)  # the turn's token, so that a double click decides once
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
        note = words.make(gr.Textbox, {"label": "label.note"}, lines=1, max_length=2_000, elem_id="vcs-note")
        sample = words.make(gr.Checkbox, {"label": "label.sample"}, value=False)
        with words.make(gr.Accordion, {"label": "label.mine_title"}, open=False):
            with gr.Row():
                miner = words.make(
                    gr.Dropdown, {"label": "label.mine_ranker"}, choices=ranker_choices(), value="bm25"
                )
                limit = words.make(
                    gr.Number,
                    {"label": "label.mine_limit"},
                    value=200,
                    minimum=1,
                    maximum=10_000,
                    precision=0,
                )
                margin = words.make(
                    gr.Slider, {"label": "label.mine_margin"}, minimum=0, maximum=0.5, step=0.01, value=0.05
                )
            start = words.make(gr.Button, {"value": "label.mine"}, elem_id="vcs-mine")
            mining = gr.HTML(container=False, elem_id="vcs-mining")
        with words.make(gr.Accordion, {"label": "label.export_title"}, open=False):
            with gr.Row():
                format = words.make(
                    gr.Radio, {"label": "label.export_format"}, choices=list(FORMATS), value="jsonl"
                )
                save = words.make(gr.Button, {"value": "label.export"})
            file = gr.File(show_label=False, visible=False)

    seen = [turn, page, said, note, on_page]

    def guarded(
        act: Callable[[str], tuple[Turn, str]], turn: Turn, lang: str, profile: gr.OAuthProfile | None
    ) -> tuple:
        """Run an action for a person who may label; say what it did, or why not. A new candidate gets a new note."""
        try:
            name = access.annotator(profile).name
            opened, text = act(name)
            text = " · ".join(part for part in (text, desk.progress(name, lang)) if part)
            typed = gr.skip() if opened.candidate_id == turn.candidate_id else ""
            return opened, desk.page(opened, lang), text, typed, opened.token
        except UserError as error:
            return gr.skip(), gr.skip(), f"**{explain(error, lang)}**", gr.skip(), gr.skip()

    def judge(label: str) -> Callable:
        def handler(
            turn: Turn, note: str, sample_only: bool, lang: str, token: str, profile: gr.OAuthProfile | None
        ) -> tuple:
            def act(name: str) -> tuple[Turn, str]:
                if token != turn.token:  # sent before the candidate that is due was on the page
                    return turn, ""
                try:
                    desk.judge(turn, name, label, note, lang)
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
                return desk.next(name, sample_only), text

            return guarded(act, turn, lang, profile)

        return handler

    def take_back(turn: Turn, lang: str, profile: gr.OAuthProfile | None) -> tuple:
        def act(name: str) -> tuple[Turn, str]:
            opened = desk.undo(name)
            return (
                (opened, say(lang, "label.undone")) if opened else (turn, say(lang, "label.nothing_to_undo"))
            )

        return guarded(act, turn, lang, profile)

    def open_tab(
        turn: Turn, sample_only: bool, lang: str, profile: gr.OAuthProfile | None
    ) -> Iterator[tuple]:
        def act(name: str) -> tuple[Turn, str]:
            opened = desk.next(name, sample_only)  # what is held already, held for its full time again
            return opened, ""

        if not pooled.is_set():  # opened in the first seconds after the start
            wait = render("notice", lang, kind="info", text=say(lang, "label.preparing"))
            yield gr.skip(), wait, gr.skip(), gr.skip(), gr.skip()
            pooled.wait(60)
        yield guarded(act, turn, lang, profile)

    def narrow(turn: Turn, sample_only: bool, lang: str, profile: gr.OAuthProfile | None) -> tuple:
        return guarded(lambda name: (desk.next(name, sample_only), ""), turn, lang, profile)

    # One decision after the other, none dropped: each sees the turn that the one before it left.
    serial = {
        "trigger_mode": "multiple",
        "concurrency_limit": 1,
        "concurrency_id": "judge",
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    for label, button in buttons.items():
        button.click(judge(label), [turn, note, sample, language, on_page], seen, **serial)
    undo.click(take_back, [turn, language], seen, **serial)
    tab.select(open_tab, [turn, sample, language], seen, **serial)
    language.change(open_tab, [turn, sample, language], seen, **serial)
    sample.input(narrow, [turn, sample, language], seen, **serial)

    def run(
        ranker: str, limit: int, margin: float, lang: str, profile: gr.OAuthProfile | None
    ) -> Iterator[str]:
        try:
            access.operator(profile)
        except UserError as error:
            yield render("notice", lang, kind="bad", text=explain(error, lang))
            return
        yield from mined(library, store, ranker, limit, margin, lang)

    start.click(
        run,
        [miner, limit, margin, language],
        mining,
        concurrency_limit=1,
        api_visibility="private",
        show_progress="hidden",
    ).then(open_tab, [turn, sample, language], seen, **serial)

    def save_labels(format: str, lang: str, profile: gr.OAuthProfile | None) -> dict:
        try:
            access.annotator(profile)
            path, count = exported(store, format)
            return gr.update(
                value=str(path), visible=True, label=say(lang, "label.exported", count=count), show_label=True
            )
        except UserError as error:
            raise gr.Error(explain(error, lang), print_exception=False) from error

    save.click(save_labels, [format, language], file, api_visibility="private")
    return {"miner": miner}
