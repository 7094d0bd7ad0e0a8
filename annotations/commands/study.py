"""The commands that set a study up: settings, calibrate, gold; each a thin skin over its module."""

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path

from vcs_demo.errors import UserError
from vcs_demo.paths import database_path

PROBLEMS_SHOWN = 20
Maker = Callable[[str, Callable, str, str], argparse.ArgumentParser]


def add_commands(command: Maker) -> None:
    """Add the commands, made by `command(name, run, about, example)`."""
    rules = command(
        "settings",
        _settings,
        "Show how candidates are handed out, or change it",
        "settings --overlap 3",
    )
    rules.add_argument("--overlap", type=_overlap, metavar="K", help="most annotators a candidate, or none")
    rules.add_argument("--lease-minutes", type=int, metavar="N", help="how long a candidate is held")
    rules.add_argument("--gold-share", type=float, metavar="SHARE", help="part that is gold, 0 to 0.5")
    rules.add_argument("--calibration", choices=("on", "off"), help="hand the calibration out first, or not")
    rules.add_argument("--by", default=None, help="who changes it (default: the user of this machine)")

    calibrate = command(
        "calibrate",
        _calibrate,
        "Choose candidates that everyone labels before anything else",
        "calibrate --size 20 --seed 1",
    )
    which = calibrate.add_mutually_exclusive_group(required=True)
    which.add_argument("--size", type=int, help="draw so many at random, of those without a label")
    which.add_argument("--ids", type=Path, metavar="FILE", help="take those in this file, one id a line")
    calibrate.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")

    gold = command(
        "gold",
        _gold,
        'Import known answers, {"id": …, "label": …, "note": …} a line; they are mixed in unseen',
        "gold gold.jsonl",
    )
    gold.add_argument(
        "file", type=Path, nargs="?", help="the answers; default: report how often each is found"
    )


def _settings(options: argparse.Namespace) -> None:
    from annotations.store.label_store import LabelStore

    changes = {
        name: value
        for name, value in (
            ("overlap", options.overlap),
            ("lease_minutes", options.lease_minutes),
            ("gold_share", options.gold_share),
            ("calibration", options.calibration and options.calibration == "on"),
        )
        if value is not None
    }
    if changes.get("overlap") == "none":
        changes["overlap"] = None
    with LabelStore(_database(options), read_only=not changes) as store:
        if changes:
            store.change_settings(by=options.by or _user(), **changes)
        rules = store.settings()
    print(f"overlap: {rules.overlap or 'none'}")
    print(f"lease-minutes: {rules.lease_minutes}")
    print(f"gold-share: {rules.gold_share}")
    print(f"calibration: {'on' if rules.calibration else 'off'}")


def _calibrate(options: argparse.Namespace) -> None:
    from annotations.quality.calibration import add_calibration, choose, read_ids
    from annotations.store.label_store import LabelStore

    ids = read_ids(options.ids) if options.ids else None
    with LabelStore(_existing(options)) as store:
        if ids is None:
            ids = [candidate.id for candidate in choose(store, options.size, seed=options.seed)]
        added, there = add_calibration(store, ids)
    print(f"Calibration of {_database(options)}: {added} candidates added, {there} already in it.")


def _gold(options: argparse.Namespace) -> None:
    from annotations.quality.gold import gold_report, import_gold
    from annotations.store.label_store import LabelStore

    if options.file is None:
        with LabelStore(_database(options), read_only=True) as store:
            rows = gold_report(store)
        for row in rows:
            print(f"{row.annotator}: {row.right}/{row.of} [{row.low:.3f}, {row.high:.3f}]")
        if not rows:
            print("Nobody has labelled gold yet.")
        return
    with LabelStore(_existing(options)) as store:
        report = import_gold(store, options.file)
    print(
        f"Gold of {_database(options)}: {report.added} answers added, {report.already_there} already there."
    )
    for problem in report.problems[:PROBLEMS_SHOWN]:
        print(f"{options.file}:{problem.line}: {problem.reason}")
    if len(report.problems) > PROBLEMS_SHOWN:
        print(f"… and {len(report.problems) - PROBLEMS_SHOWN} more lines left out.")


def _overlap(value: str) -> int | str:
    return "none" if value == "none" else int(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "unknown"


def _existing(options: argparse.Namespace) -> Path:
    if not _database(options).is_file():
        raise UserError(f"There is no database at '{_database(options)}'; run `mine` or `import` first.")
    return _database(options)


def _database(options: argparse.Namespace) -> Path:
    return options.database or database_path()
