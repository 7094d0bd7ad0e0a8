"""What everyone labels: calibration before anything else, gold mixed in unseen."""

import json

import pytest

from annotations.audit.estimate import wilson
from annotations.quality.calibration import add_calibration, choose, read_ids
from annotations.quality.gold import GoldAnswer, add_gold, gold_report, gold_table, import_gold
from vcs_demo.errors import UserError


def walk(store, annotator, most=1000):
    """Label all that is lent as hard; return the leases in order."""
    leases = []
    while len(leases) < most and (lease := store.claim(annotator)):
        store.label(lease.candidate.id, annotator, "hard", lease=lease.token)
        leases.append(lease)
    return leases


@pytest.fixture
def many(store, make):
    """400 candidates in 100 queries."""
    store.add_candidates([make(q, p) for q in range(100) for p in range(4)])
    return store


def gold(store, make, count):
    add_gold(store, [GoldAnswer(make(q, 0).id, "hard") for q in range(count)])
    return {make(q, 0).id for q in range(count)}


def test_calibration_comes_first_in_its_order_for_everyone(many, make):
    many.change_settings(by="admin", overlap=1)
    ids = [make(q, 1).id for q in (7, 3, 50)]
    assert add_calibration(many, ids[:2]) == (2, 0)
    assert add_calibration(many, ids) == (1, 2)
    gold(many, make, 20)
    for name in ("lan", "mai", "nam"):
        leases = walk(many, name, most=5)
        assert [lease.candidate.id for lease in leases[:3]] == ids
        assert [lease.kind for lease in leases[:3]] == ["calibration"] * 3
        assert "calibration" not in [lease.kind for lease in leases[3:]]
    assert {item.annotators for item in many.labelled() if item.id in ids} == {3}
    many.undo("nam")


def test_skipped_calibration_comes_again_once_before_anything_else(many, make):
    add_calibration(many, [make(1, 1).id, make(2, 1).id])
    seen = []
    for _ in range(4):
        lease = many.claim("lan")
        seen.append(lease.candidate.id)
        many.skip(lease.candidate.id, "lan", lease=lease.token)
    assert seen == [make(1, 1).id, make(2, 1).id] * 2
    assert many.claim("lan").kind == "main"


def test_calibration_can_be_switched_off(many, make):
    add_calibration(many, [make(1, 1).id])
    many.change_settings(by="admin", calibration=False)
    assert "calibration" not in {lease.kind for lease in walk(many, "lan")}
    assert many.progress("lan")["left"] == 0


def test_gold_is_mixed_in_at_its_share_at_places_that_differ_between_annotators(many, make):
    ids = gold(many, make, 60)
    many.change_settings(by="admin", gold_share=0.1)
    places = {}
    for name in ("lan", "mai", "nam"):
        leases = walk(many, name, most=200)
        places[name] = [n for n, lease in enumerate(leases) if lease.kind == "gold"]
        assert {lease.candidate.id in ids for lease in leases if lease.kind == "gold"} == {True}
        for run in range(1, 20):  # one in every ten, once the first event is there
            assert len([n for n in places[name] if run * 10 <= n < run * 10 + 10]) == 1
        gaps = {b - a for a, b in zip(places[name], places[name][1:], strict=False)}
        assert len(gaps) > 3
    assert len({tuple(found) for found in places.values()}) == 3


@pytest.mark.parametrize("share", [0.03, 0.07, 0.29, 0.5])
def test_a_share_that_divides_nothing_is_kept_too(many, make, share):
    gold(many, make, 100)
    many.change_settings(by="admin", gold_share=share)
    count = 0
    for n, lease in enumerate(walk(many, "lan", most=150), start=1):
        count += lease.kind == "gold"
        assert abs(count - n * share) <= 2


def test_no_gold_is_lent_at_a_share_of_nothing_and_all_of_it_in_the_end_otherwise(many, make):
    ids = gold(many, make, 100)
    many.change_settings(by="admin", gold_share=0)
    assert many.progress("lan")["left"] == 300
    assert len(walk(many, "lan")) == 300
    many.change_settings(by="admin", gold_share=0.05)
    assert {lease.candidate.id for lease in walk(many, "lan")} == ids
    assert many.progress("lan")["left"] == 0


def test_gold_is_exempt_from_the_overlap(many, make):
    many.change_settings(by="admin", overlap=1, gold_share=0.5)
    ids = gold(many, make, 2)
    for name in ("lan", "mai", "nam"):
        walk(many, name, most=8)
    votes = {item.id: item.annotators for item in many.labelled()}
    assert {id: votes.pop(id) for id in ids} == dict.fromkeys(ids, 3)
    assert set(votes.values()) == {1}


