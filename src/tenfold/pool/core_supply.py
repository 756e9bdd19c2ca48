"""Which cores give less than the pool's residents want there, because other programs take part of them."""

from collections.abc import Mapping

from tenfold.pool.resident import Counters

MEMORY_S = 2.0
"""Wanted core-seconds after which what was before counts little."""

WEAK, STRONG = 0.6, 0.75
"""A core that gives less than the first part of what is wanted is weak, until it gives more than the second."""

LEAST_WANTED_S = 0.05


class CoreSupply:
    """The part of the time that residents wanted their core in which they had it, by core, lately.

    A resident that has as much of a core as its slot owns has all that it can want.
    """

    def __init__(self) -> None:
        self._last: dict[str, Counters] = {}
        self._part: dict[str, float] = {}
        self._weak: set[str] = set()

    def observe(self, counters: Mapping[str, Counters], core_of: Mapping[str, str]) -> None:
        """Take the counters of all awake residents by process, and the core of each."""
        had: dict[str, float] = {}
        wanted: dict[str, float] = {}
        for process, now in counters.items():
            before = self._last.get(process, now)
            wanted_s, core = now.wanted_s - before.wanted_s, core_of[process]
            had[core] = had.get(core, 0.0) + min(now.busy_s - before.busy_s, wanted_s)
            wanted[core] = wanted.get(core, 0.0) + wanted_s
        self._last = dict(counters)
        for core, wanted_s in wanted.items():
            if wanted_s > LEAST_WANTED_S:
                part = self._part.get(core, 1.0)
                self._part[core] = part + min(1.0, wanted_s / MEMORY_S) * (had[core] / wanted_s - part)
        self._weak = {
            core for core, part in self._part.items() if part < WEAK or (part < STRONG and core in self._weak)
        }

    def is_weak(self, core: str) -> bool:
        """Whether other programs take a good part of it."""
        return core in self._weak
