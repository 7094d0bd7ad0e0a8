"""Files made for one person, in a private folder of the data directory, behind links for that person alone."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import gradio as gr
from gradio import oauth
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from vcs_demo.paths import data_dir
from vcs_demo.ui.access import Access, Person
from vcs_demo.ui.components import preferred
from vcs_demo.ui.html import render
from vcs_demo.words import say

SECONDS = 3600  # that a file stays
MOST = 50  # folders of files that stay


@dataclass(frozen=True)
class _Made:
    folder: Path
    owner: str
    check: Callable[..., Person]
    at: float


class Downloads:
    """The folder `downloads` in the data directory: its owner's alone, empty at the start.

    Args:
        access: how people are told apart.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._made: dict[str, _Made] = {}

    def folder(self) -> Path:
        """Return a new private folder."""
        for token, made in list(self._made.items()):
            if len(self._made) >= MOST or time.monotonic() - made.at > SECONDS:
                shutil.rmtree(made.folder, ignore_errors=True)
                self._made.pop(token, None)
        return Path(tempfile.mkdtemp(dir=_root()))

    def links(self, paths: Sequence[Path], person: Person, check: Callable[..., Person], lang: str) -> str:
        """Render links to files of one folder, for the person and as long as the person may have them.

        Args:
            paths: of the files; they become readable by their owner alone.
            person: whom they are for.
            check: the method of `Access` that is asked again at the download.
            lang: of the page.
        """
        token = secrets.token_urlsafe(24)
        for path in paths:
            path.chmod(0o600)
        self._made[token] = _Made(paths[0].parent, person.name, check, time.monotonic())
        files = [(f"./download/{token}/{quote(path.name)}", path.name, path.stat().st_size) for path in paths]
        return render("downloads", lang, files=files)

    @property
    def route(self) -> Route:
        """Return the route `download`, to stand in Gradio's app, which knows who is signed in on a Space."""
        return Route("/download/{token}/{name}", self.send, methods=["GET"])

    def send(self, request: Request) -> Response:
        """Send a file to whom it was made for."""
        made = self._made.get(request.path_params["token"])
        name = request.path_params["name"]
        try:
            person = made and made.check(_profile(request), _Asking(request.scope.get("vcs_name")))
        except Exception:
            person = None
        path = made and made.folder / name
        if person is None or person.name != made.owner or name not in _names(made.folder):
            sentence = say(preferred(request), "wall.download")
            return JSONResponse({"detail": sentence, "error": sentence}, 404)
        return FileResponse(path, media_type="application/octet-stream", filename=name)

    def clear(self) -> None:
        """Empty the folder of what an earlier run left."""
        self._made.clear()
        shutil.rmtree(_root())
        _root()


@dataclass(frozen=True)
class _Asking:
    """What a check needs of a request with an account."""

    username: str | None


def _root() -> Path:
    """Return the folder of all downloads; a link in its place is removed, not followed."""
    root = data_dir() / "downloads"
    if root.is_symlink():
        root.unlink()
    root.mkdir(exist_ok=True)
    root.chmod(0o700)
    return root


def _names(folder: Path) -> set[str]:
    """List the plain files of a folder."""
    try:
        return {entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)}
    except OSError:
        return set()


def _profile(request: Request) -> gr.OAuthProfile | None:
    """Return who is signed in with Hugging Face, as Gradio tells its handlers."""
    info = oauth._get_valid_oauth_info_from_session(request.scope.get("session") or {})
    return gr.OAuthProfile(info["userinfo"]) if info and info.get("userinfo") else None
