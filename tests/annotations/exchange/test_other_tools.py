import json

import pytest

from annotations.candidates import LABELS
from annotations.exchange.any_file import import_file
from annotations.exchange.argilla import export_argilla, import_argilla, settings_path
from annotations.exchange.files import BadImport
from annotations.exchange.potato import export_potato, import_potato
from annotations.people.pseudonyms import pseudonym, user_id
from annotations.store.label_store import LabelStore

ANNA, BOB = "8f6c4e5e-6d0b-4f6e-9a35-0b7a4f3f5b10", "1c8ad0a2-5c76-4b8c-8f2e-5f1c8f0b2d11"


@pytest.fixture
def labelled(store, make):
    """Two labels of one candidate, and one candidate that waits."""
    store.add_candidates([make(1), make(2, query="<b>Ho</b> & sốt?\nLàm gì?")])
    store.label(make(1).id, "Nguyễn Lan", "hard", token="lan-1", note="Ghi chú")
    store.label(make(1).id, "Trần Mai", "unsure", token="mai-1")
    return store


@pytest.fixture
def other():
    with LabelStore(":memory:") as opened:
        yield opened


def standing(store):
    rows = store.database.rows("SELECT annotator, candidate_id, label FROM labels ORDER BY annotator")
    return [tuple(row.values()) for row in rows]


def argilla_record(candidate, responses):
    """As argilla 2.8.0 writes one: Record.to_dict, records/_resource.py, through JsonIO.to_json."""
    return {
        "id": candidate.id,
        "fields": {
            "query": candidate.query,
            "positive": candidate.positive,
            "candidate": candidate.passage,
        },
        "metadata": {},
        "suggestions": {},
        "responses": {"label": responses} if responses else {},
        "vectors": {},
        "status": "pending",
        "_server_id": "f1b1f8a0-7a2e-4d35-b1ce-0e64a8a5a6d3",
    }


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    return path


def test_argillas_records_are_as_it_writes_them(labelled, make, tmp_path):
    assert export_argilla(labelled, tmp_path / "a.json") == 2
    first, second = json.loads((tmp_path / "a.json").read_text("ascii"))
    assert list(first) == list(argilla_record(make(1), []))
    assert first["id"] == make(1).id and first["fields"] == argilla_record(make(1), [])["fields"]
    assert first["responses"]["label"] == [
        {"value": "hard", "user_id": user_id(pseudonym("lan-1")), "status": "submitted"},
        {"value": "unsure", "user_id": user_id(pseudonym("mai-1")), "status": "submitted"},
    ]
    assert (first["status"], second["status"], second["responses"]) == ("completed", "pending", {})
    text = (tmp_path / "a.json").read_text() + settings_path(tmp_path / "a.json").read_text()
    assert not any(word in text for word in ("Lan", "Mai", "bm25", "rank", "score"))


def test_argillas_settings_are_as_it_writes_them(labelled, tmp_path):
    # argilla 2.8.0, Settings.serialize (settings/_resource.py); what it also writes there is null
    export_argilla(labelled, tmp_path / "a.json", with_origin=True)
    settings = json.loads((tmp_path / "a.settings.json").read_text("ascii"))
    assert list(settings) == [
        *("guidelines", "questions", "fields", "vectors", "metadata", "allow_extra_metadata"),
        *("distribution", "mapping"),
    ]
    (question,) = settings["questions"]
    assert (question["name"], question["type"]) == ("label", "label_selection")
    assert [option["value"] for option in question["settings"]["options"]] == list(LABELS)
    assert [field["name"] for field in settings["fields"]] == ["query", "positive", "candidate"]
    assert settings["fields"][0]["settings"] == {"type": "text", "use_markdown": False}
    assert [(m["name"], m["settings"]["type"]) for m in settings["metadata"]] == [
        ("miner", "terms"),
        ("rank", "integer"),
        ("score", "float"),
    ]
    assert not any(m["visible_for_annotators"] for m in settings["metadata"])
    record = json.loads((tmp_path / "a.json").read_text("ascii"))[0]
    assert record["metadata"] == {"miner": "bm25", "rank": 1, "score": pytest.approx(7.5 - 1 / 3)}


def test_argillas_responses_come_in_as_labels(other, make, tmp_path):
    responses = [
        {"value": "hard", "user_id": ANNA},
        {"value": "trivial", "user_id": BOB, "status": "draft"},
    ]
    path = write(tmp_path / "a.json", [argilla_record(make(1), responses), argilla_record(make(2), [])])
    report = import_file(other, path)
    assert (report.rows, report.candidates_added, report.answers_added) == (2, 2, 1)
    assert standing(other) == [(f"argilla:{ANNA}", make(1).id, "hard")]
    assert import_file(other, path).answers_added == 0
    for label in ("trivial", "hard"):  # and back again: each change is one more event
        responses[0]["value"] = label
        write(path, [argilla_record(make(1), responses)])
        assert import_file(other, path).answers_added == 1
        assert standing(other) == [(f"argilla:{ANNA}", make(1).id, label)]


def test_argilla_changes_no_label_of_ours(labelled, make, tmp_path):
    export_argilla(labelled, tmp_path / "a.json")
    report = import_argilla(labelled, tmp_path / "a.json")
    assert (report.answers_added, report.answers_there, report.problems) == (0, 2, [])
    records = json.loads((tmp_path / "a.json").read_text())
    records[0]["responses"]["label"][0]["value"] = "trivial"
    (problem,) = import_argilla(labelled, write(tmp_path / "a.json", records)).problems
    assert problem.line == 1 and "is hard; it is changed only there" in problem.reason
    assert standing(labelled)[0] == ("Nguyễn Lan", make(1).id, "hard")


