"""Who may do what. Every handler that writes or spends asks here; hiding a button protects nothing."""

import os
from dataclasses import dataclass

import gradio as gr

from vcs_demo.errors import UserError
from vcs_demo.ui.words import say

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Person:
    """Someone in front of the app: what to file their labels under, and what they may do."""

    name: str
    may_label: bool
    may_run: bool  # compute runs, mine, train: whatever spends the machine's time or changes the pool


@dataclass(frozen=True)
class Access:
    """How people are told apart.

    Attributes:
        mode: `single` (this machine only: whoever reaches it owns it), `space` (Hugging Face sign-in), or
            `read-only` (reachable by others, and no way to know who they are).
        admins: names that may run things on a Space.
    """

    mode: str
    admins: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, host: str) -> "Access":
        """Choose the mode by where the app runs; admins come from $VCS_ADMINS (comma-separated)."""
        admins = frozenset(
            name.strip() for name in os.environ.get("VCS_ADMINS", "").split(",") if name.strip()
        )
        if os.environ.get("SPACE_ID"):
            return cls("space" if os.environ.get("OAUTH_CLIENT_ID") else "read-only", admins)
        return cls("single" if host in LOOPBACK else "read-only", admins)

    def person(self, profile: gr.OAuthProfile | None = None) -> Person:
        """Return who is asking; the profile is what Gradio verified, never what a page sent."""
        if self.mode == "single":
            return Person("local", may_label=True, may_run=True)
        if self.mode == "space" and profile is not None:
            return Person(profile.username, may_label=True, may_run=profile.username in self.admins)
        return Person("visitor", may_label=False, may_run=False)

    def annotator(self, profile: gr.OAuthProfile | None = None) -> Person:
        """Return who is asking if they may label; raises UserError."""
        person = self.person(profile)
        if not person.may_label:
            key = "error.sign_in" if self.mode == "space" else "error.read_only"
            raise UserError(say("en", key), key)
        return person

    def operator(self, profile: gr.OAuthProfile | None = None) -> Person:
        """Return who is asking if they may compute, mine and train; raises UserError."""
        person = self.person(profile)
        if not person.may_run:
            raise UserError(say("en", "error.operator"), "error.operator")
        return person
