"""The counters are what the views say, whatever was done; and old databases get them."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_databases import assert_counted, first_version

from annotations.assignment.leases import LeaseRefused
from annotations.candidates import Candidate
from annotations.database.events import stamp
from annotations.quality.calibration import add_calibration
from annotations.quality.gold import GoldAnswer, add_gold
from annotations.store.label_store import LabelStore


def test_a_database_of_the_first_version_is_migrated_and_keeps_every_row(tmp_path, make):
    candidates = [make(1, 1), make(1, 2), make(2, 1), make(2, 2)]
    before = first_version(tmp_path / "labels.db", candidates)
    with LabelStore(tmp_path / "labels.db") as store:
        db = store.database.db
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert db.execute("SELECT * FROM candidates").fetchall() == before[0]
        events = db.execute("SELECT * FROM events").fetchall()
        assert [event[: len(before[1][0])] for event in events] == before[1]
        assert {event[len(before[1][0]) :] for event in events} == {(None, 0, "", "", "")}
        assert [(item.id, item.votes) for item in store.labelled()] == [
            (candidates[0].id, {"trivial": 1, "unsure": 1})
        ]
        assert store.progress("mai") == {
            "candidates": 4,
            "queries": 2,
            "labelled": 1,
            "labels": 2,
            "annotators": 2,
            "answered": 1,
            "skipped": 1,
            "left": 2,
        }
        assert_counted(store)
        store.change_settings(by="admin", overlap=3)
        for sql in ("UPDATE events SET flagged = 1", "DELETE FROM events", "DELETE FROM settings"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(sql)
        assert store.claim("lan").candidate == candidates[2]  # the query lan was at is finished first
    LabelStore(tmp_path / "labels.db").close()  # a second time nothing is left to migrate


def candidate(query, passage):
    return Candidate.create(query=f"Câu {query}?", positive=f"Đáp {query}.", passage=f"Đoạn {passage}.")


NAMES = ("lan", "mai", "nam")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from(NAMES)),
        st.tuples(
            st.sampled_from(["label", "label", "skip"]), st.integers(0, 40)
        ),  # under any lease ever given
        st.tuples(st.just("undo"), st.sampled_from(NAMES)),
        st.tuples(st.just("forward"), st.sampled_from([1, 25, 60 * 24 * 8])),
        st.tuples(st.just("overlap"), st.sampled_from([1, 2])),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, overlap=st.sampled_from([1, 2]), lent=st.booleans())
def test_whatever_is_done_the_cap_holds_no_label_is_lost_and_the_counters_are_the_views(steps, overlap, lent):
    moment = datetime(2025, 3, 1, tzinfo=UTC)
    with LabelStore(":memory:", clock=lambda: moment) as store:
        gold, calibration = candidate(7, 1), candidate(8, 1)
        store.add_candidates([candidate(q, p) for q in range(2) for p in range(2)] + [gold, calibration])
        exempt = {gold.id, calibration.id} if lent else {}
        if lent:
            add_gold(store, [GoldAnswer(gold.id, "hard")])
            add_calibration(store, [calibration.id])
        store.change_settings(by="admin", overlap=overlap, gold_share=0.5)
        leases, counted, most = [], 0, overlap
        for what, of in steps:
            if what == "claim":
                lease = store.claim(of)
                if lease:
                    leases.append(lease)
            elif what == "forward":
                moment += timedelta(minutes=of)
            elif what == "overlap":
                store.change_settings(by="admin", overlap=of)
                most = max(most, of)
            elif what == "undo":
                try:
                    counted += store.undo(of) is not None
                except LeaseRefused:
                    pass
            elif leases:
                lease = leases[of % len(leases)]
                known = {event["token"] for event in store.events()}
                act = store.skip if what == "skip" else store.label
                label = [] if what == "skip" else ["hard"]
                try:
                    act(lease.candidate.id, lease.annotator, *label, lease=lease.token)
                    counted += lease.token not in known
                except ValueError:  # refused by its lease, or the token stands for the other kind of answer
                    pass
            assert len(store.events()) == counted
            for item in store.labelled():
                assert item.annotators <= (len(NAMES) if item.id in exempt else most)
            held = store.database.rows("SELECT annotator FROM leases WHERE expires > ?", [stamp(moment)])
            assert len({row["annotator"] for row in held}) == len(held)
        assert_counted(store)
