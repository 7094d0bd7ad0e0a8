"""The rules of assignment: how many annotators a candidate gets, how long one is lent, how much gold is mixed in."""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

from annotations.database.connection import LabelDatabase
from vcs_demo.errors import UserError, quoted
from vcs_demo.settings import Settings, setting


@dataclass(frozen=True)
class AssignmentRules(Settings):
    """How candidates are handed out; checked when made.

    Attributes:
        overlap: most annotators a candidate; None: no cap. Calibration and gold are exempt.
        lease_minutes: how long a candidate is held for the annotator it was lent to; a week at most.
        gold_share: share of the assigned candidates that are gold; 0: none.
        calibration: hand out the calibration candidates, before everything else.

    Raises:
        UserError: a value outside its range, or of another type.
    """

    overlap: int | None = setting(None, "most annotators a candidate", low=1, high=100)
    lease_minutes: int = setting(20, "how long a candidate is held", low=1, high=7 * 24 * 60)
    gold_share: float = setting(0.05, "part that is gold", low=0, high=0.5)
    calibration: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kind in {"overlap": int | None, "lease_minutes": int, "calibration": bool}.items():
            value, must = getattr(self, name), "True or False" if kind is bool else "a whole number"
            if not isinstance(value, kind):
                raise UserError(f"--{name.replace('_', '-')} is {quoted(value)}; it must be {must}.")


NAMES = tuple(field.name for field in fields(AssignmentRules))


def read_rules(database: LabelDatabase) -> AssignmentRules:
    """Return the current rules; rows that this version does not know or refuses are passed over."""
    rules = AssignmentRules()
    for row in database.rows("SELECT name, value FROM settings ORDER BY id"):
        try:
            rules = replace(rules, **{row["name"]: json.loads(row["value"])})
        except (UserError, TypeError):  # written by another version
            continue
    return rules


def changed(rules: AssignmentRules, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the checked values that differ from the rules; raises UserError."""
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise UserError(f"There is no setting {quoted(unknown[0])}; the settings are {', '.join(NAMES)}.")
    after = replace(rules, **changes)
    return {name: getattr(after, name) for name in NAMES if getattr(after, name) != getattr(rules, name)}
