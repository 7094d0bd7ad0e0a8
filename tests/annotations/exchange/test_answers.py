import csv
import json
from datetime import UTC, datetime

import pytest

from annotations.backup.snapshot import restore
from annotations.database.errors import DatabaseUnavailable
from annotations.database.events import stamp
from annotations.exchange.answer_rows import holds_answers
from annotations.exchange.answers import export_answers, import_answers
from annotations.people.pseudonyms import is_pseudonym, pseudonym, pseudonyms
from annotations.rows import ImportReport
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@pytest.fixture
def other():
    with LabelStore(":memory:") as opened:
        yield opened


@pytest.fixture
def history(store, make):
    """Lan changed her mind, skipped, and took a skip and a label back; Mai labelled with a note."""
    third = make(3, query="=SUM(A1)", rank=None, score=None)
    store.add_candidates([make(1), make(2), third])
    store.label(make(1).id, "Nguyễn Lan", "trivial", token="lan-1", note="hỏi chị Hoa", seconds=2.5)
    store.label(
        make(1).id, "Nguyễn Lan", "hard", token="lan-2", interface="web/vi", confidence=2, flagged=True
    )
    store.label(make(1).id, "Trần Mai", "unsure", token="mai-1", note="Ghi chú riêng", confidence=1)
    store.skip(third.id, "Nguyễn Lan", token="lan-3")
    store.undo("Nguyễn Lan", token="lan-4")
    store.label(make(2).id, "Nguyễn Lan", "hard", token="lan-5")
    store.undo("Nguyễn Lan", token="lan-6")
    return store


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def standing(store):
    called = pseudonyms(store)
    rows = store.database.rows("SELECT annotator, candidate_id, label FROM labels")
    return {(called[row["annotator"]], row["candidate_id"], row["label"]) for row in rows}


def copied(history, other, tmp_path, name="a.jsonl"):
    export_answers(history, tmp_path / name)
    return import_answers(other, tmp_path / name)


def test_pseudonyms_are_stable_and_of_the_first_token_alone(history, make):
    before = pseudonyms(history)
    assert before["Nguyễn Lan"] == pseudonym("lan-1") == "p-11c79ac776928536e9fd"
    assert all(map(is_pseudonym, before.values()))
    history.label(make(2).id, "An", "hard", token="an-1")
    assert {name: called for name, called in pseudonyms(history).items() if name != "An"} == before


def test_the_export_has_the_whole_history_and_no_name(history, tmp_path):
    assert export_answers(history, tmp_path / "a.jsonl") == 7
    text = (tmp_path / "a.jsonl").read_text("utf-8")
    assert not any(word in text for word in ("Lan", "Mai", "Hoa", "Ghi chú"))
    rows = lines(tmp_path / "a.jsonl")
    assert [row["kind"] for row in rows] == [
        *("candidate", "candidate", "candidate", "label", "label", "label", "skip", "undo", "label", "undo")
    ]
    assert [row.get("undoes") for row in rows[-4:]] == [None, "lan-3", None, "lan-5"]
    assert {name: rows[4][name] for name in ("token", "annotator", "label", "interface", "confidence")} == {
        "token": "lan-2",
        "annotator": pseudonym("lan-1"),
        "label": "hard",
        "interface": "web/vi",
        "confidence": 2,
    }
    assert "note" not in rows[4] and "id" not in rows[4]


def test_names_and_notes_come_on_request(history, other, tmp_path):
    export_answers(history, tmp_path / "a.jsonl", names=True)
    first = lines(tmp_path / "a.jsonl")[3]
    assert (first["name"], first["note"]) == ("Nguyễn Lan", "hỏi chị Hoa")
    import_answers(other, tmp_path / "a.jsonl")
    assert [event["note"] for event in other.events()][:3] == ["hỏi chị Hoa", "", "Ghi chú riêng"]
    assert {event["annotator"] for event in other.events()} == {
        f"a:{called}" for called in pseudonyms(history).values()
    }


