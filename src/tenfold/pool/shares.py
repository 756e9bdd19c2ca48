"""Places that many may take and nobody may fill alone."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

RECENTLY_S = 10.0


class Shares:
    """Who holds how many of some places.

    Nobody gets a further place who holds as many as are free, times a factor. So one who asks for all gets half of them
    (by a factor of 1) or four fifths (by 4), two get a third each, and a place is left for who comes next, without
    anybody's share being set. Choudhury, Hahne: Dynamic Queue Length Thresholds for Shared-Memory Packet Switches,
    IEEE/ACM Transactions on Networking 6(2), 1998.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._asked: dict[str, float] = {}

    def over(self, factors: Mapping[str, int], free: int) -> str:
        """Which of these names, each with its factor, may have no further place while so many are free; empty: none."""
        return next((name for name, factor in factors.items() if self._held[name] >= factor * max(0, free)), "")

    @contextmanager
    def held(self, names: Iterable[str]) -> Iterator[None]:
        """Hold a place in these names for as long as the context lasts."""
        taken = tuple(names)
        self._held.update(taken)
        try:
            yield
        finally:
            self._held.subtract(taken)
            for name in taken:
                if self._held[name] <= 0:
                    del self._held[name]

    def is_alone(self, name: str) -> bool:
        """Note that ``name`` asks; whether nobody else has lately, so that places kept for others would be lost."""
        now = self._clock()
        self._asked[name] = now
        if len(self._asked) > 1:
            self._asked = {each: at for each, at in self._asked.items() if now - at < RECENTLY_S}
        return len(self._asked) == 1
