"""Tenfold's own policy in a replay: the pool's forecast, values and water-filling, and nothing else."""

from dataclasses import dataclass

import numpy as np

from tenfold.pool.claims import Claims
from tenfold.pool.fill import fill
from tenfold.pool.forecast import CHANCES_D
from tenfold.pool.value import service_runs
from tenfold.replay.rule import Decision, View


@dataclass(frozen=True, slots=True)
class Tenfold:
    """Slots go where they are worth most, by what may be asked and what it earns.

    ``worth``: what an answer in time of each family is worth, as a multiple of ``usd_per_request``; 1 if not named. The
    share of demand that is provided for follows from it. ``dwell_s``: how long a change is expected to last;
    ``job_dwell_s`` the longest for a job, which is not started and stopped as often as a service grows and shrinks.
    ``idle_s``: a service that was asked for something in that time keeps one slot, as in the live pool.
    """

    worth: tuple[tuple[str, float], ...] = ()
    dwell_s: float = 600.0
    job_dwell_s: float = 3600.0
    idle_s: float = 5.0
    warm: bool = True

    @property
    def name(self) -> str:
        """What reports call it."""
        return "tenfold" if self.warm else "tenfold, cold starts"

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        claims = self._claims(view)
        counts_W = fill(claims, int(view.week.slots_K[0]))
        services = len(view.week.services)
        return Decision(counts_W[:services, None], counts_W[services:, None], np.zeros(len(view.jobs_A), dtype=bool))

    def _claims(self, view: View) -> Claims:
        """Claims of services, then of jobs in the order of arrival."""
        week, jobs_A, worth = view.week, view.jobs_A, dict(self.worth)
        services, count = week.services, len(week.services)
        capacity_S = week.capacity_SK[:, 0]
        usd_S = np.array([service.usd_per_request * worth.get(service.family, 1.0) for service in services])
        owner_R, usd_R, slots_R = service_runs(view.demands_SD / capacity_S[:, None], CHANCES_D, usd_S * capacity_S)

        held_A, most_A = view.job_slots_AK[:, 0], week.most_J[jobs_A]
        recent_HS = view.rates_HS[-int(np.ceil(self.idle_s / week.step_s)) :]
        asked_S = (np.nan_to_num(recent_HS) > 0).any(axis=0)
        # What has just changed will change again soon; what has long been steady will stay so.
        dwell_s_A = np.clip(view.settled_s_A, week.step_s, self.job_dwell_s)
        joins_s_A = np.where(held_A > 0, week.job_times_J.wake_s_W[jobs_A], week.job_times_J.start_s_W[jobs_A])
        return Claims(
            names=(*[service.name for service in services], *[week.jobs[job].name for job in jobs_A]),
            owner_R=np.concatenate((owner_R, count + np.arange(len(jobs_A)))),
            usd_R=np.concatenate((usd_R, (week.usd_per_s_J * week.speed_JK[:, 0])[jobs_A])),
            slots_R=np.concatenate((slots_R, most_A)),
            floor_W=np.concatenate((np.maximum(week.floor_S, asked_S), np.zeros(len(jobs_A), dtype=np.int64))),
            ceiling_W=np.concatenate((np.full(count, week.slots_K[0]), most_A)),
            least_W=np.concatenate((np.ones(count, dtype=np.int64), week.least_J[jobs_A])),
            held_W=np.concatenate((view.service_slots_SK[:, 0], held_A)),
            toll_W=np.concatenate((week.service_times_S.wake_s_W / self.dwell_s, joins_s_A / self.job_dwell_s)).clip(
                0.0, 1.0
            ),
            pause_W=np.concatenate((np.zeros(count), week.job_times_J.resize_s_W[jobs_A] / dwell_s_A)),
        )
