"""The pool's own forecast, set up for a week."""

from collections.abc import Mapping

import numpy as np

from tenfold.policy.forecast import LEVELS_D, Forecasts
from tenfold.replay.week import Week

QUANTILES = (0.5, 0.9, 0.99)

MEMORY_S = 7 * 86400.0
"""Errors count for a week; the forecast itself keeps the newest thousand."""


def forecasts_of(week: Week, *, warm: bool) -> Forecasts:
    """Make the forecasts of a week's services, with what was measured before the week.

    Each looks as far ahead as a slot that is decided on now needs to serve, or as long as a request may wait.

    Args:
        week: its services.
        warm: whether a slot wakes a loaded resident, or starts a process.
    """
    times = week.service_times_S
    ready_s_S = times.sleep_s_W + times.wake_s_W if warm else times.start_s_W
    horizon_s_S = np.maximum(np.maximum(week.step_s, ready_s_S), week.queue_s_S)
    forecasts = Forecasts(horizon_s_S, memory_s=MEMORY_S)
    for rates_S in week.past_HS:
        forecasts.observe(rates_S * week.step_s, week.step_s)
    return forecasts


def coverage(week: Week) -> Mapping[str, Mapping[float, float]]:
    """Play the forecast over the week and see how often demand was at most what it said.

    Returns:
        By family of services and quantile the share of steps, over all services of the family, in which no more was
        asked for than the quantile of what may be asked; good is what comes close to the quantile.
    """
    if not week.services:
        return {}
    forecasts = forecasts_of(week, warm=True)
    rates_TS = week.rates_TS
    levels = [int(np.searchsorted(LEVELS_D, quantile)) for quantile in QUANTILES]
    covered_TSQ = np.zeros((*rates_TS.shape, len(levels)), dtype=bool)
    for step, rates_S in enumerate(rates_TS):
        covered_TSQ[step] = rates_S[:, None] <= forecasts.demands_SD()[:, levels]
        forecasts.observe(rates_S * week.step_s, week.step_s)
    families = np.array([service.family for service in week.services])
    return {
        str(family): dict(zip(QUANTILES, covered_TSQ[:, families == family].mean(axis=(0, 1)).tolist(), strict=True))
        for family in dict.fromkeys(families)
    }
