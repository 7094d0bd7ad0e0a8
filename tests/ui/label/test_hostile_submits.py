"""Whatever a page sends: no crash, and nothing changes that was not the sender's.

HOSTILE_EXAMPLES=1200 python -m pytest tests/ui/label/test_hostile_submits.py
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.ui.label.adjudicate import Case
from vcs_demo.ui.label.desk import Desk

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", 40))
many = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PAYLOADS = [
    "",
    "\x00",
    "\ud800",
    "<script>alert(1)</script>",
    "'; DROP TABLE events; --",
    "x" * 10_000_000,
    "local",
]
texts = st.sampled_from(PAYLOADS) | st.text(st.characters(), max_size=40)
values = texts | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.integers(), max_size=3)


@pytest.fixture(scope="module")
def busy():
    """Return a store in which Binh has labelled one candidate and holds another, and the tokens to steal."""
    from annotations.candidates import Candidate

    with LabelStore(":memory:") as store:
        store.add_candidates(
            Candidate.create(query=f"câu {n}", positive="đúng", passage=f"đoạn {n}") for n in range(60)
        )
        store.change_settings(by="test", overlap=1)
        first = store.claim("Bình")
        store.label(first.candidate.id, "Bình", "trivial", lease=first.token)
        held = store.claim("Bình")
        yield store, [first.token, held.token], [first.candidate.id, held.candidate.id]


def of_binh(store):
    return [e for e in store.events() if e["annotator"] == "Bình"]


@many
@given(data=st.data())
def test_whatever_is_submitted_is_ones_own_or_refused(busy, data):
    store, tokens, ids = busy
    before = of_binh(store)
    token = data.draw(st.sampled_from(tokens) | texts)
    label = data.draw(st.sampled_from(LABELS) | st.just("skip") | texts)
    desk = Desk(store)
    facts = {
        "confidence": data.draw(values),
        "flagged": data.draw(st.booleans() | st.integers() | st.none()),
        "client_at": data.draw(values),
    }
    try:
        desk.judge(
            token, "Mai", label, data.draw(texts), data.draw(st.sampled_from(["en", "vi", "xx"])), **facts
        )
    except UserError as error:
        assert len(str(error)) < 1_000
    assert of_binh(store) == before
    assert not [
        e
        for e in store.events()
        if e["candidate_id"] in ids and e["annotator"] == "Mai" and e["kind"] == "label"
    ]


@many
@given(annotator=texts, candidate=texts, label=texts, note=texts, token=texts, interface=texts)
def test_whatever_is_written_to_the_store_is_checked(
    busy, annotator, candidate, label, note, token, interface
):
    store, _, _ = busy
    before = store.events()
    for act in (
        lambda: store.label(candidate, annotator, label, token=token, note=note, interface=interface),
        lambda: store.skip(candidate, annotator, token=token, lease=token),
        lambda: store.undo(annotator, token=token),
        lambda: store.claim(annotator),
    ):
        try:
            act()
        except UserError as error:
            assert len(str(error)) < 1_000
    assert store.events() == before


@many
@given(label=values, cause=values, note=texts, token=texts)
def test_whatever_an_adjudicator_sends_decides_only_what_is_shown(busy, label, cause, note, token):
    from annotations.quality.adjudication import decide

    store, _, ids = busy
    try:
        decide(store, ids[1], "chi", label, cause, token=token, note=note)
    except UserError as error:
        assert len(str(error)) < 1_000
    assert store.database.rows("SELECT * FROM decisions") == [] and Case().candidate_id == ""


def test_after_all_that_the_database_is_sound(busy):
    store, _, _ = busy
    assert [row[0] for row in store.database.db.execute("PRAGMA integrity_check")] == ["ok"]
