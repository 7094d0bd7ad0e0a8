"""Signing in and out with an account of the team: a page of its own, and cookies that no other site can use."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotations.people.accounts import LONGEST_NAME, account_of
from annotations.people.sessions import KNOWN, LONGEST, Sessions
from vcs_demo.ui.components import preferred
from vcs_demo.ui.html import render
from vcs_demo.ui.serving.attempts import Attempts
from vcs_demo.words import LANGUAGES, say

WAITING, WAITING_EACH = 20, 2  # tries that wait for their turn, in all and of one address
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class SignIn:
    """The routes `login` and `logout`.

    Passwords are hashed in one thread, one after the other, and a try that has to wait longer is not hashed at all, so
    that guessers cost the others nothing.

    Args:
        sessions: where sessions are kept.
        port: that the app listens on; it goes into the cookies' names, since a browser shares cookies between ports.
    """

    def __init__(self, sessions: Sessions, port: int) -> None:
        self.sessions, self.attempts = sessions, Attempts()
        self._port = port
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="password")
        self._waiting: Counter[str] = Counter()

    @property
    def routes(self) -> list[Route]:
        """Return the routes, to stand before Gradio's own."""
        return [
            Route(f"/{path}", endpoint, methods=methods)
            for name, endpoint, methods in (
                ("login", self.show, ["GET"]),
                ("login", self.enter, ["POST"]),
                ("logout", self.leave, ["POST"]),
            )
            for path in (name, f"{name}/")
        ]

    def name_of(self, request: Request) -> str | None:
        """Return the account that a request is signed in with, or None."""
        return self.sessions.name_of(request.cookies.get(self._cookie(request, "session")))

    async def show(self, request: Request) -> Response:
        """Show the page with name and password."""
        return self._page(request)

    async def enter(self, request: Request) -> Response:
        """Sign in by the form's `username` and `password`: a page goes to the app, a program gets JSON."""
        form = await request.form(max_files=0, max_fields=10)
        name, password = (str(form.get(field, "")) for field in ("username", "password"))
        address = request.scope.get("vcs_owner") or "?"
        account = account_of(name)
        known = request.cookies.get(self._cookie(request, "known"))
        browser = known if known and account and self.sessions.is_known(known, account) else ""
        tried = account or name.strip()[:LONGEST_NAME], address, browser
        if seconds := self.attempts.wait(*tried):
            return self._refuse(request, 429, "sign_in.wait", name, seconds=seconds)
        place = browser or address
        if self._waiting[place] >= WAITING_EACH or self._waiting.total() >= WAITING:
            return self._refuse(request, 429, "sign_in.wait", name, seconds=2)
        self._waiting[place] += 1
        try:
            entered = await asyncio.get_running_loop().run_in_executor(
                self._hashing, self.sessions.enter, name, password
            )
        finally:
            self._waiting[place] -= 1
            self._waiting = +self._waiting
        if entered is None:
            self.attempts.wrong(*tried)
            return self._refuse(request, 401, "sign_in.wrong", name)
        self.attempts.right(*tried)
        response: Response = JSONResponse({"success": True})
        if _is_page(request):
            response = RedirectResponse(f"./?{request.url.query}" if request.url.query else "./", 303)
        for kind, token, age in (("session", entered[0], LONGEST), ("known", entered[1], KNOWN)):
            self._set_cookie(request, response, kind, token, age)
        return response

    async def leave(self, request: Request) -> Response:
        """Sign out here, or with the field `everywhere` on every device."""
        form = await request.form(max_files=0, max_fields=10)
        token = request.cookies.get(self._cookie(request, "session"))
        await run_in_threadpool(self.sessions.end, token, bool(form.get("everywhere")))
        response = RedirectResponse("./login", 303) if _is_page(request) else JSONResponse({"success": True})
        self._set_cookie(request, response, "session", "", 0)
        return response

    def _cookie(self, request: Request, kind: str) -> str:
        # With this prefix a browser takes the cookie by TLS from this very host alone.
        return f"{'__Host-' if request.url.scheme == 'https' else ''}vcs-{kind}-{self._port}"

    def _set_cookie(self, request: Request, response: Response, kind: str, token: str, age: int) -> None:
        secure = request.url.scheme == "https"
        response.set_cookie(
            self._cookie(request, kind), token, age, path="/", secure=secure, httponly=True, samesite="lax"
        )

    def _refuse(self, request: Request, status: int, key: str, name: str, **values: object) -> Response:
        headers = {"Retry-After": str(values["seconds"])} if "seconds" in values else {}
        sentence = say(preferred(request), key, **values)
        if _is_page(request):
            return self._page(request, sentence, name, status, headers)
        return JSONResponse({"detail": sentence, "error": sentence}, status, headers)

    def _page(
        self,
        request: Request,
        refusal: str = "",
        name: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        state = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
        content = render(
            "sign_in",
            preferred(request),
            languages=LANGUAGES,
            addresses={code: urlencode([*state, ("lang", code)]) for _, code in LANGUAGES},
            query=request.url.query,
            refusal=refusal,
            name=name[:LONGEST_NAME],
        )
        return HTMLResponse(content, status, {"Content-Security-Policy": _POLICY} | (headers or {}))


def _is_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
