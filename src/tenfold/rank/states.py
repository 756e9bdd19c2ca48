"""States of people that a resident keeps, so that their next request reads only what is new.

Whoever asks sends the events with every request, so a state that is lost, or is in another resident, costs time and
nothing else; and an event counts from the very request that first brings it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tenfold.rank.person import PersonState, Reader
from tenfold.rank.retrieve import Vectors
from tenfold.rank.stream import Events

_OVERHEAD_BYTES = 2048

KEPT_S = 1800.0
"""A state goes so long after its person was last here, at the next request of anybody."""

_Key = tuple[int, int, int, float, float]


@dataclass(frozen=True, slots=True)
class _Kept:
    state: PersonState
    keys: tuple[_Key, ...]
    size: int
    used_at: float


class States:
    """The latest states, by person, within a bound of bytes.

    Args:
        reader: of the network that they are states of.
        vector_ID: vectors of all items.
        most_bytes: that they may take; who was here longest ago goes first.
        clock: gives seconds.
    """

    def __init__(
        self, reader: Reader, vector_ID: Vectors, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._vector_ID, self._most_bytes, self._clock = reader, vector_ID, most_bytes, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def state(self, person: str | None, events: Events) -> PersonState:
        """The state after a person's events, all of one person and oldest first; without a person nothing is kept."""
        # One more than is read, from which the first that is read has its time since.
        recent = events.select(slice(-self._reader.length - 1, None))
        if person is None:
            return self._reader.read(recent, self._vector_ID[recent.row_E])
        latest = recent.select(slice(-self._reader.length, None))
        keys = _keys(latest)
        kept = self._kept.get(person)
        fresh = None if kept is None else _fresh(kept.keys, keys, self._reader.length)
        if kept is None or fresh is None:
            state = self._reader.read(recent, self._vector_ID[recent.row_E])
        else:
            state = kept.state
            for place in range(len(keys) - fresh, len(keys)):
                event = latest.select(slice(place, place + 1))
                state = self._reader.append(state, event, self._vector_ID[event.row_E[0]])
        self._keep(person, state, keys)
        return state

    def _keep(self, person: str, state: PersonState, keys: tuple[_Key, ...]) -> None:
        before = self._kept.pop(person, None)
        self.bytes -= 0 if before is None else before.size
        arrays = [state.tokens_LD, state.surface_L, *(part for pair in state.kept for part in pair)]
        size = _OVERHEAD_BYTES + 80 * len(keys) + sum(each.nbytes for each in arrays)
        now = self._clock()
        self._kept[person] = _Kept(state, keys, size, now)
        self.bytes += size
        while self._kept:
            oldest = next(iter(self._kept))
            if self.bytes <= self._most_bytes and self._kept[oldest].used_at > now - KEPT_S:
                break
            self.bytes -= self._kept.pop(oldest).size


def _keys(events: Events) -> tuple[_Key, ...]:
    watched_E = np.where(np.isnan(events.watched_E), -1.0, events.watched_E)
    columns = (events.row_E, events.surface_E, events.actions_E, watched_E, events.at_E)
    return tuple(zip(*(column.tolist() for column in columns), strict=True))


def _fresh(kept: tuple[_Key, ...], now: tuple[_Key, ...], length: int) -> int | None:
    """How many of the latest events are new to a state; none where it must be read anew.

    The state may begin with older events than ``now`` has, if as many as are read at all have come since.
    """
    if not kept or not now:
        return None
    for fresh in range(len(now) + 1):
        known = now[: len(now) - fresh]
        if not known or kept[-len(known) :] != known:
            continue
        dropped = len(kept) - len(known)
        if dropped == 0 or min(len(kept) + fresh, length) == len(now):
            return fresh
    return None
