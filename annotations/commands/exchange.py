"""`python -m annotations import` and `export`."""

from pathlib import Path

import click

from annotations.commands import command, with_database
from annotations.exchange.files import FORMATS
from annotations.rows import listed
from vcs_demo.errors import UserError, quoted
from vcs_demo.terminal import INPUT

OF_ANNOTATORS = ("answers", "argilla", "potato")


@command("import", "import triples.jsonl")
@with_database
@click.argument("file", type=INPUT)
@click.option("--task", default="imported", metavar="TASK", help="Task to note with triples.")
@click.option("--split", default="train", metavar="SPLIT", help="Split to note with triples.")
@click.option("--miner", default="imported", metavar="NAME", help="Miner to note with triples.")
@click.option("--sender", metavar="NAME", help="File people as NAME:p-….  [default: the file's name]")
def import_command(database: Path, file: Path, task: str, split: str, miner: str, sender: str | None) -> None:
    """Import triples to label (.jsonl, .csv, .parquet), or what others answered (`export --format answers`).

    Positives and negatives of triples may be lists. What is there already is not added twice, and no label of a
    person of this database is changed.
    """
    from annotations.backup.opening import open_store
    from annotations.exchange.answer_rows import holds_answers
    from annotations.exchange.answers import import_answers
    from annotations.exchange.triples import import_triples

    with open_store(database) as store:
        if answers := holds_answers(file):
            report = import_answers(store, file, sender=sender or "")
        else:
            report = import_triples(store, file, task=task, split=split, miner=miner)
    text = f"{report.rows} rows read: {report.added} candidates added, {report.already_there} already there"
    if answers:
        text += f"; {report.answers_added} answers added, {report.answers_there} already there"
    print(f"{text}.")
    for line in listed(file, report.problems):
        print(line)
    came = report.added + report.already_there + report.answers_added + report.answers_there
    if report.problems and not came:
        raise UserError(f"No row of {file} could be imported.")


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
            raise click.UsageError(f"{option} does not go with --format {quoted(format or 'of a file')}.")
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