def test_the_report_says_how_often_each_one_finds_gold(many, make):
    first, second, third = (make(q, 0).id for q in range(3))
    add_gold(many, [GoldAnswer(first, "hard"), GoldAnswer(second, "trivial"), GoldAnswer(third, "hard")])
    for name, labels in (("lan", ("hard", "trivial", "hard")), ("mai", ("hard", "hard"))):
        for id, label in zip((first, second, third), labels, strict=False):
            many.label(id, name, label, token=f"{name} {id}")
    lan, mai = gold_report(many)
    assert (lan.annotator, lan.right, lan.of, lan.low, lan.high) == ("lan", 3, 3, *wilson(3, 3))
    assert (mai.annotator, mai.right, mai.of, mai.low, mai.high) == ("mai", 1, 2, *wilson(1, 2))
    assert gold_table([mai]).rows == [("mai", 1, 2, "0.500 [0.095, 0.905]")]
    add_gold(many, [GoldAnswer(second, "hard", "nói rõ hơn")])  # corrected
    assert [(row.right, row.of) for row in gold_report(many)] == [(2, 3), (2, 2)]
    assert add_gold(many, [GoldAnswer(second, "hard", "nói rõ hơn")]) == (0, 1)
    many.undo("mai")
    assert [(row.right, row.of) for row in gold_report(many)] == [(2, 3), (1, 1)]


def test_gold_that_fits_nothing_adds_nothing(many, make):
    good = GoldAnswer(make(1, 1).id, "hard")
    for bad, message in (
        (GoldAnswer("0000", "hard"), "no candidate '0000'"),
        (GoldAnswer(good.candidate_id, "easy"), "'easy' is not a label"),
    ):
        with pytest.raises(UserError, match=message):
            add_gold(many, [good, bad])
    assert many.database.rows("SELECT * FROM gold") == []


def test_a_file_of_gold_comes_in_and_its_bad_lines_are_told(many, make, tmp_path):
    path = tmp_path / "gold.jsonl"
    lines = [
        json.dumps({"id": make(1, 1).id, "label": "hard", "note": "vì sao"}),
        json.dumps({"candidate_id": make(2, 1).id, "label": "trivial"}),
        "",
        json.dumps({"id": "0000", "label": "hard"}),
        json.dumps({"id": make(3, 1).id, "label": 3}),
        "[1]",
        "{",
    ]
    path.write_text("\n".join(lines), "utf-8")
    report = import_gold(many, path)
    assert (report.added, report.already_there) == (2, 0)
    assert [problem.line for problem in report.problems] == [4, 5, 6, 7]
    assert many.database.rows("SELECT note FROM gold ORDER BY id")[0]["note"] == "vì sao"
    for content in ("", "\n".join(lines[3:])):
        path.write_text(content, "utf-8")
        with pytest.raises(UserError, match="has no gold answer"):
            import_gold(many, path)
    with pytest.raises(UserError, match="There is no file"):
        import_gold(many, tmp_path / "none.jsonl")


def test_calibration_is_drawn_of_what_nobody_labelled_and_repeatably(many, make, tmp_path):
    ids = gold(many, make, 50)
    labelled = {lease.candidate.id for lease in walk(many, "lan", most=100)}
    drawn = choose(many, 30, seed=1)
    assert drawn == choose(many, 30, seed=1) != choose(many, 30, seed=2)
    assert len(drawn) == 30 and not {c.id for c in drawn} & (ids | labelled)
    with pytest.raises(UserError, match="cannot be drawn"):
        choose(many, 401)
    with pytest.raises(UserError, match="no candidate '0000'"):
        add_calibration(many, [drawn[0].id, "0000"])
    (tmp_path / "ids.txt").write_text(f"{drawn[0].id}\n\n{drawn[1].id}\n")
    assert read_ids(tmp_path / "ids.txt") == [drawn[0].id, drawn[1].id]
    (tmp_path / "ids.txt").write_text("\n")
    with pytest.raises(UserError, match="has no candidate id"):
        read_ids(tmp_path / "ids.txt")
    with pytest.raises(UserError, match="There is no file"):
        read_ids(tmp_path / "none.txt")


def test_a_file_that_contradicts_itself_says_so(store, make, tmp_path):
    store.add_candidates([make(1)])
    rows = [{"id": f" {make(1).id}", "label": label} for label in ("Hard ", "trivial", "hard")]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    report = import_gold(store, tmp_path / "gold.jsonl")
    assert (report.added, [problem.line for problem in report.problems]) == (1, [2])
    assert "Line 1 says hard of the same candidate" in report.problems[0].reason
