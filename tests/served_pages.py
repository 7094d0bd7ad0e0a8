"""A page of one button and one function of the API, served as the app serves its page, in each mode."""

import base64
import json
import time
from contextlib import ExitStack, contextmanager

import gradio as gr
import httpx

from annotations.people.accounts import add_account
from vcs_demo.ui.access import Access
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.ui.serving.server import Served

MODES = ("single", "accounts", "space", "read-only")
PASSWORD = "a long password"
OAUTH = {
    "OAUTH_CLIENT_ID": "made-up",
    "OAUTH_CLIENT_SECRET": "secret",
    "OAUTH_SCOPES": "openid profile",
    "OPENID_PROVIDER_URL": "https://huggingface.co",
}


class Page:
    """A page whose handlers note what they were called with; `presses` and `echo` are their numbers."""

    def __init__(self, access):
        self.calls = []
        with gr.Blocks(analytics_enabled=False) as self.blocks:
            text, number, out = gr.Textbox(elem_id="text"), gr.Number(minimum=0), gr.Textbox()
            if access.mode == "space":
                gr.LoginButton()

            def press(text, number):
                self.calls.append(text)
                return f"pressed {text}"

            def echo(text: str, times: int = 1) -> str:
                self.calls.append(text)
                return text * times

            gr.Button("Press", elem_id="press").click(press, [text, number], out, api_visibility="private")
            gr.api(echo, api_name="echo", concurrency_limit=1)
        self.press = next(number for number, fn in self.blocks.fns.items() if fn.fn is press)


class Running:
    """A served page, with a way to ask it as a person of its mode would."""

    def __init__(self, mode, page, served, downloads, cookie=None):
        self.mode, self.page, self.served, self.downloads, self.cookie = mode, page, served, downloads, cookie
        self.port, self.url = served.port, served.url
        # A Space is reached by its name; its proxy says so.
        self.headers = {"Host": "team-vcs.hf.space", "X-Forwarded-Proto": "https"} if mode == "space" else {}
        self.origin = "https://team-vcs.hf.space" if mode == "space" else self.url.rstrip("/")

    def client(self, **how):
        cookies = dict([self.cookie]) if self.cookie else {}
        return httpx.Client(base_url=self.url, headers=self.headers, cookies=cookies, **how)

    def signed_in(self):
        if self.mode == "accounts":
            answer = httpx.post(f"{self.url}login", data={"username": "an", "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            return httpx.Client(base_url=self.url, cookies=answer.cookies)
        return self.client()


def access_of(mode, monkeypatch):
    """Set the environment of a mode; return how people are told apart, and where the app would listen."""
    for name in ("SYSTEM", "SPACE_ID", "SPACE_HOST", "VCS_HOSTS", "VCS_ADMINS", "VCS_ADJUDICATORS", *OAUTH):
        monkeypatch.delenv(name, raising=False)
    if mode == "accounts":
        add_account("an", "admin", PASSWORD)
    if mode == "space":
        monkeypatch.setenv("SPACE_ID", "team/vcs")
        monkeypatch.setenv("SYSTEM", "spaces")
        monkeypatch.setenv("SPACE_HOST", "team-vcs.hf.space")
        monkeypatch.setenv("VCS_ADMINS", "an")
        for name, value in OAUTH.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setattr(f"gradio.oauth.{name}", value)
    access = Access.from_environment("127.0.0.1" if mode in ("single", "accounts") else "0.0.0.0")
    assert access.mode == mode
    return access


def space_cookie():
    """Return the cookie of somebody who signed in with Hugging Face, as Gradio signs it."""
    from hashlib import sha256

    from itsdangerous import TimestampSigner

    info = {"userinfo": {"preferred_username": "an", "name": "An", "profile": "", "picture": "", "sub": "1"}}
    session = {
        "oauth_info": info | {"expires_at": int(time.time()) + 3600, "access_token": "x", "scope": "y"}
    }
    signer = TimestampSigner(sha256(f"{OAUTH['OAUTH_CLIENT_SECRET']}-v4".encode()).hexdigest())
    return "session", signer.sign(base64.b64encode(json.dumps(session).encode())).decode()


@contextmanager
def serving(monkeypatch):
    """Yield a way to serve the small page in a mode; stop all at the end."""
    with ExitStack() as stack:

        def serve(mode):
            access = access_of(mode, monkeypatch)
            page, downloads = Page(access), Downloads(access)
            served = stack.enter_context(Served(page.blocks, access, "127.0.0.1", 0, downloads))
            return Running(mode, page, served, downloads, space_cookie() if mode == "space" else None)

        yield serve
