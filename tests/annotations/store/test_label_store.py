import sqlite3
import subprocess
import sys
import threading

import pytest

from annotations.candidates import LABELS, Candidate
from annotations.database.errors import DatabaseUnavailable, NotALabelDatabase
from annotations.database.events import TokenReused
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


def test_the_same_triple_is_one_candidate(store, make):
    assert store.add_candidates([make(1, 1), make(1, 2)]) == (2, 0)
    assert store.add_candidates([make(1, 2, miner="minilm", rank=9), make(1, 3)]) == (1, 1)
    assert [c.rank for c in store.candidates()] == [1, 2, 3]


def test_an_id_depends_on_the_texts_alone_up_to_case_spaces_and_unicode_form():
    first = Candidate.create(query="Viêm họng?", positive="Đau họng.", passage="Gãy xương.")
    decomposed = Candidate.create(
        query="viêm  họng?", positive="ĐAU HỌNG.", passage="Gãy xương.", miner="bm25"
    )
    assert first.id == decomposed.id
    assert len(first.id) == 16
    assert first.id != Candidate.create(query="Viêm họng?", positive="Gãy xương.", passage="Đau họng.").id


def test_an_id_that_is_not_the_texts_own_adds_nothing(store, make):
    forged = Candidate(**{**make().__dict__, "passage": "một đoạn khác"})
    with pytest.raises(UserError, match="not the one of its texts"):
        store.add_candidates([make(2), forged])
    assert store.candidates() == []


@pytest.mark.parametrize("passage", ["", " \x00\n", "a" * 20_001])
def test_empty_and_endless_texts_are_refused(passage):
    with pytest.raises(UserError, match="passage"):
        Candidate.create(query="a", positive="b", passage=passage)


def test_numbers_of_numpy_and_nan_become_plain():
    import numpy as np

    made = Candidate.create(
        query="a", positive="b", passage="c", rank=np.int64(3), score=np.float32(0.5), positive_score=np.nan
    )
    assert (made.rank, made.score, made.positive_score) == (3, 0.5, None)
    assert type(made.rank) is int and type(made.score) is float


def test_a_label_stands_until_the_annotator_gives_another(store, make):
    store.add_candidates([make()])
    store.label(make().id, "lan", "hard", token="1")
    store.label(make().id, "lan", "trivial", token="2")
    assert [(item.label, item.votes, item.annotators) for item in store.labelled()] == [
        ("trivial", {"trivial": 1}, 1)
    ]
    assert [event["label"] for event in store.events()] == ["hard", "trivial"]


@pytest.mark.parametrize(
    ("votes", "consensus"),
    [
        (["hard"], "hard"),
        (["hard", "hard", "trivial"], "hard"),
        (["hard", "trivial"], "unsure"),
        (["hard", "hard", "false_negative", "false_negative", "trivial"], "unsure"),
        (["unsure", "false_negative", "false_negative"], "false_negative"),
    ],
)
def test_the_majority_decides_and_a_tie_is_unsure(store, make, votes, consensus):
    store.add_candidates([make()])
    for number, label in enumerate(votes):
        store.label(make().id, f"người {number}", label, token=str(number))
    (item,) = store.labelled()
    assert item.label == consensus
    assert item.votes == {label: votes.count(label) for label in set(votes)}
    assert item.annotators == len(votes)
    assert store.counts() == {label: int(label == consensus) for label in LABELS}


def test_a_token_sent_twice_is_one_event(store, make):
    store.add_candidates([make(1), make(2)])
    first = store.label(make(1).id, "lan", "hard", token="t", seconds=2)
    assert store.label(make(1).id, "lan", "hard", token="t", seconds=5) == first
    assert len(store.events()) == 1


