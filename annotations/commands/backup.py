"""`python -m annotations backup|restore`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from annotations.backup.destinations import Destination, destination_from_environment
from vcs_demo.errors import UserError
from vcs_demo.paths import database_path


def add_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the two, by a maker of commands: name, what it runs, about, example."""
    backup = command("backup", _backup, "Write a snapshot of the database", "backup")
    backup.add_argument("path", type=Path, nargs="?", help="default: backups/ in the data directory")
    backup.add_argument(
        "--push",
        action="store_true",
        help="also push it and the event log to $VCS_BACKUP_REPO or $VCS_BACKUP_DIR",
    )

    restore = command(
        "restore",
        _restore,
        "Restore the database from a snapshot and the event log's newer events; the old one is moved aside",
        "restore data/backups/labels-20250101T120000Z.db",
    )
    restore.add_argument("snapshot", type=Path, nargs="?", help="default: out of the event log alone")
    restore.add_argument("--no-replay", action="store_true", help="leave the log's newer events out")
    restore.add_argument(
        "--from-remote",
        action="store_true",
        help="take snapshot and log from $VCS_BACKUP_REPO or $VCS_BACKUP_DIR; the log here is moved aside too",
    )


def _backup(options: argparse.Namespace) -> None:
    from annotations.backup.snapshot import default_path, snapshot
    from annotations.store.label_store import LabelStore

    destination = _destination() if options.push else None
    with LabelStore(_database(options), read_only=True) as store:
        path = snapshot(store, options.path or default_path(_database(options)))
    print(f"Snapshot written to {path}.")  # noqa: T201
    if destination:
        from annotations.backup.push import push_now

        with LabelStore(_database(options)) as store:
            lines = push_now(store, destination)
        print(f"{lines} new lines of the event log and a snapshot pushed to {destination.name}.")  # noqa: T201


def _restore(options: argparse.Namespace) -> None:
    from annotations.backup.snapshot import restore

    if options.from_remote:
        from annotations.backup.push import restore_from

        if options.snapshot or options.no_replay:
            raise UserError("--from-remote brings its own snapshot and log; leave the others out.")
        destination = _destination()
        report = restore_from(destination, _database(options))
        if report is None:
            raise UserError(f"There are no labels in {destination.name}; push some by `backup --push` first.")
    else:
        report = restore(_database(options), options.snapshot, replay=not options.no_replay)
    said = [
        f"{_database(options)} has {report.candidates} candidates and {report.events} events, "
        f"{report.replayed} of them out of the event log."
    ]
    if report.unreadable:
        said.append(f"{report.unreadable} lines of the event log could not be used.")
    if report.moved_aside:
        said.append(f"The former database is {report.moved_aside}.")
    print("\n".join(said))  # noqa: T201


def _destination() -> Destination:
    destination = destination_from_environment()
    if destination is None:
        raise UserError("No backup destination is set; set VCS_BACKUP_REPO or VCS_BACKUP_DIR.")
    return destination


def _database(options: argparse.Namespace) -> Path:
    return options.database or database_path()
