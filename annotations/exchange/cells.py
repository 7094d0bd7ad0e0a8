"""Texts in spreadsheet cells: kept from being run as formulas, in a way that can be taken back exactly."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could run, or that begins with an apostrophe."""
    return f"'{text}" if text.startswith("'") or text.lstrip().startswith(_FORMULA) else text


def unguard(cell: str) -> str:
    """Take away the apostrophe that `guard` put there, and no other."""
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell
