"""`python -m annotations mine`."""

from pathlib import Path
from typing import Any

import click

from annotations.commands import command, with_database
from vcs_demo.terminal import Finite, bar, say


@command("mine", "mine --source mini --task vimedretrieve --split train --ranker bm25 --limit 200")
@with_database
@click.option(
    "--source", envvar="VCS_SOURCE", default="mini", metavar="SOURCE", help="mini, hub or a folder."
)
@click.option("--task", default="vimedretrieve", metavar="TASK", help="A retrieval task.")
@click.option(
    "--split",
    type=click.Choice(("train", "validation")),
    default="train",
    help="Never test: models are judged on it.",
)
@click.option("--ranker", default="bm25", metavar="RANKER", help="A name, a directory, or a fusion a+b.")
@click.option("--limit", type=click.IntRange(1), help="Most candidates in all.  [default: no limit]")
@click.option("--per-query", type=click.IntRange(1), default=4, help="Most candidates of a query.")
@click.option("--depth", type=click.IntRange(1), default=50, help="How many ranks are looked at.")
@click.option(
    "--margin",
    "relative_margin",
    type=Finite(0, 1, max_open=True),
    default=0.05,
    help="Relative, below the positive.",
)
@click.option("--seed", type=int, default=0, help="Of the order of queries.")
def mine_command(database: Path, source: str, task: str, split: str, ranker: str, **settings: Any) -> None:
    """Mine hard negatives to label from the ranking of a ranker."""
    from annotations.backup.opening import open_store, repair
    from annotations.mining import mine
    from annotations.store.label_store import LabelStore
    from vcs_demo.benchmark.tasks import load_task
    from vcs_demo.rankers.catalog import load_ranker

    pool, miner, mined_ids = load_task(task, source, split), load_ranker(ranker), set()
    for sentence in repair(database):
        say(sentence)
    if database.exists():  # none is made before there is something to put into it
        with LabelStore(database) as store:
            mined_ids = {candidate.id for candidate in store.candidates()}
    result = mine(pool, miner, skip=mined_ids, progress=bar("mining"), **settings)
    with open_store(database) as store:
        added, already_there = store.add_candidates(result.candidates)
    print(result.table().markdown())
    print(f"Added to {database}: {added}; already there: {already_there}.")
