"""Seconds of slots, shared in equal parts by the requests that a resident works on together."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Slot:
    at: float
    requests: int = 0
    each_s: float = 0.0

    def advance(self, now: float) -> None:
        if self.requests:
            self.each_s += (now - self.at) / self.requests
        self.at = now


class SlotTime:
    """Tells each request its part of its resident's time. Parts add up to the time in which there was any request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: dict[str, _Slot] = {}

    def begin(self, resident: str) -> float:
        """A request begins; gives what ``end`` must be told."""
        now = self._clock()
        slot = self._slots.setdefault(resident, _Slot(now))
        slot.advance(now)
        slot.requests += 1
        return slot.each_s

    def end(self, resident: str, began: float) -> float:
        """It ends; gives its part, seconds."""
        slot = self._slots[resident]
        slot.advance(self._clock())
        slot.requests -= 1
        if not slot.requests:
            del self._slots[resident]
        return slot.each_s - began
