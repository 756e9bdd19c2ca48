"""A week to play again: accelerators, services with the rates that were asked of them, and jobs.

Letters: T steps, K kinds of accelerator, S services, J jobs. Kinds are in the order of ``Week.kinds`` everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Within = Literal["anywhere", "rack", "node"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of accelerator of the fleet.

    ``slots``: how many. ``node_slots``: slots of a node; ``rack_nodes``: nodes of a rack. ``conversion``: for how many
    of its slots there is the general compute and storage that ranking needs beside the accelerator; none: for all.
    """

    name: str
    slots: int
    node_slots: int = 8
    rack_nodes: int = 8
    conversion: int | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that a workload's changes take.

    ``start_s``: a new process until it works. ``wake_s``, ``sleep_s``: a loaded one. ``resize_s``: how long all slots
    of a job stand still when some join or leave; 0 for a service.
    """

    start_s: float
    wake_s: float
    sleep_s: float
    resize_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TimesArrays:
    """The same of many workloads W."""

    start_s_W: Floats
    wake_s_W: Floats
    sleep_s_W: Floats
    resize_s_W: Floats


def times_arrays(times: Sequence[Times]) -> TimesArrays:
    """Put the times of many workloads into arrays."""
    return TimesArrays(
        start_s_W=np.array([time.start_s for time in times], dtype=np.float64),
        wake_s_W=np.array([time.wake_s for time in times], dtype=np.float64),
        sleep_s_W=np.array([time.sleep_s for time in times], dtype=np.float64),
        resize_s_W=np.array([time.resize_s for time in times], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """Answers requests at once or sheds them.

    ``rates_T``: requests per second asked for in each step. ``capacity_K``: requests per second that one slot of each
    kind answers in time; 0 where it cannot run. ``usd_per_request``: what an answer in time is worth. ``family``: which
    services are reported together, e.g. ``llm`` or ``ranking``. ``converts``: needs general compute and storage.
    ``queue_s``: how long a request may wait and still be in time. ``gaps_T``: steps in which nothing was measured, so
    that a policy sees NaN; what was asked then is unknown, and ``rates_T`` holds a straight line through the gap.
    ``past_T``: rates in the steps before the week, which every policy knows; of one length for all services.
    """

    name: str
    family: str
    rates_T: Floats
    capacity_K: Floats
    usd_per_request: float
    times: Times
    floor: int = 0
    converts: bool = False
    queue_s: float = 0.0
    gaps_T: NDArray[np.bool_] | None = None
    past_T: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Job:
    """Trains on any number of slots from ``least`` to ``most``, and on none below ``least``.

    ``work``: slot-seconds at speed 1; infinite for a backlog that never ends. ``speed_K``: work per second of one slot
    of each kind; 0 where it cannot run. ``within``: all its slots are of one node or one rack.
    ``checkpoint_every_s``: work since the last one is lost when it is killed. ``checkpoint_s``: what saving takes when
    it is asked to stop. ``usd_per_s``: what one slot at speed 1 earns per second. ``deadline_s``: seconds from the
    start of the week.
    """

    name: str
    arrival_s: float
    work: float
    least: int
    most: int
    speed_K: Floats
    usd_per_s: float
    times: Times
    within: Within = "anywhere"
    checkpoint_s: float = 10.0
    checkpoint_every_s: float = 1800.0
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the cluster itself did in the week.

    ``asked_S``, ``answered_S``: requests in the steps of which both are known; 0 where none is. ``service_slots_TS``:
    slots that services held; NaN where unknown. ``training_slots_T``: slots that jobs held, as means. ``training_h``:
    the same in accelerator-hours; none: not recorded. ``waited_s_J``: of the week's jobs, from arrival to start; NaN
    for a job that had not started when the week ended. ``jobs_done``: that ended within the week, failed ones too.
    """

    asked_S: Floats
    answered_S: Floats
    service_slots_TS: Floats
    training_slots_T: Floats
    training_h: float | None
    waited_s_J: Floats
    jobs_done: int

    def attainment(self, places: Sequence[int]) -> float | None:
        """Share of requests that these services answered, by their places in the week; none if that is not known."""
        asked = float(self.asked_S[places].sum()) if len(places) else 0.0
        return float(self.answered_S[places].sum()) / asked if asked > 0 else None