def test_a_token_of_another_action_is_refused(store, make):
    store.add_candidates([make(1), make(2)])
    store.label(make(1).id, "lan", "hard", token="t")
    for act in (
        lambda: store.label(make(2).id, "lan", "hard", token="t"),
        lambda: store.label(make(1).id, "lan", "trivial", token="t"),
        lambda: store.label(make(1).id, "mai", "hard", token="t"),
        lambda: store.label(make(1).id, "lan", "hard", token="t", note="khác"),
        lambda: store.skip(make(1).id, "lan", token="t"),
        lambda: store.undo("lan", token="t"),
    ):
        with pytest.raises(TokenReused, match="'t' already stands for another label"):
            act()
    assert len(store.events()) == 1


def test_bad_input_is_named(store, make):
    store.add_candidates([make()])
    with pytest.raises(UserError, match="'easy' is not a label; the labels are hard, false_negative"):
        store.label(make().id, "lan", "easy", token="t")
    with pytest.raises(UserError, match="'0000'"):
        store.label("0000", "lan", "hard", token="t")
    for annotator, token, note in (
        (" ", "t", ""),
        (None, "t", ""),
        ("lan", "", ""),
        ("lan", "t", "x" * 5_001),
    ):
        with pytest.raises(UserError):
            store.label(make().id, annotator, "hard", token=token, note=note)
    assert store.events() == []


def test_seconds_that_make_no_sense_are_unknown(store, make):
    store.add_candidates([make()])
    for token, seconds in (("1", -3), ("2", float("nan")), ("3", 4)):
        store.label(make().id, "lan", "hard", token=token, seconds=seconds, interface="keyboard")
    assert [event["seconds"] for event in store.events()] == [None, None, 4.0]


def test_undo_takes_back_the_latest_answer_and_shows_it_again(store, make):
    store.add_candidates([make(1), make(2)])
    assert store.undo("lan") is None
    store.label(make(1).id, "lan", "hard", token="1")
    store.label(make(1).id, "mai", "hard", token="2")
    store.label(make(1).id, "lan", "trivial", token="3")
    store.skip(make(2).id, "lan", token="4")
    assert store.undo("lan") == make(2)
    assert store.progress("lan")["skipped"] == 0
    assert store.undo("lan") == make(1)
    assert store.labelled()[0].votes == {"hard": 2}  # what lan had said before stands again
    assert store.undo("lan") == make(1)
    assert store.labelled()[0].votes == {"hard": 1}  # mai's is untouched
    assert store.undo("lan") is None
    assert [event["kind"] for event in store.events()].count("undo") == 3


def test_an_undo_sent_twice_takes_back_one(store, make):
    store.add_candidates([make(1), make(2)])
    store.label(make(1).id, "lan", "hard", token="1")
    store.label(make(2).id, "lan", "hard", token="2")
    assert store.undo("lan", token="u") == make(2) == store.undo("lan", token="u")
    assert [item.id for item in store.labelled()] == [make(1).id]


def test_nothing_can_be_updated_or_deleted(store, make):
    store.add_candidates([make()])
    store.label(make().id, "lan", "hard", token="1")
    for sql in (
        "UPDATE events SET label = 'trivial'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events (id, token, at, kind, candidate_id, annotator, label) "
        f"VALUES (1, '1', '', 'label', '{make().id}', 'lan', 'trivial')",
        "UPDATE candidates SET passage = ''",
        "DELETE FROM candidates",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.database.db.execute(sql)
    assert store.labelled()[0].label == "hard"


def test_racing_threads_record_a_token_once_and_lose_nothing(tmp_path, make):
    threads, each = 8, 10
    barrier = threading.Barrier(threads)
    ids: list[int] = []
    with LabelStore(tmp_path / "labels.db") as store, LabelStore(tmp_path / "labels.db") as other:
        store.add_candidates([make(n) for n in range(each)])

        def work(number: int) -> None:
            barrier.wait()
            mine = (store, other)[number % 2]
            for n in range(each):
                ids.append(mine.label(make(n).id, "lan", "hard", token=f"shared {n}"))
                mine.label(make(n).id, f"người {number}", "trivial", token=f"{number}/{n}")

        running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        events = store.events()
        assert len(events) == each + threads * each
        assert len(ids) == threads * each and len(set(ids)) == each
        assert all(item.votes == {"hard": 1, "trivial": threads} for item in store.labelled())
    log = (tmp_path / "labels.events.jsonl").read_text("utf-8").splitlines()
    assert len(log) == each + len(events)  # candidates and events


def test_what_was_labelled_is_there_when_opened_again(tmp_path, make):
    path = tmp_path / "mới" / "labels.db"
    with LabelStore(path) as store:
        store.add_candidates([make()])
        store.label(make().id, "lan", "hard", token="1")
    with LabelStore(path, read_only=True) as store:
        assert store.labelled()[0].label == "hard"
        with pytest.raises(DatabaseUnavailable, match="may not be written"):
            store.label(make().id, "mai", "hard", token="2")


def test_files_that_are_no_label_database_are_refused_and_not_touched(tmp_path):
    text = tmp_path / "notes.db"
    text.write_text("Đây là ghi chú, không phải cơ sở dữ liệu. " * 50)
    strange = tmp_path / "other.db"
    connection = sqlite3.connect(strange)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    for path in (text, strange):
        before = path.read_bytes()
        for read_only in (False, True):
            with pytest.raises(NotALabelDatabase, match="label"):
                LabelStore(path, read_only=read_only)
        assert path.read_bytes() == before
        assert not path.with_suffix(".events.jsonl").exists()
    with pytest.raises(NotALabelDatabase, match="There is no database"):
        LabelStore(tmp_path / "none.db", read_only=True)
    with pytest.raises(UserError):
        LabelStore(tmp_path)


def test_a_database_of_a_newer_program_is_refused(tmp_path):
    LabelStore(tmp_path / "labels.db").close()
    connection = sqlite3.connect(tmp_path / "labels.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NotALabelDatabase, match="newer version"):
        LabelStore(tmp_path / "labels.db")


def test_a_label_that_cannot_be_logged_is_not_recorded(tmp_path, make, monkeypatch):
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_candidates([make()])

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(DatabaseUnavailable, match="no room left"):
            store.label(make().id, "lan", "hard", token="1")
        assert store.events() == []
        monkeypatch.undo()
        assert store.label(make().id, "lan", "hard", token="1") == 1


def test_a_cut_off_log_line_does_not_swallow_the_next(tmp_path, make):
    from annotations.database.eventlog import read_log

    log = tmp_path / "labels.events.jsonl"
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_candidates([make()])
        with log.open("ab") as file:
            file.write(b'{"kind": "label", "tok')
        store.label(make().id, "lan", "hard", token="1")
    assert [line[:17] for line in read_log(log)] == [
        b'{"kind": "candida',
        b'{"kind": "label",',
        b'{"token": "1", "k',
    ]


def test_the_database_opens_for_two_at_once(tmp_path):
    errors = []

    def start() -> None:
        try:
            LabelStore(tmp_path / "labels.db").close()
        except Exception as error:
            errors.append(error)

    running = [threading.Thread(target=start) for _ in range(6)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == []


def test_an_existing_database_is_opened_without_heavy_imports(tmp_path):
    LabelStore(tmp_path / "labels.db").close()
    code = (
        "import sys; from annotations.store.label_store import LabelStore\n"
        "LabelStore(sys.argv[1]).close()\n"
        "print({'sqlite_utils', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "labels.db")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_ids_are_those_of_pools_made_before_texts_were_folded(store, make):
    written = make(1, passage="Viêm tuỵ cấp \u200b Ðau.")
    assert written.id == "dbeea1e549707539" and make(1).id == "8ba589af06010004"
    assert store.add_candidates([written]) == (1, 0)
    assert store.add_candidates([make(1, passage="Viêm tuỵ cấp \u200b  ðau.")]) == (0, 1)
    assert store.add_candidates([make(1, passage="Thuỷ đậu."), make(1, passage="Thủy đậu.")]) == (1, 1)
