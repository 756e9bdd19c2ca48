"""What every policy sees and says: the one interface of Tenfold and of the rules it is compared with.

A rule decides when a step begins and knows only the steps before it. Shorter steps stand for a faster control loop.

Letters: K kinds, S services, A jobs that have arrived and are not done, H steps of history, D demands that may come.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.budget import Tally
from tenfold.replay.week import Floats, Ints, Week


@dataclass(frozen=True, slots=True)
class View:
    """What is known when a rule decides.

    Args:
        week: the fleet, and what does not change of services and jobs. A policy reads no rates and no later jobs there.
        step: its number.
        rates_HS: requests per second measured in the steps before, those before the week included, the latest last. NaN
            where nothing was measured.
        demands_SD: requests per second that may be asked for next, by the forecast, with chances ``CHANCES_D`` of
            ``policy.forecast``.
        waiting_S: requests that came before and wait for an answer.
        tally: requests that came before, and those of them that were missed.
        service_slots_SK: slots that each service holds now, those included that still start.
        jobs_A: indices into ``week.jobs`` of the jobs in the system, in the order of arrival; without those that have
            just found no node or rack to start in, and are tried again a while later.
        job_slots_AK: slots that each holds now.
        speed_AK: work per second of one slot of each kind; 0 where a job cannot run, or cannot just now: all slots of
            one that needs a node or a rack are of one kind.
        remaining_A: slot-seconds at speed 1 that each still has to do.
        since_checkpoint_A: seconds of work that a kill would lose, per slot.
        most_A: slots that each can use; for a while no more than it has, if its node or rack has no more room.
        settled_s_A: seconds since its slots last changed.
        started_A: whether each has ever had slots; where residents are kept warm, its processes are loaded since.
    """

    week: Week
    step: int
    rates_HS: Floats
    demands_SD: Floats
    waiting_S: Floats
    tally: Tally
    service_slots_SK: Ints
    jobs_A: Ints
    job_slots_AK: Ints
    speed_AK: Floats
    remaining_A: Floats
    since_checkpoint_A: Floats
    most_A: Ints
    settled_s_A: Floats
    started_A: NDArray[np.bool_]

    @property
    def now_s(self) -> float:
        """When the step began, in seconds from the start of the week."""
        return self.step * self.week.step_s


@dataclass(frozen=True, slots=True)
class Decision:
    """How many slots of each kind everybody shall hold; what exceeds a kind's slots is an error of the policy.

    ``killed_A``: jobs that are stopped without notice, so that they lose what they did since their checkpoint.
    """

    service_slots_SK: Ints
    job_slots_AK: Ints
    killed_A: NDArray[np.bool_]


class Rule(Protocol):
    """A policy as a pure function."""

    @property
    def name(self) -> str:
        """What reports call it; a re-implemented rule of others ends in ``-like``."""
        ...

    @property
    def warm(self) -> bool:
        """Whether its changes are wakes and sleeps of loaded residents, or starts of processes."""
        ...

    def decide(self, view: View) -> Decision:
        """Say how many slots of each kind everybody shall hold from now on."""
        ...


def idle(view: View) -> Decision:
    """Give nobody anything: where a rule begins to fill in."""
    return Decision(
        np.zeros_like(view.service_slots_SK),
        np.zeros_like(view.job_slots_AK),
        np.zeros(len(view.jobs_A), dtype=bool),
    )
