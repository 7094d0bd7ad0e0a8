"""`python -m annotations import` and `export`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import database_path

PROBLEMS_SHOWN = 20
OF_ANNOTATORS = ("answers", "argilla", "potato")


def add_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add both commands; `command` makes one of name, function, what it is about and an example."""
    load = command(
        "import",
        _import,
        "Import triples to label (.jsonl, .csv, .parquet), or what people said elsewhere: an export of answers "
        "(.jsonl, .csv), Argilla's records (.json), Potato's annotation_output folder or a file in it. What is there "
        "already is not added twice, and no label of a person of this database is changed",
        "import triples.jsonl",
    )
    load.add_argument("file", type=Path, help="positives and negatives of triples may be lists")
    load.add_argument("--task", default="imported", help="task to note with triples (default: %(default)s)")
    load.add_argument("--split", default="train", help="split to note with triples (default: %(default)s)")
    load.add_argument("--miner", default="imported", help="miner to note with triples (default: %(default)s)")
    load.add_argument(
        "--sender",
        default="",
        help="file annotators of Argilla, Potato or a spreadsheet as SENDER:name (default: the tool)",
    )

    save = command("export", _export, "Export what was labelled", "export labels.parquet")
    save.add_argument("path", type=Path, help="a file, or a folder for a `datasets` data set or Potato")
    save.add_argument(
        "--format",
        help="jsonl, csv, parquet or dataset: a row a labelled candidate (default: by the path's ending); answers: "
        "every annotator's own, .jsonl with the history or .csv; argilla: records, and settings beside them; "
        "potato: a project in a new folder. The last two with the candidates that wait to be labelled",
    )
    save.add_argument(
        "--triples", action="store_true", help="only the hard ones, as anchor, positive, negative"
    )
    save.add_argument(
        "--names",
        action="store_true",
        help="answers: with annotators' names and notes; else they are pseudonyms, and notes, which can hold "
        "names, are left out",
    )
    save.add_argument(
        "--with-origin",
        action="store_true",
        help="argilla: with miner, rank and score as metadata; else annotators cannot see them there either",
    )


def _import(options: argparse.Namespace) -> None:
    from annotations.backup.opening import open_store
    from annotations.exchange.any_file import import_file
    from annotations.exchange.triples import ImportReport

    triples = {"task": options.task, "split": options.split, "miner": options.miner}
    with open_store(options.database or database_path()) as store:
        report = import_file(store, options.file, sender=options.sender, **triples)
    if isinstance(report, ImportReport):
        came = report.added + report.already_there
        print(  # noqa: T201
            f"{report.rows} rows read: {report.added} candidates added, {report.already_there} already there."
        )
    else:
        came = report.candidates_added + report.candidates_there + report.answers_added + report.answers_there
        print(  # noqa: T201
            f"{report.rows} rows read: {report.candidates_added} candidates added, {report.candidates_there} already "
            f"there; {report.answers_added} answers added, {report.answers_there} already there."
        )
    for problem in report.problems[:PROBLEMS_SHOWN]:
        reason = "".join(c if c.isprintable() else "�" for c in problem.reason)  # no escapes in a terminal
        print(f"{options.file}:{problem.line}: {reason}")  # noqa: T201
    if len(report.problems) > PROBLEMS_SHOWN:
        print(f"… and {len(report.problems) - PROBLEMS_SHOWN} more rows left out.")  # noqa: T201
    if report.problems and not came:
        raise UserError(f"No row of {options.file} could be imported.")


def _export(options: argparse.Namespace) -> None:
    from annotations.exchange.answer_files import export_answers
    from annotations.exchange.argilla import export_argilla, settings_path
    from annotations.exchange.manifest import export_frozen
    from annotations.exchange.potato import export_potato
    from annotations.store.label_store import LabelStore

    for option, given, fits in (
        ("--triples", options.triples, options.format not in OF_ANNOTATORS),
        ("--names", options.names, options.format == "answers"),
        ("--with-origin", options.with_origin, options.format == "argilla"),
    ):
        if given and not fits:
            raise UserError(f"{option} does not go with --format {quoted(options.format or 'of a file')}.")
    with LabelStore(options.database or database_path(), read_only=True) as store:
        if options.format == "answers":
            said = f"{export_answers(store, options.path, names=options.names)} answers"
        elif options.format == "argilla":
            count = export_argilla(store, options.path, with_origin=options.with_origin)
            said = f"{count} records (settings: {settings_path(options.path)})"
        elif options.format == "potato":
            said = f"{export_potato(store, options.path)} items of a Potato project"
        else:
            count, manifest = export_frozen(store, options.path, options.format, triples=options.triples)
            said = f"{count} rows (manifest: {manifest.name})"
    print(f"{said} written to {options.path}.")  # noqa: T201
