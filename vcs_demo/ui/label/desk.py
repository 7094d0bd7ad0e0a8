"""The label desk: what the Label tab's buttons do, without the page."""

import re
import time
import uuid
from collections import deque
from dataclasses import dataclass

from annotations.assignment.leases import Lease
from annotations.audit.estimate import draw
from annotations.candidates import Candidate
from annotations.store.label_store import LabelStore
from vcs_demo.text import tidy
from vcs_demo.ui.html import content_words, render
from vcs_demo.words import guideline, say

AUDIT_SIZE, AUDIT_SEED = 100, 0
FAST_SECONDS, FAST_RUN = (
    2.0,
    8,
)  # so many answers in a row, each faster than this, and the page asks for a pause


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
            drawn = draw(self.store.candidates(), AUDIT_SIZE, seed=AUDIT_SEED)
            self._sample = count, [candidate.id for candidate in drawn]
        return self._sample[1]

    def next(self, annotator: str, sample_only: bool) -> Turn:
        """Open the annotator's next turn."""
        return Turn.of(self.store.claim(annotator, only=self.sample() if sample_only else None))

    def judge(
        self,
        turn: Turn,
        annotator: str,
        label: str,
        note: str,
        lang: str,
        *,
        confidence: int | None = None,
        flagged: bool = False,
        client_at: str = "",
    ) -> None:
        """Keep a decision; on `skip`, that it was passed over."""
        if turn.candidate_id is None:
            return
        seconds = time.monotonic() - turn.shown
        facts = {
            "lease": turn.token,
            "seconds": seconds,
            "interface": f"web/{lang}",
            "note": note or "",
            "flagged": bool(flagged),
            "guideline": guideline(lang)[0],
            "client_at": client_at if _is_time(client_at) else "",
        }
        if label == "skip":
            self.store.skip(turn.candidate_id, annotator, **facts)
            return
        self.store.label(turn.candidate_id, annotator, label, confidence=confidence, **facts)
        self._pace.setdefault(annotator, deque(maxlen=FAST_RUN)).append(seconds)

    def is_hasty(self, annotator: str) -> bool:
        """Tell, once a run, whether the annotator's latest answers were all very fast."""
        pace = self._pace.get(annotator, ())
        hasty = len(pace) == FAST_RUN and max(pace) < FAST_SECONDS
        if hasty:
            pace.clear()
        return hasty

    def why(self, turn: Turn, lang: str) -> str:
        """Say why a candidate was mined; only for one that was answered, since it could sway."""
        if turn.candidate_id is None:
            return ""
        candidate = self.store.candidate(turn.candidate_id)
        return render("notice", lang, kind="info", text=_why(candidate, lang))

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
        return texts(self.store.candidate(turn.candidate_id), turn.token, lang)

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


def _why(candidate: Candidate, lang: str) -> str:
    shown = {
        "miner": candidate.miner or "–",
        "rank": "–" if candidate.rank is None else candidate.rank,
        "score": "–" if candidate.score is None else f"{candidate.score:.4g}",
        "positive": "–" if candidate.positive_score is None else f"{candidate.positive_score:.4g}",
        "query": candidate.query[:200],
    }
    return say(lang, "label.why", **shown)


def _is_time(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", str(text or "")))
