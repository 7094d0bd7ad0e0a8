"""Who may answer what: leases, their end, the cap on annotators, and answers that come late or twice."""

import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager

import pytest

from annotations.assignment.leases import REMEMBERED_DAYS, LeaseRefused
from annotations.assignment.rules import AssignmentRules
from annotations.database.events import TokenReused
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@pytest.fixture
def one(timed, make):
    """A store of one candidate, for one annotator."""
    timed.add_candidates([make()])
    timed.change_settings(by="admin", overlap=1)
    return timed


def answer(store, lease, label="hard", **facts):
    return store.label(lease.candidate.id, lease.annotator, label, lease=lease.token, **facts)


@contextmanager
def refused(why):
    """Expect an answer to be refused, for this reason."""
    with pytest.raises(LeaseRefused) as error:
        yield error
    assert error.value.key == f"error.{why}"


def state(store):
    return store.events(), store.database.rows("SELECT * FROM leases")


def test_a_lease_is_given_again_on_any_device_with_its_full_time(timed, clock, make):
    timed.add_candidates([make(q, p) for q in range(3) for p in range(3)])
    first = timed.claim("lan")
    assert (first.annotator, first.kind, first.at) == ("lan", "main", "2025-03-01T08:00:00.000+00:00")
    assert first.expires == "2025-03-01T08:20:00.000+00:00"
    clock.forward(minutes=19)
    again = timed.claim(" lan ")
    assert (again.token, again.candidate, again.at) == (first.token, first.candidate, first.at)
    assert again.expires == "2025-03-01T08:39:00.000+00:00"
    answer(timed, again)
    assert timed.claim("lan").candidate != first.candidate


def test_a_candidate_is_held_for_one_until_the_lease_expires(one, clock):
    first = one.claim("lan")
    assert one.claim("mai") is None
    clock.forward(minutes=20)
    assert one.claim("mai").candidate == first.candidate
    assert one.claim("lan") is None


def test_an_answer_frees_nobodys_place_and_ends_the_lease(one):
    answer(one, one.claim("lan"))
    assert one.claim("mai") is None and one.claim("lan") is None
    assert one.database.rows("SELECT * FROM leases") == []


def test_what_came_with_the_answer_is_kept(one):
    lease = one.claim("lan")
    answer(
        one,
        lease,
        note="gần đúng",
        confidence=2,
        flagged=True,
        seconds=4.5,
        interface="web/vi",
        guideline="v3",
        client_at="2025-03-01T15:00:00+07:00",
    )
    (event,) = one.events()
    assert (event["token"], event["lease"]) == (lease.token, lease.token)
    assert (event["confidence"], event["flagged"], event["guideline"]) == (2, 1, "v3")
    assert (event["client_at"], event["at"]) == (
        "2025-03-01T15:00:00+07:00",
        "2025-03-01T08:00:00.000+00:00",
    )
    for bad in (0, 4, True, "2", 1.5):
        with pytest.raises(UserError, match="confidence"):
            one.label(lease.candidate.id, "mai", "hard", token="x", confidence=bad)
    with pytest.raises(UserError, match="token is empty"):
        one.label(lease.candidate.id, "mai", "hard")


def test_the_same_answer_sent_twice_is_one_and_another_is_refused(one):
    lease = one.claim("lan")
    first = answer(one, lease)
    assert answer(one, lease) == first
    for act in (
        lambda: answer(one, lease, "trivial"),
        lambda: answer(one, lease, confidence=1),
        lambda: answer(one, lease, flagged=True),
        lambda: one.skip(lease.candidate.id, "lan", lease=lease.token),
        lambda: one.label(lease.candidate.id, "mai", "hard", lease=lease.token),
    ):
        with pytest.raises(TokenReused):
            act()
    one.undo("lan")
    assert answer(one, lease) == first  # sent again after it was taken back: known, and still taken back
    assert one.labelled() == []


