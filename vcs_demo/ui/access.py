"""Who may do what. Every handler that writes or spends asks here; hiding a button protects nothing."""

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from annotations.people.accounts import ROLES, account_of, accounts
from vcs_demo.errors import UserError
from vcs_demo.files import told
from vcs_demo.ui.serving.hosts import named
from vcs_demo.words import explain, problem

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# What Gradio verified about who is asking (never what a page sent): of a Space's sign-in, of an account's.
Profile, Request = gr.OAuthProfile | None, gr.Request | None


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

    @classmethod
    def with_role(cls, name: str, role: str) -> "Person":
        """Return a person with one of the `ROLES`; each may what the ones before it may."""
        rank = ROLES.index(role)
        return cls(name, may_label=True, may_decide=rank >= 1, may_run=rank >= 2)


@dataclass(frozen=True)
class Access:
    """How people are told apart; its methods return who is asking, or raise UserError if they may not.

    Attributes:
        mode: `single` (this machine only: whoever reaches it owns it), `accounts` (names and passwords, see
            `annotations.people.accounts`), `space` (Hugging Face sign-in), or `read-only` (reachable by others, and
            no way to know who they are).
        admins: names that may do everything on a Space.
        adjudicators: names that may settle disagreements on a Space.
    """

    mode: str
    admins: frozenset[str] = frozenset()
    adjudicators: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, host: str) -> "Access":
        """Choose the mode by where the app runs and whether there are accounts.

        On a Space admins and adjudicators come from $VCS_ADMINS and $VCS_ADJUDICATORS (comma-separated).
        """
        names = (named("VCS_ADMINS"), named("VCS_ADJUDICATORS"))
        if os.environ.get("SPACE_ID"):
            return cls("space" if os.environ.get("OAUTH_CLIENT_ID") else "read-only", *names)
        if accounts():
            return cls("accounts")
        return cls("single" if host in LOOPBACK else "read-only", *names)

    def anyone(self, profile: Profile = None, request: Request = None) -> Person:
        """Return who is asking, a visitor without rights where that is not known."""
        if self.mode == "single":
            return Person.with_role("local", "admin")
        if self.mode == "space" and profile is not None:
            name = profile.username
            role = "adjudicator" if name in self.adjudicators else "annotator"
            return Person.with_role(name, "admin" if name in self.admins else role)
        if self.mode == "accounts" and request is not None:
            name = account_of(request.username or "")  # read anew: an account that was removed ends at once
            if name is not None:
                return Person.with_role(name, accounts()[name])
        return Person("visitor")

    def annotator(self, profile: Profile = None, request: Request = None) -> Person:
        """Return who is asking if they may label."""
        person = self.anyone(profile, request)
        if not person.may_label:
            sign_in = {"space": "error.sign_in", "accounts": "error.account"}
            raise problem(sign_in.get(self.mode, "error.read_only"))
        return person

    def adjudicator(self, profile: Profile = None, request: Request = None) -> Person:
        """Return who is asking if they may settle disagreements and see what others answered."""
        person = self.anyone(profile, request)
        if not person.may_decide:
            raise problem("error.adjudicator")
        return person

    def operator(self, profile: Profile = None, request: Request = None) -> Person:
        """Return who is asking if they may compute, mine and train."""
        person = self.anyone(profile, request)
        if not person.may_run:
            raise problem("error.operator")
        return person


def toast(sentence: str) -> None:
    """Show a refusal in the corner of the page; raises gr.Error."""
    raise gr.Error(sentence, print_exception=False)


def guarded(check: Callable[..., Person], refused: Callable[[str], Any] = toast) -> Callable:
    """Decorate a handler `(person, lang, *values)` so that it runs for whom it may, and its errors are told.

    Gradio calls the result with the inputs `lang, *values` and fills in who is asking. A UserError, of the check or
    of the handler, or a file that it cannot write, becomes what `refused` makes of its sentence in the visitor's
    language.

    Args:
        check: a method of `Access`; it is asked at every call, since events can be called without the page.
        refused: sentence → what the handler's outputs then show.
    """

    def decorate(handler: Callable) -> Callable:
        def answer(profile: Profile, request: Request, lang: str, *values: Any) -> Any:
            try:
                return handler(check(profile, request), lang, *values)
            except (UserError, OSError) as error:
                return refused(explain(told(error), lang))

        def answers(profile: Profile, request: Request, lang: str, *values: Any) -> Iterator[Any]:
            try:
                yield from handler(check(profile, request), lang, *values)
            except (UserError, OSError) as error:
                yield refused(explain(told(error), lang))

        chosen = answers if inspect.isgeneratorfunction(handler) else answer
        chosen.__name__, chosen.__module__ = handler.__name__, handler.__module__
        return chosen

    return decorate
