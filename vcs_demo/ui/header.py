"""The page's header: what this app is, which source, who one is, and how the backup is."""

from datetime import UTC, datetime

from annotations.backup.push import PushState
from vcs_demo.benchmark.sources import source_label
from vcs_demo.ui.access import Access, Person
from vcs_demo.ui.html import quiet, refusal, render
from vcs_demo.words import say


def status_line(source: str, access: Access, lang: str) -> str:
    """Say what source this is and who one is; source names are data, so never markup."""
    name = say(lang, "app.mini") if source == "mini" else f"`{source_label(source).replace('`', '')}`"
    return " · ".join([say(lang, "app.source", source=name), say(lang, f"app.{access.mode}")])


def signed_in_line(access: Access, person: Person, lang: str) -> str:
    """Say who is signed in with an account, with the buttons to sign out; empty for everyone else."""
    if access.mode != "accounts" or not person.may_label:
        return ""
    return render("signed_in", lang, name=person.name)


def backup_line(state: PushState | None, access: Access, person: Person, lang: str) -> str:
    """Say when labels were last pushed or why not, to who answers for them.

    Whoever labels on a Space is told where labels may be lost with it. Empty where there is nothing to tell.

    Args:
        state: of the pushes; None where no backup destination is set, which matters on a Space alone: its disk is
            lost with every restart.
        access: how people are told apart.
        person: who is asking.
        lang: of the sentence.
    """
    lasting = access.mode != "space"
    if lasting and state is None or not person.may_label:
        return ""
    if not person.may_decide:
        at_risk = not lasting and (state is None or state.error)
        return refusal(say(lang, "backup.at_risk")) if at_risk else ""
    if state is None:
        return refusal(say(lang, "backup.none" if person.may_run else "backup.at_risk"))
    facts = {"destination": state.destination, "time": _time(state.last_success)}
    if state.error:
        last = f" {say(lang, 'backup.last', **facts)}" if state.last_success else ""
        return refusal(say(lang, "backup.failed", error=state.error, **facts) + last)
    return quiet(say(lang, "backup.pushed" if state.last_success else "backup.waiting", **facts))


def _time(moment: datetime | None) -> str:
    """Return a time of today as `14:05`, of another day with its date, in UTC."""
    if moment is None:
        return ""
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M}" if moment.date() == datetime.now(UTC).date() else f"{moment:%Y-%m-%d %H:%M}"
