"""Sessions of people with accounts: who is signed in, kept by hashes of random tokens, across restarts.

A session ends by signing out, with the account's password (each new one gives the account another `mark`), with the
account, after `IDLE` seconds without a request, and `LONGEST` seconds after it began.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from annotations.people.accounts import account_mark, account_of, is_password
from vcs_demo.files import written_whole
from vcs_demo.paths import data_dir

IDLE, LONGEST = 24 * 3600, 7 * 24 * 3600  # seconds
SAVED_EVERY = 600  # seconds after which the time of the latest request is written
KNOWN = 90 * 24 * 3600  # seconds that a browser is known as one where a person signed in
MOST_EACH = 50  # sessions, and known browsers, of an account; the oldest ones end


class Sessions:
    """The sessions in the data directory's `sessions.json`, which its owner alone can read.

    A token is told once, to the browser; the file has its sha256. `begin` gives a second token, by which a browser is
    known when its person signs in again: whoever guesses passwords has none.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.path: Path = data_dir() / "sessions.json"
        self._clock, self._lock = clock, Lock()
        self._sessions, self._known = self._read()

    def enter(self, name: str, password: str) -> tuple[str, str] | None:
        """Begin a session as `begin` does if name and password belong together, else return None."""
        if not is_password(name, password):
            return None
        return self.begin(account_of(name) or "")

    def begin(self, name: str) -> tuple[str, str]:
        """Begin a session of an account; return its token, and the one by which the browser is known."""
        token, known, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._clock()
        with self._lock:
            session = {"name": name, "mark": account_mark(name), "began": now, "seen": now}
            self._sessions[_digest(token)] = session
            self._known[_digest(known)] = {"name": name, "began": now}
            self._write()
        return token, known

    def name_of(self, token: str | None) -> str | None:
        """Return the account of a session, or None if it ended."""
        if not token:
            return None
        digest, now = _digest(token), self._clock()
        with self._lock:
            session = self._sessions.get(digest)
            if session is None:
                return None
            mark = account_mark(session["name"])
            if mark is None or mark != session["mark"] or self._is_over(session, now):
                del self._sessions[digest]
                self._write()
                return None
            if now - session["seen"] > SAVED_EVERY:
                session["seen"] = now
                self._write()
            return session["name"]

    def end(self, token: str | None, everywhere: bool = False) -> None:
        """End a session, or all of its account."""
        with self._lock:
            session = self._sessions.pop(_digest(token or ""), None)
            if session and everywhere:
                name = session["name"]
                self._sessions = {key: s for key, s in self._sessions.items() if s["name"] != name}
            if session:
                self._write()

    def is_known(self, token: str | None, name: str) -> bool:
        """Tell whether a browser is one where this person signed in before."""
        known = self._known.get(_digest(token or ""))
        return known is not None and known["name"] == name and self._clock() - known["began"] < KNOWN

    def _is_over(self, session: dict[str, Any], now: float) -> bool:
        return now - session["seen"] > IDLE or now - session["began"] > LONGEST

    def _read(self) -> tuple[dict[str, dict], dict[str, dict]]:
        """Read the file; one that cannot be read signs everybody out, which costs a password and loses nothing."""
        try:
            content = json.loads(self.path.read_text("utf-8"))
            sessions, known = content["sessions"], content["known"]
            for session in sessions.values():
                assert isinstance(session["name"], str) and isinstance(session["mark"], str)
                float(session["began"]), float(session["seen"])
            for browser in known.values():
                assert isinstance(browser["name"], str)
                float(browser["began"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, AssertionError):
            return {}, {}
        return sessions, known

    def _write(self) -> None:
        now = self._clock()
        self._sessions = _newest({k: s for k, s in self._sessions.items() if not self._is_over(s, now)})
        self._known = _newest({k: b for k, b in self._known.items() if now - b["began"] < KNOWN})
        with written_whole(self.path) as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump({"sessions": self._sessions, "known": self._known}, file, ensure_ascii=False, indent=1)


def _newest(entries: dict[str, dict]) -> dict[str, dict]:
    """Leave the newest entries of each account."""
    kept: dict[str, dict] = {}
    counts: dict[str, int] = {}
    for key, entry in sorted(entries.items(), key=lambda item: -item[1]["began"]):
        counts[entry["name"]] = counts.get(entry["name"], 0) + 1
        if counts[entry["name"]] <= MOST_EACH:
            kept[key] = entry
    return kept


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
