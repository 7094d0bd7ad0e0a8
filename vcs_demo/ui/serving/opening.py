"""What opening a page costs: Gradio builds the same HTML, and a copy of the whole configuration, for every visitor."""

from collections import OrderedDict
from copy import copy

import gradio as gr
from gradio import state_holder
from gradio.components import State
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGES = 64  # that are remembered: one a person, address and encoding


class Session(state_holder.SessionState):
    """A page's state without a copy of each component's configuration, which only Gradio's deep links read.

    A copy takes 20 ms and 300 kB a page.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict = {}
        self.state_data: dict = {}
        self._state_ttl: dict = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def __setitem__(self, key: int, value: object) -> None:
        if isinstance(self.blocks_config.blocks.get(key), State):
            super().__setitem__(key, value)
            self.config_values.clear()
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: object) -> None:
        pass


class Sessions(state_holder.StateHolder):
    """The states of all pages, of `Session`s."""

    def __getitem__(self, session_id: str) -> Session:
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)


class RememberedPage:
    """An ASGI app that remembers the page at `/`, which is the same until the app ends, for each address and person."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._pages: OrderedDict[tuple, list[Message]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = [
            headers.get(name, "")
            for name in ("host", "x-forwarded-host", "x-forwarded-proto", "accept-encoding")
        ]
        key = (scope["scheme"], scope.get("root_path", ""), scope.get("vcs_name"), *asked)
        if key in self._pages:
            self._pages.move_to_end(key)
            for message in self._pages[key]:
                await send(dict(message))
            return
        messages: list[Message] = []

        async def sending(message: Message) -> None:
            messages.append(
                dict(message) | ({"headers": list(message["headers"])} if "headers" in message else {})
            )
            await send(message)

        # Gradio reads `page` and `deep_link` of the query, which are not used here; the page reads it by itself.
        await self.app(scope | {"query_string": b""}, receive, sending)
        if messages and messages[0].get("status") == 200 and not messages[-1].get("more_body"):
            self._pages[key] = messages
            if len(self._pages) > PAGES:
                self._pages.popitem(last=False)
