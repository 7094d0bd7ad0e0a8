"""Stored runs: what a ranker scored on a task, on disk.

A run is a folder `<runs>/<task>-<hash>/` with `run.json` (what, with what, and the metrics with intervals),
`queries.json` (every measure for every query) and `ranking.trec` (the first 100 passages of every query).
"""

import json
import os
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from vcs_demo.files import partial, state_of
from vcs_demo.paths import data_dir

_NO_TOKEN = re.compile(r"[\s%]")
KEPT = 100  # passages of each ranking that are stored
FORMAT = 3  # raise when the meaning of a stored run changes


@dataclass(frozen=True)
class Run:
    """The result of one ranker on one task.

    Attributes:
        queries: how many were measured.
        skipped: how many were left out because the ranker was trained on them.
        metrics: measure → mean over the queries, in [0, 1].
        intervals: measure → 95 % bootstrap interval of that mean, resampling queries.
        per_query: measure → query id → value.
        ranking: query id → the first 100 (passage id, score), best first; more if `evaluate` was asked for the whole.
        milliseconds: median time of one query, alone, on passages already indexed; reranking: encoding included.
        task_fingerprint: `Task.fingerprint`; with the ranker's, it says whether the run still holds.
        created: UTC, ISO 8601.
        command: what was typed, without the path of the program.
        versions: package → version of what decides the scores.
        skipped_fingerprint: `skip_mark` of the left-out queries' hashes.
        training_known: that it is known what the ranker was trained on; if not, queries it saw may be among these.
        folder: where it is stored; None for one that was not read from there.
    """

    task: str
    ranker: str
    source: str
    split: str
    queries: int
    skipped: int
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    task_fingerprint: str
    ranker_fingerprint: str
    milliseconds: float
    created: str
    command: str
    versions: dict[str, str]
    skipped_fingerprint: str = ""
    training_known: bool = False
    per_query: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    ranking: dict[str, list[tuple[str, float]]] = field(default_factory=dict, repr=False)
    folder: Path | None = field(default=None, repr=False, compare=False)

    def as_json(self) -> dict:
        """Return everything but the per-query values, the rankings and where they are kept."""
        values = asdict(self)
        del values["per_query"], values["ranking"], values["folder"]
        return values


def keep(run: Run, folder: Path) -> None:
    """Write a run to its folder, whole or not at all; raises OSError."""
    temporary = partial(folder)
    try:
        temporary.mkdir()
        (temporary / "run.json").write_text(json.dumps(run.as_json(), ensure_ascii=False, indent=1), "utf-8")
        (temporary / "queries.json").write_text(json.dumps(run.per_query, ensure_ascii=False), "utf-8")
        first = {query_id: passages[:KEPT] for query_id, passages in run.ranking.items()}
        (temporary / "ranking.trec").write_text(trec_lines(replace(run, ranking=first)), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a broken run of the same name
        with suppress(OSError):  # someone else has just put the same run there
            os.replace(temporary, folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _facts(folder: Path) -> Run:
    facts = json.loads((folder / "run.json").read_text("utf-8"))
    facts["intervals"] = {measure: tuple(pair) for measure, pair in facts["intervals"].items()}
    return Run(**facts, folder=folder)


def values_by_query(run: Run, measure: str) -> dict[str, float]:
    """Return query id → value of a stored run; empty where they cannot be read."""
    try:
        path = run.folder / "queries.json"
        return _values(path, state_of(path)).get(measure, {})
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


@lru_cache(maxsize=64)
def _values(path: Path, state: tuple[int, ...]) -> dict[str, dict[str, float]]:
    return json.loads(path.read_text("utf-8"))


def read_run(folder: Path) -> Run:
    """Read a whole run from its folder."""
    facts = _facts(folder)
    per_query = json.loads((folder / "queries.json").read_text("utf-8"))
    ranking: dict[str, list[tuple[str, float]]] = {}
    for line in (folder / "ranking.trec").read_text("utf-8").split("\n")[:-1]:
        query_id, _, passage_id, _, score, _ = line.split(maxsplit=5)
        ranking.setdefault(_untoken(query_id), []).append((_untoken(passage_id), float(score)))
    return replace(facts, per_query=per_query, ranking=ranking)


def kept_runs() -> list[Run]:
    """Read all stored runs, the newest first, without their rankings; skip folders that are no run."""
    runs = []
    for path in (data_dir() / "runs").glob("[!.]*/run.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            runs.append(_facts(path.parent))
    return sorted(runs, key=lambda run: run.created, reverse=True)


def token(name: str) -> str:
    """Return a name as one word of a line: what is not printable, white space and `%` percent-encoded, `%` if empty."""
    if name.isprintable() and not _NO_TOKEN.search(name):
        return name or "%"
    return "".join(quote(c, safe="") if not c.isprintable() or _NO_TOKEN.match(c) else c for c in name)


def _untoken(word: str) -> str:
    return "" if word == "%" else unquote(word)


def skip_mark(hashes: Collection[str]) -> str:
    """Fingerprint the queries that are left out; empty where none is."""
    return sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:16] if hashes else ""


def trec_lines(run: Run) -> str:
    """Return the ranking as a TREC run file: query, Q0, passage, rank, score, ranker, each a `token`."""
    name = token(run.ranker)
    return "".join(
        f"{token(query_id)} Q0 {token(passage_id)} {rank} {score!r} {name}\n"
        for query_id, passages in run.ranking.items()
        for rank, (passage_id, score) in enumerate(passages, start=1)
    )
