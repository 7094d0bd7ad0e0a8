"""What an experiment trains and evaluates on: its tasks, and the training rows of an arm."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from annotations.candidates import LabelledCandidate
from annotations.exchange.triples import COLUMNS, is_broken
from annotations.mining import mine
from training.paper.arms import Arm
from training.paper.settings import DomainTransfer, ExperimentSettings
from training.retraining.dataset import TrainingSet, training_set
from vcs_demo.benchmark.tasks import MAIN_TASKS, RerankingTask, RetrievalTask, Task, load_task, retrieval_task
from vcs_demo.errors import UserError, quoted
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.reading.rows import read_rows
from vcs_demo.terminal import say
from vcs_demo.text import nfc


def evaluated_tasks(settings: ExperimentSettings) -> list[Task]:
    """Return the test tasks, shortened; a reranking task that the source lacks is left out, and said so."""
    # Where the reranking tasks' pairs are the general text, only retrieval is left to be measured on.
    spent = isinstance(settings, DomainTransfer) and not settings.general
    tasks: list[Task] = []
    for name in MAIN_TASKS[:1] if spent else MAIN_TASKS:
        try:
            tasks.append(shortened(load_task(name, settings.source, "test"), settings.evaluate_limit))
        except UserError as error:
            if name == MAIN_TASKS[0]:
                raise
            say(f"{name} is left out: {error}")
    return tasks


def shortened(task: Task, limit: int | None) -> Task:
    """Return the task with its first queries alone, by id; the passages stay, so it is no easier."""
    if limit is None or len(task.queries) <= limit:
        return task
    ids = sorted(task.queries)[:limit]
    changes = {"queries": {q: task.queries[q] for q in ids}, "qrels": {q: task.qrels[q] for q in ids}}
    if isinstance(task, RerankingTask):
        changes["candidates"] = {q: task.candidates[q] for q in ids}
    return replace(task, **changes)


def training_rows(settings: ExperimentSettings, arm: Arm, held_out: Sequence[Task]) -> TrainingSet:
    """Return the rows of an arm: pairs of the train split, with a mined negative where the loss wants one.

    In the domain experiment they are medical pairs, general pairs, or half of each, equally many for all arms.

    Args:
        settings: of the experiment.
        arm: its `data` and `negatives` decide; arms that agree in these have equal rows.
        held_out: tasks whose queries and passages must not be trained on.

    Raises:
        UserError: a source or file that cannot be read, or of which nothing can be trained on.
    """
    medical = load_task("vimedretrieve", settings.source, "train")
    if isinstance(settings, DomainTransfer):
        ours, others = (
            training_set([], negatives="in-batch", pairs=task, held_out=held_out)
            for task in (medical, _general(settings))
        )
        size = min(filter(None, (settings.limit, len(ours.rows), len(others.rows))))
        if size < 2:
            raise UserError("One pair of query and positive has no negative; give two or more of each kind.")
        taken = {"medical": size, "general": 0, "mixed": size // 2}[arm.data]
        rows = ours.rows[:taken] + others.rows[: size - taken]
        return TrainingSet(rows, ours.relevant | others.relevant, {"rows": len(rows)})
    task = shortened(medical, settings.limit)
    if arm.negatives != "hard":
        return training_set([], negatives="in-batch", pairs=task, held_out=held_out)
    mined = mine(task, load_ranker(settings.miner), per_query=1).candidates
    # Mined and not judged: what the paper trains on. `training/retrain.py` uses people's labels instead.
    labelled = [LabelledCandidate(**asdict(candidate), label="hard", votes={}) for candidate in mined]
    return training_set(labelled, negatives="hard", held_out=held_out, gold=[medical])


def _general(settings: DomainTransfer) -> RetrievalTask:
    if settings.general:
        return retrieval_task("vimedretrieve", settings.general.name, "train", _pairs(settings.general))
    tasks = [load_task(name, settings.source, "test") for name in MAIN_TASKS[1:]]
    rows = [
        {"question": text, "context": task.passages[min(task.qrels[query])]}
        for task in tasks
        for query, text in task.queries.items()
    ]
    return retrieval_task("vimedretrieve", "general", "train", rows)


def _pairs(path: Path) -> list[dict[str, str]]:
    """Return the pairs of a file of rows, its columns named as those of triples."""
    pairs = []
    for number, row in read_rows(path):
        named = (
            {str(name).strip().lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
        )
        query, positive = (
            next((named[alias] for alias in COLUMNS[name] if named.get(alias)), None)
            for name in ("query", "positive")
        )
        if (
            not isinstance(query, str)
            or not isinstance(positive, str)
            or not (query.strip() and positive.strip())
        ):
            why = f": {row}" if isinstance(row, str) else "."
            raise UserError(f"Line {number} of {quoted(path.name)} has no texts `query` and `positive`{why}")
        if broken := next(filter(is_broken, (query, positive)), None):
            raise UserError(
                f"Line {number} of {quoted(path.name)} has the text {quoted(broken)}, which programs write into an "
                "empty or broken cell."
            )
        pairs.append({"question": nfc(query), "context": nfc(positive)})
    if len(pairs) < 2:  # one alone has no negative in its batch
        raise UserError(
            f"{quoted(path.name)} has {len(pairs) or 'no'} pair of query and positive; give two or more."
        )
    return pairs