def test_a_copy_holds_the_same_history(history, other, tmp_path):
    report = copied(history, other, tmp_path)
    assert report == ImportReport(10, 3, 0, [], 7, 0)
    assert other.candidates() == history.candidates()
    assert other.labelled() == history.labelled()
    columns = ("token", "at", "kind", "candidate_id", "label", "seconds", "interface", "undoes", "confidence")
    assert [[e[c] for c in columns] for e in other.events()] == [
        [e[c] for c in columns] for e in history.events()
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_second_import_and_one_into_itself_add_nothing(history, other, tmp_path, name):
    first = copied(history, other, tmp_path, name)
    for store in (other, history):
        again = import_answers(store, tmp_path / name)
        assert (again.added, again.answers_added, again.problems) == (0, 0, [])
        assert again.answers_there == first.answers_added
    assert standing(other) == standing(history)


def test_two_teams_end_up_with_the_same_labels(history, other, make, tmp_path):
    other.add_candidates([make(1), make(4)])
    other.label(make(1).id, "Nguyễn Lan", "false_negative", token="another-lan")  # somebody else of that name
    other.label(make(4).id, "Bình", "hard", token="binh-1")
    export_answers(history, tmp_path / "a.jsonl")
    export_answers(other, tmp_path / "b.jsonl")
    import_answers(other, tmp_path / "a.jsonl")
    import_answers(history, tmp_path / "b.jsonl")
    assert standing(history) == standing(other) and len(standing(history)) == 4
    history.label(make(2).id, "Nguyễn Lan", "unsure", token="lan-7")  # and they go on
    for here, there in ((history, other), (other, history)):
        copied(here, there, tmp_path)
    assert standing(history) == standing(other) and len(standing(history)) == 5
    of_b = {f"b:{pseudonym(token)}" for token in ("another-lan", "binh-1")}
    assert set(pseudonyms(history)) == {"Nguyễn Lan", "Trần Mai"} | of_b


def test_people_are_filed_under_their_first_sender(history, other, make, tmp_path):
    export_answers(history, tmp_path / "a.jsonl")
    import_answers(other, tmp_path / "a.jsonl", sender="Hà Nội")
    assert set(pseudonyms(other)) == {f"Hà Nội:{pseudonym(token)}" for token in ("lan-1", "mai-1")}
    history.label(make(1).id, "Nguyễn Lan", "unsure", token="lan-7")
    assert copied(history, other, tmp_path, "later.jsonl").answers_added == 1  # by a file of another name
    assert len(pseudonyms(other)) == 2 and (pseudonym("lan-1"), make(1).id, "unsure") in standing(other)


def test_imports_of_the_first_version_go_on_under_the_pseudonym_alone(history, other, make, tmp_path):
    other.add_candidates(history.candidates())
    other.label(make(1).id, pseudonym("mai-1"), "unsure", token="mai-1")
    assert copied(history, other, tmp_path).problems == []
    history.label(make(2).id, "Trần Mai", "hard", token="mai-2")
    assert copied(history, other, tmp_path).answers_added == 1
    assert set(pseudonyms(other)) == {pseudonym("mai-1"), f"a:{pseudonym('lan-1')}"}


@pytest.mark.parametrize("sender", ["a" * 61, "a\u202eb", "a\nb"])
def test_a_sender_that_cannot_be_shown_is_refused(history, other, tmp_path, sender):
    export_answers(history, tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="1 to 60 printable characters"):
        import_answers(other, tmp_path / "a.jsonl", sender=sender)
    assert other.events() == []


def test_who_shows_no_token_of_a_person_is_somebody_else(history, make, tmp_path):
    before = standing(history)
    row = {"kind": "label", "token": "new", "candidate_id": make(1).id, "label": "hard"}
    path = write(tmp_path / "forged.jsonl", [row | {"annotator": pseudonym("mai-1")}])
    assert import_answers(history, path).answers_added == 1
    assert standing(history) - before == {(pseudonym("mai-1"), make(1).id, "hard")}
    assert f"forged:{pseudonym('mai-1')}" in pseudonyms(history)
    (own,) = history.database.rows("SELECT label FROM labels WHERE annotator = 'Trần Mai'")
    assert own["label"] == "unsure"


def test_an_undo_that_comes_later_brings_the_earlier_label_back(history, other, make, tmp_path):
    copied(history, other, tmp_path)
    history.label(make(1).id, "Nguyễn Lan", "unsure", token="lan-7")
    copied(history, other, tmp_path)
    history.undo("Nguyễn Lan", token="lan-8")
    assert copied(history, other, tmp_path).answers_added == 1
    assert (pseudonym("lan-1"), make(1).id, "hard") in standing(other)


def test_a_confidence_out_of_range_is_a_bad_line(history, other, tmp_path):
    export_answers(history, tmp_path / "a.jsonl")
    rows = lines(tmp_path / "a.jsonl")
    rows[3]["confidence"], rows[4]["confidence"], rows[5]["confidence"] = 9, "rất chắc", [1]
    report = import_answers(other, write(tmp_path / "a.jsonl", rows))
    assert [p.line for p in report.problems] == [4, 5, 6] and "confidence" in report.problems[0].reason
    assert report.answers_added == 4


def test_an_import_is_in_the_event_log(history, make, tmp_path):
    export_answers(history, tmp_path / "a.jsonl")
    with LabelStore(tmp_path / "b.db") as opened:
        import_answers(opened, tmp_path / "a.jsonl")
        labels = standing(opened)
    (tmp_path / "b.db").unlink()
    restore(tmp_path / "b.db")
    with LabelStore(tmp_path / "b.db") as opened:
        assert standing(opened) == labels and len(opened.events()) == 7


def test_a_csv_has_a_row_a_standing_label(history, other, make, tmp_path):
    assert export_answers(history, tmp_path / "a.csv") == 2
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["annotator"], row["label"], row["note"], row["token"]) for row in rows] == [
        (pseudonym("lan-1"), "hard", "", "lan-2"),
        (pseudonym("mai-1"), "unsure", "", "mai-1"),
    ]
    import_answers(other, tmp_path / "a.csv")
    # The history that comes afterwards is older than what is there: it must not pass for newer.
    assert copied(history, other, tmp_path).problems == []
    assert standing(other) == standing(history)