def test_forged_foreign_and_misplaced_leases_are_refused_and_change_nothing(timed, make):
    timed.add_candidates([make(1), make(2)])
    lans, mais = timed.claim("lan"), timed.claim("mai")
    other = ({make(1).id, make(2).id} - {lans.candidate.id}).pop()
    before = state(timed)
    for act, why in (
        (lambda: timed.label(lans.candidate.id, "lan", "hard", lease="forged"), "lease_unknown"),
        (lambda: timed.label(lans.candidate.id, "lan", "hard", lease="forged", token="x"), "lease_unknown"),
        (lambda: timed.skip(lans.candidate.id, "lan", lease="forged"), "lease_unknown"),
        (lambda: timed.label(mais.candidate.id, "lan", "hard", lease=mais.token), "lease_foreign"),
        (lambda: timed.label(other, "lan", "hard", lease=lans.token), "lease_misplaced"),
        (lambda: timed.skip(other, "lan", lease=lans.token), "lease_misplaced"),
    ):
        with refused(why) as error:
            act()
        assert str(error.value).count(".") == 1 and "not counted" in str(error.value)
        assert state(timed) == before


def test_a_late_answer_counts_while_there_is_room(one, clock):
    lease = one.claim("lan")
    clock.forward(hours=23)
    one.claim("nam")  # held by another, who gives it up by letting it expire
    clock.forward(hours=23)
    answer(one, lease)
    assert one.labelled()[0].votes == {"hard": 1}


def test_a_late_answer_whose_place_was_taken_is_refused_in_one_sentence(one, clock):
    lease = one.claim("lan")
    clock.forward(minutes=21)
    other = one.claim("mai")
    for taken in (lambda: None, lambda: answer(one, other, "trivial")):  # held, then answered
        taken()
        before = state(one)
        with refused("candidate_taken") as error:
            answer(one, lease)
        assert "your answer was NOT counted" in str(error.value)
        assert state(one) == before
    assert one.labelled()[0].votes == {"trivial": 1}
    one.skip(lease.candidate.id, "lan", lease=lease.token)  # takes nobody's place


def test_leases_long_over_are_forgotten(one, clock):
    lease = one.claim("lan")
    clock.forward(days=REMEMBERED_DAYS, minutes=21)
    one.claim("mai")
    with refused("lease_unknown"):
        answer(one, lease)


def test_a_lower_cap_binds_open_leases_too(timed, make):
    timed.add_candidates([make()])
    lans, mais = timed.claim("lan"), timed.claim("mai")
    timed.change_settings(by="admin", overlap=1)
    answer(timed, lans)
    with refused("candidate_taken"):
        answer(timed, mais)
    assert timed.claim("mai") is None


def test_undo_lends_the_candidate_again_and_frees_it_when_that_expires(one, clock):
    answer(one, one.claim("lan"))
    assert one.undo("lan", token="u") is not None
    lease = one.claim("lan")
    assert one.claim("mai") is None
    assert one.undo("lan", token="u") == lease.candidate and one.claim("lan").token == lease.token
    clock.forward(minutes=21)
    mais = one.claim("mai")
    assert mais.candidate == lease.candidate
    with refused("candidate_taken"):
        answer(one, lease)


def test_an_undo_of_another_device_leaves_the_open_candidate_answerable(timed, make):
    timed.add_candidates([make(1), make(2)])
    first = timed.claim("lan")
    answer(timed, first)
    second = timed.claim("lan")
    timed.undo("lan")
    assert timed.claim("lan").candidate == first.candidate
    answer(timed, second, "trivial")  # the first device still shows the second one
    assert [item.label for item in timed.labelled()] == ["trivial"]


def test_an_undo_whose_place_another_holds_leaves_what_one_has(timed, clock, make):
    timed.add_candidates([make(1), make(2)])
    timed.change_settings(by="admin", overlap=1)
    first = timed.claim("lan")
    timed.skip(first.candidate.id, "lan", lease=first.token)
    second = timed.claim("lan")
    assert timed.claim("mai").candidate == first.candidate
    assert timed.undo("lan") == first.candidate
    assert timed.claim("lan").token == second.token


