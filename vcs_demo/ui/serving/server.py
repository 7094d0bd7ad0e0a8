"""The server: Gradio's page, our routes and the wall around them, in one uvicorn."""

import os
import socket
import sys
import threading
import time
from contextlib import suppress

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp

from annotations.people.sessions import Sessions
from vcs_demo.errors import UserError
from vcs_demo.ui.access import Access
from vcs_demo.ui.page import CSS, HEAD, THEME
from vcs_demo.ui.serving import opening
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.ui.serving.hosts import Hosts
from vcs_demo.ui.serving.joins import Joins
from vcs_demo.ui.serving.sign_in import SignIn
from vcs_demo.ui.serving.wall import Wall

SESSIONS = 1_000  # pages whose state is kept in memory
CONNECTIONS = 4_000


def walled(page: gr.Blocks, access: Access, downloads: Downloads | None, hosts: Hosts, port: int) -> ASGIApp:
    """Return the page with everything around it as one ASGI app.

    Args:
        page: the page.
        access: how people are told apart.
        downloads: the files that the page makes, if it makes any.
        hosts: the names that the app answers to.
        port: that it will listen on.
    """
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    sign_in = SignIn(Sessions(), port) if access.mode == "accounts" else None
    if sign_in:
        outer.router.routes.extend(sign_in.routes)
    page.state_session_capacity = SESSIONS
    page.pwa = False
    page.queue(status_update_rate=2)  # else all who wait are told their place whenever one is answered
    # Gradio would make a table of its last 10,000 events after each event, for a page that is switched off.
    page._queue.ANALYTICS_MAX_EVENTS, page._queue.ANAYLTICS_CACHE_FREQUENCY = 1, sys.maxsize
    gr.mount_gradio_app(
        outer,
        page,
        path="",
        footer_links=["api"],
        run_history=False,
        auth_dependency=_account if sign_in else None,
        root_path=os.environ.get("GRADIO_ROOT_PATH") or None,
        max_file_size=1024,  # nothing is uploaded here
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=THEME,
        css=CSS,
        head=HEAD,
    )
    inner = outer.routes[-1].app
    inner.state_holder = opening.Sessions()
    inner.state_holder.set_blocks(page)
    if downloads:
        inner.router.routes.insert(0, downloads.route)
    on_space = bool(os.environ.get("SPACE_ID"))
    return Wall(opening.RememberedPage(outer), hosts, Joins(page), sign_in and sign_in.name_of, on_space)


def _account(request: Request) -> str | None:
    """Return the account that the wall found."""
    return request.scope.get("vcs_name")


class Served:
    """A page that is served in a thread until it is stopped.

    Attributes:
        url: where it is, with a slash at the end.
        port: that it listens on.

    Raises:
        UserError: the port cannot be used on this host, or $VCS_HOSTS has something else than names.
    """

    def __init__(
        self, page: gr.Blocks, access: Access, host: str, port: int, downloads: Downloads | None = None
    ) -> None:
        host = host.strip("[]")
        hosts = Hosts.from_environment(access.mode, host)
        self._socket = _listening(host, port)
        self.port = self._socket.getsockname()[1]
        name = "localhost" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.port}/"
        self._page = page
        if downloads:
            downloads.clear()
        config = uvicorn.Config(
            walled(page, access, downloads, hosts, self.port),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=30,
            # Whose X-Forwarded-Proto and -For are true: those of this machine's proxy, or $FORWARDED_ALLOW_IPS.
            forwarded_allow_ips="*" if os.environ.get("SPACE_ID") else None,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="server", daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.001)

    def wait(self) -> None:
        """Wait until it is stopped."""
        while self._thread.is_alive():
            self._thread.join(1)

    def stop(self) -> None:
        """Stop, without waiting for open streams."""
        self._page.close(verbose=False)
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        with suppress(OSError):
            self._socket.close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listening(host: str, port: int) -> socket.socket:
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
        # What is accepted inherits it. asyncio sets it for its own sockets alone, and without it an answer's second
        # packet waits 40 ms for the first one's receipt.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError, UnicodeError) as error:
        raise UserError(
            f"port {port} on {host} cannot be used ({error}); give another --port or --host"
        ) from error
