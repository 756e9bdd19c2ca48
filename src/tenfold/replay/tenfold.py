"""Tenfold's own policy in a replay: the pool's forecast, values and water-filling, and nothing else."""

import math
from dataclasses import dataclass, field

import numpy as np

from tenfold.policy.claiming import Jobs, Services, Terms, claims_of
from tenfold.policy.claims import Claims
from tenfold.policy.kinds.mix import mix
from tenfold.policy.kinds.mixture import Mixture
from tenfold.policy.kinds.relaxation import Relaxation
from tenfold.replay.rule import Decision, View
from tenfold.replay.scaling import dial_S


@dataclass(frozen=True, slots=True)
class Tenfold:
    """Slots go where they are worth most, by what may be asked and what it earns.

    ``attains``: the share of its requests that each family as a whole shall answer in time; for a family not named the
    price decides. ``utilisation``: the share of a slot's capacity that is planned on; all of it if not named, since a
    week's capacity is what a slot answers in time. Three dwells say how long a change is expected to last:
    ``dwell_s`` for a service's slot; ``joined_dwell_s`` for a slot that joins a job, since services soon want it back;
    ``job_dwell_s``, at most, for the size of a job, since a resize stops all of it. ``idle_s``: a service that was
    asked for something in that time keeps one slot, as in the live pool. ``relaxation``: what the solver keeps from
    step to step; it begins anew with each week.
    """

    attains: tuple[tuple[str, float], ...] = ()
    utilisation: tuple[tuple[str, float], ...] = ()
    dwell_s: float = 600.0
    joined_dwell_s: float = 180.0
    job_dwell_s: float = 3600.0
    idle_s: float = 5.0
    warm: bool = True
    relaxation: Relaxation = field(default_factory=Relaxation, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What reports call it."""
        return "tenfold" if self.warm else "tenfold, cold starts"

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        if view.step == 0:
            self.relaxation.forget()
        counts_WK = mix(self._mixture(view), self.relaxation)
        services = len(view.week.services)
        return Decision(counts_WK[:services], counts_WK[services:], np.zeros(len(view.jobs_A), dtype=bool))

    def _mixture(self, view: View) -> Mixture:
        """What services ask for, then jobs in the order of arrival; in slots of the kind that each does best on."""
        week, jobs_A = view.week, view.jobs_A
        best_S, best_A = week.capacity_SK.max(axis=1), view.speed_AK.max(axis=1)
        return Mixture(
            claims=self.claims(view),
            speed_WK=np.concatenate((week.capacity_SK / best_S[:, None], view.speed_AK / best_A[:, None])),
            held_WK=np.concatenate((view.service_slots_SK, view.job_slots_AK)),
            slots_K=week.slots_K,
            converts_W=np.concatenate((week.converts_S, np.zeros(len(jobs_A), dtype=bool))),
            conversion_K=week.conversion_K,
        )

    def claims(self, view: View) -> Claims:
        """What services and jobs ask for, in slots of the kind that each does best on."""
        week, usd_AK = view.week, view.week.usd_per_s_J[view.jobs_A][:, None] * view.speed_AK
        share_SK = week.capacity_SK / week.capacity_SK.max(axis=1, keepdims=True)
        best_usd_K = usd_AK[view.most_A > 0].max(axis=0, initial=0.0)
        instead_SK = np.divide(best_usd_K, share_SK, out=np.zeros_like(share_SK), where=share_SK > 0)
        return claims_of(
            self._services(view),
            Jobs(usd_AK.max(axis=1, initial=0.0), view.most_A),
            self._terms(view),
            jobs_instead_usd_per_s_S=instead_SK.max(axis=1),
        )

    def _services(self, view: View) -> Services:
        week = view.week
        return Services(
            demands_SD=view.demands_SD,
            waiting_S=view.waiting_S,
            clear_s_S=np.maximum(week.step_s, week.queue_s_S),
            slot_units_per_s_S=week.capacity_SK.max(axis=1) * dial_S(week, self.utilisation, 1.0),
            usd_per_unit_S=week.usd_per_request_S,
            attains_S=dial_S(week, self.attains, math.nan),
            # Services of a family share its budget.
            tally=view.tally.shared(week.family_S),
        )

    def _terms(self, view: View) -> Terms:
        """What all hold, may hold, and what changes cost: services, then jobs in the order of arrival."""
        week, jobs_A = view.week, view.jobs_A
        services, count = week.services, len(week.services)
        recent_HS = view.rates_HS[-int(np.ceil(self.idle_s / week.step_s)) :]
        none_A = np.zeros(len(jobs_A), dtype=np.int64)
        # What has just changed will change again soon; what has long been steady will stay so.
        dwell_s_A = np.clip(view.settled_s_A, week.step_s, self.job_dwell_s)
        joined_dwell_s = max(week.step_s, self.joined_dwell_s)
        start_s_A = week.job_times_J.start_s_W[jobs_A]
        if self.warm:
            serves_s_S, still_s_A = week.service_times_S.wake_s_W, week.job_times_J.resize_s_W[jobs_A]
            # A job that was stopped is still loaded, so it comes back by a wake.
            joins_s_A = np.where(view.started_A, week.job_times_J.wake_s_W[jobs_A], start_s_A)
        else:
            # Processes start; every change of a job saves and restarts it.
            serves_s_S, still_s_A = week.service_times_S.start_s_W, week.checkpoint_s_J[jobs_A] + start_s_A
            joins_s_A = start_s_A
        return Terms(
            names=(*[service.name for service in services], *[week.jobs[job].name for job in jobs_A]),
            serves_W=np.arange(count + len(jobs_A)) < count,
            wanted_W=np.concatenate(((np.nan_to_num(recent_HS) > 0).any(axis=0), none_A > 0)),
            floor_W=np.concatenate((week.floor_S, none_A)),
            ceiling_W=np.concatenate((np.full(count, week.slots_K.sum()), view.most_A)),
            least_W=np.concatenate((np.ones(count, dtype=np.int64), week.least_J[jobs_A])),
            held_W=np.concatenate((view.service_slots_SK.sum(axis=1), view.job_slots_AK.sum(axis=1))),
            join_s_W=np.concatenate((serves_s_S, joins_s_A)),
            join_dwell_s_W=np.concatenate((np.full(count, self.dwell_s), np.full(len(jobs_A), joined_dwell_s))),
            resize_s_W=np.concatenate((np.zeros(count), still_s_A)),
            resize_dwell_s_W=np.concatenate((np.full(count, self.dwell_s), dwell_s_A)),
        )
