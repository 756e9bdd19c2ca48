"""A circuit breaker: what has failed again and again is left alone for a while, and then tried by one request.

M. Nygard, Release It!, 2007. Closed, all requests go through. After so many failures in a row it is open, and none do.
Once its time is over, the next request is a probe: others wait for what becomes of it.
"""

from collections.abc import Callable
from typing import Literal


class Breaker:
    """One backend's.

    Args:
        failures: in a row, until it opens.
        open_s: seconds until a probe.
        clock: monotonic seconds.
    """

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float]) -> None:
        self._most = failures
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self.opened = 0

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """What becomes of the next request."""
        if self._opened_at is None:
            return "closed"
        return "open" if self._probing or self._clock() < self._opened_at + self._open_s else "half-open"

    @property
    def wait_s(self) -> float:
        """Seconds until it may be tried again; 0 if it may be now."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._open_s - self._clock())

    def begin(self) -> None:
        """A request goes through; it must be told how that ended."""
        self._probing = self._opened_at is not None

    def succeeded(self) -> None:
        """It was answered."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """It was not."""
        self._failures += 1
        if self._probing or self._failures >= self._most:
            self.opened += self._opened_at is None
            self._opened_at, self._probing = self._clock(), False

    def given_up(self) -> None:
        """The client left before there was an answer, which says nothing of the backend."""
        self._probing = False
