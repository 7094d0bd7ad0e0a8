"""Lines of the event log that nobody wrote: they are left out and counted, and the labels open."""

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
