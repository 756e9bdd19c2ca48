"""Services while a week is played: the slots that work, those that still start, and who waits for an answer.

Letters: S services, K kinds, B batches of slots that still start.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tenfold.replay.week import Floats, Ints, Week


@dataclass(frozen=True, slots=True)
class Served:
    """What one step did for each service: requests, and slot-seconds of its slots."""

    asked_S: Floats
    answered_S: Floats
    shed_S: Floats
    working_s_S: Floats
    starting_s_S: Floats


class Queues:
    """Fluid queues: requests are a quantity, not single ones, and come evenly within a step.

    Args:
        week: services and their times.
        warm: whether slots join by a wake and leave by a sleep, or by the start and the end of a process.
    """

    def __init__(self, week: Week, warm: bool) -> None:
        times = week.service_times_S
        self._capacity_SK = week.capacity_SK
        self._queue_s_S = week.queue_s_S
        self.join_s_S: Floats = times.wake_s_W if warm else times.start_s_W
        self.leave_s_S: Floats = times.sleep_s_W if warm else np.zeros_like(times.sleep_s_W)
        self.held_SK: Ints = np.zeros_like(self._capacity_SK, dtype=np.int64)
        self.backlog_S: Floats = np.zeros(len(week.services))
        self._service_B: Ints = np.zeros(0, dtype=np.int64)
        self._kind_B: Ints = np.zeros(0, dtype=np.int64)
        self._slots_B: Ints = np.zeros(0, dtype=np.int64)
        self._ready_at_s_B: Floats = np.zeros(0)

    def leave(self, left_SK: Ints) -> None:
        """Give up slots; those that do not work yet go first, the latest of them before the others."""
        self.held_SK = self.held_SK - left_SK
        if len(self._slots_B):
            left = left_SK.copy()
            for batch in np.argsort(-self._ready_at_s_B, kind="stable"):
                place = self._service_B[batch], self._kind_B[batch]
                gone = min(left[place], self._slots_B[batch])
                self._slots_B[batch] -= gone
                left[place] -= gone

    def join(self, service_B: Ints, kind: int, slots_B: Ints, free_at_s_B: Floats) -> None:
        """Take slots of one kind that are free then."""
        np.add.at(self.held_SK[:, kind], service_B, slots_B)
        self._service_B = np.concatenate((self._service_B, service_B))
        self._kind_B = np.concatenate((self._kind_B, np.full_like(service_B, kind)))
        self._slots_B = np.concatenate((self._slots_B, slots_B))
        self._ready_at_s_B = np.concatenate((self._ready_at_s_B, free_at_s_B + self.join_s_S[service_B]))

    def serve(self, rates_S: Floats, now_s: float, step_s: float) -> Served:
        """Play one step, piece by piece between the moments at which slots become ready."""
        end_s, held_S = now_s + step_s, self.held_SK.sum(axis=1)
        answered_S, shed_S, starting_s_S = (np.zeros(len(rates_S)) for _ in range(3))
        ready_s = np.unique(self._ready_at_s_B[(self._ready_at_s_B > now_s) & (self._ready_at_s_B < end_s)])
        moments_s = [now_s, *ready_s.tolist(), end_s]
        capacity_S = self._settle(now_s)
        for since_s, until_s in pairwise(moments_s):
            seconds = until_s - since_s
            starting_s_S += seconds * np.bincount(self._service_B, self._slots_B, len(rates_S))
            waiting_S = self.backlog_S + rates_S * seconds
            done_S = np.minimum(waiting_S, capacity_S * seconds)
            capacity_S = self._settle(until_s) if len(self._slots_B) else capacity_S
            left_S = waiting_S - done_S
            # What still waits came within the last ``queue_s``, and must be answered within as long.
            came_S = np.where(self._queue_s_S < seconds, rates_S * self._queue_s_S, waiting_S)
            self.backlog_S = np.minimum(left_S, np.minimum(came_S, capacity_S * self._queue_s_S))
            answered_S += done_S
            shed_S += left_S - self.backlog_S
        return Served(rates_S * step_s, answered_S, shed_S, held_S * step_s - starting_s_S, starting_s_S)

    def _settle(self, at_s: float) -> Floats:
        """Put to work what is ready; gives the requests per second that can be answered from then on."""
        still_B = (self._ready_at_s_B > at_s) & (self._slots_B > 0)
        self._service_B, self._kind_B = self._service_B[still_B], self._kind_B[still_B]
        self._slots_B, self._ready_at_s_B = self._slots_B[still_B], self._ready_at_s_B[still_B]
        working_SK = self.held_SK.copy()
        np.subtract.at(working_SK, (self._service_B, self._kind_B), self._slots_B)
        return (working_SK * self._capacity_SK).sum(axis=1)
