"""The experiments' database: finished runs with their figures by query and their curves, and what is read out of it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.paper.warning_signs import Point
from vcs_demo.measuring.metrics import bootstrap_interval, paired_difference
from vcs_demo.paths import data_dir
from vcs_demo.reading.texts import lines

if TYPE_CHECKING:
    from sqlite_utils import Database

Result = tuple[str, str, dict[str, float]]  # task, measure, query id → value

_TEXTS = ("experiment", "setting", "arm", "state", "signs", "config", "created", "command")
_TABLES = {
    "runs": {"key": str} | dict.fromkeys(_TEXTS, str) | {"seed": int, "rows": int, "seconds": float, "steps": int},
    "results": {"key": str, "task": str, "measure": str, "mean": float, "low": float, "high": float, "queries": int},
    "per_query": {"key": str, "task": str, "measure": str, "query": str, "value": float},
    "curves": {"key": str, "step": int} | dict.fromkeys(("loss", "positive", "gradient", "validation"), float),
}  # fmt: skip


def database_file() -> Path:
    """Return where the experiments' database is, or will be."""
    return data_dir() / "experiments.db"


def open_database() -> "Database":
    """Open the experiments' database in the data directory, making its tables; close it by `with`."""
    from sqlite_utils import Database

    database = Database(database_file())
    for name, columns in _TABLES.items():
        database[name].create(columns, pk="key" if name == "runs" else None, if_not_exists=True)
    return database


def key_of(facts: Any) -> str:
    """Return the key of a run: a hash of all that decides its outcome."""
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def is_done(database: "Database", key: str) -> bool:
    """Tell whether a run is in the database."""
    return database["runs"].count_where("key = ?", [key]) > 0


def keep(
    database: "Database", row: dict[str, Any], results: Sequence[Result], curve: Sequence[Point] = ()
) -> None:
    """Write a run, all of it or nothing: its row, with its `key`, its figures by query, and its curve."""
    figures, by_query = [], []
    for task, measure, values in results:
        names = {"key": row["key"], "task": task, "measure": measure}
        numbers = list(values.values())
        low, high = bootstrap_interval(numbers)
        figures.append(
            names | {"mean": float(np.mean(numbers)), "low": low, "high": high, "queries": len(numbers)}
        )
        by_query += [names | {"query": query, "value": value} for query, value in values.items()]
    with database.atomic():
        database["results"].insert_all(figures)
        database["per_query"].insert_all(by_query)
        database["curves"].insert_all({"key": row["key"], **asdict(point)} for point in curve)
        database["runs"].insert(row)


def settings(database: "Database") -> list[tuple[str, str]]:
    """List what was run, the oldest first: (experiment, setting)."""
    query = "select experiment, setting, min(created) c from runs where seed >= 0 group by 1, 2 order by c"
    return [(row["experiment"], row["setting"]) for row in database.query(query)]


def runs_of(database: "Database", experiment: str, setting: str) -> list[dict]:
    """Return the runs of an experiment in one setting, in the order they were made."""
    query = "select * from runs where experiment = ? and setting is ? and seed >= 0 order by rowid"
    return list(database.query(query, [experiment, setting]))


def summary(database: "Database", experiment: str, setting: str | None) -> list[dict]:
    """Return an experiment's figures in one setting, a row per arm, task and measure, arms in the order they were run.

    The value of a query is its mean over the seeds, so intervals are over queries; `spread` is the standard deviation
    of the means of the seeds. Differences are from the first arm, over the queries and seeds that both have.

    Returns:
        Rows with experiment, setting, arm, seeds, task, measure, mean, low, high, spread, and difference,
        difference_low, difference_high where there is a first arm with the same task.
    """
    by_arm: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {}
    query = """select r.arm, r.seed, p.task, p.measure, p.query, p.value from per_query p join runs r on r.key = p.key
        where r.experiment = ? and r.setting is ? order by r.rowid"""
    for row in database.query(query, [experiment, setting]):
        by_seed = by_arm.setdefault((row["arm"], row["task"], row["measure"]), {})
        by_seed.setdefault(row["seed"], {})[row["query"]] = row["value"]
    first = next((arm for arm, _, _ in by_arm if arm != "untrained"), None)
    rows = []
    for (arm, task, measure), by_seed in by_arm.items():
        values = list(_over_seeds(by_seed, by_seed).values())
        means = [float(np.mean(list(one.values()))) for one in by_seed.values()]
        row = {"experiment": experiment, "setting": setting, "arm": arm, "seeds": len(by_seed), "task": task}
        row |= {"measure": measure, "mean": float(np.mean(values))}
        row |= dict(zip(("low", "high"), bootstrap_interval(values), strict=True))
        row["spread"] = float(np.std(means, ddof=1)) if len(means) > 1 else None
        other = by_arm.get((first, task, measure), {})
        shared = by_seed.keys() & other.keys()
        if arm not in (first, "untrained") and shared:
            ours, theirs = _over_seeds(by_seed, shared), _over_seeds(other, shared)
            common = sorted(ours.keys() & theirs.keys())
            figures = paired_difference([ours[q] for q in common], [theirs[q] for q in common])
            names = ("difference", "difference_low", "difference_high")
            row |= dict(zip(names, figures, strict=True))
        rows.append(row)
    return rows


def _over_seeds(by_seed: dict[int, dict[str, float]], seeds: Iterable[int]) -> dict[str, float]:
    chosen = [by_seed[seed] for seed in sorted(seeds)]
    common = sorted(set.intersection(*map(set, chosen)))  # in one order: the bootstrap is seeded
    return {query: float(np.mean([values[query] for values in chosen])) for query in common}


def read_curve(path: Path) -> list[Point]:
    """Read the notes of a run in training, merged by step; a resumed run's later notes replace earlier ones."""
    steps: dict[int, dict] = {}
    for _, line in lines(path) if path.is_file() else ():
        state = json.loads(line)
        steps.setdefault(state["step"], {}).update(state)
    return [Point(**state) for _, state in sorted(steps.items())]
