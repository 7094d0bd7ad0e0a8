"""`python -m annotations backup` and `restore`."""

from pathlib import Path
from typing import Any

import click

from annotations.commands import command, with_database
from vcs_demo.errors import UserError
from vcs_demo.terminal import INPUT


@command("backup", "backup")
@with_database
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--push", is_flag=True, help="Also push it and the event log to $VCS_BACKUP_REPO or $VCS_BACKUP_DIR."
)
def backup_command(database: Path, path: Path | None, push: bool) -> None:
    """Write a snapshot of the database to PATH.  [default: backups/ in the data directory]"""
    from annotations.backup.snapshot import default_path, snapshot
    from annotations.store.label_store import LabelStore

    destination = _destination() if push else None
    with LabelStore(database, read_only=True) as store:
        path = snapshot(store, path or default_path(database))
    print(f"Snapshot written to {path}.")
    if destination:
        from annotations.backup.push import push_now

        with LabelStore(database) as store:
            lines = push_now(store, destination)
        print(f"{lines} new lines of the event log and a snapshot pushed to {destination.name}.")


@command("restore", "restore data/backups/labels-20250101T120000Z.db")
@with_database
@click.argument("snapshot", type=INPUT, required=False)
@click.option("--no-replay", is_flag=True, help="Leave the log's newer events out.")
@click.option(
    "--from-remote",
    is_flag=True,
    help="Take snapshot and log from $VCS_BACKUP_REPO or $VCS_BACKUP_DIR; the log here is moved aside too.",
)
def restore_command(database: Path, snapshot: Path | None, no_replay: bool, from_remote: bool) -> None:
    """Restore the database from a snapshot and the event log's newer events; the old one is moved aside.

    Without SNAPSHOT it is restored from the event log alone.
    """
    if from_remote and (snapshot or no_replay):
        raise click.UsageError("--from-remote brings its own snapshot and log; leave the others out.")
    if from_remote:
        from annotations.backup.push import restore_from

        destination = _destination()
        report = restore_from(destination, database)
        if report is None:
            raise UserError(f"There are no labels in {destination.name}; push some by `backup --push` first.")
    else:
        from annotations.backup.snapshot import restore

        report = restore(database, snapshot, replay=not no_replay)
    print(
        f"{database} has {report.candidates} candidates and {report.events} events, "
        f"{report.replayed} of them from the event log."
    )
    if report.unreadable:
        print(f"{report.unreadable} lines of the event log could not be used.")
    if report.moved_aside:
        print(f"The former database is {report.moved_aside}.")
    if report.log_aside:
        why = "" if from_remote else "; what only it has was left out"
        print(f"The former event log is {report.log_aside}{why}.")


def _destination() -> Any:
    from annotations.backup.destinations import destination_from_environment

    destination = destination_from_environment()
    if destination is None:
        raise UserError("No backup destination is set; set VCS_BACKUP_REPO or VCS_BACKUP_DIR.")
    return destination
