"""The pool's own forecast, set up for a week."""

import numpy as np

from tenfold.pool.forecast import Forecasts
from tenfold.replay.week import Week

MEMORY_S = 7 * 86400.0
"""Errors count for a week; the forecast itself keeps the newest thousand."""


def forecasts_of(week: Week, *, warm: bool) -> Forecasts:
    """Make the forecasts of a week's services, with what was measured before the week.

    Each looks as far ahead as a slot that is decided on now needs to serve.

    Args:
        week: its services.
        warm: whether a slot wakes a loaded resident, or starts a process.
    """
    times = week.service_times_S
    ready_s_S = times.sleep_s_W + times.wake_s_W if warm else times.start_s_W
    forecasts = Forecasts(np.maximum(week.step_s, ready_s_S), memory_s=MEMORY_S)
    for rates_S in week.past_HS:
        forecasts.observe(rates_S * week.step_s, week.step_s)
    return forecasts
