"""`python -m annotations import` and `export`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotations.commands import command, with_database
from annotations.exchange.files import FORMATS
from annotations.rows import listed
from vcs_demo.errors import UserError, quoted
from vcs_demo.terminal import INPUT

if TYPE_CHECKING:
    from annotations.rows import ImportReport
    from annotations.store.label_store import LabelStore

OF_ANNOTATORS = ("answers", "argilla", "potato")


@command("import", "import triples.jsonl")
@with_database
@click.argument("file", type=INPUT)
@click.option("--task", default="imported", metavar="TASK", help="Task to note with triples.")
@click.option("--split", default="train", metavar="SPLIT", help="Split to note with triples.")
@click.option("--miner", default="imported", metavar="NAME", help="Miner to note with triples.")
@click.option("--sender", metavar="NAME", help="File people as NAME:p-….  [default: the file's name]")
def import_command(database: Path, file: Path, task: str, split: str, miner: str, sender: str | None) -> None:
    """Import triples to label, or what others answered (`export --format answers`).

    FILE: .jsonl, .json, .csv, .tsv, .parquet or a saved data set. Positives and negatives of triples may be lists. What
    is there already is not added twice, and no label of a person of this database is changed.
    """
    from annotations.backup.opening import open_store
    from annotations.exchange.answer_rows import holds_answers
    from annotations.exchange.answers import import_answers
    from annotations.exchange.triples import import_triples
    from annotations.store.label_store import LabelStore

    answers = holds_answers(file)

    def read_into(store: "LabelStore") -> "ImportReport":
        if answers:
            return import_answers(store, file, sender=sender or "")
        return import_triples(store, file, task=task, split=split, miner=miner)

    # Triples of which none can be used must not leave an empty database. Answers need the candidates that `open_store`
    # may first have to restore, so they cannot be tried without it.
    if not answers and not database.exists():
        with LabelStore(":memory:") as trial:
            _check_some_came(file, read_into(trial), answers)
    with open_store(database) as store:
        report = read_into(store)
    text = f"{report.rows} rows read: {report.added} candidates added, {report.already_there} already there"
    if answers:
        text += f"; {report.answers_added} answers added, {report.answers_there} already there"
    print(f"{text}.")
    if report.dropped:
        print(f"Not imported: the columns {', '.join(map(quoted, report.dropped))}.")
    if {"label", "votes"} & set(report.dropped):
        print(
            "The labels were not imported as answers, since such a file names no annotators; to move answers, use "
            "`export --format answers` there and import its file here."
        )
    for line in listed(file, report.problems):
        print(line)
    _check_some_came(file, report, answers)


def _check_some_came(file: Path, report: "ImportReport", answers: bool) -> None:
    came = report.answers_added + report.answers_there if answers else report.added + report.already_there
    if not came:
        why = next(iter(listed(file, report.problems)), f"{file} holds no rows")
        raise UserError(f"No row could be imported; {why.rstrip('.')}.")


@command("export", "export labels.parquet")
@with_database
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice((*FORMATS, *OF_ANNOTATORS)),
    help="jsonl, csv, parquet, dataset: a row a labelled candidate, and a manifest beside it. answers: every "
    "annotator's own, .jsonl with the history or .csv. argilla: records, and settings beside them. potato: a project "
    "in a new folder. The last two with the candidates that wait to be labelled.  [default: by the path's ending]",
)
@click.option("--triples", is_flag=True, help="Only the hard ones, as anchor, positive, negative.")
@click.option("--names", is_flag=True, help="answers: with annotators' names and notes.")
@click.option("--with-origin", is_flag=True, help="argilla: with miner, rank and score as hidden metadata.")
def export_command(
    database: Path, path: Path, format: str | None, triples: bool, names: bool, with_origin: bool
) -> None:
    """Export what was labelled to PATH: a file, or a folder for dataset and potato.

    Annotators are pseudonyms unless `--names` is given; notes, which can hold names, are left out.
    """
    for option, given, fits in (
        ("--triples", triples, format not in OF_ANNOTATORS),
        ("--names", names, format == "answers"),
        ("--with-origin", with_origin, format == "argilla"),
    ):
        if given and not fits:
            needs = {"--names": "answers", "--with-origin": "argilla"}.get(
                option, "jsonl, csv, parquet or dataset"
            )
            raise click.UsageError(f"{option} needs --format {needs}.")
    from annotations.exchange.answers import export_answers
    from annotations.exchange.argilla import export_argilla, settings_path
    from annotations.exchange.manifest import export_labels
    from annotations.exchange.potato import export_potato
    from annotations.store.label_store import LabelStore

    with LabelStore(database, read_only=True) as store:
        if format == "answers":
            what = f"{export_answers(store, path, names=names)} answers"
        elif format == "argilla":
            count = export_argilla(store, path, with_origin=with_origin)
            what = f"{count} records (settings: {settings_path(path)})"
        elif format == "potato":
            what = f"{export_potato(store, path)} items of a Potato project"
        else:
            count, manifest = export_labels(store, path, format, triples=triples)
            what = f"{count} rows (manifest: {manifest.name})"
    print(f"{what} written to {path}.")
