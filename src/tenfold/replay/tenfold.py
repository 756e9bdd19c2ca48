"""Tenfold's own policy in a replay: the pool's forecast, values and water-filling, and nothing else."""

import math
from dataclasses import dataclass, field

import numpy as np

from tenfold.policy.budget import Generosity, generosity, most_worth
from tenfold.policy.claims import Claims, Floats, Ints
from tenfold.policy.forecast import CHANCES_D
from tenfold.policy.kinds.mix import mix
from tenfold.policy.kinds.mixture import Mixture
from tenfold.policy.kinds.relaxation import Relaxation
from tenfold.policy.value import service_runs
from tenfold.replay.rule import Decision, View
from tenfold.replay.scaling import dial_S


@dataclass(frozen=True, slots=True)
class Tenfold:
    """Slots go where they are worth most, by what may be asked and what it earns.

    ``attains``: the share of requests that each family shall answer in time, as one; what is not named is provided for
    as its price is worth. ``utilisation``: share of a slot's capacity that is planned on; all of it if not named, since
    a week's capacity is what a slot answers in time. How long a change is expected to last: ``dwell_s`` of a service's
    slot, ``joined_dwell_s`` of a slot that joins a job, which services soon want back, and ``job_dwell_s``, at most, of
    a job's size, for which all of it stands still. ``idle_s``: a service that was asked for something in that time
    keeps one slot, as in the live pool. ``relaxation``: what the solver keeps from step to step; it begins anew with a
    week.
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
            claims=self._claims(view, best_S, best_A),
            speed_WK=np.concatenate((week.capacity_SK / best_S[:, None], view.speed_AK / best_A[:, None])),
            held_WK=np.concatenate((view.service_slots_SK, view.job_slots_AK)),
            slots_K=week.slots_K,
            converts_W=np.concatenate((week.converts_S, np.zeros(len(jobs_A), dtype=bool))),
            conversion_K=week.conversion_K,
        )

    def _generosity(self, view: View, slot_usd_per_s_S: Floats) -> Generosity:
        """How generously each service is provided for; services of a family share its budget."""
        usd_A = view.week.usd_per_s_J[view.jobs_A] * view.speed_AK.max(axis=1, initial=0.0)
        rival_usd_per_s = float(np.average(usd_A, weights=view.most_A)) if view.most_A.any() else 0.0
        return generosity(
            view.tally.shared(view.week.family_S),
            dial_S(view.week, self.attains, math.nan),
            most_worth(rival_usd_per_s, slot_usd_per_s_S),
        )

    def _runs(self, view: View, capacity_S: Floats) -> tuple[Ints, Floats, Ints]:
        """What each further slot of the services earns, by what may be asked, at least what clears the waiting."""
        week = view.week
        clear_s_S = np.maximum(week.step_s, week.queue_s_S)
        demands_SD = np.maximum(view.demands_SD, (view.waiting_S / clear_s_S)[:, None])
        slot_usd_per_s_S = week.usd_per_request_S * capacity_S
        generous = self._generosity(view, slot_usd_per_s_S)
        needs_SD, chances_D = generous.provided(demands_SD / capacity_S[:, None], CHANCES_D)
        return service_runs(needs_SD, chances_D, generous.worth_W * slot_usd_per_s_S)

    def _claims(self, view: View, capacity_S: Floats, speed_A: Floats) -> Claims:
        week, jobs_A = view.week, view.jobs_A
        services, count = week.services, len(week.services)
        owner_R, usd_R, slots_R = self._runs(view, capacity_S * dial_S(week, self.utilisation, 1.0))

        held_A, most_A = view.job_slots_AK.sum(axis=1), view.most_A
        recent_HS = view.rates_HS[-int(np.ceil(self.idle_s / week.step_s)) :]
        asked_S = (np.nan_to_num(recent_HS) > 0).any(axis=0)
        # What has just changed will change again soon; what has long been steady will stay so.
        dwell_s_A = np.clip(view.settled_s_A, week.step_s, self.job_dwell_s)
        joined_dwell_s = max(week.step_s, self.joined_dwell_s)
        start_s_A = week.job_times_J.start_s_W[jobs_A]
        if self.warm:
            serves_s_S, still_s_A = week.service_times_S.wake_s_W, week.job_times_J.resize_s_W[jobs_A]
            # Who has been stopped is still loaded, so that it comes back by a wake.
            joins_s_A = np.where(view.started_A, week.job_times_J.wake_s_W[jobs_A], start_s_A)
        else:
            # Processes start; every change of a job saves and restarts it.
            serves_s_S, still_s_A = week.service_times_S.start_s_W, week.checkpoint_s_J[jobs_A] + start_s_A
            joins_s_A = start_s_A
        return Claims(
            names=(*[service.name for service in services], *[week.jobs[job].name for job in jobs_A]),
            owner_R=np.concatenate((owner_R, count + np.arange(len(jobs_A)))),
            usd_R=np.concatenate((usd_R, week.usd_per_s_J[jobs_A] * speed_A)),
            slots_R=np.concatenate((slots_R, most_A)),
            floor_W=np.concatenate((np.maximum(week.floor_S, asked_S), np.zeros(len(jobs_A), dtype=np.int64))),
            ceiling_W=np.concatenate((np.full(count, week.slots_K.sum()), most_A)),
            least_W=np.concatenate((np.ones(count, dtype=np.int64), week.least_J[jobs_A])),
            held_W=np.concatenate((view.service_slots_SK.sum(axis=1), held_A)),
            join_cost_W=np.concatenate((serves_s_S / self.dwell_s, joins_s_A / joined_dwell_s)).clip(0.0, 1.0),
            resize_cost_W=np.concatenate((np.zeros(count), still_s_A / dwell_s_A)),
        )
