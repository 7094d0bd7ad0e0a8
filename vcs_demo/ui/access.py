"""Who may do what. Every handler that writes or spends asks here; hiding a button protects nothing."""

import os
from dataclasses import dataclass

import gradio as gr

from annotations.people.accounts import ROLES, accounts
from vcs_demo.errors import UserError
from vcs_demo.text import nfc
from vcs_demo.words import say

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Person:
    """Someone in front of the app: what to file their labels under, and what they may do.

    Attributes:
        may_label: judge candidates.
        may_decide: settle disagreements, seeing the answers of others.
        may_run: compute runs, mine, train: whatever spends the machine's time or changes the pool.
    """

    name: str
    may_label: bool = False
    may_decide: bool = False
    may_run: bool = False


@dataclass(frozen=True)
class Access:
    """How people are told apart.

    Attributes:
        mode: `single` (this machine only: whoever reaches it owns it), `accounts` (names and passwords, kept by
            `annotations.people.accounts`), `space` (Hugging Face sign-in), or `read-only` (reachable by others, and
            no way to know who they are).
        adjudicators: names that may settle disagreements on a Space.
        admins: names that may do everything on a Space.
    """

    mode: str
    admins: frozenset[str] = frozenset()
    adjudicators: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, host: str) -> "Access":
        """Choose the mode by where the app runs and whether there are accounts.

        On a Space admins and adjudicators come from $VCS_ADMINS and $VCS_ADJUDICATORS (comma-separated).
        """
        named = (_names("VCS_ADMINS"), _names("VCS_ADJUDICATORS"))
        if os.environ.get("SPACE_ID"):
            return cls("space" if os.environ.get("OAUTH_CLIENT_ID") else "read-only", *named)
        if accounts():
            return cls("accounts")
        return cls("single" if host in LOOPBACK else "read-only", *named)

    def person(self, profile: gr.OAuthProfile | None = None, request: gr.Request | None = None) -> Person:
        """Return who is asking; profile and request hold what Gradio verified, never what a page sent."""
        if self.mode == "single":
            return _with_role("local", "admin")
        if self.mode == "space" and profile is not None:
            name = profile.username
            role = (
                "admin"
                if name in self.admins
                else "adjudicator"
                if name in self.adjudicators
                else "annotator"
            )
            return _with_role(name, role)
        if self.mode == "accounts" and request is not None:
            name = nfc(request.username or "").strip()
            role = accounts().get(name)  # read anew: an account that was removed ends at once
            if role is not None:
                return _with_role(name, role)
        return Person("visitor")

    def annotator(self, profile: gr.OAuthProfile | None = None, request: gr.Request | None = None) -> Person:
        """Return who is asking if they may label; raises UserError."""
        person = self.person(profile, request)
        if not person.may_label:
            signs_in = {"space": "error.sign_in", "accounts": "error.account"}
            key = signs_in.get(self.mode, "error.read_only")
            raise UserError(say("en", key), key)
        return person

    def adjudicator(
        self, profile: gr.OAuthProfile | None = None, request: gr.Request | None = None
    ) -> Person:
        """Return who is asking if they may settle disagreements; raises UserError."""
        person = self.person(profile, request)
        if not person.may_decide:
            raise UserError(say("en", "error.adjudicator"), "error.adjudicator")
        return person

    def reader(self, profile: gr.OAuthProfile | None = None, request: gr.Request | None = None) -> None:
        """Raise UserError for who labels here beside others: what they answered would sway."""
        if self.mode in ("accounts", "space"):
            self.adjudicator(profile, request)

    def operator(self, profile: gr.OAuthProfile | None = None, request: gr.Request | None = None) -> Person:
        """Return who is asking if they may compute, mine and train; raises UserError."""
        person = self.person(profile, request)
        if not person.may_run:
            raise UserError(say("en", "error.operator"), "error.operator")
        return person


def _with_role(name: str, role: str) -> Person:
    rank = ROLES.index(role)
    return Person(name, may_label=True, may_decide=rank >= 1, may_run=rank >= 2)


def _names(variable: str) -> frozenset[str]:
    return frozenset(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())
