"""Candidates and answers as Argilla's records and settings, and its records back in.

The formats are those of argilla 2.8: `Record.to_dict` and `Settings.serialize` (argilla/src/argilla/records/
_resource.py, records/_io/_json.py, settings/_resource.py). In Argilla:

    settings = rg.Settings.from_json("labels.settings.json")
    dataset = rg.Dataset("hard-negatives", settings=settings).create()
    dataset.records.from_json("labels.json")

Its server takes responses only of users that it has; `rg.User(username=…, password=…, id=user_id).create()` makes
one with the id that an export uses.
"""

import json
import uuid
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, Candidate
from annotations.database.events import BadEvent
from annotations.exchange.answer_rows import candidate_of, given_label, read
from annotations.exchange.files import BadImport, RowProblem, check_file, read_json, write_lines
from annotations.exchange.merging import AnswersReport, BadAnswer, Given, Incoming, merge
from annotations.exchange.wording import FIELDS, LABEL_MEANINGS, LABEL_TITLES, QUESTION, guidelines
from annotations.people.pseudonyms import pseudonyms, user_id
from annotations.store.label_store import LabelStore
from vcs_demo.errors import quoted

ORIGIN = {"miner": "terms", "rank": "integer", "score": "float"}  # what would tell annotators what to think


def settings_path(path: Path) -> Path:
    """Return where the settings lie beside the records: labels.json → labels.settings.json."""
    return path.with_suffix(".settings.json")


def export_argilla(store: LabelStore, path: Path | str, *, with_origin: bool = False) -> int:
    """Write all candidates as records, with the labels that stand as responses, and the settings beside them.

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
    write_lines(settings_path(path), [json.dumps(_settings(with_origin), indent=1) + "\n"])
    write_lines(path, [json.dumps(records, indent=1) + "\n"])
    return len(records)


def import_argilla(store: LabelStore, path: Path | str, *, sender: str = "") -> AnswersReport:
    """Merge Argilla's records (`dataset.records.to_json`): their candidates, and their responses as labels.

    Responses to `label` that are no drafts are taken, filed under `sender:user_id` (`argilla:…` by default).
    Those of a user id that an export made for somebody here count as there where they agree with what stands,
    and are refused where not.

    Raises:
        BadImport: no such file, too large, or no list of records.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    path = Path(path)
    check_file(path)
    records = read_json(path)
    if not isinstance(records, list):
        raise BadImport(f"{quoted(path.name)} is no list of records; write it with dataset.records.to_json.")

    def take(number: int, record: dict[str, Any], into: Incoming) -> None:
        fields = record.get("fields")
        if not isinstance(fields, dict):
            raise BadAnswer("The record has no fields; it must have query, positive and candidate.")
        candidate = candidate_of(
            {"query": fields.get("query"), "positive": fields.get("positive")}
            | {"passage": fields.get("candidate"), "task": "imported", "source": path.name}
            | {"split": "train", "miner": "imported"}
        )
        into.candidates.setdefault(candidate.id, candidate)
        responses = record.get("responses")
        given = responses.get("label") if isinstance(responses, dict) else None
        for response in given if isinstance(given, list) else []:
            try:
                label = _given(response, candidate.id, sender)
            except (BadAnswer, BadEvent) as error:
                into.problems.append(RowProblem(number, str(error)))
            else:
                into.given += [(number, label)] if label else []

    return merge(store, read(enumerate(records, start=1), take, path))


def _given(response: Any, candidate: str, sender: str) -> Given | None:
    """Return a response as a label, None if it is a draft or discarded; raises BadAnswer, BadEvent."""
    if not isinstance(response, dict):
        raise BadAnswer(f"The response {quoted(response)} is no object.")
    if response.get("status", "submitted") not in ("submitted", None):
        return None
    try:
        user = str(uuid.UUID(response.get("user_id")))
    except (ValueError, TypeError, AttributeError) as error:
        raise BadAnswer(f"The user_id {quoted(response.get('user_id'))} is no UUID.") from error
    return given_label(sender, user, candidate, response.get("value"), interface="argilla")


def _record(
    candidate: Candidate, responses: list[dict[str, str]] | None, with_origin: bool
) -> dict[str, Any]:
    origin = {name: getattr(candidate, name) for name in ORIGIN} if with_origin else {}
    return {
        "id": candidate.id,
        "fields": {
            "query": candidate.query,
            "positive": candidate.positive,
            "candidate": candidate.passage,
        },
        "metadata": {name: value for name, value in origin.items() if value is not None},
        "suggestions": {},
        "responses": {"label": responses} if responses else {},
        "vectors": {},
        "status": "completed" if responses else "pending",
        "_server_id": None,
    }


def _settings(with_origin: bool) -> dict[str, Any]:
    return {
        "guidelines": guidelines(),
        "questions": [
            {
                "name": "label",
                "title": QUESTION,
                "description": "; ".join(
                    f"{LABEL_TITLES[label]}: {LABEL_MEANINGS[label]}" for label in LABELS
                ),
                "required": True,
                "type": "label_selection",
                "settings": {
                    "type": "label_selection",
                    "options": [{"value": label, "text": LABEL_TITLES[label]} for label in LABELS],
                    "visible_options": len(LABELS),
                },
            }
        ],
        "fields": [
            {
                "name": name,
                "title": title,
                "required": True,
                "type": "text",
                "settings": {"type": "text", "use_markdown": False},
            }
            for name, title in FIELDS.items()
        ],
        "vectors": [],
        "metadata": [
            {
                "name": name,
                "title": name,
                "visible_for_annotators": False,
                "settings": {"type": kind, "visible_for_annotators": False},
            }
            for name, kind in ORIGIN.items()
            if with_origin
        ],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }
