"""Event logs as nobody wrote them: odd lines are left out and counted, the others count in whatever order."""

import pytest
from factories import candidate

from annotations.database.eventlog import log_path
from annotations.store.label_store import LabelStore

ODD = {
    "empty": b"{}",
    "no key": b'{"a": 1}',
    "a kind alone": b'{"kind": "calibration"}',
    "deeply nested": b"[" * 100_000,
    "a number too large": b'{"kind": "label", "token": "x", "candidate_id": "c", "annotator": "a", "confidence": 1'
    + b"0" * 30
    + b"}",
    "a lone surrogate": b'{"kind": "label", "token": "\\ud800x", "candidate_id": "c", "annotator": "a"}',
    "no JSON": b"garbage",
}


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
def test_an_odd_line_is_left_out_and_told(line, tmp_path, caplog):
    path = tmp_path / "labels.db"
    one = candidate()
    with LabelStore(path) as store:
        store.add_candidates([one])
        store.label(one.id, "an", "hard", token="t1")
    with log_path(path).open("ab") as log:
        log.write(line + b"\n")
    with LabelStore(path) as store:
        assert store.counts()["hard"] == 1
        store.label(one.id, "binh", "trivial", token="t2")
    assert ("left out" in caplog.text) == line.endswith(b"}")  # the others are as a cut-off write leaves them


@pytest.mark.parametrize("order", [lambda lines: lines[::-1], sorted], ids=["reversed", "sorted"])
def test_a_line_may_stand_before_the_one_it_needs(order, tmp_path):
    path = tmp_path / "labels.db"
    one, two = candidate(1), candidate(2)
    with LabelStore(path) as store:
        store.add_candidates([one, two])
        store.label(one.id, "an", "hard", token="t1")
        store.label(two.id, "an", "trivial", token="t2")
        store.undo("an", token="t3")
        counts = store.counts()
    log = log_path(path)
    log.write_bytes(b"".join(order(log.read_bytes().splitlines(keepends=True))))
    path.unlink()
    with LabelStore(path) as store:
        assert store.counts() == counts
        assert len(store.events()) == 3
