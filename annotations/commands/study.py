"""`python -m annotations settings|calibrate|gold`: the commands that set a study up."""

import getpass
from pathlib import Path
from typing import Any

import click

from annotations.commands import check_exists, command, with_database
from annotations.rows import listed
from vcs_demo.terminal import INPUT, Finite


class Overlap(click.ParamType):
    """A number of annotators, or `none` for no cap."""

    name = "K|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the number or `none`; fails with one line."""
        if value == "none":
            return value
        try:
            return click.IntRange(1, 100).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a whole number from 1 to 100, or none.", param, ctx)


@command("settings", "settings --overlap 3")
@with_database
@click.option("--overlap", type=Overlap(), metavar="K", help="Most annotators a candidate gets, or none.")
@click.option("--lease-minutes", type=click.IntRange(1, 7 * 24 * 60), help="How long a candidate is held.")
@click.option("--gold-share", type=Finite(0, 0.5), help="Share of the assigned candidates that are gold.")
@click.option("--calibration", type=click.Choice(("on", "off")), help="Hand the calibration out first.")
@click.option("--by", metavar="NAME", help="Who changes them.  [default: the user of this machine]")
def settings_command(database: Path, calibration: str | None, by: str | None, **changes: Any) -> None:
    """Show how candidates are handed out, or change it."""
    from annotations.store.label_store import LabelStore

    changes = {name: value for name, value in changes.items() if value is not None}
    if calibration:
        changes["calibration"] = calibration == "on"
    if changes.get("overlap") == "none":
        changes["overlap"] = None
    with LabelStore(database, read_only=not changes) as store:
        if changes:
            store.change_settings(by=by or _user(), **changes)
        rules = store.settings()
    print(f"overlap: {rules.overlap or 'none'}")
    print(f"lease-minutes: {rules.lease_minutes}")
    print(f"gold-share: {rules.gold_share}")
    print(f"calibration: {'on' if rules.calibration else 'off'}")


@command("calibrate", "calibrate --size 20 --seed 1")
@with_database
@click.option("--size", type=click.IntRange(1), help="Draw so many at random, of those without a label.")
@click.option("--ids", type=INPUT, metavar="FILE", help="Take those in this file, one id a line.")
@click.option("--seed", type=int, default=0, help="Of the draw.")
def calibrate_command(database: Path, size: int | None, ids: Path | None, seed: int) -> None:
    """Choose candidates that everyone labels before anything else: give --size or --ids."""
    if (size is None) == (ids is None):
        raise click.UsageError("Give one of --size and --ids.")
    from annotations.quality.calibration import add_calibration, choose, read_ids
    from annotations.store.label_store import LabelStore

    chosen = read_ids(ids) if ids else []
    check_exists(database)
    with LabelStore(database) as store:
        if size is not None:
            chosen = [candidate.id for candidate in choose(store, size, seed=seed)]
        added, already_there = add_calibration(store, chosen)
    print(f"Calibration of {database}: {added} candidates added, {already_there} already in it.")


@command("gold", "gold gold.jsonl")
@with_database
@click.argument("file", type=INPUT, required=False)
def gold_command(database: Path, file: Path | None) -> None:
    """Import known answers, which are mixed in unseen; without FILE report how often each annotator gives them.

    FILE has {"id": …, "label": …, "note": …} a line, or these columns.
    """
    from annotations.quality.gold import gold_report, gold_table, import_gold
    from annotations.store.label_store import LabelStore

    if file is None:
        with LabelStore(database, read_only=True) as store:
            accuracies = gold_report(store)
        print(gold_table(accuracies).markdown() if accuracies else "Nobody has labelled gold yet.")
        return
    check_exists(database)
    with LabelStore(database) as store:
        report = import_gold(store, file)
    print(f"Gold of {database}: {report.added} answers added, {report.already_there} already there.")
    for line in listed(file, report.problems):
        print(line)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "unknown"
