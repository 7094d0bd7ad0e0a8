"""A ranker on a task: evaluated once, kept on disk, reused while nothing changed.

A run is a folder `<runs>/<task>-<hash>/` with `run.json` (what, with what, and the metrics with intervals),
`queries.json` (every measure for every query) and `ranking.trec` (the first 100 passages of every query).
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vcs_demo.errors import UserError
from vcs_demo.fusion import FusionRanker
from vcs_demo.metrics import bootstrap_interval, pessimistic_order, query_metrics
from vcs_demo.rankers import ModelRanker, Progress, Ranker
from vcs_demo.settings import runs_dir
from vcs_demo.tasks import RerankingTask, Task
from vcs_demo.text import content_hash

HASH_DIGITS = 16  # of a training query's sha256: a false alarm among millions is a one in 10^10 event
ENOUGH = 5.0  # seconds of single queries tell how long one takes
KEPT = 100  # passages of each ranking that are written down
_FORMAT = 2  # raise when the meaning of a stored run changes
_PACKAGES = ("bm25s", "numpy", "sentence-transformers", "torch")


@dataclass(frozen=True)
class Run:
    """The result of one ranker on one task.

    Attributes:
        metrics: measure → mean over the queries, in [0, 1].
        intervals: measure → 95 % bootstrap interval of that mean, resampling queries.
        per_query: measure → query id → value.
        ranking: query id → the first 100 (passage id, score), best first.
        milliseconds: median time of one query, alone, on passages already indexed; reranking: encoding included.
        training_known: that it is known what the ranker was trained on; if not, queries it saw may be among these.
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


def training_hashes(ranker: Ranker) -> frozenset[str]:
    """Return the content hashes of the queries a ranker was trained on, as the file beside its model lists them.

    Of each hash the first 16 digits are kept: a file may list whole hashes or no more than these.
    """
    if isinstance(ranker, FusionRanker):
        return frozenset().union(*(training_hashes(part) for part in ranker.parts))
    path = _training_file(ranker)
    if path is None or not path.is_file():
        return frozenset()
    return frozenset(digits[:HASH_DIGITS] for digits in path.read_text("utf-8").split())


def training_known(ranker: Ranker) -> bool:
    """Tell whether it is known what a ranker was trained on: nothing, or what the file beside its model lists."""
    if isinstance(ranker, FusionRanker):
        return all(training_known(part) for part in ranker.parts)
    path = _training_file(ranker)
    return path is None or path.is_file()


def _training_file(ranker: Ranker) -> Path | None:
    return ranker.path / "training_queries.txt" if isinstance(ranker, ModelRanker) else None


def evaluate(
    task: Task, ranker: Ranker, *, skip_hashes: Collection[str] = (), progress: Progress | None = None
) -> Run:
    """Evaluate a ranker on a task, leaving out the queries that it was trained on.

    Args:
        task: of either kind.
        ranker: any.
        skip_hashes: content hashes of further queries to leave out (to put two models on the same queries).
        progress: called with (done, total); may raise to cancel, and then nothing is kept.

    Raises:
        UserError: fewer than half of the task's queries are left.
    """
    skip = training_hashes(ranker) | {digits[:HASH_DIGITS] for digits in skip_hashes}
    hashes = {query_id: content_hash(text)[:HASH_DIGITS] for query_id, text in task.queries.items()}
    kept = [query_id for query_id in task.queries if hashes[query_id] not in skip]
    skipped = sorted(set(hashes.values()) & skip)
    if len(kept) * 2 < len(task.queries):
        raise UserError(
            f"{ranker.name} was trained on {len(task.queries) - len(kept)} of the {len(task.queries)} queries of "
            f"{task.name} ({task.source}); a figure on the rest would mean nothing. Take another source or task."
        )
    per_query: dict[str, dict[str, float]] = {}
    ranking: dict[str, list[tuple[str, float]]] = {}
    seconds = []
    scored = _reranked if isinstance(task, RerankingTask) else _retrieved
    for query_id, ids, scores, elapsed in scored(task, ranker, kept, progress):
        relevant = np.fromiter((i in task.qrels[query_id] for i in ids), dtype=bool, count=len(ids))
        for measure, value in query_metrics(scores, relevant).items():
            per_query.setdefault(measure, {})[query_id] = value
        order = pessimistic_order(scores, relevant)[:KEPT]
        ranking[query_id] = [(ids[i], float(scores[i])) for i in order]
        seconds.append(elapsed)
    return Run(
        task=task.name,
        ranker=ranker.name,
        source=task.source,
        split=task.split,
        queries=len(kept),
        skipped=len(task.queries) - len(kept),
        metrics={m: float(np.mean(list(values.values()))) for m, values in per_query.items()},
        intervals={m: bootstrap_interval(list(values.values())) for m, values in per_query.items()},
        task_fingerprint=task.fingerprint,
        ranker_fingerprint=ranker.fingerprint,
        milliseconds=round(float(np.median(seconds)) * 1000, 3),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
        versions={package: version(package) for package in _PACKAGES},
        skipped_fingerprint=_skip_mark(skipped),
        training_known=training_known(ranker),
        per_query=per_query,
        ranking=ranking,
    )


Scored = Iterator[tuple[str, list[str], np.ndarray, float]]


