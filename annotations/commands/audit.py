"""The command `python -m annotations audit`: its options, and what it does."""

import argparse
import json
from pathlib import Path

from vcs_demo.paths import database_path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    add = parser.add_argument
    add("--size", type=int, default=100, help="candidates in the sample (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    add(
        "--strata",
        default="",
        help="miner, rank or miner,rank: divide the pool, show each part, weight back (default: none)",
    )
    add("--by-miner", action="store_true", help="the same as --strata miner")
    add(
        "--allocation",
        default="proportional",
        help="proportional, or equal: as many of each stratum, so that small ones are seen (default: %(default)s)",
    )
    add("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add("--finite", action="store_true", help="correct the intervals for the size of the pool")
    add("--precision", type=float, default=0.05, help="say what ± this needs (default: %(default)s)")
    add("--lang", default="en", choices=("en", "vi"), help="language of the report (default: %(default)s)")
    add("--examples", type=int, default=0, help="quote as many candidates a label (default: none)")
    add("--markdown", type=Path, metavar="OUT", help="write the report to this file, as it is printed")
    add("--html", type=Path, metavar="OUT", help="write it as one HTML file with plots, which works offline")
    add("--json", type=Path, metavar="OUT", help="write the figures and the sample's ids to this file")


def run(options: argparse.Namespace) -> str:
    """Carry out the command: write the files that are asked for, and return the report as Markdown.

    Raises:
        UserError: an option outside its range, or a database that cannot be read; then nothing is written.
    """
    from annotations.audit.estimate import audit, needed
    from annotations.audit.report import html, markdown
    from annotations.audit.sample import parsed_strata
    from annotations.store.label_store import LabelStore

    needed(options.precision, level=options.level)  # refuse what cannot be before reading anything
    strata = parsed_strata(f"miner,{options.strata}" if options.by_miner else options.strata)
    with LabelStore(options.database or database_path(), read_only=True) as store:
        report = audit(
            store,
            options.size,
            seed=options.seed,
            strata=strata,
            allocation=options.allocation,
            level=options.level,
            finite=options.finite,
        )
    how = {"precision": options.precision, "examples": options.examples}
    text = markdown(report, options.lang, **how)
    if options.markdown:
        options.markdown.write_text(text, "utf-8")
    if options.html:
        options.html.write_text(html(report, options.lang, **how), "utf-8")
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return text
