"""TREC run files and qrels, as trec_eval and `ir_measures` read them."""

from pathlib import Path

from vcs_demo.benchmark.tasks import Task
from vcs_demo.errors import UserError
from vcs_demo.measuring.run_store import Run, trec_lines


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
        (folder / f"{stem}.{name}.run").write_text(trec_lines(run), "utf-8")
        (folder / f"{stem}.qrels").write_text("".join(qrels), "utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}; give another folder.") from error
