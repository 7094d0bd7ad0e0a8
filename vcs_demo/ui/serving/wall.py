"""The wall before Gradio: who may ask for what, from where. Every request passes it first.

Gradio answers any Origin and any Host, and has routes that the page does not use. The wall answers to the app's own
names, to its own pages and to programs, and lets through the routes that the page and the API use, and no others.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vcs_demo.errors import UserError, quoted
from vcs_demo.ui.components import preferred
from vcs_demo.ui.html import render
from vcs_demo.ui.serving.hosts import Host, Hosts, same_origin
from vcs_demo.ui.serving.joins import Joins
from vcs_demo.words import explain, problem

LARGEST = 2_000_000  # bytes of a request; 50 candidates of 5,000 letters in JSON's escapes have 1,500,000
OPEN_EACH = 1_000  # requests that one person or address may have open; a page has one or two
STATIC = re.compile(
    r"/(assets/.+|static/.+|svelte/.+|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\w+)?|(gradio_api/)?theme\.css)"
)
READ = re.compile(
    r"/|/config/?|/download/[\w-]+/[^/]+|"
    r"/gradio_api/(info/?|openapi\.json|app_id/?|user/?|login_check/?|heartbeat/\w+|queue/data|call/(v2/)?\w+/\w+)"
)
CHANGE = re.compile(r"/gradio_api/(queue/join|cancel|reset/?|call/(v2/)?\w+/?)")
SIGN_IN, SIGN_OUT = re.compile(r"/login/?"), re.compile(r"/logout/?")  # with accounts
SPACE = re.compile(r"/login/(huggingface|callback)/?|/logout/?")  # Gradio's sign-in with Hugging Face
PAGES = re.compile(r"/|/login/?|/login/(huggingface|callback)/?")  # that a link of another site may open
JOINS = re.compile(r"/gradio_api/(queue/join|call/(v2/)?\w+/?)")
FORWARDED = {b"forwarded", b"x-forwarded-host", b"x-forwarded-server", b"x-gradio-server"}


class Refused(Exception):
    """A request that is not let through.

    Attributes:
        status: of the answer.
        problem: the sentence, in every language.
    """

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status, self.problem = status, problem(key, **values)


class Wall:
    """An ASGI app around another: it refuses what does not belong here, with a sentence, before the other sees it.

    Attributes:
        hosts: the names that the app answers to.
        name_of: request → the account that is signed in, or None; None where there are no accounts.
        joins: the bounds on what waits for an answer.
        on_space: whether the page may be shown inside huggingface.co, and people sign in there.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Hosts,
        joins: Joins,
        name_of: Callable[[Request], str | None] | None = None,
        on_space: bool = False,
    ) -> None:
        self.app, self.hosts, self.joins, self.name_of, self.on_space = app, hosts, joins, name_of, on_space
        self._open: Counter[str] = Counter()
        signing = name_of is not None
        self._reads = [READ, STATIC, *([SPACE] if on_space else []), *([SIGN_IN] if signing else [])]
        self._changes = [CHANGE, *([SIGN_IN, SIGN_OUT] if signing else [])]
        ancestors = "https://huggingface.co https://*.hf.space" if on_space else "'none'"
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": f"frame-ancestors {ancestors}",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks by web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        request, path = Request(scope, receive), _path(scope)
        owner = ""
        send = self._with_headers(send, bool(STATIC.fullmatch(path)))
        try:
            self._check(request, path)
            name = self._signed_in(request, path)
            owner = name or self._address(request)
            self._open[owner] += 1
            if self._open[owner] > OPEN_EACH:
                raise Refused(429, "wall.open")
            body = await self._body(request)
            queue = self._joined(path, body, owner, name)
            scope = self._inner(scope, name, owner, len(body))
            replayed = _replayed(body, request) if request.method == "POST" else receive
            await self._passed(scope, replayed, send)
            if queue is not None:
                self.joins.settle(queue)
        except Refused as refused:
            await self._refusal(request, refused)(scope, receive, send)
        except _ToSignIn as away:
            await away.response(scope, receive, send)
        except ClientDisconnect:  # before its request was whole
            pass
        finally:
            if owner:
                self._open[owner] -= 1
                if not self._open[owner]:
                    del self._open[owner]

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through. A stream of answers that are gone is cut, once it has said so, without a traceback."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise

    def _check(self, request: Request, path: str) -> None:
        """Raise Refused for a foreign host, an unknown route, or a request of another site's page."""
        host = self.hosts.asked(request.headers)
        if host is None or not self.hosts.own(host):
            key = "wall.host" if self.hosts.addresses else "wall.host_single"
            raise Refused(403, key, host=quoted(host.name if host else request.headers.get("host", "")))
        reads = request.method in ("GET", "HEAD")
        routes, others = (self._reads, self._changes) if reads else (self._changes, self._reads)
        if request.method not in ("GET", "HEAD", "POST") or not _among(routes, path):
            key = "wall.upload" if path.startswith("/gradio_api/upload") else "wall.route"
            raise Refused(405 if _among(others, path) else 404, key, path=quoted(path))
        if self._foreign(request, host) and not (reads and self._is_visit(request, path)):
            raise Refused(403, "wall.origin")

    def _foreign(self, request: Request, host: Host) -> bool:
        """Tell whether another site's page asks. Programs say nothing of a page; browsers do, each in its own way."""
        headers, scheme = request.headers, request.url.scheme
        if (origin := headers.get("origin")) is not None and not same_origin(origin, host, scheme):
            return True
        if (site := headers.get("sec-fetch-site")) is not None:
            return site not in ("same-origin", "none")
        referer = headers.get("referer")
        return origin is None and referer is not None and not same_origin(referer, host, scheme)

    def _is_visit(self, request: Request, path: str) -> bool:
        """Tell whether somebody follows a link of another site to the page itself."""
        places = ("document", "iframe") if self.on_space else ("document",)
        return (
            "origin" not in request.headers
            and bool(PAGES.fullmatch(path))
            and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
            and request.headers.get("sec-fetch-dest", "document") in places
        )

    def _signed_in(self, request: Request, path: str) -> str | None:
        """Return the account that asks; raises Refused or sends to the sign-in where one is needed."""
        if self.name_of is None:
            return None
        name = self.name_of(request)
        if name is None and not _among((STATIC, SIGN_IN, SIGN_OUT), path):
            if path == "/":
                raise _ToSignIn(request)
            raise Refused(401, "wall.signed_out")
        return name

    def _address(self, request: Request) -> str:
        """Return the address of who asks; a Space's proxy adds it as the last one."""
        forwarded = request.headers.get("x-forwarded-for", "") if self.on_space else ""
        return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "?")

    async def _body(self, request: Request) -> bytes:
        """Read the body of a change, within bounds."""
        body = b""
        if request.method == "POST":
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise Refused(413, "wall.large", most=LARGEST)
        return body

    def _joined(self, path: str, body: bytes, owner: str, name: str | None) -> str | None:
        """Check what would join a queue; return the name of that, or None for everything else."""
        if not JOINS.fullmatch(path):
            return None
        try:
            return self.joins.check(path, body, owner, name)
        except UserError as error:
            raise Refused(Joins.STATUS.get(error.key, 422), error.key, **error.values) from error

    def _inner(self, scope: Scope, name: str | None, owner: str, size: int) -> Scope:
        """Return the scope as Gradio may see it: who asks, and no header that would change the page's address."""
        headers = scope["headers"]
        if not self.on_space:
            headers = [(key, value) for key, value in headers if key not in FORWARDED]
        return scope | {"headers": headers, "vcs_name": name, "vcs_owner": owner, "vcs_size": size}

    def _with_headers(self, send: Send, static: bool) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if not static:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        return sending

    def _refusal(self, request: Request, refused: Refused) -> Response:
        """Say why, as a page to who looks at one, else as JSON, which Gradio's page shows too."""
        lang = preferred(request)
        sentence = explain(refused.problem, lang)
        headers = {"Retry-After": "5"} if refused.status == 429 else {}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(render("refused", lang, text=sentence), refused.status, headers)
        return JSONResponse({"detail": sentence, "error": sentence}, refused.status, headers)


class _ToSignIn(Exception):
    """Somebody without a session asked for the page; the address's state goes along."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        query = f"?{request.url.query}" if request.url.query else ""
        self.response = RedirectResponse(f"./login{query}", 303)


def _replayed(body: bytes, request: Request) -> Receive:
    """Return what gives a body again that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return receive


def _among(patterns: Iterable[re.Pattern], path: str) -> bool:
    return any(pattern.fullmatch(path) for pattern in patterns)


def _path(scope: Scope) -> str:
    """Return the path below the root path that a proxy may have added."""
    root = scope.get("root_path", "")
    path = scope["path"]
    return path[len(root) :] or "/" if root and path.startswith(root) else path
