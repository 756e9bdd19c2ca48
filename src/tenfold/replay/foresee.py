"""The pool's own forecast, set up for a week."""

import numpy as np

from tenfold.pool.forecast import Forecasts
from tenfold.replay.week import Week

MEMORY_S = 7 * 86400.0
"""Errors count for a week; the forecast itself keeps the newest thousand."""


def forecasts_of(week: Week, *, warm: bool, notice_s: float) -> Forecasts:
    """Make the forecasts of a week's services: each looks as far ahead as a slot that is decided on now needs to serve.

    Args:
        week: its services.
        warm: whether a slot wakes a loaded resident, or starts a process.
        notice_s: after how long a new rate is noticed; less than a step if the loop decides again within it.
    """
    times = week.service_times_S
    ready_s_S = times.sleep_s_W + times.wake_s_W if warm else times.start_s_W
    until_next_s = week.step_s - notice_s if notice_s < week.step_s else week.step_s
    return Forecasts(np.maximum(until_next_s, ready_s_S), memory_s=MEMORY_S)
