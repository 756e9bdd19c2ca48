"""Where slots lie: jobs that need one node or one rack get theirs there, or wait.

Only such jobs have a place. Services and all other jobs together are one crowd, and only its number of slots on each
node is known. Where a slot is needed, a member of the crowd that shrinks is assumed to hold it.

Letters: N nodes of a kind, R its racks, K kinds, A jobs in the system.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.replay.week import Floats, Ints, Kind, Week


@dataclass(frozen=True, slots=True)
class Placed:
    """What could be placed of a decision: slots of each job, and of each kind how many found no place."""

    job_slots_AK: Ints
    refused_K: Ints


class Floorplan:
    """All nodes of a fleet."""

    def __init__(self, week: Week) -> None:
        self._floors = [_Floor(kind) for kind in week.kinds]
        self._within = [job.within for job in week.jobs]
        self._local_J = np.array([within != "anywhere" for within in self._within], dtype=bool)
        self._least_J, self._speed_JK = week.least_J, week.speed_JK
        self._fits_JK = _fits_JK(week)
        self._split_J = np.zeros(len(week.jobs), dtype=bool)

    @property
    def matters(self) -> bool:
        """Whether any job of the week needs a place."""
        return bool(self._local_J.any())

    def speed_AK(self, jobs_A: Ints, held_AK: Ints, turn_A: Ints) -> Floats:
        """Tell on which kinds jobs can be, and how fast: those with a place only where a node or rack is large enough.

        One that runs is shown on its own kind only. One that was once given slots of several kinds, which have no place
        together, is shown on one kind at a time, in turn.
        """
        speed_AK = self._speed_JK[jobs_A]
        if len(self._floors) == 1 or not self.matters:
            return speed_AK
        fits_AK = self._fits_JK[jobs_A]
        for row in np.flatnonzero(self._split_J[jobs_A]).tolist():
            fits = np.flatnonzero(fits_AK[row])
            fits_AK[row] = np.arange(len(self._floors)) == fits[turn_A[row] % len(fits)]
        runs_A = self._local_J[jobs_A] & held_AK.any(axis=1)
        return np.where(np.where(runs_A[:, None], held_AK > 0, fits_AK), speed_AK, 0.0)

    def place(self, service_slots_SK: Ints, jobs_A: Ints, held_AK: Ints, wanted_AK: Ints) -> Placed:
        """Find places for what was decided: who leaves first, then jobs in their order, then the crowd.

        A job that cannot have all gets what its node or rack has room for, but not less than its least.
        """
        local = np.flatnonzero(self._local_J[jobs_A])
        placed_AK, refused_K = wanted_AK.copy(), np.zeros(len(self._floors), dtype=np.int64)
        # A node is of one kind, so that slots of several kinds have no place together.
        mixed = local[(wanted_AK[local] > 0).sum(axis=1) > 1]
        placed_AK[mixed] = 0
        self._split_J[jobs_A[mixed]] = True
        refused_K += wanted_AK[mixed].sum(axis=0)
        crowd_K = service_slots_SK.sum(axis=0) + wanted_AK[~self._local_J[jobs_A]].sum(axis=0)
        for kind, floor in enumerate(self._floors):
            for row in local[placed_AK[local, kind] < held_AK[local, kind]].tolist():
                floor.leave(int(jobs_A[row]), int(held_AK[row, kind] - placed_AK[row, kind]))
            floor.expect(int(crowd_K[kind]))
            for row in local[placed_AK[local, kind] > held_AK[local, kind]].tolist():
                job, held, wanted = int(jobs_A[row]), int(held_AK[row, kind]), int(placed_AK[row, kind])
                found = floor.join(job, self._within[job] == "node", wanted - held, max(1, self._least_J[job] - held))
                placed_AK[row, kind] = held + found
                refused_K[kind] += wanted - held - found
            floor.settle()
        return Placed(placed_AK, refused_K)

    def retire(self, jobs: Ints) -> None:
        """Give back the places of jobs that are done."""
        for job in jobs[self._local_J[jobs]].tolist():
            for floor in self._floors:
                floor.vacate(job)


class _Floor:
    """The nodes of one kind. ``free_N`` and ``crowd_N``: slots of nobody, and of those that have no place of their own.

    ``_owed``: how many slots the crowd is about to give up (or, below 0, to take).
    """

    def __init__(self, kind: Kind) -> None:
        nodes = -(-kind.slots // kind.node_slots)
        self._rack_N: Ints = np.arange(nodes) // kind.rack_nodes
        self._free_N: Ints = np.full(nodes, kind.node_slots, dtype=np.int64)
        self._free_N[-1:] = kind.slots - kind.node_slots * (nodes - 1) if nodes else 0
        self._crowd_N: Ints = np.zeros(nodes, dtype=np.int64)
        self._places: dict[int, Ints] = {}
        self._owed = 0

    def expect(self, crowd: int) -> None:
        """Hear how many slots the crowd will have."""
        self._owed = int(self._crowd_N.sum()) - crowd

    def leave(self, job: int, slots: int) -> None:
        """Free some of a job's slots, of the nodes first where it has the fewest."""
        mine_N = self._places[job]
        given_N = _spread(slots, mine_N, mine_N)
        self._places[job] = mine_N - given_N
        self._free_N += given_N
        if not self._places[job].any():
            del self._places[job]

    def vacate(self, job: int) -> None:
        """Free all of a job's slots."""
        if job in self._places:
            self._free_N += self._places.pop(job)

    def join(self, job: int, in_node: bool, slots: int, least: int) -> int:
        """Give a job slots of one node or rack: of that in which it is, or of the tightest that has room.

        Gives how many it got: all, or what there is, or 0 if that is less than ``least``.
        """
        here_N = self._here(job, in_node, slots)
        self._give_up(min(self._owed, slots - int(self._free_N[here_N].sum())), here_N)
        free_N = self._free_N * here_N
        found = min(slots, int(free_N.sum()))
        if found < least:
            return 0
        # Whole nodes first; the rest goes where it leaves the least.
        taken_N = _spread(found, free_N, -free_N)
        part_N = (taken_N > 0) & (taken_N < free_N)
        if part_N.any():
            rest = int(taken_N[part_N].sum())
            fits_N = (free_N >= rest) & (part_N | (taken_N == 0))
            taken_N[part_N] = 0
            taken_N[int(np.argmin(np.where(fits_N, free_N, np.iinfo(np.int64).max)))] = rest
        self._free_N -= taken_N
        self._places[job] = self._places.get(job, np.zeros_like(taken_N)) + taken_N
        return found

    def _here(self, job: int, in_node: bool, slots: int) -> NDArray[np.bool_]:
        """Choose the node or rack for a job."""
        area_N = np.arange(len(self._free_N)) if in_node else self._rack_N
        if job in self._places:
            return area_N == area_N[int(np.argmax(self._places[job]))]
        areas = int(area_N[-1]) + 1
        free_R = np.bincount(area_N, self._free_N, areas)
        crowd_R = np.bincount(area_N, self._crowd_N, areas)
        has_R = free_R + np.minimum(crowd_R, max(0, self._owed))
        fits_R = has_R >= slots
        if not fits_R.any():
            return area_N == int(np.argmax(has_R))
        # The tightest keeps big holes whole; of equals the one with the least free, then the first.
        return area_N == int(np.lexsort((free_R, np.where(fits_R, free_R + crowd_R, np.inf)))[0])

    def settle(self) -> None:
        """Let the crowd give up what it still owes, so that nodes become empty, or take what it needs."""
        self._give_up(self._owed, np.ones(len(self._free_N), dtype=bool))
        if self._owed < 0:
            # The most broken nodes first.
            taken_N = _spread(-self._owed, self._free_N, self._free_N)
            self._crowd_N += taken_N
            self._free_N -= taken_N
        self._owed = 0

    def _give_up(self, slots: int, here_N: NDArray[np.bool_]) -> None:
        """Let the crowd leave these nodes, first those where it has the fewest slots."""
        if slots > 0:
            given_N = _spread(slots, self._crowd_N * here_N, self._crowd_N)
            self._crowd_N -= given_N
            self._free_N += given_N
            self._owed -= int(given_N.sum())


def _fits_JK(week: Week) -> NDArray[np.bool_]:
    """On which kinds each job could have its least slots, if it were alone."""
    fits_JK = week.speed_JK > 0
    for number, job in enumerate(week.jobs):
        if job.within != "anywhere":
            area = [kind.node_slots * (1 if job.within == "node" else kind.rack_nodes) for kind in week.kinds]
            fits_JK[number] &= np.minimum(area, week.slots_K) >= job.least
    return fits_JK


def _spread(slots: int, most_N: Ints, order_N: Ints) -> Ints:
    """Take so many slots, of each node up to its most, in ascending order."""
    order = np.argsort(order_N, kind="stable")
    before = np.cumsum(most_N[order]) - most_N[order]
    taken_N = np.zeros_like(most_N)
    taken_N[order] = np.clip(slots - before, 0, most_N[order])
    return taken_N
