"""One shape for every table that is printed, written or shown, one way to write a figure, and cells that cannot run."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

from vcs_demo.text import cell

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could run, or that begins with an apostrophe."""
    return f"'{text}" if text.startswith("'") or text.lstrip().startswith(_FORMULA) else text


def unguard(cell: str) -> str:
    """Take away the apostrophe that `guard` put there, and no other."""
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell


def figure(
    value: float | None,
    interval: Sequence[float | None] | None = None,
    *,
    signed: bool = False,
    digits: int = 3,
) -> str:
    """Write a figure with its interval: `0.631 [0.560, 0.702]`; `–` where there is none.

    Args:
        value: the figure; None or NaN: there is none.
        interval: (low, high), written `[–]` where both are None; None: without.
        signed: with its sign, as differences are written.
        digits: after the point.
    """
    if value is None or math.isnan(value):
        return "–"
    form = f"{'+' if signed else ''}.{digits}f"
    if interval is None:
        return f"{value:{form}}"
    low, high = interval
    if low is None or high is None:
        return f"{value:{form}} [–]"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


@dataclass(frozen=True)
class Table:
    """A table: rendered as Markdown or CSV here, as HTML by the page's template.

    Attributes:
        heads: of the columns.
        rows: a cell a column: texts and whole numbers as they are, figures as `figure` writes them.
        title: above it; empty: none.
        notes: sentences below it.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    notes: Sequence[str] = ()

    def markdown(self, level: int = 3) -> str:
        """Return a Markdown table with its title and notes; no cell can break it."""
        import tabulate

        tabulate.MIN_PADDING = 0  # a head needs no more room than a cell
        cells = [[cell(str(value), None) for value in row] for row in self.rows]
        heads = [cell(str(head), None) for head in self.heads]
        table = tabulate.tabulate(cells, heads, tablefmt="github", disable_numparse=True) if heads else ""
        parts = [f"{'#' * level} {self.title}" if self.title else "", table, *self.notes]
        return "\n\n".join(part for part in parts if part)

    def csv(self) -> str:
        """Return the rows as CSV, quoted throughout; write it with a byte order mark, which spreadsheets expect."""
        out = StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(self.heads)
        writer.writerows(self.rows)
        return out.getvalue()


def markdown(tables: Iterable[Table]) -> str:
    """Join tables as Markdown."""
    return "\n\n".join(table.markdown() for table in tables)