# Nobody speaks for a person of this database


def forged(history, tmp_path, change):
    """Return an export with one more event, made of Mai's last one."""
    export_answers(history, tmp_path / "a.jsonl")
    rows = lines(tmp_path / "a.jsonl")
    last = next(row for row in reversed(rows) if row.get("annotator") == pseudonym("mai-1"))
    return write(tmp_path / "forged.jsonl", [*rows, last | change])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"annotator": "Trần Mai", "token": "new", "label": "hard"}, "cannot speak for a name"),
        ({"token": "new", "label": "hard"}, "labels in this database"),
        ({"label": "hard"}, "is already the token of another label"),
        ({"token": "new", "kind": "undo", "label": None, "undoes": "mai-1"}, "labels in this database"),
    ],
)
def test_no_file_speaks_for_somebody_here(history, tmp_path, change, reason):
    before = history.events()
    report = import_answers(history, forged(history, tmp_path, change))
    assert [(p.line, reason in p.reason) for p in report.problems] == [(11, True)]
    assert history.events() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"undoes": "mai-1"}, "'mai-1' cannot be undone"),
        ({"undoes": "own-0"}, "'own-0' cannot be undone"),
        ({"undoes": "nowhere"}, "'nowhere' cannot be undone"),
        ({"undoes": "own-1"}, None),
        ({"undoes": "own-2"}, "'own-2' cannot be undone"),
        ({"undoes": "own-3"}, "'own-3' cannot be undone"),
    ],
)
def test_an_undo_takes_back_only_ones_own(history, make, tmp_path, change, reason):
    own = {"annotator": pseudonym("own-0"), "candidate_id": make(1).id, "label": None}
    path = write(
        tmp_path / "a.jsonl",
        [
            own | {"kind": "label", "token": "own-0", "label": "hard", "candidate_id": make(2).id},
            own | {"kind": "label", "token": "own-1", "label": "hard"},
            own | {"kind": "label", "token": "own-2", "label": "hard"},
            own | {"kind": "undo", "token": "own-3", "undoes": "own-2"},
            own | {"kind": "undo", "token": "own-4"} | change,
        ],
    )
    problems = import_answers(history, path).problems
    assert [p.line for p in problems] == ([5] if reason else [])
    assert not reason or reason in problems[0].reason
    assert (pseudonym("mai-1"), make(1).id, "unsure") in standing(history)


