"""Calibration: the candidates that everyone labels first, so that all begin with the same idea of the labels."""

from collections.abc import Iterable
from pathlib import Path

from annotations.audit.sample import draw
from annotations.candidates import Candidate
from annotations.database.events import stamp
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError, quoted
from vcs_demo.reading.texts import check_file, lines


def add_calibration(store: LabelStore, ids: Iterable[str]) -> tuple[int, int]:
    """Add candidates to the calibration, after those in it; return how many are new, and how many were in it.

    Everyone labels them, in this order, and the overlap does not bind there.

    Raises:
        UserError: there is no such candidate; then none is added.
        DatabaseUnavailable: they could not be saved; then none is added.
    """
    wanted, database = list(dict.fromkeys(ids)), store.database
    with database.write():
        for id in wanted:
            if not database.rows("SELECT 1 FROM candidates WHERE id = ?", [id]):
                raise UserError(
                    f"There is no candidate {quoted(id)}; give the id of one that was mined or imported."
                )
        chosen_ids = {row["candidate_id"] for row in database.rows("SELECT candidate_id FROM calibration")}
        new, at = [id for id in wanted if id not in chosen_ids], stamp(store.clock())
        places = enumerate(new, start=len(chosen_ids) + 1)
        database.add("calibration", [{"at": at, "candidate_id": id, "position": n} for n, id in places])
    return len(new), len(wanted) - len(new)


def choose(store: LabelStore, size: int, *, seed: int = 0) -> list[Candidate]:
    """Draw candidates for calibration at random: of those that nobody has labelled and that are not gold.

    Raises:
        UserError: there are fewer than `size` of them, or `size` is below 1.
    """
    sql = "SELECT candidate_id FROM candidate_counts WHERE role = 'main' AND labels = 0"
    free = {row["candidate_id"] for row in store.database.rows(sql)}
    if not 1 <= size <= len(free):
        raise UserError(
            f"A calibration of {size} cannot be drawn: {len(free)} candidates have neither a label nor a role yet; "
            f"ask for 1 to {len(free)}."
            if free
            else "There are no unlabelled candidates to calibrate on; mine or import some first."
        )
    return draw([candidate for candidate in store.candidates() if candidate.id in free], size, seed=seed)


def read_ids(path: Path | str) -> list[str]:
    """Return the candidate ids of a text file, one a line; raises UserError."""
    check_file(Path(path))
    ids = [text for _, text in lines(Path(path))]
    if not ids:
        raise UserError(f"{quoted(path)} has no candidate id; write one a line.")
    return ids
