"""Whatever comes in: no crash, nothing said here changed, a sound database.

A moderate number of examples for each test; for over 10,000 imports in all:

HOSTILE_EXAMPLES=2000 python -m pytest tests/annotations/exchange/test_hostile_imports.py
"""

import functools
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_databases import assert_counted

from annotations.candidates import LABELS, Candidate
from annotations.exchange.answer_rows import holds_answers
from annotations.exchange.answers import export_answers, import_answers
from annotations.exchange.argilla import export_argilla
from annotations.exchange.potato import export_potato
from annotations.exchange.triples import import_triples
from annotations.people.pseudonyms import pseudonym
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "60"))
pytestmark = pytest.mark.slow
hostile = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


LOCAL = ("Lan", "local", "p-0123456789abcdef0123", "potato:anna")
CANDIDATES = [
    Candidate.create(query=f"Câu {n}?", positive="Đúng.", passage=f"Sai {n}.", miner="bm25", rank=n)
    for n in range(3)
]
PAYLOADS = (
    *("", " ", "\x00", "\ud800", "a\udfffb", "\u202e", "\x1b[2J", "e\u0302\u0323", "٣", "NaN", "1e999", "-1"),
    *(
        "<script>alert(1)</script>",
        "'); DROP TABLE events; --",
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "null",
    ),
    *("x" * 6_000, "đ" * 20_001, "import:" + "0" * 32, "9" * 5_000),
)
KNOWN = (
    *LOCAL,
    *LABELS,
    *("candidate", "label", "skip", "undo", "test", "lan-1", "lan-2", "local-1", "guest-1", "new"),
    *(pseudonym(token) for token in ("lan-1", "local-1", "guest-1", "new")),
    *(candidate.id for candidate in CANDIDATES),
)
texts = st.sampled_from(KNOWN) | st.sampled_from(PAYLOADS) | st.text(st.characters(codec=None), max_size=30)
numbers = st.sampled_from([0, -1, 2**31, 2**63, 10**400, 0.5, float("nan"), float("inf")]) | st.integers()
scalars = texts | numbers | st.none() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
EVENT = (
    "kind",
    "token",
    "candidate_id",
    "annotator",
    "label",
    "note",
    "at",
    "seconds",
    "undoes",
    *("confidence", "flagged", "guideline", "client_at", "lease"),
)


def import_file(store, path):
    return (import_answers if holds_answers(path) else import_triples)(store, path)


def local_store():
    """Return a database in which people have labelled, and a guest's answer was imported."""
    store = LabelStore(":memory:")
    store.add_candidates(CANDIDATES[:2])
    for name in LOCAL:
        first = name.lower()[:5].rstrip(":")
        store.label(CANDIDATES[0].id, name, "trivial", token=f"{first}-1")
        store.label(CANDIDATES[0].id, name, "hard", token=f"{first}-2", note="ghi chú")
        store.skip(CANDIDATES[1].id, name, token=f"{first}-3")
    guest = pseudonym("guest-1")
    row = {"kind": "label", "token": "guest-1", "candidate_id": CANDIDATES[0].id, "annotator": guest}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "guest.jsonl")
        path.write_text(json.dumps(row | {"label": "unsure"}))
        assert import_file(store, path).answers_added == 1
    return store


def said(store):
    """Return everything that the people of this database have said, and what stands of it."""
    events = [event for event in store.events() if event["annotator"] in LOCAL]
    stands = store.database.rows("SELECT * FROM labels ORDER BY id")
    return events, [row for row in stands if row["annotator"] in LOCAL], store.candidates()[:2]


