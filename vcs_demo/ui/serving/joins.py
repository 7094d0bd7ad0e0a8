"""Bounds on what waits for an answer, and whose turn it is: Gradio's own queue takes everything as it comes."""

import json
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio_client.utils import construct_args

from vcs_demo.words import problem

EACH = 40  # calls that one person or address, and one page, may have unanswered
EACH_OPENING = (
    2_000  # of those that a page makes when it is opened, which are quick: a class behind one address
)
ALL, ALL_BYTES = 4_000, 50_000_000
LOOKED_EVERY = 1.0  # seconds between looks for answers that nobody fetches
UNREAD, UNREAD_SECONDS = 1_000, 60  # pages whose answers nobody fetched, and for how long they are kept
PAGES = 10_000  # open pages of which it is known who opened them


class Joins:
    """Checks calls before they join the queue of a page, and keeps the queue fair.

    It reads Gradio's own queue: `event_ids_to_events` has what waits or runs, `pending_event_ids_session` what is not
    yet fetched. Each event's request bears its owner, as the wall found it: a person, or an address.
    """

    STATUS = {"wall.busy": 429, "wall.busy_all": 429, "wall.other_person": 403}  # of refusals; else 422

    def __init__(self, page: gr.Blocks) -> None:
        self.page = page
        self._looked = 0.0
        self._unread: dict[str, float] = {}  # page → when its answers were first seen unfetched
        self._people: OrderedDict[str, str] = OrderedDict()  # page → the account that opened it

    @property
    def queue(self) -> Any:
        """Return Gradio's queue, which it makes anew when it is configured."""
        return self.page._queue

    def check(self, path: str, body: bytes, owner: str, name: str | None = None) -> str:
        """Check a call: that there is room for it, and that its arguments fit; return the queue it joins.

        A call that does not fit would be an error of the server's, which logs it with all its arguments.

        Args:
            path: of the request.
            body: of the request.
            owner: who asks, a person or an address.
            name: of the account that is signed in; a page belongs to the one that opened it.

        Raises:
            UserError: too many wait, of this owner or of all; it is no JSON; there is no such function; the arguments
                are not as many, or not of the kind, that it takes; or the page is another person's.
        """
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            raise problem("wall.no_json") from None
        if not isinstance(call, dict):
            raise problem("wall.no_json")
        last = path.rstrip("/").rpartition("/")[2]
        if path.startswith("/gradio_api/call/v2/"):
            fn = self._by_name(last)
            self._check_named(last, call)
        elif path.startswith("/gradio_api/call/"):
            fn = self._by_name(last)
            self._check_values(fn, call, api=True)
        else:
            session, index = call.get("session_hash"), call.get("fn_index")
            if not isinstance(session, str) or not 0 < len(session) <= 64:
                raise problem("wall.session")
            self._check_person(session, name)
            fn = self._by_name(str(call.get("api_name") or "")) if index is None else self._by_number(index)
            self._check_values(fn, call, api=False)
            if len(self.queue.pending_event_ids_session.get(session, ())) >= EACH:
                raise problem("wall.busy", count=EACH)
        self._check_room(fn, owner, len(body))
        return fn.concurrency_id

    def settle(self, name: str) -> None:
        """Let owners, and the pages of one owner, take turns in a queue; drop answers that nobody fetches."""
        waiting = self.queue.event_queue_per_concurrency_id.get(name)
        if waiting and len(waiting.queue) > 1:
            events = [event for job in self.queue.active_jobs for event in job or ()]
            running = Counter(_owner(event) for event in events if event.concurrency_id == name)
            waiting.queue.sort(key=lambda event: event.enqueue_time)
            _take_turns(waiting.queue, lambda event: event.session_hash, Counter())
            _take_turns(waiting.queue, _owner, running)
        if time.monotonic() - self._looked > LOOKED_EVERY:
            self._looked = time.monotonic()
            self._drop_unread()

    def _drop_unread(self) -> None:
        """Drop the answers of pages that fetched none of them for a while: a program that never does."""
        sessions, unanswered = self.queue.pending_event_ids_session, self.queue.event_ids_to_events
        now = time.monotonic()
        finished = [name for name, ids in sessions.items() if ids and not any(id in unanswered for id in ids)]
        self._unread = {name: self._unread.get(name, now) for name in finished}
        for number, name in enumerate(finished):  # the oldest first
            if now - self._unread[name] > UNREAD_SECONDS or len(finished) - number > UNREAD:
                del sessions[name], self._unread[name]
                self.queue.pending_messages_per_session.pop(name, None)

    def _check_person(self, session: str, name: str | None) -> None:
        """Check that a page is asked for by who opened it: in another tab somebody else may have signed in since."""
        if name is None:
            return
        if self._people.setdefault(session, name) != name:
            raise problem("wall.other_person", name=name)
        self._people.move_to_end(session)
        if len(self._people) > PAGES:
            self._people.popitem(last=False)

    def _check_room(self, fn: Any, owner: str, size: int) -> None:
        opening = _is_opening(fn)
        most = EACH_OPENING if opening else EACH
        count = alike = 0
        for event in self.queue.event_ids_to_events.values():
            scope = event.request.scope
            count, size = count + 1, size + scope["vcs_size"]
            alike += scope["vcs_owner"] == owner and _is_opening(event.fn) == opening
        if count >= ALL or size > ALL_BYTES:
            raise problem("wall.busy_all")
        if alike >= most:
            raise problem("wall.busy", count=most)

    def _by_name(self, name: str) -> Any:
        for fn in self.page.fns.values():
            if name and fn.api_name == name and fn.api_visibility != "private":
                return fn
        raise problem("wall.no_function")

    def _by_number(self, number: object) -> Any:
        if type(number) is int and number in self.page.fns:
            return self.page.fns[number]
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
    return event.request.scope["vcs_owner"]


def _is_opening(fn: Any) -> bool:
    """Tell whether a page calls a function when it is opened."""
    return any(trigger == "load" for _, trigger in fn.targets)


def _take_turns(events: list, key: Callable[[Any], str], seen: Counter[str]) -> None:
    """Sort events so that their keys take turns, each key's in their order; `seen` counts turns already had."""
    turns = {}
    for event in events:
        turns[event._id] = seen[key(event)]
        seen[key(event)] += 1
    events.sort(key=lambda event: turns[event._id])


def _fits(block: Any, value: Any) -> bool:
    """Tell whether a component can read a value; one that is not among its choices is told so later."""
    try:
        block.preprocess(value)
    except gr.Error:
        return True
    except Exception:
        return False
    return True
