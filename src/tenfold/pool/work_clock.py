"""Requests in work in one resident, and for how long there were any."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager


class WorkClock:
    """Counts requests, and the wall seconds during which at least one is in work.

    ``ended``: requests that were in work, answered or not. ``in_flight``: those in work now.
    """

    def __init__(self) -> None:
        self.ended = 0
        self.in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._busy_s = 0.0
        self._busy_since_s = 0.0

    @contextmanager
    def one_request(self) -> Generator[None]:
        """Count what runs inside as one request in work."""
        if self.in_flight == 0:
            self._busy_since_s = time.monotonic()
            self._idle.clear()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self.ended += 1
            if self.in_flight == 0:
                self._busy_s += time.monotonic() - self._busy_since_s
                self._idle.set()

    @property
    def busy_s(self) -> float:
        """Busy seconds until now."""
        return self._busy_s + (time.monotonic() - self._busy_since_s if self.in_flight else 0.0)

    async def drained(self) -> None:
        """Return when nothing is in work."""
        await self._idle.wait()
