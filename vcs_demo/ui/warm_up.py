"""What is made ready in the background once the page is up, the cheap first; and the backup's pushes."""

import logging
import math
import os
import threading
import time

from annotations.backup.push import PushState, pusher_from_environment
from annotations.mining import mine
from annotations.store.label_store import LabelStore
from vcs_demo.benchmark.tasks import MAIN_TASKS
from vcs_demo.errors import UserError, reason
from vcs_demo.library import Library
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.rankers.catalog import OURS, load_ranker
from vcs_demo.words import explain, say

STARTER_POOL = 120  # candidates mined from the miniature for the first start
PAUSE = 10  # seconds before what failed is tried again
log = logging.getLogger(__name__)


class WarmUp:
    """A thread that prepares what the first visitor would wait for; what failed is tried again with `again`.

    Attributes:
        pusher: pushes the labels elsewhere; None where no backup destination is set.
        pooled: set while no candidates are being mined.
        finished: set while nothing is being made ready.
    """

    def __init__(self, library: Library, store: LabelStore) -> None:
        self.library, self.store = library, store
        self.pusher = pusher_from_environment(store)
        self.finished, self.pooled = threading.Event(), threading.Event()
        self.pooled.set()
        self._steps = {"pool": self._starter_pool, "index": self._dense_index, "runs": self._runs}
        self._left: dict[str, UserError | None] = dict.fromkeys(
            self._steps
        )  # steps that are not done → why the latest try failed
        self._ended: float | None = -math.inf  # None: running
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, once."""
        if self.pusher:
            self.pusher.start()
        elif os.environ.get("SPACE_ID"):
            log.warning("%s", say("en", "backup.none"))
        self.again()

    def again(self) -> None:
        """Try what is not ready yet, unless that is going on or ended less than `PAUSE` seconds ago."""
        with self._lock:
            running = self._ended is None
            if running or not self._left or time.monotonic() - self._ended < PAUSE:
                return
            self._ended = None
            self.finished.clear()
            if "pool" in self._left:
                self.pooled.clear()
        threading.Thread(target=self._run, name="warm-up", daemon=True).start()

    def failure(self, step: str, lang: str) -> str:
        """Return why a step (`pool`, `index`, `runs`) could not be made ready; empty where nothing failed."""
        error = self._left.get(step)
        return "" if error is None else explain(error, lang).rstrip(".")

    def stop(self) -> None:
        """Push what is left to push; the rest may be cut off."""
        if self.pusher:
            self.pusher.stop()

    @property
    def push_state(self) -> PushState | None:
        """Return how the pushes are; None where no backup destination is set."""
        return self.pusher.state if self.pusher else None

    def _run(self) -> None:
        try:
            for name in list(self._left):
                try:
                    self._steps[name]()
                except UserError as error:  # a source without this task, say
                    log.warning("not made ready: %s", error)
                    self._left[name] = error
                except Exception as error:  # no room on the disk, say
                    log.exception("not made ready")
                    self._left[name] = UserError(reason(error, root=True))
                else:
                    self._left.pop(name)
                finally:
                    self.pooled.set()
        finally:
            self._ended = time.monotonic()
            self.finished.set()

    def _starter_pool(self) -> None:
        self.library.index("bm25", self.library.task("vimedretrieve"))
        if self.library.source == "mini" and self.store.progress()["candidates"] == 0:
            task = self.library.task("vimedretrieve", "train")
            self.store.add_candidates(mine(task, load_ranker("bm25"), limit=STARTER_POOL).candidates)

    def _dense_index(self) -> None:
        if self.library.source == "mini":
            self.library.index(OURS, self.library.task("vimedretrieve"))
        else:  # a large source takes minutes: encoded when someone asks
            load_ranker(OURS).index([])

    def _runs(self) -> None:
        if self.library.source == "mini":
            for ranker in ("bm25", OURS, f"bm25+{OURS}", "minilm"):
                for name in MAIN_TASKS:
                    evaluate_kept(self.library.task(name), load_ranker(ranker))
