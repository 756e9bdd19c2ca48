"""How long jobs waited for their first slots.

Letters: J jobs.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.replay.outcome import Outcome
from tenfold.replay.week import Floats, Week

MINUTE_S, HOUR_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Of all jobs that arrived and have an end, whether a policy ran them or the cluster itself.

    A job that had not started when the week ended never started: it counts as waiting until then.
    """

    mean_s: float
    p90_s: float
    never_started: int


def waits_of(week: Week, outcome: Outcome) -> Waits | None:
    """Waits under a policy; none if no job arrived. Jobs of a backlog, which never end, are nobody's to wait for."""
    return _sum_up(week, outcome.waited_s_J)


def recorded_waits(week: Week) -> Waits | None:
    """Waits in the cluster itself; none if they were not recorded."""
    recorded = week.recorded
    return None if recorded is None or recorded.training_h is None else _sum_up(week, recorded.waited_s_J)


def _sum_up(week: Week, waited_s_J: Floats) -> Waits | None:
    """Sum up waits of the week's jobs, of which those that never started are NaN."""
    end_s = week.steps * week.step_s
    arrival_s_J = np.array([job.arrival_s for job in week.jobs], dtype=np.float64)
    ends_J = np.array([np.isfinite(job.work) for job in week.jobs], dtype=bool)
    counts_J = ends_J & (arrival_s_J < end_s)
    if not counts_J.any():
        return None
    never_J = np.isnan(waited_s_J)
    all_s_J = np.where(never_J, end_s - arrival_s_J, waited_s_J)[counts_J]
    return Waits(float(all_s_J.mean()), float(np.quantile(all_s_J, 0.9)), int(never_J[counts_J].sum()))


def hours(value: float) -> str:
    """Accelerator-hours for people: 12,345 or 0.137."""
    return f"{value:,.0f}" if value >= 99.5 or value == 0 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A wait for people: 40 s, 12 min, 3.3 h, 120 h."""
    if seconds < 1.5 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    hours = seconds / HOUR_S
    return f"{hours:.1f} h" if hours < 99.95 else f"{hours:,.0f} h"
