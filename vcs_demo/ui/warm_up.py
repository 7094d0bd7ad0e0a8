"""What is made ready in the background once the page is up, the cheap first; and the backup's pushes."""

import logging
import threading

from annotations.backup.push import PushState, pusher_from_environment
from annotations.mining import mine
from annotations.store.label_store import LabelStore
from vcs_demo.benchmark.tasks import MAIN_TASKS
from vcs_demo.errors import UserError
from vcs_demo.library import Library
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.rankers.catalog import OURS, load_ranker

STARTER_POOL = 120  # candidates mined from the miniature for the first start
log = logging.getLogger(__name__)


class WarmUp:
    """A thread that prepares what the first visitor would wait for.

    Attributes:
        pusher: pushes the labels elsewhere; None where no backup destination is set.
        pooled: set once there is something to label, if there is going to be.
        finished: set once everything is ready.
    """

    def __init__(self, library: Library, store: LabelStore) -> None:
        self.library, self.store = library, store
        self.pusher = pusher_from_environment(store)
        self.finished = threading.Event()
        self.pooled = threading.Event()
        self.pooled.set()
        self._started = threading.Lock()

    def start(self) -> None:
        """Begin, once."""
        if self._started.acquire(blocking=False):
            self.pooled.clear()
            if self.pusher:
                self.pusher.start()
            threading.Thread(target=self._run, name="warm-up", daemon=True).start()

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
            for step in (self._starter_pool, self._dense_index, self._runs):
                try:
                    step()
                except UserError as error:  # a source without this task, say; the tab says so when it is used
                    log.warning("not made ready: %s", error)
                finally:
                    self.pooled.set()
        finally:
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