@dataclass(frozen=True)
class Week:
    """All that a replay needs. ``rates_T`` of every service has one length, the number of steps.

    ``notes``: what was taken for granted when its files were read, for people. ``recorded``: what the cluster itself
    did. ``alone_steps``: how many steps there are where there is no service.
    """

    name: str
    step_s: float
    kinds: tuple[Kind, ...]
    services: tuple[Service, ...]
    jobs: tuple[Job, ...]
    notes: tuple[str, ...] = ()
    recorded: Recorded | None = None
    alone_steps: int = 0

    @property
    def steps(self) -> int:
        """How many steps are played: as many as the rates have."""
        return len(self.services[0].rates_T) if self.services else self.alone_steps

    def members(self, family: str) -> list[int]:
        """Places of a family's services."""
        return [place for place, service in enumerate(self.services) if service.family == family]

    @cached_property
    def past_HS(self) -> Floats:
        """Rates in the steps before the week."""
        if not self.services:
            return np.zeros((0, 0))
        return np.stack([service.past_T for service in self.services], axis=1)

    @cached_property
    def rates_TS(self) -> Floats:
        """Requests per second asked for in each step."""
        if not self.services:
            return np.zeros((self.steps, 0))
        return np.stack([service.rates_T for service in self.services], axis=1)

    @cached_property
    def slots_K(self) -> Ints:
        """Slots of each kind."""
        return np.array([kind.slots for kind in self.kinds], dtype=np.int64)

    @cached_property
    def conversion_K(self) -> Ints:
        """Slots of each kind for which there is compute and storage, where a service needs conversion."""
        return np.array([k.slots if k.conversion is None else k.conversion for k in self.kinds], dtype=np.int64)

    @cached_property
    def capacity_SK(self) -> Floats:
        """Requests per second that one slot answers in time."""
        return np.array([service.capacity_K for service in self.services], dtype=np.float64).reshape(
            len(self.services), len(self.kinds)
        )

    @cached_property
    def speed_JK(self) -> Floats:
        """Work per second of one slot."""
        return np.array([job.speed_K for job in self.jobs], dtype=np.float64).reshape(len(self.jobs), len(self.kinds))

    @cached_property
    def usd_per_request_S(self) -> Floats:
        """What an answer in time earns each service."""
        return np.array([service.usd_per_request for service in self.services], dtype=np.float64)

    @cached_property
    def converts_S(self) -> NDArray[np.bool_]:
        """Which services need conversion."""
        return np.array([service.converts for service in self.services], dtype=bool)

    @cached_property
    def family_S(self) -> Ints:
        """The number of each service's family."""
        families = [service.family for service in self.services]
        return np.array([families.index(family) for family in families], dtype=np.int64)

    @cached_property
    def queue_s_S(self) -> Floats:
        """How long a request of each service may wait and still be in time."""
        return np.array([service.queue_s for service in self.services], dtype=np.float64)

    @cached_property
    def floor_S(self) -> Ints:
        """Slots that each service has before any value counts."""
        return np.array([service.floor for service in self.services], dtype=np.int64)

    @cached_property
    def least_J(self) -> Ints:
        """Slots that each job needs at least."""
        return np.array([job.least for job in self.jobs], dtype=np.int64)

    @cached_property
    def most_J(self) -> Ints:
        """Slots that each job uses at most."""
        return np.array([job.most for job in self.jobs], dtype=np.int64)

    @cached_property
    def checkpoint_s_J(self) -> Floats:
        """What saving takes each job."""
        return np.array([job.checkpoint_s for job in self.jobs], dtype=np.float64)

    @cached_property
    def usd_per_s_J(self) -> Floats:
        """What one slot of each job earns per second at speed 1."""
        return np.array([job.usd_per_s for job in self.jobs], dtype=np.float64)

    @cached_property
    def job_times_J(self) -> TimesArrays:
        """Times of all jobs."""
        return times_arrays([job.times for job in self.jobs])

    @cached_property
    def service_times_S(self) -> TimesArrays:
        """Times of all services."""
        return times_arrays([service.times for service in self.services])