def test_a_skip_is_not_taken_back_where_that_would_make_one_label_too_many(tmp_path, make):
    with LabelStore(tmp_path / "labels.db") as one:
        one.add_candidates([make()])
        one.change_settings(by="admin", overlap=1)
        answer(one, one.claim("lan"))
        one.skip(make().id, "lan", token="s")  # lan's label no longer stands
        answer(one, one.claim("mai"), "trivial")
        before, log = state(one), (tmp_path / "labels.events.jsonl").read_bytes()
        with refused("undo_taken"):
            one.undo("lan")
        assert state(one) == before
        assert (tmp_path / "labels.events.jsonl").read_bytes() == log


def test_answers_without_a_lease_are_not_capped(one, make):
    lease = one.claim("lan")
    for name in ("mai", "nam"):
        one.label(make().id, name, "hard", token=name)
    with refused("candidate_taken"):
        answer(one, lease)
    assert one.labelled()[0].annotators == 2


def test_skipped_candidates_come_again_once_after_the_rest(timed, make):
    timed.add_candidates([make(q, p) for q in range(3) for p in range(2)])
    seen = []
    while lease := timed.claim("lan"):
        seen.append(lease.candidate.id)
        if len(seen) in (2, 3) or len(seen) == 7:
            timed.skip(lease.candidate.id, "lan", lease=lease.token)
        else:
            answer(timed, lease)
    assert sorted(Counter(seen).values()) == [1, 1, 1, 1, 2, 2]
    assert set(seen[6:]) == {seen[1], seen[2]}
    assert timed.progress("lan")["left"] == 0


def test_a_sample_narrows_and_what_was_held_outside_of_it_ends(timed, make):
    timed.add_candidates([make(1), make(2)])
    timed.change_settings(by="admin", overlap=1)
    first = timed.claim("lan")
    other = ({make(1).id, make(2).id} - {first.candidate.id}).pop()
    assert timed.claim("lan", only=[other]).candidate.id == other
    assert timed.claim("mai").candidate == first.candidate
    assert timed.claim("mai", only=[]) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overlap": 0}, "overlap is '0'; it must be between 1 and 100"),
        ({"overlap": 101}, "'101'"),
        ({"overlap": 1.5}, "a whole number"),
        ({"overlap": True}, "'True'"),
        ({"lease_minutes": 0}, "lease-minutes is '0'"),
        ({"gold_share": 0.51}, "between 0 and 0.5"),
        ({"gold_share": float("nan")}, "'nan'"),
        ({"calibration": "off"}, "True or False"),
        ({"colour": 1}, "no setting 'colour'; the settings are overlap, lease_minutes"),
    ],
)
def test_settings_out_of_range_are_refused_and_change_nothing(store, change, message):
    with pytest.raises(UserError, match=message):
        store.change_settings(by="admin", **{"lease_minutes": 5} | change)
    assert store.settings() == AssignmentRules()


def test_the_latest_settings_stand_and_what_stands_adds_no_row(timed):
    timed.change_settings(by="lan", overlap=3, gold_share=0.1)
    assert timed.change_settings(by="mai", overlap=2, gold_share=0.1).overlap == 2
    assert timed.settings() == AssignmentRules(overlap=2, gold_share=0.1)
    rows = timed.database.rows("SELECT name, value, by FROM settings ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("overlap", "3", "lan"),
        ("gold_share", "0.1", "lan"),
        ("overlap", "2", "mai"),
    ]


def test_a_setting_of_another_version_is_passed_over(timed):
    row = {"at": "", "by": "admin"}
    with timed.database.write():
        timed.database.add("setting", [row | {"name": "overlap", "value": "2"}])
        timed.database.add("setting", [row | {"name": "overlap", "value": "1000"}])
        timed.database.add("setting", [row | {"name": "colour", "value": "1"}])
    assert timed.settings() == AssignmentRules(overlap=2)


