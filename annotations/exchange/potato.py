"""Candidates and answers as a Potato project, and the labels of its annotators back in.

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
from annotations.exchange.answer_rows import given_label, read
from annotations.exchange.files import BadImport, check_file, json_line, read_json, read_jsonl, write_lines
from annotations.exchange.merging import AnswersReport, BadAnswer, Incoming, merge
from annotations.exchange.wording import FIELDS, LABEL_MEANINGS, LABEL_TITLES, QUESTION
from annotations.people.pseudonyms import pseudonyms
from annotations.store.label_store import LabelStore
from vcs_demo.errors import quoted

LINES, STATE = "annotated_instances.jsonl", "user_state.json"
TASK = "hard-negatives"


def export_potato(store: LabelStore, folder: Path | str) -> int:
    """Write a Potato project: configuration, all candidates as data, and each annotator's standing labels.

    Texts are escaped, since Potato shows them as HTML; annotators are pseudonyms; nothing tells miner, rank or
    score.

    Returns:
        The number of candidates.

    Raises:
        BadImport: the folder has something in it.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadImport(f"{quoted(folder)} is there and not empty; give a new folder for the Potato project.")
    with store.database.lock:
        candidates = {candidate.id: candidate for candidate in store.candidates()}
        labels = store.database.rows("SELECT candidate_id, annotator, label FROM labels ORDER BY id")
        called = pseudonyms(store)
    by_user: dict[str, dict[str, str]] = {}
    for row in labels:
        by_user.setdefault(called[row["annotator"]], {})[row["candidate_id"]] = row["label"]
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        write_lines(part / "config.yaml", _config())
        items = ({"id": c.id, "text": _text(c)} for c in candidates.values())
        write_lines(part / "data" / "candidates.jsonl", map(json_line, items))
        for user, given in by_user.items():
            output = part / "annotation_output" / user
            write_lines(output / LINES, (json_line(_line(candidates[id], given[id])) for id in given))
            write_lines(output / STATE, [json.dumps(_state(user, given), indent=1) + "\n"])
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(candidates)


def import_potato(store: LabelStore, path: Path | str, *, sender: str = "") -> AnswersReport:
    """Merge the labels of a Potato project whose candidates are here, filed under `sender:user` (`potato:…`).

    Args:
        store: the labels.
        path: an `annotated_instances.jsonl` or `user_state.json`, or a folder with those of several users.
        sender: who it is from, where two projects have users of the same name.

    Raises:
        BadImport: there is no such file, or one that is too large or unreadable.
        DatabaseUnavailable: it could not be saved; then nothing was added.
    """
    path = Path(path)
    files = sorted(f for f in path.rglob("*.json*") if f.name in (LINES, STATE)) if path.is_dir() else [path]
    if not files:
        raise BadImport(f"{quoted(path)} has no {LINES} and no {STATE}; give the output folder of Potato.")
    # A user who has both was exported for both versions, or has moved to the newer one, whose file is the newer.
    files = [f for f in files if f.name == STATE or f.with_name(STATE) not in files]

    def take(line: int, row: dict[str, Any], into: Incoming) -> None:
        user, candidate, chosen = row["user"], row["id"], row["chosen"]
        if not isinstance(candidate, str):
            raise BadAnswer(f"The id is {quoted(candidate)}; it must be a candidate's.")
        if len(chosen) != 1:
            raise BadAnswer(
                f"The item {quoted(candidate)} has the labels {quoted(chosen)}; it must have one."
            )
        into.given.append((line, given_label(sender, user, candidate, chosen[0], interface="potato")))

    return merge(store, read(_rows(files), take, path))


def _rows(files: list[Path]) -> Iterator[tuple[int, Any]]:
    for file in files:
        check_file(file)
        if file.suffix == ".jsonl":
            user = file.resolve().parent.name
            for line, row in read_jsonl(file):
                if isinstance(row, dict):
                    row = {"user": user, "id": row.get("id"), "chosen": _chosen(row.get("label_annotations"))}
                yield line, row
            continue
        state = read_json(file)
        labels = state.get("instance_id_to_label_to_value") if isinstance(state, dict) else None
        if not isinstance(labels, dict):
            raise BadImport(f"{quoted(file.name)} is no {STATE} of Potato; it has no labels by instance.")
        for number, (item, given) in enumerate(labels.items(), start=1):
            yield number, {"user": state.get("user_id"), "id": item, "chosen": _chosen(given)}


def _chosen(given: Any) -> list[str]:
    """Return the chosen labels of our scheme, from either version: {scheme: {label: value}} or a list of pairs."""
    if isinstance(given, list):  # [[{"schema": …, "name": …}, value], …]
        pairs = [pair for pair in given if isinstance(pair, list) and len(pair) == 2]
        chosen = [
            (name.get("name"), value)
            for name, value in pairs
            if isinstance(name, dict) and name.get("schema") == "label"
        ]
    else:
        scheme = given.get("label") if isinstance(given, dict) else None
        chosen = list(scheme.items()) if isinstance(scheme, dict) else []
    return [name for name, value in chosen if name in LABELS and value]


def _text(candidate: Candidate) -> str:
    texts = (candidate.query, candidate.positive, candidate.passage)
    return "".join(
        f"<p><b>{html.escape(title)}</b><br>{html.escape(text).replace(chr(10), '<br>')}</p>"
        for title, text in zip(FIELDS.values(), texts, strict=True)
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
    yield f"    description: {json.dumps(QUESTION, ensure_ascii=False)}\n"
    yield "    label_requirement:\n      required: true\n    labels:\n"
    for key, label in enumerate(LABELS, start=1):
        yield f'      - name: {label}\n        key_value: "{key}"\n'
        yield f"        displayed_label: {json.dumps(LABEL_TITLES[label], ensure_ascii=False)}\n"
        yield f"        tooltip: {json.dumps(LABEL_MEANINGS[label], ensure_ascii=False)}\n"
