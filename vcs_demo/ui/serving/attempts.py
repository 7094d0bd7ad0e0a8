"""How often a password may be tried, by name and address: guessing is slow, and nobody is locked out for long."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5  # wrong passwords before one has to wait, of one address for one name
FREE_ADDRESS = 20  # of one address for all names
FREE_NAME = 50  # of all addresses for one name, apart from browsers that know the person
LONGEST = 60  # seconds that anybody has to wait
FORGOTTEN = 900  # seconds after the last wrong password
MOST = 10_000  # counts that are kept


@dataclass
class _Count:
    wrong: int = 0
    last: float = 0.0


class Attempts:
    """Counts wrong passwords and tells how long to wait before the next try; the wait doubles up to `LONGEST`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def wait(self, name: str, address: str, browser: str = "") -> int:
        """Return the seconds to wait before this try, 0 if it may be made now.

        Args:
            name: of the account, whether or not there is one.
            address: of who asks.
            browser: by what a browser is known where this person signed in before; only its own tries count then.
        """
        return max(self._left(key, free) for key, free in _keys(name, address, browser))

    def wrong(self, name: str, address: str, browser: str = "") -> None:
        """Count a wrong password."""
        for key, _ in _keys(name, address, browser):
            count = self._counts.setdefault(key, _Count())
            if self._clock() - count.last > FORGOTTEN:
                count.wrong = 0
            count.wrong, count.last = count.wrong + 1, self._clock()
            self._counts.move_to_end(key)
        while len(self._counts) > MOST:
            self._counts.popitem(last=False)

    def right(self, name: str, address: str, browser: str = "") -> None:
        """Forget the wrong passwords of this person here; those for other names still count."""
        self._counts.pop(_keys(name, address, browser)[0][0], None)

    def _left(self, key: tuple[str, str], free: int) -> int:
        count = self._counts.get(key)
        if count is None or count.wrong < free:
            return 0
        pause = min(LONGEST, 2 ** min(count.wrong - free, 10))
        return max(0, round(count.last + pause - self._clock() + 0.5))


def _keys(name: str, address: str, browser: str) -> list[tuple[tuple[str, str], int]]:
    if browser:
        return [((name, f"browser {browser}"), FREE)]
    return [((name, address), FREE), (("", address), FREE_ADDRESS), ((name, ""), FREE_NAME)]
