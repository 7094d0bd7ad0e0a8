"""Export candidates and answers as a Potato project.

The formats are those of davidjurgens/potato. An annotator's labels are kept in `annotation_output/<user>/`: by Potato 1
as lines of `annotated_instances.jsonl` (`save_user_state` in potato/user_state_management.py of 1.x), by Potato 2 as
`user_state.json` (`InMemoryUserState.to_json`; radio labels as in potato/importers/projects/writer.py, both 2.12). The
configuration is one of Potato 2: `potato start DIR`.
"""

import html
import json
import shutil
from pathlib import Path
from typing import Any

from annotations.candidates import LABELS, Candidate
from annotations.exchange.files import bilingual
from annotations.people.pseudonyms import pseudonyms
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import partial, write_jsonl, write_text

LINES, STATE = "annotated_instances.jsonl", "user_state.json"
TASK = "hard-negatives"
TEXTS = ("question", *(f"{what}_{label}" for label in LABELS for what in ("title", "meaning")))


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
        raise UserError(
            f"{quoted(folder)} exists and is not empty; give a new folder for the Potato project."
        )
    with store.database.lock:
        candidates = {candidate.id: candidate for candidate in store.candidates()}
        labels = store.database.rows("SELECT candidate_id, annotator, label FROM labels ORDER BY id")
        called = pseudonyms(store)
    by_user: dict[str, dict[str, str]] = {}
    for row in labels:
        by_user.setdefault(called[row["annotator"]], {})[row["candidate_id"]] = row["label"]
    part = partial(folder)
    try:
        (part / "data").mkdir(parents=True)
        write_text(part / "config.yaml", _config())
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
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error  # not the name that only we know
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(candidates)


def _text(candidate: Candidate) -> str:
    texts = {"query": candidate.query, "positive": candidate.positive, "candidate": candidate.passage}
    return "".join(
        f"<p><b>{html.escape(bilingual(f'field_{name}'))}</b><br>{html.escape(text).replace(chr(10), '<br>')}</p>"
        for name, text in texts.items()
    )


def _line(candidate: Candidate, label: str) -> dict[str, Any]:
    chosen = {"label_annotations": {"label": {label: str(LABELS.index(label) + 1)}}}
    shown = {"id": candidate.id, "displayed_text": _text(candidate)}
    return shown | chosen | {"span_annotations": [], "behavioral_data": {}}


def _state(user: str, given: dict[str, str]) -> dict[str, Any]:
    labels = {item: [[{"schema": "label", "name": label}, label]] for item, label in given.items()}
    return {
        "user_id": user,
        "max_assignments": -1,
        "instance_id_ordering": list(given),
        "current_instance_index": 0,
        "current_phase_and_page": ["annotation", TASK],
        "completed_phase_and_pages": [],
        "instance_id_to_label_to_value": labels,
        "instance_id_to_span_to_value": {},
        "phase_to_page_to_label_to_value": {},
        "phase_to_page_to_span_to_value": {},
    }


def _config() -> str:
    """Return the configuration; a JSON string is a YAML string."""
    texts = {name: json.dumps(bilingual(name), ensure_ascii=False) for name in TEXTS}
    labels = "".join(
        f'      - name: {label}\n        key_value: "{key}"\n'
        f"        displayed_label: {texts[f'title_{label}']}\n        tooltip: {texts[f'meaning_{label}']}\n"
        for key, label in enumerate(LABELS, start=1)
    )
    return f"""annotation_task_name: {TASK}
task_dir: .
output_annotation_dir: annotation_output/
data_files:
  - data/candidates.jsonl
item_properties:
  id_key: id
  text_key: text
annotation_schemes:
  - annotation_type: radio
    name: label
    description: {texts["question"]}
    label_requirement:
      required: true
    labels:
{labels}"""
