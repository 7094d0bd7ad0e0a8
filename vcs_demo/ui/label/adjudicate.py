"""The Adjudicate tab: disagreements and flags one after the other, with what was said, to be decided.

The page carries which case it shows, and nothing is remembered between two events here, so that a decision counts
also where the server was restarted or has forgotten the page.
"""

import hashlib
import json
from dataclasses import dataclass

import gradio as gr

from annotations.candidates import LABELS
from annotations.database.events import TokenReused
from annotations.quality.adjudication import (
    CAUSES,
    answers_to,
    causes,
    decide,
    disagreements,
    is_decided,
    latest_event,
)
from annotations.quality.agreement import agreement, label_rows
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.tables import Table
from vcs_demo.text import nfc
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import QUIET, Localised
from vcs_demo.ui.html import notice, quiet, refusal, tables
from vcs_demo.ui.label.desk import draft_key, label_name, texts
from vcs_demo.words import explain, problem, say

ANSWER = ("who", "label", "confidence", "seconds", "flagged", "note", "guideline")  # columns
MOST_PASSED = 500  # candidates that a page remembers as put off
# What `drafts.js` does, see `judge`; the browser also remembers which case is open and what was put off.
TYPED = "vcsDrafts.input('adjudicate')"
SENT = """(...values) => {
  vcsDrafts.sent("adjudicate", "vcs-adjudicate-go", values.slice(4, 7));
  return values;
}"""
SETTLED = "vcsDrafts.settled('adjudicate')"
RESTORED = "vcsDrafts.restored('adjudicate')"
OPENING = "(lang, ...shown) => [lang, ...vcsPlace.opening('adjudicate', shown)]"
REMEMBER = "(...shown) => { vcsPlace.remember('adjudicate', shown); }"


@dataclass(frozen=True)
class Case:
    """What is in front of an adjudicator; the page carries it.

    Attributes:
        candidate_id: empty when nothing waits.
        seen: names the latest of the answers that are shown, so that a decision is about these.
        passed: ids that were put off in this sitting.
    """

    candidate_id: str = ""
    seen: str = ""
    passed: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: LabelStore, candidate_id: str, passed: tuple[str, ...] = ()) -> "Case":
        """Open a candidate as it is now."""
        latest = latest_event(store, candidate_id) if candidate_id else ""
        return cls(candidate_id, hashlib.sha256(latest.encode()).hexdigest()[:24] if latest else "", passed)

    def token(self, name: str) -> str:
        """Return the token of somebody's decision on what is shown: the same for a second click, also later."""
        return hashlib.sha256("\0".join([self.candidate_id, self.seen, name]).encode()).hexdigest()[:32]


def next_case(store: LabelStore, passed: tuple[str, ...] = (), at: str = "") -> Case:
    """Open `at` if it still waits, else what waits next; what was put off comes again when nothing else is left."""
    waiting = [one.candidate_id for one in disagreements(store)]
    if at not in waiting:
        first = [one for one in waiting if one not in passed]
        if not first:
            passed, first = (), waiting
        at = first[0] if first else ""
    return Case.of(store, at, passed)


class Changed(UserError):
    """A decision on what is not as it was shown any more; nothing was saved."""


def settled(
    store: LabelStore,
    case: Case,
    name: str,
    label: str | None,
    cause: str | None,
    note: str,
    lang: str,
) -> tuple[Case, str]:
    """Decide the case that the page shows; return the next one and what to say.

    Raises:
        Changed: somebody has answered or decided the candidate since it was shown.
        UserError: no label or no cause was chosen, or the decision was refused.
    """
    if not case.candidate_id:
        return next_case(store, case.passed), ""
    if not label or not cause:
        raise problem("error.decision")
    token = case.token(name)
    if Case.of(store, case.candidate_id).seen != case.seen:
        raise problem("error.case_changed", kind=Changed)
    waiting = [one.candidate_id for one in disagreements(store)]
    if case.candidate_id not in waiting and not is_decided(store, token):
        raise problem("error.case_closed", kind=Changed)
    decide(store, case.candidate_id, name, label, cause, token=token, note=note or "")
    return next_case(store, case.passed), say(lang, "adjudicate.saved", label=label_name(label, lang))


def page(store: LabelStore, case: Case, lang: str) -> str:
    """Render the candidate as the annotators saw it, and below what they said, without names."""
    if not case.candidate_id:
        return notice(say(lang, "adjudicate.none"), "good")
    candidate = texts(store.candidate(case.candidate_id), case.candidate_id + case.seen, lang)
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
    """The tab's components that handlers read or change.

    `candidate`, `seen` and `passed` are the `Case`, and `draft` names what was typed, as in the Label tab.
    """

    candidate: gr.Textbox
    seen: gr.Textbox
    passed: gr.Textbox
    draft: gr.Textbox
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
    def case(self) -> list:
        """What `_case` reads."""
        return [self.candidate, self.seen, self.passed]

    @property
    def typed(self) -> list:
        """What is decided."""
        return [self.label, self.cause, self.note]

    @property
    def outputs(self) -> list:
        """What every handler but the agreement's fills, in its order."""
        return [*self.case, self.draft, self.page, *self.typed, self.said]