def test_broken_records_are_named(other, make, tmp_path):
    good = argilla_record(make(1), [{"value": "hard", "user_id": ANNA}])
    bad = [
        argilla_record(make(1), [{"value": "hard", "user_id": "anna"}, 5]),
        argilla_record(make(1), [{"value": ["hard"], "user_id": BOB}]),
        good | {"fields": {"query": "Ho?"}},
        good | {"fields": None},
        [],
    ]
    report = import_argilla(other, write(tmp_path / "a.json", [*bad, good]))
    assert report.answers_added == 1
    assert [(p.line, p.reason.split(";")[0]) for p in report.problems] == [
        (1, "The user_id 'anna' is no UUID."),
        (1, "The response '5' is no object."),
        (2, "'['hard']' is not a label"),
        (3, "The positive is empty"),
        (4, "The record has no fields"),
        (5, "The line is not a JSON object"),
    ]
    with pytest.raises(BadImport, match="no list of records"):
        import_argilla(other, write(tmp_path / "a.json", {}))
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(BadImport, match="is not JSON"):
        import_argilla(other, tmp_path / "a.json")


def test_a_potato_project_shows_texts_and_tells_nothing_else(labelled, make, tmp_path):
    assert export_potato(labelled, tmp_path / "p") == 2
    rows = [
        json.loads(line) for line in (tmp_path / "p/data/candidates.jsonl").read_text("utf-8").splitlines()
    ]
    assert [list(row) for row in rows] == [["id", "text"]] * 2
    assert "&lt;b&gt;Ho&lt;/b&gt; &amp; sốt?<br>Làm gì?" in rows[1]["text"]
    config = (tmp_path / "p/config.yaml").read_text("utf-8")
    for words in (
        "task_dir: .\n",
        "output_annotation_dir: annotation_output/\n",
        "data_files:\n  - data/candidates.jsonl\n",
        "  - annotation_type: radio\n    name: label\n",
        '      - name: unsure\n        key_value: "4"\n',
    ):
        assert words in config
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "p").rglob("*.*"))
    assert not any(word in text for word in ("Lan", "Mai", "bm25", "score", "Ghi chú"))
    with pytest.raises(BadImport, match="not empty"):
        export_potato(labelled, tmp_path / "p")


def test_potatos_answers_are_as_it_writes_them(labelled, make, tmp_path):
    export_potato(labelled, tmp_path / "p")
    folder = tmp_path / "p/annotation_output" / pseudonym("lan-1")
    # Potato 1: potato/user_state_management.py, save_user_state
    (line,) = (folder / "annotated_instances.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) | {"displayed_text": ""} == {
        "id": make(1).id,
        "displayed_text": "",
        "label_annotations": {"label": {"hard": "1"}},
        "span_annotations": [],
        "behavioral_data": {},
    }
    # Potato 2.12: potato/user_state_management.py, InMemoryUserState.to_json
    state = json.loads((folder / "user_state.json").read_text("utf-8"))
    assert state["user_id"] == pseudonym("lan-1")
    assert state["instance_id_to_label_to_value"] == {
        make(1).id: [[{"schema": "label", "name": "hard"}, "hard"]]
    }
    report = import_potato(labelled, tmp_path / "p")
    assert (report.answers_added, report.answers_there, report.problems) == (0, 2, [])


def test_potatos_labels_come_in_from_both_versions(labelled, make, tmp_path):
    one = {
        "id": make(1).id,
        "displayed_text": "…",
        "label_annotations": {"label": {"trivial": "3"}, "sure": {"yes": "true"}},
        "span_annotations": [],
        "behavioral_data": {"time_string": "Time spent: 0d 0h 0m 4s "},
    }
    two = {
        "user_id": "bob",
        "instance_id_ordering": [make(1).id],
        "current_phase_and_page": ["annotation", "hard-negatives"],
        "instance_id_to_label_to_value": {
            make(1).id: [[{"schema": "label", "name": "false_negative"}, "false_negative"]]
        },
        "instance_id_to_span_to_value": {},
    }
    write(tmp_path / "out/anna/annotated_instances.jsonl", one)
    write(tmp_path / "out/bob/user_state.json", two)
    assert import_file(labelled, tmp_path / "out").answers_added == 2
    assert import_file(labelled, tmp_path / "out/anna/annotated_instances.jsonl").answers_added == 0
    assert standing(labelled)[2:] == [
        ("potato:anna", make(1).id, "trivial"),
        ("potato:bob", make(1).id, "false_negative"),
    ]


def test_broken_potato_files_are_named(labelled, make, tmp_path):
    rows = [
        {"id": make(1).id, "label_annotations": {"label": {"trivial": "3", "hard": "1"}}},
        {"id": make(1).id, "label_annotations": {"label": {"easy": "1"}}},
        {"id": "x", "label_annotations": {"label": {"hard": "1"}}},
        {"id": 5, "label_annotations": None},
    ]
    path = tmp_path / "anna" / "annotated_instances.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert [(p.line, p.reason.split(";")[0]) for p in import_potato(labelled, path).problems] == [
        (1, f"The item '{make(1).id}' has the labels '['trivial', 'hard']'"),
        (2, f"The item '{make(1).id}' has the labels '[]'"),
        (3, "There is no candidate 'x' here"),
        (4, "The id is '5'"),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadImport, match="no annotated_instances.jsonl"):
        import_potato(labelled, tmp_path / "empty")
    with pytest.raises(BadImport, match="no user_state.json of Potato"):
        import_potato(labelled, write(tmp_path / "user_state.json", []))
