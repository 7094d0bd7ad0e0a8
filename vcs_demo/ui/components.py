"""What the tabs share: components whose texts follow the language, number fields."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr

from vcs_demo.errors import UserError, quoted
from vcs_demo.ui.html import refusal
from vcs_demo.words import problem, say

QUIET = {"api_visibility": "private", "show_progress": "hidden"}  # of events that only the page uses


@dataclass(frozen=True)
class Part:
    """What the page needs of a tab.

    Attributes:
        rankers: its list of rankers.
        refill_on: lets an event refill its list of examples.
        fields: what a visitor fills in, to be there again after a reload.
    """

    rankers: gr.Dropdown
    refill_on: Callable[[Callable], None]
    fields: Sequence[gr.Component]


@contextmanager
def api_errors() -> Iterator[None]:
    """Tell the callers of the HTTP API a UserError's sentence; raises gr.Error."""
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from error


def cut_off(words: "Localised", job: str) -> dict[str, str]:
    """Make the line that says what became of a job with which the connection was lost.

    It shows after the reload (`place.js`) until the job is begun again.

    Returns:
        What an event takes that begins the job.
    """
    texts = {"value": lambda lang: refusal(say(lang, f"cut_off.{job}"))}
    words.make(gr.HTML, texts, container=False, elem_id=f"vcs-cut-{job}")
    return {"js": f"(...values) => {{ vcsPlace.started('{job}'); return values; }}"}


ENDED = {"fn": None, "inputs": None, "outputs": None, "js": "() => { vcsPlace.ended(); }"}  # a job, however


def number(value: object) -> float:
    """Return what a number field holds as a finite number; raises UserError for an empty one or a text."""
    try:
        finite = float(value)
    except (TypeError, ValueError):
        finite = math.nan
    if not math.isfinite(finite):
        raise problem("error.number", value=quoted(value))
    return finite


Component = TypeVar("Component")


class Localised:
    """The components of a page and the words on them, so that one event can change the language of all."""

    def __init__(self) -> None:
        self.components: list[Any] = []
        self._words: list[dict[str, str | Callable[[str], Any]]] = []

    def make(self, kind: Callable[..., Component], words: dict[str, Any], **settings: Any) -> Component:
        """Make a component whose `words` (property → key, or a function of the language) follow the language."""
        component = kind(**_filled(words, "en"), **settings)
        self.components.append(component)
        self._words.append(words)
        return component

    def updates(self, lang: str) -> list[dict]:
        """Return an update for every component, in the order of `components`."""
        return [gr.update(**_filled(words, lang)) for words in self._words]


def _filled(words: dict[str, Any], lang: str) -> dict[str, Any]:
    return {name: word(lang) if callable(word) else say(lang, word) for name, word in words.items()}


def preferred(request: gr.Request | None) -> str:
    """Return the language of a visitor: `?lang=` of the address, else the browser's first choice."""
    if request is None:
        return "en"
    asked = str(request.query_params.get("lang", "")).lower()
    if asked in ("en", "vi"):
        return asked
    return "vi" if request.headers.get("accept-language", "").strip().lower().startswith("vi") else "en"
