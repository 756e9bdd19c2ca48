"""Made-up load of services, and coarse load made finer: seeded, with every parameter stated.

Letters: T steps, C coarse steps, N fine steps in a coarse one.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from tenfold.replay.week import Floats

DAY_S = 86400.0
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Load:
    """A service's requests over time: a day's swing, a weekend, a slow wander and bursts, all around one mean.

    ``swing``: how far the peak of the day lies above its mean, as a share. ``peak_hour``: when. ``sharpness``: of the
    peak; 1 is a sine, above it peaks are short and nights are long. ``weekend``: level of days 6 and 7 as a share of
    the others'. ``wander``: standard deviation of the logarithm of a mean-reverting noise whose memory is
    ``wander_hours``. ``bursts_per_day``: how often (Poisson) the rate jumps by up to ``burst_height`` (a share; its
    size is exponential with a third of that as mean, cut there), to fade with the time constant ``burst_minutes``.
    ``jitter``: standard deviation of independent noise of one step, as a share.
    """

    mean_per_s: float
    swing: float
    peak_hour: float
    sharpness: float
    weekend: float
    wander: float
    wander_hours: float
    bursts_per_day: float
    burst_height: float
    burst_minutes: float
    jitter: float


def ranking_load(mean_per_s: float, peak_hour: float = 20.0) -> Load:
    """Of a feed or of ads: people's day with an evening peak, little noise, now and then an event that all look at."""
    return Load(
        mean_per_s=mean_per_s,
        swing=0.55,
        peak_hour=peak_hour,
        sharpness=1.3,
        weekend=1.08,
        wander=0.05,
        wander_hours=6.0,
        bursts_per_day=1.5,
        burst_height=0.6,
        burst_minutes=20.0,
        jitter=0.01,
    )


def llm_load(mean_per_s: float, peak_hour: float = 15.0) -> Load:
    """Of chat and API calls: a weaker day than ranking's and much rougher, since few clients send most requests."""
    return Load(
        mean_per_s=mean_per_s,
        swing=0.35,
        peak_hour=peak_hour,
        sharpness=1.0,
        weekend=0.85,
        wander=0.2,
        wander_hours=5.0,
        bursts_per_day=4.0,
        burst_height=1.2,
        burst_minutes=15.0,
        jitter=0.03,
    )


