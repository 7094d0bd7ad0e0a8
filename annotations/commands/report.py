"""`python -m annotations status|audit|agreement`: the commands that tell how labelling is going."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from annotations.audit.sample import parsed_strata
from annotations.commands import command, with_database
from vcs_demo.errors import UserError
from vcs_demo.files import check_writable, write_json, write_text
from vcs_demo.terminal import FILE, Finite

Between = partial(Finite, min_open=True, max_open=True)
LEVEL = click.option("--level", type=Between(0, 1), default=0.95, help="Of the intervals.")


def _strata(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    try:
        return parsed_strata(value or "")
    except UserError as error:
        raise click.BadParameter(str(error)) from error


@command("status", "status")
@with_database
@click.option("--annotator", metavar="NAME", help="Also how far this one is.")
def status_command(database: Path, annotator: str | None) -> None:
    """Show how far labelling is."""
    from annotations.store.label_store import LabelStore

    with LabelStore(database, read_only=True) as store:
        progress, counts = store.progress(annotator), store.counts()
    print(f"{database}:")
    for name, number in progress.items():
        print(f"  {name}: {number}")
    print("candidates by the majority's label:")
    for label, number in counts.items():
        print(f"  {label}: {number}")


@command("audit", "audit --size 100 --strata miner,rank --html audit.html")
@with_database
@click.option("--size", type=click.IntRange(1), default=100, help="Candidates in the sample.")
@click.option("--seed", type=int, default=0, help="Of the draw.")
@click.option("--strata", callback=_strata, metavar="miner,rank", help="Also tables by these.")
@LEVEL
@click.option("--precision", type=Between(0, 0.5), default=0.05, help="Tell the sample size for ± this.")
@click.option("--lang", type=click.Choice(("en", "vi")), default="en", help="Language of the report.")
@click.option("--examples", type=click.IntRange(0, 50), default=0, help="Quote so many candidates a label.")
@click.option("--markdown", type=FILE, metavar="OUT", help="Write the report to this file, as it is printed.")
@click.option(
    "--html", type=FILE, metavar="OUT", help="Write it as one HTML file with plots, which works offline."
)
@click.option("--json", type=FILE, metavar="OUT", help="Write the figures and the sample's ids to this file.")
def audit_command(
    database: Path, size: int, seed: int, strata: tuple[str, ...], level: float, lang: str, **options: Any
) -> None:
    """Estimate from a random sample how good the mined negatives are."""
    markdown, html, json = (options.pop(name) for name in ("markdown", "html", "json"))
    check_writable(markdown, html, json)
    from annotations.audit import report as reports
    from annotations.audit.estimate import audit
    from annotations.store.label_store import LabelStore

    with LabelStore(database, read_only=True) as store:
        report = audit(store, size, seed=seed, strata=strata, level=level)
    text = reports.markdown(report, lang, **options)
    if markdown:
        write_text(markdown, text)
    if html:
        write_text(html, reports.html(report, lang, **options))
    if json:
        write_json(json, report.as_json())
    print(text, end="")


@command("agreement", "agreement --json agreement.json")
@with_database
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the resampling.")
@LEVEL
@click.option("--without-unsure", is_flag=True, help="Count `unsure` as no answer.")
@click.option("--names", is_flag=True, help="Name the annotators; else they are A1, A2, …")
@click.option("--json", type=FILE, metavar="OUT", help="Write the figures to this file.")
def agreement_command(
    database: Path, seed: int, level: float, without_unsure: bool, names: bool, json: Path | None
) -> None:
    """Measure how far annotators agree: raw agreement, kappas, alpha and AC1, with intervals over queries."""
    check_writable(json)
    from annotations.quality.agreement import agreement, label_rows
    from annotations.store.label_store import LabelStore
    from vcs_demo.tables import markdown

    with LabelStore(database, read_only=True) as store:
        rows = label_rows(store, names=names)
    report = agreement(rows, unsure=not without_unsure, level=level, seed=seed)
    if json:
        write_json(json, asdict(report))
    print(markdown(report.tables()))
