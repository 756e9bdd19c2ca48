"""The protocol between the pool and what runs on its slots.

A workload implements ``Resident``; ``pool.process`` runs it as one process on one slot and gives it an HTTP face:

    POST /resident/wake   {"epoch": n}                     serve or train on this slot
    POST /resident/sleep  {"epoch": n, "deadline_s": s}    stop admitting, finish what is in flight, go idle
    GET  /resident/counters                                 ``Counters``

and its own ``routes`` beside it, which answer 503 with ``x-tenfold-asleep`` while it sleeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.routing import BaseRoute


@dataclass(frozen=True, slots=True)
class Counters:
    """What a resident has done since it was loaded; all but ``in_flight`` and ``facts`` only grow.

    ``units``: units of work done (training tokens, generated tokens, ranked requests).
    ``requests``: requests answered (microbatches, for training).
    ``busy_s``: wall seconds during which it was awake with at least one request in work.
    ``in_flight``: requests in work now.
    ``facts``: gauges for the console, e.g. ``loss``.
    ``wanted_s``: seconds in which its process ran or waited for its core; the pool fills it in. 0: not known.
    """

    units: float = 0.0
    requests: int = 0
    busy_s: float = 0.0
    in_flight: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)
    wanted_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Context:
    """What a resident is told when it is made.

    ``slot``: name of its slot. ``threads``: compute threads it may use (its process is already pinned).
    ``home``: the pool's folder. ``cache``: the user's folder of fetched models and data.
    ``settings``: its workload's settings as a JSON object, from ``Config``.
    ``companions``: address ``host:port`` of each companion process, by name.
    ``token``: shared secret of this pool's processes.
    ``cpu_share``: CPU-seconds a second that a workload which always has more to do may use, so that a slot gives it
    the same whatever its neighbours do; none: all that it can get.
    ``service_share``: the same for a workload that takes requests.
    """

    slot: str
    threads: int
    home: Path
    cache: Path
    settings: Mapping[str, object]
    companions: Mapping[str, str]
    token: str
    cpu_share: float | None = None
    service_share: float | None = None


class Resident(Protocol):
    """A workload's program on one slot: loaded once, then awake or asleep; asleep it uses no CPU."""

    def load(self) -> None:
        """Load models and data; blocking; leaves the resident asleep and ready to wake in well under a second."""

    async def wake(self) -> None:
        """Start to work; returns when the next request (or microbatch) would be worked on at once."""

    async def sleep(self, deadline_s: float) -> None:
        """Finish or hand back what is in flight and go idle; the pool kills the process past the deadline."""

    def counters(self) -> Counters:
        """What was done so far; cheap, called every tick."""

    def routes(self) -> Sequence[BaseRoute]:
        """HTTP routes of the data path (none for training); only called with the resident awake."""

    def close(self) -> None:
        """Release processes and files at shutdown."""
