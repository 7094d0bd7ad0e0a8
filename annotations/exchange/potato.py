"""Export candidates and answers as a Potato project.

The formats are those of davidjurgens/potato. An annotator's labels are kept in `annotation_output/<user>/`: by Potato 1
as lines of `annotated_instances.jsonl` (`save_user_state` in potato/user_state_management.py of 1.x), by Potato 2 as
`user_state.json` (`InMemoryUserState.to_json`; radio labels as in potato/importers/projects/writer.py, both 2.12). The
configuration is one of Potato 2: `potato start DIR`.
"""

import html
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, Candidate
from annotations.exchange.files import bilingual
from annotations.people.pseudonyms import pseudonyms
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import write_jsonl, write_text

LINES, STATE = "annotated_instances.jsonl", "user_state.json"
TASK = "hard-negatives"


def export_potato(store: LabelStore, folder: Path | str) -> int:
    """Write a Potato project: configuration, all candidates as data, and each annotator's standing labels.

    Texts are escaped, since Potato shows them as HTML; annotators are pseudonyms; nothing tells miner, rank or
    score.

    Returns:
        The number of candidates.

    Raises:
        UserError: the folder has something in it.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{quoted(folder)} is there and not empty; give a new folder for the Potato project.")
    with store.database.lock:
        candidates = {candidate.id: candidate for candidate in store.candidates()}
        labels = store.database.rows("SELECT candidate_id, annotator, label FROM labels ORDER BY id")
        called = pseudonyms(store)
    by_user: dict[str, dict[str, str]] = {}
    for row in labels:
        by_user.setdefault(called[row["annotator"]], {})[row["candidate_id"]] = row["label"]
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        (part / "data").mkdir(parents=True)
        write_text(part / "config.yaml", "".join(_config()))
        items = ({"id": c.id, "text": _text(c)} for c in candidates.values())
        write_jsonl(part / "data" / "candidates.jsonl", items)
        for user, given in by_user.items():
            output = part / "annotation_output" / user
            output.mkdir(parents=True)
            write_jsonl(output / LINES, (_line(candidates[id], given[id]) for id in given))
            write_text(output / STATE, json.dumps(_state(user, given), indent=1) + "\n")
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(candidates)


def _text(candidate: Candidate) -> str:
    texts = (candidate.query, candidate.positive, candidate.passage)
    titles = [bilingual(f"field_{name}") for name in ("query", "positive", "candidate")]
    return "".join(
        f"<p><b>{html.escape(title)}</b><br>{html.escape(text).replace(chr(10), '<br>')}</p>"
        for title, text in zip(titles, texts, strict=True)
    )


def _line(candidate: Candidate, label: str) -> dict[str, Any]:
    return {
        "id": candidate.id,
        "displayed_text": _text(candidate),
        "label_annotations": {"label": {label: str(LABELS.index(label) + 1)}},
        "span_annotations": [],
        "behavioral_data": {},
    }


def _state(user: str, given: dict[str, str]) -> dict[str, Any]:
    return {
        "user_id": user,
        "max_assignments": -1,
        "instance_id_ordering": list(given),
        "current_instance_index": 0,
        "current_phase_and_page": ["annotation", TASK],
        "completed_phase_and_pages": [],
        "instance_id_to_label_to_value": {
            item: [[{"schema": "label", "name": label}, label]] for item, label in given.items()
        },
        "instance_id_to_span_to_value": {},
        "phase_to_page_to_label_to_value": {},
        "phase_to_page_to_span_to_value": {},
    }


def _config() -> Iterator[str]:
    """Yield the lines of the configuration; a JSON string is a YAML string."""
    yield f"annotation_task_name: {TASK}\n"
    yield "task_dir: .\n"
    yield "output_annotation_dir: annotation_output/\n"
    yield "data_files:\n  - data/candidates.jsonl\n"
    yield "item_properties:\n  id_key: id\n  text_key: text\n"
    yield "annotation_schemes:\n"
    yield "  - annotation_type: radio\n    name: label\n"
    yield f"    description: {json.dumps(bilingual('question'), ensure_ascii=False)}\n"
    yield "    label_requirement:\n      required: true\n    labels:\n"
    for key, label in enumerate(LABELS, start=1):
        yield f'      - name: {label}\n        key_value: "{key}"\n'
        yield f"        displayed_label: {json.dumps(bilingual(f'title_{label}'), ensure_ascii=False)}\n"
        yield f"        tooltip: {json.dumps(bilingual(f'meaning_{label}'), ensure_ascii=False)}\n"
