"""Adjudication: what waits, what an adjudicator sees, and what a decision changes."""

import pytest

from annotations.backup.snapshot import restore, snapshot
from annotations.database.events import TokenReused, stamp
from annotations.exchange.labels import read_export
from annotations.exchange.manifest import export_labels
from annotations.quality.adjudication import CAUSES, answers_to, causes, decide, disagreements
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@pytest.fixture
def three(timed, make):
    """Return ids of three candidates: the annotators of the first agree, of the second do not; nobody has the third."""
    timed.add_candidates([make(n) for n in range(3)])
    ids = [candidate.id for candidate in timed.candidates()]
    said = {"an": ("hard", "hard"), "binh": ("hard", "trivial")}
    for annotator, labels in said.items():
        for id, label in zip(ids, labels, strict=False):
            timed.label(
                id, annotator, label, token=f"{annotator}-{id}", note=f"note of {annotator}", seconds=4.5
            )
    return ids


def waiting(store):
    return [(one.candidate_id, one.differ, one.flagged) for one in disagreements(store)]


@pytest.mark.parametrize("passed", [{}, {"minutes": 1}, {"minutes": -1}])
def test_what_differs_waits_until_it_is_decided_and_again_when_a_new_label_comes(timed, clock, three, passed):
    agreed, disputed, _ = three
    assert waiting(timed) == [(disputed, True, False)]
    decide(timed, disputed, "chi", "trivial", "annotator_error", token="d1")  # in the labels' millisecond
    assert waiting(timed) == []
    clock.forward(**passed)
    timed.label(disputed, "dung", "false_negative", token="later")
    assert waiting(timed) == [(disputed, True, False)]
    assert [one.candidate_id for one in disagreements(timed, exclude=[disputed])] == []


def test_decisions_of_an_older_database_have_only_their_time(timed, clock, three):
    disputed = three[1]
    clock.forward(minutes=1)
    decided = {"token": "d1", "at": stamp(clock()), "candidate_id": disputed, "adjudicator": "chi"}
    with timed.database.write():
        timed.database.add("decision", [decided | {"label": "hard", "cause": "edge_case", "note": ""}])
    assert waiting(timed) == []
    clock.forward(minutes=1)
    timed.label(disputed, "dung", "trivial", token="later")
    assert waiting(timed) == [(disputed, True, False)]


def test_a_flag_waits_too_and_first(timed, clock, three):
    agreed, disputed, alone = three
    timed.label(alone, "an", "hard", token="flag", flagged=True)
    assert waiting(timed) == [(alone, False, True), (disputed, True, False)]
    clock.forward(minutes=1)
    timed.label(alone, "an", "hard", token="no flag")  # the correction takes the flag away
    assert waiting(timed) == [(disputed, True, False)]


def test_the_adjudicator_sees_answers_times_and_notes_but_no_names(timed, three):
    first, second = answers_to(timed, three[1])
    assert (first.annotator, first.label, first.seconds) == ("A1", "hard", 4.5)
    assert (second.annotator, second.label, second.note) == ("A2", "trivial", "note of binh")
    assert answers_to(timed, three[2]) == []


def test_a_decision_is_the_label_everywhere_and_says_so(timed, three, tmp_path):
    disputed = three[1]
    assert timed.counts()["unsure"] == 1
    decide(timed, disputed, "chi", "hard", "edge_case", token="d1")
    decide(timed, disputed, "chi", "trivial", "guideline_gap", token="d2", note="see rule 3")
    found = {item.id: (item.label, item.consensus, item.votes) for item in timed.labelled()}
    assert found[disputed] == ("trivial", "adjudicated", {"hard": 1, "trivial": 1})
    assert found[three[0]][:2] == ("hard", "majority")
    assert timed.counts() == {"hard": 1, "false_negative": 0, "trivial": 1, "unsure": 0}
    assert causes(timed) == dict.fromkeys(CAUSES, 0) | {"guideline_gap": 1}
    for name in ("out.jsonl", "out.csv", "out.parquet"):
        export_labels(timed, tmp_path / name)
        assert {r.id: r.consensus for r in read_export(tmp_path / name)}[disputed] == "adjudicated"


def test_the_same_token_counts_once_and_what_cannot_be_decided_is_said(timed, three):
    for _ in range(2):
        decide(timed, three[1], "chi", "hard", "edge_case", token="d1")
    assert len(timed.database.rows("SELECT * FROM decisions")) == 1
    with pytest.raises(TokenReused):
        decide(timed, three[1], "chi", "trivial", "edge_case", token="d1")
    with pytest.raises(UserError, match="'maybe'"):
        decide(timed, three[1], "chi", "maybe", "edge_case", token="d2")
    with pytest.raises(UserError, match="'bad luck' is not a cause; .*guideline_gap"):
        decide(timed, three[1], "chi", "hard", "bad luck", token="d2")
    with pytest.raises(UserError, match="Nobody has labelled"):
        decide(timed, three[2], "chi", "hard", "edge_case", token="d2")
    with pytest.raises(UserError):
        decide(timed, "no-such", "chi", "hard", "edge_case", token="d2")


def test_decisions_come_back_from_a_snapshot_and_the_log(tmp_path, make):
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add_candidates([make(1), make(2)])
        first, second = (candidate.id for candidate in store.candidates())
        for id in (first, second):
            store.label(id, "an", "hard", token=f"an-{id}", flagged=True)
        decide(store, first, "chi", "trivial", "edge_case", token="d1")
        copy = snapshot(store, tmp_path / "copy.db")
        decide(store, second, "chi", "false_negative", "edge_case", token="d2")
        before = [(item.id, item.label, item.consensus) for item in store.labelled()]
    path.unlink()
    for source in (copy, None):
        restore(path, source)
        with LabelStore(path) as store:
            assert [(item.id, item.label, item.consensus) for item in store.labelled()] == before
            assert waiting(store) == []