def laid_out(words: Localised) -> Layout:
    """Lay out the case, what is decided of it, and the agreement."""
    words.make(gr.Markdown, {"value": "adjudicate.explain"})
    page = gr.HTML(container=False, elem_id="vcs-adjudicate")
    labels = {"choices": lambda lang: [(label_name(name, lang), name) for name in LABELS]}
    label = words.make(gr.Radio, {"label": "adjudicate.decision"} | labels, elem_id="vcs-adjudicate-label")
    reasons = {"choices": lambda lang: [(say(lang, f"cause.{name}"), name) for name in CAUSES]}
    cause = words.make(gr.Radio, {"label": "adjudicate.cause"} | reasons, elem_id="vcs-adjudicate-cause")
    note = words.make(gr.Textbox, {"label": "adjudicate.own_note"}, lines=1, elem_id="vcs-adjudicate-note")
    with gr.Row():
        go = words.make(gr.Button, {"value": "adjudicate.go"}, variant="primary", elem_id="vcs-adjudicate-go")
        later = words.make(gr.Button, {"value": "adjudicate.later"}, min_width=120)
    said = gr.Markdown(elem_id="vcs-adjudicate-said")
    with words.make(gr.Accordion, {"label": "agree.title"}, open=False) as agreement:
        measured = gr.HTML(container=False, elem_id="vcs-agreement")
    hidden = [gr.Textbox(visible=False) for _ in range(4)]
    return Layout(*hidden, page, label, cause, note, go, later, said, agreement, measured)


def _case(candidate_id: str | None, seen: str | None, passed: str | None) -> Case:
    """Read the case that a page carries; a page that was not opened yet carries none."""
    try:
        ids = json.loads(passed or "[]")
    except ValueError:
        ids = []
    ids = [str(id) for id in ids[:MOST_PASSED]] if isinstance(ids, list) else []
    return Case(nfc(str(candidate_id or "")), str(seen or ""), tuple(ids))


def build(store: LabelStore, words: Localised, language: gr.Radio, access: Access) -> None:
    """Build the tab."""
    with words.make(
        gr.Tab, {"label": "adjudicate.tab"}, id="adjudicate", elem_id="vcs-tab-adjudicate"
    ) as tab:
        on = laid_out(words)

    def shown(person: Person, before: Case, opened: Case, text: str, lang: str, done: str = "") -> tuple:
        text = " · ".join(part for part in (text, progress(store, lang)) if part)
        same = opened.candidate_id == before.candidate_id
        typed = (gr.skip(),) * 3 if same and not done else (None, None, "")
        key = draft_key(opened.candidate_id, person.name)
        carried = (opened.candidate_id, opened.seen, json.dumps(opened.passed))
        return *carried, f"{key} {done}", page(store, opened, lang), *typed, text

    def refused(sentence: str) -> tuple:
        return *(gr.skip() for _ in on.outputs[:-1]), f"**{sentence}**"

    def not_opened(sentence: str) -> tuple:
        return *(gr.skip(),) * 4, refusal(sentence), *(gr.skip(),) * 3, ""

    @guarded(access.adjudicator, refused)
    def settle(person: Person, lang: str, *values: str | None) -> tuple:
        case, (label, cause, note) = _case(*values[:3]), values[3:]
        try:
            opened, text = settled(store, case, person.name, label, cause, note, lang)
        except (Changed, TokenReused) as error:  # on to what waits
            again, sentence = (
                next_case(store, case.passed, case.candidate_id),
                refused(explain(error, lang))[-1],
            )
            return shown(person, case, again, sentence, lang)
        done = draft_key(case.candidate_id, person.name) if text else ""
        return shown(person, case, opened, text, lang, done)

    @guarded(access.adjudicator, refused)
    def put_off(person: Person, lang: str, *values: str | None) -> tuple:
        case = _case(*values)
        passed = (*case.passed, case.candidate_id) if case.candidate_id else case.passed
        return shown(person, case, next_case(store, passed[-MOST_PASSED:]), "", lang)

    @guarded(access.adjudicator, not_opened)
    def open_tab(person: Person, lang: str, *values: str | None) -> tuple:
        case = _case(*values)
        return shown(person, case, next_case(store, case.passed, case.candidate_id), "", lang)

    @guarded(access.adjudicator, refusal)
    def measure(person: Person, lang: str) -> str:
        return agreed(store, lang)

    together = {"trigger_mode": "multiple", "concurrency_limit": 4, "concurrency_id": "adjudicate"} | QUIET
    asked, kept = [language, *on.case], [on.draft, *on.typed]
    gr.on([part.input for part in on.typed], None, kept, None, js=TYPED, **QUIET)
    answered = [
        on.go.click(settle, [*asked, *on.typed], on.outputs, js=SENT, **together),
        on.later.click(put_off, asked, on.outputs, **together),
    ]
    openings = [
        event(open_tab, asked, on.outputs, js=OPENING, **together) for event in (tab.select, language.change)
    ]
    for events, then in ((answered, SETTLED), (openings, RESTORED)):
        for event in events:
            event.then(None, kept, on.typed, js=then, **QUIET)
            event.then(None, on.case, None, js=REMEMBER, **QUIET)
    on.agreement.expand(measure, language, on.measured, api_visibility="private", concurrency_limit=1)
