"""Long work in a thread, watched from a generator: progress while it runs, and closing the generator stops it.

`TRANSFORMERS` is a lock: `datasets` looks into `transformers` when that is in `sys.modules`, also while another thread
is still importing it (seconds), and then fails on a name that is not there yet. Both sides hold the lock.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from vcs_demo.errors import UserError
from vcs_demo.files import unsaved

Progress = Callable[[int, int], None]  # (done, total)
TRANSFORMERS = threading.RLock()


class Cancelled(Exception):
    """The work was asked to stop."""


@dataclass
class Work:
    """Where the work is; `result` is set once it is finished."""

    done: int = 0
    total: int = 0
    result: Any = None


def watched(work: Callable[[Progress], Any], every: float = 0.3) -> Iterator[Work]:
    """Run `work(report)` in a thread and yield where it is, at least once and at last with its result.

    The work calls `report(done, total)`, which raises once the generator is closed, so that the work ends there.
    It is looked at `every` so many seconds.

    Raises:
        UserError: of the work; also why it could not write a file.
        RuntimeError: any other failure of the work; its cause is that.
    """
    state, stop, finished = Work(), threading.Event(), threading.Event()
    failure: list[BaseException] = []

    def report(done: int, total: int) -> None:
        if stop.is_set():
            raise Cancelled
        state.done, state.total = done, total

    def run() -> None:
        try:
            state.result = work(report)
        except Cancelled:
            pass
        except BaseException as error:
            failure.append(error)
        finally:
            finished.set()

    worker = threading.Thread(target=run, name="work", daemon=True)
    worker.start()
    try:
        while not finished.wait(every):
            yield state
    finally:
        stop.set()
        worker.join(timeout=10)  # a thread that computes while Python ends would bring it down
    if failure:
        if isinstance(failure[0], UserError):
            raise failure[0]
        if isinstance(failure[0], OSError):
            where = failure[0].filename or os.environ.get("VCS_DATA_DIR") or "data"
            raise unsaved(failure[0], where) from failure[0]
        raise RuntimeError("the work failed; see the log") from failure[0]
    yield state