def test_a_key_press_is_one_transaction(timed, make):
    timed.add_candidates([make(1), make(2), make(3)])
    begun = []
    timed.database.db.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
    first = timed.claim("lan")
    begun.clear()
    id, second = timed.label_and_claim(first.candidate.id, "lan", "hard", lease=first.token, note="vì sao")
    assert len(begun) == 1
    assert (id, second.candidate) != (0, first.candidate) and timed.events()[0]["note"] == "vì sao"
    again = timed.label_and_claim(first.candidate.id, "lan", "hard", lease=first.token, note="vì sao")
    assert again == (id, second)
    _, third = timed.skip_and_claim(second.candidate.id, "lan", lease=second.token)
    assert third.candidate not in (first.candidate, second.candidate)
    assert (
        timed.skip_and_claim(third.candidate.id, "lan", lease=third.token, only=[first.candidate.id])[1]
        is None
    )
    with pytest.raises(TokenReused):
        timed.label_and_claim(first.candidate.id, "lan", "trivial", lease=first.token)


def test_a_refused_answer_lends_nothing(one):
    before = state(one)
    with refused("lease_unknown"):
        one.label_and_claim(one.candidates()[0].id, "lan", "hard", lease="forged")
    assert state(one) == before


HAMMER = """
import sys
from annotations.store.label_store import LabelStore
with LabelStore(sys.argv[1]) as store:
    for turn in range(int(sys.argv[3])):
        for name in sys.argv[2].split(","):
            lease = store.claim(name)
            while lease and turn % 2:
                _, lease = store.label_and_claim(lease.candidate.id, name, "hard", lease=lease.token)
            if lease:
                store.label(lease.candidate.id, name, "hard", lease=lease.token)
"""


def crowded(path, make, overlap):
    with LabelStore(path) as store:
        store.add_candidates([make(q, p) for q in range(3) for p in range(2)])
        store.change_settings(by="admin", overlap=overlap)


def test_sixteen_threads_never_pass_the_cap_and_fill_it(tmp_path, make):
    path, errors = tmp_path / "labels.db", []
    crowded(path, make, 3)
    barrier = threading.Barrier(16)
    with LabelStore(path) as store:

        def work(number):
            try:
                barrier.wait()
                for _ in range(6):
                    lease = store.claim(f"người {number}")
                    if lease:
                        answer(store, lease)
            except Exception as error:
                errors.append(error)

        running = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert errors == []
        assert [item.annotators for item in store.labelled()] == [3] * 6
        assert len(store.events()) == 18


def test_several_processes_never_pass_the_cap_and_fill_it(tmp_path, make):
    path = tmp_path / "labels.db"
    crowded(path, make, 2)
    running = [
        subprocess.Popen([sys.executable, "-c", HAMMER, str(path), f"a{n},b{n}", "6"], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 3
    with LabelStore(path) as store:
        assert [item.annotators for item in store.labelled()] == [2] * 6


def test_a_clock_that_is_set_back_keeps_no_candidate_from_the_others(timed, clock, make):
    timed.add_candidates([make(1)])
    timed.change_settings(by="admin", overlap=1, lease_minutes=20)
    held = timed.claim("an")
    clock.forward(minutes=30)
    assert timed.claim("binh").candidate == held.candidate
    clock.forward(days=-2)
    timed.claim("binh")
    clock.forward(minutes=21)  # not two days
    lease = timed.claim("chi")
    assert lease.candidate == held.candidate
    timed.label(lease.candidate.id, "chi", "hard", lease=lease.token)
    with pytest.raises(LeaseRefused):
        timed.label(held.candidate.id, "an", "hard", lease=held.token)


def test_a_clock_that_jumps_a_day_takes_no_answer_away(timed, clock, make):
    timed.add_candidates([make(1), make(2)])
    timed.change_settings(by="admin", overlap=1)
    lease = timed.claim("an")
    clock.forward(days=1)
    timed.label(lease.candidate.id, "an", "hard", lease=lease.token)
    clock.forward(days=-1)
    again = timed.claim("an")
    assert again.candidate != lease.candidate and timed.progress()["labels"] == 1