def test_bad_lines_are_named_and_good_ones_come_in(history, other, make, tmp_path):
    export_answers(history, tmp_path / "a.jsonl")
    rows = lines(tmp_path / "a.jsonl")
    bad = [
        (rows[0] | {"id": "0" * 16}, "not the one of its texts"),
        (rows[0] | {"split": "Test"}, "test split"),
        (rows[0] | {"query": 5}, "The query is '5'"),
        (rows[0] | {"passage": ""}, "passage is empty"),
        (rows[0] | {"passage": rows[0]["positive"]}, "same text as the positive"),
        (rows[0] | {"rank": 10**30}, "out of range"),
        (rows[0] | {"rank": 1.5}, "whole number"),
        (rows[0] | {"score": "cao"}, "must be a number"),
        (rows[3] | {"kind": "delete"}, "The kind is 'delete'"),
        (rows[3] | {"label": "easy"}, "'easy' is not a label"),
        (rows[3] | {"label": None}, "A label has a label"),
        (rows[3] | {"token": ["a"]}, "The token is"),
        (rows[3] | {"token": "a" * 201}, "201 characters"),
        (rows[3] | {"token": "b", "note": "a" * 5_001}, "5,001 characters"),
        (rows[3] | {"token": "c", "at": "hôm qua"}, "The time 'hôm qua'"),
        (rows[3] | {"token": "d", "candidate_id": "x"}, "no candidate 'x'"),
    ]
    path = write(tmp_path / "b.jsonl", [*rows, *(row for row, _ in bad), [1], "text"])
    report = import_answers(other, path)
    assert (report.added, report.answers_added, report.rows) == (3, 7, 28)
    assert [problem.line for problem in report.problems] == list(range(11, 29))
    for problem, (_, reason) in zip(report.problems, bad, strict=False):
        assert reason in problem.reason


def test_no_answer_comes_from_the_future(history, other, tmp_path):
    export_answers(history, tmp_path / "a.jsonl")
    rows = [
        row | {"at": "9999-12-31T23:59:59Z"} if "at" in row else row for row in lines(tmp_path / "a.jsonl")
    ]
    assert import_answers(other, write(tmp_path / "a.jsonl", rows)).problems == []
    assert max(event["at"] for event in other.events()) <= stamp(datetime.now(UTC))


def test_a_failing_import_adds_nothing(history, other, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(other.database, "to_log", full)
    with pytest.raises(DatabaseUnavailable, match="Not saved"):
        copied(history, other, tmp_path)
    assert other.candidates() == other.events() == []


@pytest.mark.parametrize(
    ("name", "content", "answers"),
    [
        ("a.jsonl", '\n{"kind": "label"}\n', True),
        ("a.jsonl", 'gãy\n{"kind": "candidate"}', True),
        ("a.jsonl", '{"kind": ["label"], "query": "Ho?"}', False),
        ("a.jsonl", "", False),
        ("a.csv", "\ufeffquery,positive,passage,Annotator,label\n", True),
        ("a.csv", "query,positive,negative,label,annotators\n", False),
    ],
)
def test_answers_are_told_from_triples_by_the_first_line(tmp_path, name, content, answers):
    (tmp_path / name).write_text(content, "utf-8")
    assert holds_answers(tmp_path / name) == answers


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "query,label\n", "no column annotator, id, token; only the answers that"),
        ("b.csv", ",".join(map(str, range(1_001))), "1,001 columns"),
        ("a.txt", "", "a file that ends in .jsonl"),
        ("none.jsonl", None, "There is no file"),
    ],
)
def test_files_that_hold_no_answers_are_named(store, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        import_answers(store, tmp_path / name)


@pytest.mark.parametrize("name", ["a.parquet", "a.txt", "a.tsv", "a.xlsx", "answers"])
def test_answers_are_written_under_no_name_that_is_read_as_something_else(history, tmp_path, name):
    with pytest.raises(UserError, match="written as .jsonl or .csv"):
        export_answers(history, tmp_path / name)
    assert not (tmp_path / name).exists()
