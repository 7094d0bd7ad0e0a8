"""The label desk: what the Label tab's buttons do, without the page."""

import hashlib
import re
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from annotations.assignment.leases import Lease, LeaseRefused
from annotations.audit.sample import draw
from annotations.candidates import Candidate
from annotations.database.events import TokenReused, stamp
from annotations.store.label_store import LabelStore
from vcs_demo.text import nfc, tidy
from vcs_demo.ui.access import Person
from vcs_demo.ui.html import content_words, notice, render
from vcs_demo.words import explain, guideline, say

AUDIT_SIZE, AUDIT_SEED = 100, 0
FAST_SECONDS, FAST_RUN = 2.0, 8  # so many answers in a row, each faster, and the page asks for a pause
NOTHING = "nothing-"  # begins the token of a page without a candidate
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True)
class Turn:
    """What is in front of an annotator: all that the page keeps of it is the token, and the store knows the rest.

    Attributes:
        candidate: None when nothing can be lent now.
        token: of the lease, and so of the decision to come; sent twice it counts once.
    """

    candidate: Candidate | None = None
    token: str = ""

    @classmethod
    def of(cls, lease: Lease | None) -> "Turn":
        """Open a turn on what was lent."""
        return cls(None, NOTHING + uuid.uuid4().hex) if lease is None else cls(lease.candidate, lease.token)


def draft_key(candidate_id: str, person: str) -> str:
    """Return what a browser files someone's unsent words on a candidate under; it tells neither."""
    return hashlib.sha256(f"{person}\0{candidate_id}".encode()).hexdigest()[:24] if candidate_id else ""


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
        self.store, self._began = store, stamp(store.clock())
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
        token: str,
        annotator: str,
        label: str,
        note: str,
        lang: str,
        *,
        sample_only: bool = False,
        confidence: int | None = None,
        flagged: bool = False,
        client_at: str = "",
    ) -> tuple[Candidate, Turn]:
        """Save a decision under a lease's token (on `skip`, that the candidate was passed over).

        Returns:
            The candidate that was judged, and the next turn.

        Raises:
            LeaseRefused, TokenReused: the lease does not cover the answer; nothing was saved.
            UserError: a label or fact that cannot be saved.
        """
        token = nfc(token)
        candidate, since = self.store.lent(token, annotator)
        seconds = self._seconds(since)
        facts: dict[str, Any] = {
            "lease": token,
            "seconds": seconds,
            "interface": f"web/{lang}",
            "note": note or "",
            "flagged": bool(flagged),
            "guideline": guideline(lang)[0],
            "client_at": client_at if _TIME.fullmatch(str(client_at or "")) else "",
        }
        only = self.sample() if sample_only else None
        if label == "skip":
            _, lease = self.store.skip_and_claim(candidate.id, annotator, only=only, **facts)
        else:
            facts["confidence"] = confidence
            _, lease = self.store.label_and_claim(candidate.id, annotator, label, only=only, **facts)
            if seconds is not None:
                self._pace.setdefault(annotator, deque(maxlen=FAST_RUN)).append(seconds)
        return candidate, Turn.of(lease)

    def answer(
        self,
        token: str,
        annotator: str,
        label: str,
        note: str,
        lang: str,
        *,
        sample_only: bool = False,
        **facts: Any,
    ) -> tuple[Candidate | None, Turn, str]:
        """Judge as `judge` does; return what was judged (None: nothing was saved), the next turn and what to tell."""
        if not token or token.startswith(NOTHING):  # the page showed no candidate
            return None, self.next(annotator, sample_only), ""
        try:
            judged, opened = self.judge(token, annotator, label, note, lang, sample_only=sample_only, **facts)
        except (LeaseRefused, TokenReused) as error:  # on to the next one
            return None, self.next(annotator, sample_only), f"**{explain(error, lang)}**"
        if label == "skip":
            text = say(lang, "label.skipped")
        else:
            text = say(lang, "label.saved", label=label_name(label, lang))
        if self.is_hasty(annotator):
            text += f" · **{say(lang, 'label.hasty')}**"
        return judged, opened, text

    def _seconds(self, since: str) -> float | None:
        """Return how long a candidate was in front of its annotator; None where that was not all while this ran."""
        if since < self._began:
            return None
        return (self.store.clock() - datetime.fromisoformat(since)).total_seconds()

    def is_hasty(self, annotator: str) -> bool:
        """Tell, once a run, whether the annotator's latest answers were all very fast."""
        pace = self._pace.get(annotator, ())
        hasty = len(pace) == FAST_RUN and max(pace) < FAST_SECONDS
        if hasty:
            pace.clear()
        return hasty

    def undo(self, annotator: str, token: str) -> tuple[Candidate | None, Turn, tuple]:
        """Take the latest decision back and open its candidate again, if it is still free.

        The page's token makes a double click one undo.

        Returns:
            What was judged (None: there was nothing to take back), the turn that is due, and the note, confidence and
            flag that the answer had, where that is the same candidate (else nothing).
        """
        shown, token = token, f"undo-{nfc(token)}"
        if not shown or (self.store.undone(token) and self.next(annotator).token == shown):
            token = (
                f"undo-{uuid.uuid4().hex}"  # that undo could not open its candidate: the page is as it was
            )
        taken, opened = self.store.undo(annotator, token=token), self.next(annotator)
        if taken is None or opened.candidate != taken:
            return taken, opened, ()
        answer = self.store.undone(token)
        return taken, opened, (answer["note"], answer["confidence"], bool(answer["flagged"]))

    def page(self, turn: Turn, person: Person, lang: str, *, sample_only: bool = False) -> str:
        """Render what the annotator sees: neither miner, nor score, nor rank, nor others' answers.

        Where nothing is lent, the store is asked why: `sample_only` says that the audit's sample alone was wanted.
        """
        if turn.candidate is not None:
            return texts(turn.candidate, turn.token, lang)
        counts = self.store.progress(person.name)
        if counts["candidates"] == 0:
            return notice(say(lang, "label.empty" if person.may_run else "label.empty_team"))
        if sample_only:
            return notice(say(lang, "label.sample_done"))
        return notice(say(lang, "label.held" if counts["left"] > 0 else "label.done"))

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


def why(candidate: Candidate, lang: str) -> str:
    """Say why a candidate was mined; only for one that was answered, since it could sway."""
    facts = {
        "miner": candidate.miner or "–",
        "rank": "–" if candidate.rank is None else candidate.rank,
        "score": "–" if candidate.score is None else f"{candidate.score:.4g}",
        "positive": "–" if candidate.positive_score is None else f"{candidate.positive_score:.4g}",
        "query": candidate.query,
    }
    return notice(say(lang, "label.why", **facts))
