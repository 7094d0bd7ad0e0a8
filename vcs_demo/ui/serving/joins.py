"""Bounds on what waits for an answer, and whose turn it is: Gradio's own queue takes everything as it comes."""

import json
from collections import Counter
from typing import Any

import gradio as gr
from gradio_client.utils import construct_args

from vcs_demo.words import problem

EACH = 40  # calls that one person or address may have unanswered; opening a page makes about ten
ALL = 400
UNREAD = 200  # answers that nobody fetched, before the oldest are dropped


class Joins:
    """Checks calls before they join the queue of a page, and keeps the queue fair.

    It reads Gradio's own queue: `event_ids_to_events` has what waits or runs, `pending_event_ids_session` what is not
    yet fetched. Each event's request bears its owner, as the wall found it: a person, or an address.
    """

    BUSY = ("wall.busy", "wall.busy_all")  # keys of refusals that pass

    def __init__(self, page: gr.Blocks) -> None:
        self.page = page

    @property
    def queue(self) -> Any:
        """Return Gradio's queue, which it makes anew when it is configured."""
        return self.page._queue

    def check(self, path: str, body: bytes, owner: str) -> None:
        """Check a call: that there is room for it, and that its arguments fit.

        A call that does not fit would be an error of the server's, which logs it with all its arguments.

        Raises:
            UserError: too many wait, of this owner or of all; it is no JSON; there is no such function; or the
                arguments are not as many, or not of the kind, that it takes.
        """
        unanswered = self.queue.event_ids_to_events.values()
        if len(unanswered) >= ALL:
            raise problem("wall.busy_all")
        if sum(_owner(event) == owner for event in unanswered) >= EACH:
            raise problem("wall.busy", count=EACH)
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            raise problem("wall.no_json") from None
        if not isinstance(call, dict):
            raise problem("wall.no_json")
        last = path.rstrip("/").rpartition("/")[2]
        if path.startswith("/gradio_api/call/v2/"):
            self._check_named(last, call)
        elif path.startswith("/gradio_api/call/"):
            self._check_values(self._by_name(last), call, api=True)
        else:
            session, index = call.get("session_hash"), call.get("fn_index")
            if not isinstance(session, str) or not 0 < len(session) <= 64:
                raise problem("wall.session")
            fn = self.page.fns.get(index) if isinstance(index, int) else None
            self._check_values(fn or self._by_name(str(call.get("api_name") or "")), call, api=False)
            if len(self.queue.pending_event_ids_session.get(session, ())) >= EACH:
                raise problem("wall.busy", count=EACH)

    def settle(self) -> None:
        """Let owners take turns in every queue, and drop the oldest answers that nobody fetched."""
        running = Counter(
            (event.concurrency_id, _owner(event)) for job in self.queue.active_jobs for event in job or ()
        )
        for name, waiting in self.queue.event_queue_per_concurrency_id.items():
            if len(waiting.queue) > 1:
                turns: dict[str, int] = {}
                seen = Counter({owner: count for (queue, owner), count in running.items() if queue == name})
                for event in sorted(waiting.queue, key=lambda event: event.enqueue_time):
                    turns[event._id] = seen[_owner(event)]
                    seen[_owner(event)] += 1
                waiting.queue.sort(key=lambda event: (turns[event._id], event.enqueue_time))
        sessions, unanswered = self.queue.pending_event_ids_session, self.queue.event_ids_to_events
        unread = {name: len(ids - unanswered.keys()) for name, ids in sessions.items()}
        surplus = sum(unread.values()) - UNREAD
        for name, count in unread.items():  # the oldest first
            if surplus <= 0:
                break
            if count and count == len(sessions[name]):
                surplus -= count
                del sessions[name]
                if name in self.queue.pending_messages_per_session:
                    del self.queue.pending_messages_per_session[name]

    def _by_name(self, name: str) -> Any:
        for fn in self.page.fns.values():
            if name and fn.api_name == name and fn.api_visibility != "private":
                return fn
        raise problem("wall.no_function")

    def _check_values(self, fn: Any, call: dict, api: bool) -> None:
        """Check the values of a call in their order; `api`: without the page's own state, which callers cannot send."""
        values = call.get("data")
        wanted = [[block for block in fn.inputs if not block.skip_api]] if api else []
        wanted.append(fn.inputs)
        inputs = next((i for i in wanted if isinstance(values, list) and len(i) == len(values)), None)
        if inputs is None:
            count = len(values) if isinstance(values, list) else 0
            raise problem("wall.arguments", count=count, wanted=len(wanted[0]))
        for number, (block, value) in enumerate(zip(inputs, values, strict=True), start=1):
            if not block.stateful and not _fits(block, value):
                raise problem("wall.argument", number=number)

    def _check_named(self, name: str, call: dict) -> None:
        self._by_name(name)
        info = self.page.get_api_info()["named_endpoints"].get(f"/{name}", {"parameters": []})
        try:
            construct_args(info["parameters"], (), {k: v for k, v in call.items() if k != "oauth_token"})
        except (TypeError, ValueError, KeyError):
            names = ", ".join(parameter["parameter_name"] for parameter in info["parameters"])
            raise problem("wall.named", names=names or "–") from None


def _owner(event: Any) -> str:
    return event.request.scope.get("vcs_owner", "")


def _fits(block: Any, value: Any) -> bool:
    """Tell whether a component can read a value; one that is not among its choices is told so later."""
    try:
        block.preprocess(value)
    except gr.Error:
        return True
    except Exception:
        return False
    return True
