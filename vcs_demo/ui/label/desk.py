"""The label desk: what the Label tab's buttons do, without the page."""

import re
import time
import uuid
from collections import deque
from dataclasses import dataclass

from annotations.assignment.leases import Lease, LeaseRefused
from annotations.audit.sample import draw
from annotations.candidates import Candidate
from annotations.database.events import TokenReused
from annotations.store.label_store import LabelStore
from vcs_demo.text import tidy
from vcs_demo.ui.html import content_words, notice, render
from vcs_demo.words import explain, guideline, say

AUDIT_SIZE, AUDIT_SEED = 100, 0
FAST_SECONDS, FAST_RUN = 2.0, 8  # so many answers in a row, each faster, and the page asks for a pause
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True)
class Turn:
    """What is in front of an annotator; kept on the server, so that a page cannot name another's item.

    Attributes:
        candidate: None when nothing is left.
        token: of the lease, and so of the decision to come; sent twice it counts once.
        shown: when it was shown, in seconds of the server's monotonic clock.
    """

    candidate: Candidate | None = None
    token: str = ""
    shown: float = 0.0

    @classmethod
    def of(cls, lease: Lease | None) -> "Turn":
        """Open a turn on what was lent."""
        if lease is None:
            return cls(None, uuid.uuid4().hex, time.monotonic())
        return cls(lease.candidate, lease.token, time.monotonic())


def label_name(label: str, lang: str) -> str:
    """Return a label's words without the key printed on its button."""
    return say(lang, f"label.{label}").partition(" · ")[2]


def texts(candidate: Candidate, token: str, lang: str) -> str:
    """Render query, known answer and candidate, words in common marked; `token` names the turn."""
    return render(
        "judge",
        lang,
        turn=token[:8],
        candidate=candidate,
        positive=tidy(candidate.positive),
        passage=tidy(candidate.passage),
        words=content_words(candidate.query),
        words_in_texts=content_words(candidate.positive, candidate.passage),
    )


class Desk:
    """Judging candidates: what the page's buttons do, without the page."""

    def __init__(self, store: LabelStore) -> None:
        self.store = store
        self._pace: dict[str, deque[float]] = {}  # annotator → seconds of the latest answers
        self._sample: tuple[int, list[str]] = (0, [])  # of how many candidates, and their ids

    def sample(self) -> list[str]:
        """Return the ids of the audit's sample, drawn anew when candidates were added."""
        count = self.store.progress()["candidates"]
        if count != self._sample[0]:
            sample = draw(self.store.candidates(), AUDIT_SIZE, seed=AUDIT_SEED)
            self._sample = count, [candidate.id for candidate in sample]
        return self._sample[1]

    def next(self, annotator: str, sample_only: bool = False) -> Turn:
        """Open the annotator's next turn; what is held already is held for its full time again."""
        return Turn.of(self.store.claim(annotator, only=self.sample() if sample_only else None))

    def judge(
        self,
        turn: Turn,
        annotator: str,
        label: str,
        note: str,
        lang: str,
        *,
        sample_only: bool = False,
        confidence: int | None = None,
        flagged: bool = False,
        client_at: str = "",
    ) -> Turn:
        """Keep a decision (on `skip`, that the candidate was passed over) and open the next turn.

        Raises:
            LeaseRefused, TokenReused: the candidate was answered elsewhere, or taken; nothing was kept.
            UserError: a label or fact that cannot be kept.
        """
        if turn.candidate is None:
            return self.next(annotator, sample_only)
        seconds = time.monotonic() - turn.shown
        facts = {
            "lease": turn.token,
            "seconds": seconds,
            "interface": f"web/{lang}",
            "note": note or "",
            "flagged": bool(flagged),
            "guideline": guideline(lang)[0],
            "client_at": client_at if _TIME.fullmatch(str(client_at or "")) else "",
        }
        only = self.sample() if sample_only else None
        if label == "skip":
            _, lease = self.store.skip_and_claim(turn.candidate.id, annotator, only=only, **facts)
        else:
            facts["confidence"] = confidence
            _, lease = self.store.label_and_claim(turn.candidate.id, annotator, label, only=only, **facts)
            self._pace.setdefault(annotator, deque(maxlen=FAST_RUN)).append(seconds)
        return Turn.of(lease)

    def answer(
        self,
        turn: Turn,
        annotator: str,
        label: str,
        note: str,
        lang: str,
        *,
        sample_only: bool = False,
        **facts: object,
    ) -> tuple[Turn, str]:
        """Judge as `judge` does; return the next turn and what to tell, also where the answer was refused."""
        try:
            opened = self.judge(turn, annotator, label, note, lang, sample_only=sample_only, **facts)
        except (LeaseRefused, TokenReused) as error:  # on to the next one
            return self.next(annotator, sample_only), f"**{explain(error, lang)}**"
        if turn.candidate is None:
            text = ""
        elif label == "skip":
            text = say(lang, "label.skipped")
        else:
            text = say(lang, "label.saved", label=label_name(label, lang))
        if self.is_hasty(annotator):
            text += f" · **{say(lang, 'label.hasty')}**"
        return opened, text

    def is_hasty(self, annotator: str) -> bool:
        """Tell, once a run, whether the annotator's latest answers were all very fast."""
        pace = self._pace.get(annotator, ())
        hasty = len(pace) == FAST_RUN and max(pace) < FAST_SECONDS
        if hasty:
            pace.clear()
        return hasty

    def undo(self, annotator: str) -> Turn | None:
        """Take the latest decision back and open its candidate again, if it is still free; None if there is none."""
        return self.next(annotator) if self.store.undo(annotator) else None

    def page(self, turn: Turn, lang: str) -> str:
        """Render what the annotator sees: neither miner, nor score, nor rank, nor others' answers."""
        if turn.candidate is not None:
            return texts(turn.candidate, turn.token, lang)
        empty = self.store.progress()["candidates"] == 0
        return notice(say(lang, "label.empty" if empty else "label.done"))

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


def why(turn: Turn, lang: str) -> str:
    """Say why a candidate was mined; only for one that was answered, since it could sway."""
    candidate = turn.candidate
    if candidate is None:
        return ""
    facts = {
        "miner": candidate.miner or "–",
        "rank": "–" if candidate.rank is None else candidate.rank,
        "score": "–" if candidate.score is None else f"{candidate.score:.4g}",
        "positive": "–" if candidate.positive_score is None else f"{candidate.positive_score:.4g}",
        "query": candidate.query[:200],
    }
    return notice(say(lang, "label.why", **facts))