def comes_in(name, content):
    """Import a file twice into a database with people in it, and check what must hold."""
    with tempfile.TemporaryDirectory() as folder, local_store() as store:
        path = Path(folder, name)
        path.write_bytes(content)
        before = said(store)
        try:
            import_file(store, path)
            events = store.events()
            assert getattr(import_file(store, path), "answers_added", 0) == 0
            assert store.events() == events
        except UserError:
            pass
        assert said(store) == before
        assert [row[0] for row in store.database.db.execute("PRAGMA integrity_check")] == ["ok"]
        assert store.database.db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert_counted(store)
        for event in store.events():
            assert (
                len(event["annotator"]) <= 100 and len(event["note"]) <= 5_000 and len(event["token"]) <= 200
            )
        for out in ("a.jsonl", "a.csv"):  # what came in can go out again
            export_answers(store, Path(folder, out))
            assert import_file(store, Path(folder, out)).answers_added == 0
        export_argilla(store, Path(folder, "b.json"))
        export_potato(store, Path(folder, "p"))


def dumped(value):
    return json.dumps(value).encode()


@functools.cache
def exported(name):
    with tempfile.TemporaryDirectory() as folder, local_store() as store:
        export_answers(store, Path(folder, name))
        return Path(folder, name).read_bytes()


@hostile
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, values)), max_size=6))
def test_events_of_anything(rows):
    start = {"kind": "candidate"} | {
        name: getattr(CANDIDATES[2], name) for name in ("query", "positive", "passage")
    }
    comes_in("a.jsonl", b"\n".join(map(dumped, [start, *rows])))


GOOD_EVENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["label", "skip", "undo"]),
        "token": st.sampled_from(
            ["lan-1", "lan-2", "lan-9", "guest-1", "guest-2", "new", "new-2", "local-1"]
        ),
        "candidate_id": st.sampled_from([candidate.id for candidate in CANDIDATES[:2]]),
        "annotator": st.sampled_from(
            [*LOCAL, *(pseudonym(token) for token in ("lan-1", "guest-1", "new", "local-1"))]
        ),
    },
    optional={
        "confidence": values,
        "label": st.sampled_from(LABELS),
        "undoes": st.sampled_from(["lan-2", "guest-1", "new", "lan-3"]),
    },
)


@hostile
@given(st.lists(GOOD_EVENT, min_size=1, max_size=12))
def test_events_that_are_nearly_right(rows):
    for row in rows:
        if row["kind"] != "label":
            row.pop("label", None)
        if row["kind"] != "undo":
            row.pop("undoes", None)
    comes_in("a.jsonl", b"\n".join(map(dumped, rows)))


@hostile
@given(st.data())
def test_exports_that_were_tampered_with(data):
    rows = [json.loads(line) for line in exported("a.jsonl").splitlines()]
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.sampled_from(sorted(row)) | texts)] = data.draw(values)
    comes_in("a.jsonl", b"\n".join(map(dumped, data.draw(st.permutations(rows)))))


@hostile
@given(st.data())
def test_files_with_broken_bytes(data):
    name = data.draw(st.sampled_from(["a.jsonl", "a.csv"]))
    content = bytearray(exported(name))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    comes_in(name, bytes(content))


@hostile
@given(st.lists(st.lists(texts, min_size=4, max_size=9), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_spreadsheets_of_anything(rows, comma):
    header = "id,query,positive,passage,annotator,label,note,token,rank"
    cells = [comma.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    comes_in("a.csv", "\n".join([header, *cells]).encode("utf-8", "surrogatepass"))


@hostile
@given(
    st.lists(st.dictionaries(st.sampled_from(["query", "positive", "negative", "split", "miner"]), values))
)
def test_triples_of_anything(rows):
    comes_in("a.jsonl", b"\n".join(map(dumped, rows)))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"[" * 200_000,
        b'{"kind": ' * 50_000,
        b"a," * 200_000 + b"\n1,2",
        b'{"kind": "label", "token": "' + b"a" * 3_000_000 + b'"}',
        b'"' + b"a" * 1_000_000,
        b'{"kind": "candidate"}\n' * 3_000,
        b"query,positive,passage,annotator,label\n" + b"x," * 300_000,
        json.dumps({"kind": "label"} | {str(n): n for n in range(100_000)}).encode(),
    ],
    ids=range(11),
)
def test_files_of_awkward_shape(name, content):
    comes_in(name, content)
