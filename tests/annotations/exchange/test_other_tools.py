import json

import pytest

from annotations.candidates import LABELS
from annotations.exchange.argilla import export_argilla, settings_path
from annotations.exchange.potato import export_potato
from annotations.people.pseudonyms import pseudonym, user_id
from vcs_demo.errors import UserError


@pytest.fixture
def labelled(store, make):
    """Two labels of one candidate, and one candidate that waits."""
    store.add_candidates([make(1), make(2, query="<b>Ho</b> & sốt?\nLàm gì?")])
    store.label(make(1).id, "Nguyễn Lan", "hard", token="lan-1", note="Ghi chú")
    store.label(make(1).id, "Trần Mai", "unsure", token="mai-1")
    return store


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
    with pytest.raises(UserError, match="not empty"):
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
