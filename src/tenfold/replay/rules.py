"""Rules of the field, re-implemented to be compared with: each in a few lines, with its source.

A ``dial`` per family of services says how generously it is provided for. Everything else is as the rule's own authors
set it, or as its best informed users would. ``warm`` puts a rule on Tenfold's residents; without it slots change hands
by stopping and starting processes, and every change of a job is a restart.

Letters: S services, K kinds, A jobs in the system, D demands that may come.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.forecast import LEVELS_D
from tenfold.replay.queueing import admit, evict, grant, share_out, unsaved_A
from tenfold.replay.rule import Decision, View
from tenfold.replay.scaling import STABILISATION_S, cover, dial_S, hpa_capacity_S
from tenfold.replay.week import Floats, Ints

Dials = tuple[tuple[str, float], ...]
"""A value for each family of services."""

GRACE_S = 30.0
"""Kubernetes gives a pod this long to end before it is killed; who saves faster loses nothing."""


def _nobody_killed(view: View) -> NDArray[np.bool_]:
    return np.zeros(len(view.jobs_A), dtype=bool)


@dataclass(frozen=True, slots=True)
class Static:
    """A fixed part of the fleet for each service, and the rest for jobs: what a fleet without a scheduler does.

    Source: ordinary capacity planning, a quantile of the need that was seen.

    Args:
        rates_S: requests per second that each service is always able to answer.
    """

    rates_S: Floats
    warm: bool = False

    @property
    def name(self) -> str:
        """What reports call it."""
        return _called("static", self.warm)

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        services_SK = cover(view, self.rates_S, view.week.slots_K)
        jobs_AK = share_out(view, view.week.slots_K - services_SK.sum(axis=0))
        return Decision(services_SK, jobs_AK, _nobody_killed(view))


@dataclass(frozen=True, slots=True)
class Priority:
    """Services preempt jobs: Kubernetes' PriorityClass, with autoscaled services above all training.

    A job has a fixed size and runs whole; where services need room, the newest jobs are evicted, and wait again in the
    order of arrival. Source: "Pod Priority and Preemption", kubernetes.io: of victims of one priority, the latest
    started go first; they get their grace period.

    Args:
        dials: utilisation aimed at, by family.
        size: a job's size between its least (0) and its most (1).
        grace_s: seconds that who is evicted has to save.
    """

    dials: Dials = ()
    warm: bool = False
    size: float = 0.5
    grace_s: float = GRACE_S

    @property
    def name(self) -> str:
        """What reports call it."""
        return _called("priority", self.warm, self.grace_s)

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        services_SK = cover(view, hpa_capacity_S(view, dial_S(view.week, self.dials, 0.7)), view.week.slots_K)
        room_K = view.week.slots_K - services_SK.sum(axis=0)
        goes_A = evict(view, room_K, add_back=False)
        least_A, most_A = view.week.least_J[view.jobs_A], view.most_A
        size_A = np.rint(least_A + self.size * (most_A - least_A)).astype(np.int64)
        killed_A = unsaved_A(view, goes_A, self.grace_s)
        return Decision(services_SK, admit(view, room_K, goes_A, size_A * ~killed_A, size_A * ~killed_A), killed_A)


@dataclass(frozen=True, slots=True)
class KueueLike:
    """Quotas with borrowing: jobs borrow what services leave, and are preempted whole when those reclaim it.

    All slots are nominal quota of the services' queue, so that it can always reclaim (``reclaimWithinCohort: Any``);
    training has none and borrows. Candidates for preemption are taken newest first until the rest fit, then those that
    need not go are put back. A job is admitted with as many slots as there are between its least and its most (partial
    admission), and keeps that size. It is stopped with the pod's grace period; nothing waits for its checkpoint.
    Source: kueue.sigs.k8s.io, "ClusterQueue" and "Preemption"; the order of candidates and the filling back in
    ``pkg/scheduler/preemption``. Services are scaled as the HPA does.

    Args:
        dials: utilisation aimed at, by family.
        grace_s: seconds that who is preempted has to save.
    """

    dials: Dials = ()
    warm: bool = False
    grace_s: float = GRACE_S

    @property
    def name(self) -> str:
        """What reports call it."""
        return _called("kueue-like", self.warm, self.grace_s)

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        services_SK = cover(view, hpa_capacity_S(view, dial_S(view.week, self.dials, 0.7)), view.week.slots_K)
        room_K = view.week.slots_K - services_SK.sum(axis=0)
        goes_A = evict(view, room_K, add_back=True)
        least_A, most_A = view.week.least_J[view.jobs_A], view.most_A
        killed_A = unsaved_A(view, goes_A, self.grace_s)
        return Decision(services_SK, admit(view, room_K, goes_A, least_A, most_A * ~killed_A), killed_A)


@dataclass(frozen=True, slots=True)
class LyraLike:
    """Whole servers are loaned to training and reclaimed every five minutes; elastic jobs shrink before any stops.

    Every ``interval_s`` the servers that services need by the forecast are set aside, and jobs have the others: those
    that run keep their least, then those that wait get theirs, shortest first, then all may grow, shortest first. If
    not even the least of all fits, those stop that lose the least. In between jobs keep what they have, and services
    share what is set aside. Source: Li et al., "Lyra: Elastic Scheduling for Deep Learning Clusters", EuroSys 2023.

    Args:
        dials: utilisation aimed at, by family, of what the forecast expects at most in nine steps of ten.
        grace_s: seconds that who is stopped has to save.
    """

    dials: Dials = ()
    warm: bool = False
    grace_s: float = GRACE_S
    interval_s: float = 300.0

    @property
    def name(self) -> str:
        """What reports call it."""
        return _called("lyra-like", self.warm, self.grace_s)

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        week = view.week
        expected_S = view.demands_SD[:, int(np.searchsorted(LEVELS_D, 0.9))]
        rates_S = expected_S / dial_S(week, self.dials, 0.9)
        before_s = view.now_s - week.step_s
        if view.step > 0 and view.now_s // self.interval_s == before_s // self.interval_s:
            kept_K = week.slots_K - view.job_slots_AK.sum(axis=0)
            return Decision(cover(view, rates_S, kept_K), view.job_slots_AK, _nobody_killed(view))
        wanted_SK = cover(view, rates_S, week.slots_K)
        node_K = np.array([kind.node_slots for kind in week.kinds])
        room_K = np.maximum(week.slots_K - -(-wanted_SK.sum(axis=0) // node_K) * node_K, 0)
        jobs_AK = self._loan(view, room_K)
        goes_A = (view.job_slots_AK.sum(axis=1) > 0) & (jobs_AK.sum(axis=1) == 0)
        return Decision(wanted_SK, jobs_AK, unsaved_A(view, goes_A, self.grace_s))

    def _loan(self, view: View, room_K: Ints) -> Ints:
        """Give jobs the servers on loan."""
        jobs_A, held_A = view.jobs_A, view.job_slots_AK.sum(axis=1)
        least_A, most_A = view.week.least_J[jobs_A], view.most_A
        runs_A, loss_A = held_A > 0, view.since_checkpoint_A * held_A
        shortest = np.argsort(view.remaining_A / most_A, kind="stable")
        # Those that would lose most by stopping come first.
        running = np.flatnonzero(runs_A)[np.argsort(-loss_A[runs_A], kind="stable")]
        granted_AK = grant(view, np.zeros_like(view.job_slots_AK), room_K, least_A, least_A, running)
        granted_AK = grant(view, granted_AK, room_K, least_A, least_A, shortest[~runs_A[shortest]])
        in_A = granted_AK.sum(axis=1) > 0
        keep_A = np.where(in_A, np.clip(held_A, least_A, most_A), 0)
        granted_AK = grant(view, granted_AK, room_K, least_A, keep_A, shortest[in_A[shortest]])
        return grant(view, granted_AK, room_K, least_A, most_A, shortest[in_A[shortest]])


@dataclass(frozen=True, slots=True)
class HpaLike:
    """Services are scaled to a utilisation; elastic jobs take what is left, and are resized with every change of it.

    Source: "Horizontal Pod Autoscaling", kubernetes.io, for services. For jobs: elastic training that saves before it
    shrinks, as with torchrun's elastic agent; there is no rule of the field that does this across both.

    Args:
        dials: utilisation aimed at, by family.
        grow_after_s: a job that was resized does not grow before this time is over, as long as services do not shrink.
    """

    dials: Dials = ()
    warm: bool = False
    grow_after_s: float = STABILISATION_S

    @property
    def name(self) -> str:
        """What reports call it."""
        return _called("hpa-like", self.warm)

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        services_SK = cover(view, hpa_capacity_S(view, dial_S(view.week, self.dials, 0.7)), view.week.slots_K)
        jobs_AK = share_out(view, view.week.slots_K - services_SK.sum(axis=0), self.grow_after_s)
        return Decision(services_SK, jobs_AK, _nobody_killed(view))


def _called(name: str, warm: bool, grace_s: float = GRACE_S) -> str:
    """Name a variant."""
    return name + (", warm" if warm else "") + (", hard kills" if grace_s <= 0 else "")