def stream(seed: int, name: str) -> np.random.Generator:
    """A random stream of its own for everything that has a name: what is added beside it changes nothing in it."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def generate(load: Load, steps: int, step_s: float, rng: np.random.Generator, past: int = 0) -> Floats:
    """Requests per second in each step, shape (T,); its mean over whole weeks is about ``mean_per_s``, never negative.

    The first ``past`` of the steps lie before the week, which begins on Monday at 0:00.
    """
    hours_T = (np.arange(-past, steps - past) + 0.5) * step_s / 3600.0
    cosine_T = np.cos((hours_T - load.peak_hour) * (2 * np.pi / 24))
    shape_T = np.exp(load.sharpness * cosine_T)
    day = np.exp(load.sharpness * np.cos(np.linspace(0, 2 * np.pi, 288, endpoint=False)))
    rates_T = 1 + load.swing * (shape_T - day.mean()) / (day.max() - day.mean())
    rest_T = (hours_T // 24) % WEEK_DAYS >= WEEK_DAYS - 2
    rates_T *= np.where(rest_T, load.weekend, 1.0) / ((5 + 2 * load.weekend) / WEEK_DAYS)
    rates_T *= np.exp(_wander(load, steps, step_s, rng) - load.wander**2 / 2)
    rates_T *= 1 + _bursts(load, steps, step_s, rng)
    rates_T *= 1 + load.jitter * rng.standard_normal(steps)
    return load.mean_per_s * np.maximum(rates_T, 0.0)


def _wander(load: Load, steps: int, step_s: float, rng: np.random.Generator) -> Floats:
    """A first-order autoregression, begun in its stationary state."""
    kept = float(np.exp(-step_s / (3600.0 * load.wander_hours)))
    shocks = rng.standard_normal(steps)
    shocks[1:] *= np.sqrt(1 - kept**2)
    return load.wander * _fading_sum(shocks, kept)


def _bursts(load: Load, steps: int, step_s: float, rng: np.random.Generator) -> Floats:
    begins_T = rng.random(steps) < load.bursts_per_day * step_s / DAY_S
    heights_T = np.minimum(rng.exponential(load.burst_height / 3, steps), load.burst_height)
    kept = float(np.exp(-step_s / (60.0 * load.burst_minutes)))
    return _fading_sum(np.where(begins_T, heights_T, 0.0), kept)


def _fading_sum(shocks_T: Floats, kept: float) -> Floats:
    total, sums_T = 0.0, np.empty_like(shocks_T)
    for place, shock in enumerate(shocks_T):
        total = kept * total + shock
        sums_T[place] = total
    return sums_T


def refine(means_C: Floats, parts: int, rng: np.random.Generator, roughness: float = 1.0) -> Floats:
    """Split each coarse step into ``parts`` finer ones whose mean is the coarse step's.

    A parabola in each coarse step joins its neighbours without a jump and keeps its mean; on it lies a Brownian bridge
    (zero at both ends, and of mean zero), as wild as the series itself: the second differences of the block means of a
    Brownian motion have exactly the variance that it gathers over one block, so that variance is read from them, as a
    share of the local level, by their median (outages and bursts do not count). ``roughness`` scales its deviation; 0
    leaves the parabolas. What would be negative becomes 0 and the rest of that coarse step gives way.

    Args:
        means_C: means of the coarse steps, not negative, shape (C,).
        parts: N.
        rng: of the bridge.
        roughness: 0 or above.
    Returns:
        Rates of the fine steps, shape (C x N,).
    """
    if parts == 1:
        return means_C.copy()
    at_N = (np.arange(parts) + 0.5) / parts
    bump_N = at_N * (1 - at_N)
    bump_N /= bump_N.mean()
    around = np.concatenate([means_C[:1], means_C, means_C[-1:]])
    edges = (around[1:] + around[:-1]) / 2
    left_C, right_C = edges[:-1, None], edges[1:, None]
    fine_CN = left_C + (right_C - left_C) * at_N
    fine_CN += (means_C - fine_CN.mean(axis=1))[:, None] * bump_N
    level_C = np.minimum((around[:-2] + around[1:-1] + around[2:]) / 3, means_C)[:, None]
    fine_CN += roughness * local_deviation(means_C) * level_C * _bridges(len(means_C), parts, rng, bump_N)
    fine_CN = np.maximum(fine_CN, 0.0)
    found_C = fine_CN.mean(axis=1)
    fine_CN *= np.divide(means_C, found_C, out=np.zeros_like(means_C), where=found_C > 0)[:, None]
    return fine_CN.reshape(-1)


def local_deviation(means_C: Floats) -> float:
    """Standard deviation of what the series gathers at random over one step, as a share of its level."""
    if len(means_C) < 3:
        return 0.0
    bends = np.abs(means_C[2:] - 2 * means_C[1:-1] + means_C[:-2])
    level = (means_C[2:] + means_C[1:-1] + means_C[:-2]) / 3
    shares = bends[level > 0] / level[level > 0]
    return 1.4826 * float(np.median(shares)) if len(shares) else 0.0


def _bridges(blocks: int, parts: int, rng: np.random.Generator, bump_N: Floats) -> Floats:
    """Brownian bridges over (0, 1) at the middles of ``parts`` parts, their mean taken off where they are free."""
    halves = rng.standard_normal((blocks, 2 * parts)) / np.sqrt(2 * parts)
    walk = np.cumsum(halves, axis=1)
    along = np.arange(1, 2 * parts + 1) / (2 * parts)
    bridge_CN = (walk - walk[:, -1:] * along)[:, ::2]
    return bridge_CN - bridge_CN.mean(axis=1)[:, None] * bump_N
