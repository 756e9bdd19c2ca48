"""What the gateway knows of one workload: its paths, its counts, and who works on what."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tenfold.pool.demand import GatewayTotals
from tenfold.pool.shares import Shares
from tenfold.pool.totals import FIRST_BYTE_BOUNDS_S, Spread

RECENT_S = 10.0


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """A path, the workload that answers it, and its latency target.

    ``target_s`` runs to the first byte of the answer's body. ``at_once``: requests that one resident works on together,
    none for any number. More wait at the gateway and not there: the next place that is free, or the next resident that
    wakes, takes the one that has waited longest. ``method``: the one that the path takes. ``key_of``: finds in a body
    what the request's resident may have prepared for it (see ``affinity``); none where all are alike.
    """

    path: str
    workload: str
    target_s: float | None
    at_once: int | None = None
    method: str = "POST"
    key_of: Callable[[bytes], bytes | None] | None = None


@dataclass(slots=True)
class Traffic:
    """What the gateway counts for one workload.

    ``in_flight``: requests in work, by the resident's URL; ``silent``: those of which no byte has come back.
    ``set_apart``: residents that one request has to itself, because it may be what ended another. ``doubted``:
    residents that broke off, by how many look whether they live. ``shares``: who holds how many of the places in the
    queue, by key, or by the product and tenant on whose behalf it is asked.
    """

    arrived: int = 0
    answered: int = 0
    in_time: int = 0
    shed: int = 0
    failed: int = 0
    waiting: int = 0
    unrouted: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    set_apart: set[str] = field(default_factory=set)
    doubted: Counter[str] = field(default_factory=Counter)
    recent: deque[tuple[float, float, bool]] = field(default_factory=deque)
    shares: Shares = field(default_factory=Shares)
    first_byte: Spread = field(default_factory=lambda: Spread(FIRST_BYTE_BOUNDS_S))

    def totals(self, now: float) -> GatewayTotals:
        """Sum up for the controller."""
        while self.recent and self.recent[0][0] < now - RECENT_S:
            self.recent.popleft()
        latencies = sorted(latency for _, latency, _ in self.recent)
        count = len(latencies)
        return GatewayTotals(
            arrived=self.arrived,
            answered=self.answered,
            in_time=self.in_time,
            shed=self.shed,
            failed=self.failed,
            waiting=self.waiting,
            unrouted=self.unrouted,
            latency_p50_s=latencies[count // 2] if count else None,
            latency_p95_s=latencies[min(count - 1, int(count * 0.95))] if count else None,
            in_time_share=sum(in_time for _, _, in_time in self.recent) / count if count else None,
        )
