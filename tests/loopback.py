"""A hub on loopback that serves folders by the real client's protocol, takes commits, and can be made to fail."""

import base64
import json
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

MAIN = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Repositories by (kind, `owner/name`); `requests` lists what was asked for.

    `hangs`: every answer waits until the hub closes. `breaks`: these files' next transfer breaks off in the middle.
    `shortens`: these files arrive as their first half. `private`: names that only `token` may see. `refusals`: the
    statuses that the next commits are answered with.
    """

    def __init__(self):
        self.revisions: dict[tuple[str, str], str] = {}
        self.folders: dict[tuple[str, str], Path] = {}
        self.requests: list[str] = []
        self.hangs = False
        self.breaks: set[str] = set()
        self.shortens: set[str] = set()
        self.private: set[str] = set()
        self.token = ""
        self.refusals: list[int] = []
        self.closing = Event()
        self.url = ""

    def add(self, kind, name, folder, revision=MAIN):
        self.folders[kind, name] = Path(folder)
        self.revisions[kind, name] = revision


@contextmanager
def hub():
    """Serve an empty hub on a free port of 127.0.0.1."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            state.requests.append(f"{self.command} {self.path}")
            if state.hangs:
                state.closing.wait(60)
                return
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[0] == "api":
                self.api(parts[1:])
            else:
                kind = "datasets" if parts[0] == "datasets" else "models"
                self.file(kind, parts[1:] if kind == "datasets" else parts)

        do_HEAD = do_POST = do_GET

        def body(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def seen(self, kind, name):
            """Return the folder, or None after an answer as the hub's to a name that the token may not see."""
            folder = state.folders.get((kind, name))
            hidden = name in state.private and self.headers.get("Authorization") != f"Bearer {state.token}"
            if folder is None or hidden:
                self.refuse("RepoNotFound", "Repository not found", 401 if hidden else 404)
                return None
            return folder

        def commit(self, kind, name, folder):
            lines = [json.loads(line) for line in self.body().splitlines()]
            if state.refusals:
                return self.refuse("", "refused", state.refusals.pop(0))
            head = state.revisions[kind, name]
            for line in lines[1:]:
                path = folder / line["value"]["path"]
                if line["key"] == "deletedFile":
                    path.unlink()
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(base64.b64decode(line["value"]["content"]))
            state.revisions[kind, name] = new = sha1(json.dumps([head, lines]).encode()).hexdigest()
            return self.json(
                {"success": True, "commitOid": new, "commitUrl": f"{state.url}/{kind}/{name}/commit/{new}"}
            )

        def api(self, parts):
            kind, name, rest = parts[0], "/".join(parts[1:3]), parts[3:]
            folder = self.seen(kind, name)
            if folder is None:
                return self.body()
            if rest[:1] == ["preupload"]:
                files = [file["path"] for file in json.loads(self.body())["files"]]
                return self.json(
                    {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]}
                )
            if rest[:1] == ["commit"]:
                return self.commit(kind, name, folder)
            what, revision = (rest + ["revision", "main"])[:2] if rest else ("revision", "main")
            head = state.revisions[kind, name]
            if revision not in ("main", head):
                return self.refuse("RevisionNotFound", f"Invalid rev id: {revision}")
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            rows = [
                {
                    "type": "file",
                    "path": p.relative_to(folder).as_posix(),
                    "size": p.stat().st_size,
                    "oid": sha1(p.read_bytes()).hexdigest(),
                }
                for p in files
            ]
            if what == "tree":
                inside = "/".join(rest[2:])
                return self.json([r for r in rows if not inside or r["path"].startswith(inside + "/")])
            if what == "paths-info":
                asked = json.loads(self.body())["paths"]
                folders = [
                    {"type": "directory", "path": p, "oid": "0" * 40} for p in asked if (folder / p).is_dir()
                ]
                return self.json([r for r in rows if r["path"] in asked] + folders)
            siblings = [{"rfilename": r["path"]} for r in rows]
            facts = {
                "_id": "1",
                "id": name,
                "sha": head,
                "private": name in state.private,
                "gated": False,
                "disabled": False,
            }
            return self.json(facts | {"siblings": siblings, "tags": [], "downloads": 0, "likes": 0})

        def file(self, kind, parts):
            name, rest = "/".join(parts[:2]), parts[2:]
            folder = self.seen(kind, name)
            if folder is None:
                return None
            path = folder / "/".join(rest[2:])
            if rest[0] != "resolve" or not path.is_file():
                return self.refuse("EntryNotFound", "Entry not found")
            content = path.read_bytes()
            etag, start = sha1(content).hexdigest(), 0
            if self.command == "GET":
                if path.name in state.shortens:
                    content = content[: len(content) // 2]
                start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", state.revisions[kind, name])
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if self.command == "GET":
                if path.name in state.breaks:
                    state.breaks.remove(path.name)
                    self.wfile.write(content[start : start + len(content) // 2])
                    self.close_connection = True
                else:
                    self.wfile.write(content[start:])

        def json(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def refuse(self, code, message, status=404):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", message)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