def _retrieved(task: Task, ranker: Ranker, kept: list[str], progress: Progress | None) -> Scored:
    ids = list(task.passages)
    total = len(ids) + len(kept)
    report = (lambda done, of: progress(round(done / max(of, 1) * len(ids)), total)) if progress else None
    index = ranker.index(list(task.passages.values()), report)
    latency = _time_alone(index.score, [task.queries[q] for q in kept[:20]])
    for start in range(0, len(kept), ranker.block):
        block = kept[start : start + ranker.block]
        for query_id, scores in zip(block, index.score([task.queries[q] for q in block]), strict=True):
            yield query_id, ids, scores, latency
        if progress:
            progress(len(ids) + start + len(block), total)


def _reranked(task: RerankingTask, ranker: Ranker, kept: list[str], progress: Progress | None) -> Scored:
    for number, query_id in enumerate(kept, start=1):
        ids = list(task.candidates[query_id])
        begin = time.perf_counter()
        scores = ranker.index([task.passages[i] for i in ids]).score([task.queries[query_id]])[0]
        yield query_id, ids, scores, time.perf_counter() - begin
        if progress:
            progress(number, len(kept))


def _time_alone(score: object, queries: list[str]) -> float:
    times: list[float] = []
    for query in queries:
        begin = time.perf_counter()
        score([query])
        times.append(time.perf_counter() - begin)
        if sum(times) > ENOUGH:
            break
    return float(np.median(times))


def evaluate_kept(task: Task, ranker: Ranker, *, progress: Progress | None = None) -> Run:
    """Return the run kept on disk if task and ranker are unchanged, else evaluate and keep it."""
    folder = _folder(task, ranker)
    try:
        return read_run(folder)
    except (OSError, ValueError, TypeError, KeyError):
        run = evaluate(task, ranker, progress=progress)
        keep(run, folder)
        return run


def keep(run: Run, folder: Path) -> None:
    """Write a run to its folder, whole or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=".run-", dir=folder.parent))
    (temporary / "run.json").write_text(json.dumps(run.as_json(), ensure_ascii=False, indent=1), "utf-8")
    (temporary / "queries.json").write_text(json.dumps(run.per_query, ensure_ascii=False), "utf-8")
    (temporary / "ranking.trec").write_text(_trec_run(run), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)  # a broken run of the same name
    try:
        os.replace(temporary, folder)
    except OSError:  # someone else has just put the same run there
        shutil.rmtree(temporary, ignore_errors=True)


def write_trec(folder: Path, run: Run, task: Task) -> None:
    """Write `<task>-<split>.<ranker>.run` and `<task>-<split>.qrels`, as trec_eval and `ir_measures` read them.

    The run holds the first 100 passages of every query that was measured, the qrels the same queries' relevant ones.

    Raises:
        UserError: the folder cannot be written.
    """
    stem = f"{run.task.replace('/', '-')}-{run.split}" + (
        "-labels" if run.source.endswith(" + labels") else ""
    )
    name = "".join(c if c.isalnum() or c in "+-._" else "_" for c in run.ranker)
    qrels = (f"{q} 0 {passage} 1\n" for q in run.ranking for passage in sorted(task.qrels[q]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.{name}.run").write_text(_trec_run(run), "utf-8")
        (folder / f"{stem}.qrels").write_text("".join(qrels), "utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}; give another folder.") from error


def _trec_run(run: Run) -> str:
    name = run.ranker.replace(" ", "_")
    return "".join(
        f"{query_id} Q0 {passage_id} {rank} {score!r} {name}\n"
        for query_id, passages in run.ranking.items()
        for rank, (passage_id, score) in enumerate(passages, start=1)
    )


def _facts(folder: Path) -> Run:
    facts = json.loads((folder / "run.json").read_text("utf-8"))
    facts["intervals"] = {measure: tuple(pair) for measure, pair in facts["intervals"].items()}
    return Run(**facts, folder=folder)


def values_by_query(run: Run, measure: str) -> dict[str, float]:
    """Return query id → value of a kept run; empty where they cannot be read."""
    path = run.folder / "queries.json" if run.folder else None
    try:
        return _values(path, path.stat().st_mtime_ns).get(measure, {}) if path else {}
    except (OSError, ValueError, AttributeError):
        return {}


@lru_cache(maxsize=64)
def _values(path: Path, changed: int) -> dict[str, dict[str, float]]:
    return json.loads(path.read_text("utf-8"))


def read_run(folder: Path) -> Run:
    """Read a whole run from its folder."""
    facts = _facts(folder)
    per_query = json.loads((folder / "queries.json").read_text("utf-8"))
    ranking: dict[str, list[tuple[str, float]]] = {}
    for line in (folder / "ranking.trec").read_text("utf-8").splitlines():
        query_id, _, passage_id, _, score, _ = line.split()
        ranking.setdefault(query_id, []).append((passage_id, float(score)))
    return replace(facts, per_query=per_query, ranking=ranking)


def kept_runs() -> list[Run]:
    """Read all kept runs, the newest first, without their rankings; folders that are no run are passed over."""
    runs = []
    for path in runs_dir().glob("[!.]*/run.json"):
        try:
            runs.append(_facts(path.parent))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return sorted(runs, key=lambda run: run.created, reverse=True)


def _folder(task: Task, ranker: Ranker) -> Path:
    skip = sorted(training_hashes(ranker))
    facts = [
        _FORMAT,
        task.name,
        task.split,
        task.fingerprint,
        ranker.name,
        ranker.fingerprint,
        _skip_mark(skip),
    ]
    mark = sha256(json.dumps(facts).encode()).hexdigest()[:12]
    return runs_dir() / f"{task.name.replace('/', '-')}-{mark}"


def _skip_mark(hashes: Collection[str]) -> str:
    return sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:16] if hashes else ""


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:500]
