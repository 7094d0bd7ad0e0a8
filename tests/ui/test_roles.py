"""Every handler of the page, called over HTTP in every role, against a table of who may call it.

A new handler is not in the table and fails the test; one that answers whom it should not, too.
"""

import json

import httpx
import pytest
from calls import joined, outcome

from annotations.people.accounts import add_account
from annotations.store.label_store import LabelStore
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access
from vcs_demo.ui.page import build_app
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.ui.serving.server import Served
from vcs_demo.words import say

ROLES = ("visitor", "annotator", "adjudicator", "admin")
LEAST = {  # the least role that a handler answers
    "visitor": """
        compare.search.choose compare.search.run compare.search.refill compare.search.rerun compare.search.<lambda>
        compare.rerank.fill compare.rerank.choose compare.rerank.run compare.rerank.refill compare.rerank.rerun
        compare.query_comparison.refill compare.query_comparison.run compare.query_comparison.<lambda>
        compare.leaderboard.show compare.leaderboard.opened compare.leaderboard.tick compare.leaderboard.<lambda>
        compare.search.search compare.rerank.rerank compare.leaderboard.leaderboard
        train.experiments.refill train.experiments.show train.retrain.show_command
        components.updates components.preferred page.refresh page.show_person page.show_backup
    """.split(),
    "annotator": "label.judge.decide label.judge.take_back label.judge.open_turn".split(),
    "adjudicator": """
        label.adjudicate.settle label.adjudicate.put_off label.adjudicate.open_tab label.adjudicate.measure
        label.audit.show label.audit.save_report label.mine_export.save_labels
        train.retrain.show_state train.retrain.resume
    """.split(),
    "admin": """
        compare.leaderboard.run label.mine_export.run_mining train.retrain.run train.retrain.halt
    """.split(),
}
REFUSALS = [
    say("en", f"error.{key}") for key in ("sign_in", "read_only", "account", "adjudicator", "operator")
]
SILENT = {"train.retrain.show_state", "train.retrain.resume"}  # they show nothing
SAFE = {  # cheap to call for whom they are, to see that they answer
    "label.judge.open_turn", "label.adjudicate.open_tab", "label.adjudicate.measure", "label.audit.show",
    "label.mine_export.save_labels", "train.retrain.show_state", "train.retrain.halt",
}  # fmt: skip
PASSWORD = "a long password"


def handlers_of(page):
    """Return name → numbers of the events that call it."""
    names = {}
    for number, event in page.fns.items():
        if event.fn:
            name = f"{event.fn.__module__.removeprefix('vcs_demo.ui.')}.{getattr(event.fn, '__name__', '?')}"
            names.setdefault(name, []).append(number)
    return names


def call(client, page, number):
    """Call a handler with what its fields hold at first; return the message as JSON."""
    values = [None if block.stateful else block.value for block in page.fns[number].inputs]
    answer, session = joined(client, number, values)
    assert answer.status_code == 200, (page.fns[number].fn, answer.text)
    return json.dumps(outcome(client, session), ensure_ascii=False)


@pytest.fixture
def labelled(make):
    with LabelStore(database_path()) as store:
        store.add_candidates([make(number, passage=f"secret passage {number}") for number in range(1, 4)])
        for candidate in store.candidates():
            store.label(candidate.id, "local", "hard", token=candidate.id, note="secret note")
        return len(store.events())


def is_refused(name, message):
    text = message.replace('\\"', '"')
    silent = name in SILENT and not any(word in text for word in ("candidates", "labels", "Krippendorff"))
    return "secret" not in text and (silent or any(refusal in text for refusal in REFUSALS))


def test_every_handler_is_in_the_table():
    page, _ = build_app("mini", Access("accounts"))
    assert sorted(handlers_of(page)) == sorted(name for names in LEAST.values() for name in names)


@pytest.mark.parametrize("mode", ["read-only", "accounts"])
def test_nobody_is_answered_below_the_least_role(labelled, mode):
    access = Access(mode)
    downloads = Downloads(access)
    page, warm = build_app("mini", access, downloads)
    warm.pooled.set()
    roles = ROLES[:1] if mode == "read-only" else ROLES[1:]
    handlers, wrong = handlers_of(page), []
    for role in roles[1:] if mode == "read-only" else roles:
        add_account(role, role, PASSWORD)
    with Served(page, access, "127.0.0.1", 0, downloads) as served:
        for role in roles:
            with httpx.Client(base_url=served.url, timeout=60) as client:
                if mode == "accounts":
                    client.post("login", data={"username": role, "password": PASSWORD})
                for least, names in LEAST.items():
                    may = ROLES.index(role) >= ROLES.index(least)
                    for name in names if not may else SAFE.intersection(names):
                        for number in handlers[name]:
                            message = call(client, page, number)
                            if is_refused(name, message) is may:
                                wrong.append((role, name, message[:300]))
    assert wrong == []
    with LabelStore(database_path()) as store:
        assert len(store.events()) == labelled
    assert len(list((database_path().parent / "downloads").iterdir())) == (0 if mode == "read-only" else 2)
