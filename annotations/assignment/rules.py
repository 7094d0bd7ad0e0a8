"""How candidates are handed out: how many label each, for how long one is lent, how much gold is mixed in."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from annotations.database.connection import LabelDatabase
from annotations.database.events import text
from vcs_demo.errors import UserError, quoted

MOST_OVERLAP, MOST_MINUTES, MOST_GOLD = 100, 7 * 24 * 60, 0.5


class BadSetting(UserError, ValueError):
    """A setting that there is not, or a value out of its range."""


@dataclass(frozen=True)
class Settings:
    """The rules of assignment; checked when made.

    Attributes:
        overlap: most annotators a candidate, 1 to 100; None: no cap. Calibration and gold are exempt.
        lease_minutes: how long a candidate is held for who was given it, 1 to 10,080 (a week).
        gold_share: part of what is handed out that is gold, 0 to 0.5; 0: none is.
        calibration: hand the calibration candidates out, before everything else.

    Raises:
        BadSetting: see the class.
    """

    overlap: int | None = None
    lease_minutes: int = 20
    gold_share: float = 0.05
    calibration: bool = True

    def __post_init__(self) -> None:
        overlap, minutes, share = self.overlap, self.lease_minutes, self.gold_share
        if overlap is not None and not (type(overlap) is int and 1 <= overlap <= MOST_OVERLAP):
            raise BadSetting(
                f"The overlap is {quoted(overlap)}; give 1 to {MOST_OVERLAP}, or none for no cap."
            )
        if not (type(minutes) is int and 1 <= minutes <= MOST_MINUTES):
            raise BadSetting(f"The lease lasts {quoted(minutes)} minutes; give 1 to {MOST_MINUTES:,}.")
        if type(share) not in (int, float) or not 0 <= share <= MOST_GOLD:
            raise BadSetting(f"The gold's share is {quoted(share)}; give 0 to {MOST_GOLD}.")
        if type(self.calibration) is not bool:
            raise BadSetting(f"Calibration is {quoted(self.calibration)}; give True or False.")


NAMES = tuple(field.name for field in fields(Settings))


def read(database: LabelDatabase) -> Settings:
    """Return the settings that stand; what this version does not take is passed over."""
    rules = Settings()
    for row in database.rows("SELECT name, value FROM settings ORDER BY id"):
        try:
            rules = replace(rules, **{row["name"]: json.loads(row["value"])})
        except (BadSetting, TypeError):  # out of another version's database or log
            continue
    return rules


def change(database: LabelDatabase, changes: dict[str, Any], by: str, at: str) -> Settings:
    """Change some settings together, and return what stands then; a value that stands already adds nothing.

    Raises:
        BadSetting: see the class; then nothing is changed.
        DatabaseUnavailable: it could not be saved; then nothing is changed.
    """
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise BadSetting(f"There is no setting {quoted(unknown[0])}; the settings are {', '.join(NAMES)}.")
    by = text("person", by)
    with database.write():
        before = asdict(read(database))
        after = Settings(**before | changes)
        changed = {name: value for name, value in asdict(after).items() if value != before[name]}
        database.add(
            "setting",
            [
                {"at": at, "name": name, "value": json.dumps(value), "by": by}
                for name, value in changed.items()
            ],
        )
    return after
