"""Export candidates and answers as Argilla's records and settings.

The formats are those of argilla 2.8: `Record.to_dict` and `Settings.serialize` (argilla/src/argilla/records/
_resource.py, records/_io/_json.py, settings/_resource.py). In Argilla:

    settings = rg.Settings.from_json("labels.settings.json")
    dataset = rg.Dataset("hard-negatives", settings=settings).create()
    dataset.records.from_json("labels.json")

Its server takes responses only of users that it has; `rg.User(username=…, password=…, id=user_id).create()` makes
one with the id that an export uses.
"""

import json
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, Candidate
from annotations.exchange.files import bilingual, guidelines
from annotations.people.pseudonyms import pseudonyms, user_id
from annotations.store.label_store import LabelStore
from vcs_demo.files import write_text

FIELDS = ("query", "positive", "candidate")
ORIGIN = {"miner": "terms", "rank": "integer", "score": "float"}  # what would tell annotators what to think


def settings_path(path: Path) -> Path:
    """Return where the settings lie beside the records: labels.json → labels.settings.json."""
    return path.with_suffix(".settings.json")


def export_argilla(store: LabelStore, path: Path | str, *, with_origin: bool = False) -> int:
    """Write all candidates as records, with the current labels as responses, and the settings beside them.

    Annotators are UUIDs made of their pseudonyms. Candidates that nobody has labelled are records without
    responses, to be labelled there.

    Args:
        store: what to write.
        path: of the records; the settings go to `settings_path`.
        with_origin: also write miner, rank and score as metadata, hidden from annotators.

    Returns:
        The number of records.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.database.lock:
        candidates = store.candidates()
        labels = store.database.rows("SELECT candidate_id, annotator, label FROM labels ORDER BY id")
        users = {name: user_id(called) for name, called in pseudonyms(store).items()}
    responses: dict[str, list[dict[str, str]]] = {}
    for row in labels:
        responses.setdefault(row["candidate_id"], []).append(
            {"value": row["label"], "user_id": users[row["annotator"]], "status": "submitted"}
        )
    records = [_record(candidate, responses.get(candidate.id), with_origin) for candidate in candidates]
    # In ASCII, since Argilla opens both in the locale's encoding.
    write_text(settings_path(path), json.dumps(_settings(with_origin), indent=1) + "\n")
    write_text(path, json.dumps(records, indent=1) + "\n")
    return len(records)


def _record(
    candidate: Candidate, responses: list[dict[str, str]] | None, with_origin: bool
) -> dict[str, Any]:
    texts = (candidate.query, candidate.positive, candidate.passage)
    origin = {name: getattr(candidate, name) for name in ORIGIN} if with_origin else {}
    return {
        "id": candidate.id,
        "fields": dict(zip(FIELDS, texts, strict=True)),
        "metadata": {name: value for name, value in origin.items() if value is not None},
        "suggestions": {},
        "responses": {"label": responses} if responses else {},
        "vectors": {},
        "status": "completed" if responses else "pending",
        "_server_id": None,
    }


def _settings(with_origin: bool) -> dict[str, Any]:
    titles = {label: bilingual(f"title_{label}") for label in LABELS}
    meanings = [f"{title}: {bilingual(f'meaning_{label}')}" for label, title in titles.items()]
    options = [{"value": label, "text": title} for label, title in titles.items()]
    choice = {"type": "label_selection", "options": options, "visible_options": len(LABELS)}
    question = {"name": "label", "title": bilingual("question"), "description": "; ".join(meanings)}
    plain = {"required": True, "type": "text", "settings": {"type": "text", "use_markdown": False}}
    hidden = {"visible_for_annotators": False}
    return {
        "guidelines": guidelines(),
        "questions": [question | {"required": True, "type": "label_selection", "settings": choice}],
        "fields": [{"name": name, "title": bilingual(f"field_{name}")} | plain for name in FIELDS],
        "vectors": [],
        "metadata": [
            {"name": name, "title": name} | hidden | {"settings": {"type": kind} | hidden}
            for name, kind in ORIGIN.items()
            if with_origin
        ],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }
