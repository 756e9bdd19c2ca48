"""Made-up load that comes in bursts: counts as of posts or clicks, seeded, with every parameter stated.

Letters: T steps, N levels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.core.explain import suggest
from tenfold.replay.loads import DAY_S, Load, generate
from tenfold.replay.week import Floats, Week


@dataclass(frozen=True, slots=True)
class Bursts:
    """Counts of events: a day's swing and a wander, times sudden surges, drawn with more scatter than by chance.

    ``events_per_step``: on average. ``scatter``: variance of a count beyond its mean, as a share of the mean squared (a
    negative binomial; 0 is Poisson). ``swing``, ``wander``, ``wander_hours``: as in ``Load``. ``surges_per_day``: how
    often (Poisson) the rate jumps at once. ``height``: least and most of how many times the rate it adds, spread evenly
    in the logarithm if ``tail`` is 0, and else by a Pareto law with this exponent. ``minutes``: least and most of how
    long a surge holds, spread evenly in the logarithm. ``fade_minutes``: how long what follows takes to fall by half at
    first, then ever more slowly (as 1 over time); 0 ends it at once. ``shifts_per_week``: how often the level changes
    for good, by up to ``shift`` times up or down. ``cascade``: deviation of the logarithm by which each half of a span
    gets more than the other, over and over from all steps down to one (a multiplicative cascade); 0 is none.
    """

    events_per_step: float = 60.0
    scatter: float = 0.1
    swing: float = 0.4
    wander: float = 0.3
    wander_hours: float = 3.0
    surges_per_day: float = 0.0
    height: tuple[float, float] = (4.0, 19.0)
    tail: float = 0.0
    minutes: tuple[float, float] = (5.0, 30.0)
    fade_minutes: float = 0.0
    shifts_per_week: float = 0.0
    shift: float = 2.0
    cascade: float = 0.0


SOURCES: Mapping[str, Bursts] = {
    "posts": Bursts(surges_per_day=2.0, shifts_per_week=0.5),
    "news": Bursts(surges_per_day=1.5, height=(2.0, 100.0), tail=1.2, minutes=(5.0, 10.0), fade_minutes=15.0),
    "storms": Bursts(surges_per_day=2.5, height=(1.0, 5.0), minutes=(15.0, 120.0), scatter=0.3, wander=0.15),
    "cascades": Bursts(swing=0.3, wander=0.0, scatter=0.02, cascade=0.35),
    "sparse": Bursts(events_per_step=12.0, scatter=0.5, surges_per_day=4.0, height=(3.0, 12.0), minutes=(5.0, 15.0)),
}
"""Kinds of bursty load: posts about a company; news that is passed on; storms of an hour; traffic that is rough on
every scale; few events, in clumps."""


def source(name: str) -> Bursts:
    """Look up a kind of bursty load.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in SOURCES:
        raise UsageError(
            f"there is no bursty load {name!r}; {suggest(name, SOURCES)}", next_step=f"use {', '.join(SOURCES)}"
        )
    return SOURCES[name]


def generate_bursts(
    bursts: Bursts, steps: int, step_s: float, rng: np.random.Generator, peak_hour: float, past: int = 0
) -> Floats:
    """Events per second in each step, shape (T,); the first ``past`` of the steps lie before the week."""
    calm = Load(
        mean_per_s=1.0,
        swing=bursts.swing,
        peak_hour=peak_hour,
        sharpness=1.0,
        weekend=1.0,
        wander=bursts.wander,
        wander_hours=bursts.wander_hours,
        bursts_per_day=0.0,
        burst_height=0.0,
        burst_minutes=1.0,
        jitter=0.0,
    )
    rates_T = generate(calm, steps, step_s, rng, past)
    rates_T *= 1.0 + _surges(bursts, steps, step_s, rng)
    rates_T *= _levels(bursts, steps, step_s, rng)
    rates_T *= _cascade(bursts.cascade, steps, rng)
    means_T = bursts.events_per_step * rates_T / max(float(np.median(rates_T)), 1e-9)
    if bursts.scatter > 0:
        means_T = rng.gamma(1.0 / bursts.scatter, bursts.scatter * means_T)
    return rng.poisson(means_T) / step_s


def _surges(bursts: Bursts, steps: int, step_s: float, rng: np.random.Generator) -> Floats:
    """By how many times the calm rate surges exceed it; of surges that overlap the higher counts."""
    added_T = np.zeros(steps)
    for begin in np.flatnonzero(rng.random(steps) < bursts.surges_per_day * step_s / DAY_S).tolist():
        low, high = bursts.height
        if bursts.tail > 0:
            height = min(high, low * (1.0 - rng.random()) ** (-1.0 / bursts.tail))
        else:
            height = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        holds = max(1, round(60.0 * float(np.exp(rng.uniform(*np.log(bursts.minutes)))) / step_s))
        after_T = np.arange(steps - begin)
        shape_T = np.where(after_T < holds, 1.0, 0.0)
        if bursts.fade_minutes > 0:
            since_T = np.maximum(after_T - holds + 1, 0) * step_s / (60.0 * bursts.fade_minutes)
            shape_T = 1.0 / (1.0 + since_T)
        added_T[begin:] = np.maximum(added_T[begin:], height * shape_T)
    return added_T


def _levels(bursts: Bursts, steps: int, step_s: float, rng: np.random.Generator) -> Floats:
    """The level, which changes for good now and then."""
    changes_T = rng.random(steps) < bursts.shifts_per_week * step_s / (7 * DAY_S)
    return np.exp(np.cumsum(np.where(changes_T, np.log(bursts.shift) * rng.uniform(-1, 1, steps), 0.0)))


def _cascade(deviation: float, steps: int, rng: np.random.Generator) -> Floats:
    """A span is halved over and over, and each half gets its own factor, of mean 1."""
    levels = int(np.ceil(np.log2(max(steps, 2))))
    log_T = np.zeros(1)
    for _ in range(levels):
        log_T = np.repeat(log_T, 2)
        log_T = log_T + deviation * rng.standard_normal(len(log_T)) - deviation**2 / 2
    return np.exp(log_T[:steps])


def with_burst(week: Week, family: str, at_s: float, minutes: float = 20.0, times: float = 6.0) -> Week:
    """The same week, with one burst: all services of a family are asked ``times`` as much for some minutes.

    Args:
        week: any.
        family: of services.
        at_s: when the burst begins, in seconds from the start of the week.
        minutes: how long it lasts.
        times: how many times the load.
    """
    first, last = round(at_s / week.step_s), round((at_s + 60.0 * minutes) / week.step_s)
    factor_T = np.ones(week.steps)
    factor_T[first:last] = times
    services = tuple(
        replace(service, rates_T=service.rates_T * factor_T) if service.family == family else service
        for service in week.services
    )
    return replace(week, name=f"{week.name}, one burst", services=services)
