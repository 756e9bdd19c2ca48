"""The shape of a day: when each request arrives, for a day compressed to any duration.

Ranking is an inhomogeneous Poisson process. Its rate follows people's day: a trough of a tenth of the peak at night, a
shoulder at noon, the peak at 8 in the evening (``diurnal``). Chat is one with two rates: calm at a milder day's, and
bursts, as when something happens that everybody talks about. Both are drawn by thinning (Lewis and Shedler 1979) from
one seed, so a day can be played again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import UsageError

Seconds = NDArray[np.float64]

NIGHT_SHARE = 0.1
"""Ranking in the dead of night, as a share of its peak."""

CHAT_CALM_SHARE = 0.25
"""Chat between bursts, as a share of the burst rate."""

CHAT_NIGHT_SHARE = 0.4
"""Chat in the dead of night, as a share of the busiest hour, in calm and in bursts alike."""

BURST_SHARE = 0.2
"""Mean share of the day that is spent in chat bursts."""

BURSTS_PER_DAY = 3
"""One in each third of the day, 96 minutes of it on average: of a day in 3 minutes 12 s, well over a chat's target."""

BURST_STAGES = 4
"""Shape of the gamma distribution of a burst's length; its deviation is half its mean."""

_CLOCK = np.linspace(0.0, 24.0, 24 * 60 + 1)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of arrivals, in seconds from its start, ascending.

    ``duration_s``: what the day is compressed to. ``rank_at_s``: arrivals of ranking requests; ``chat_at_s``: of chat
    requests. ``bursts_s``: begin and end of each chat burst, shape (bursts, 2). ``seed``: draws this day again.
    ``visit_at_s``: when somebody comes to the feed.
    """

    duration_s: float
    rank_at_s: Seconds
    chat_at_s: Seconds
    bursts_s: Seconds
    seed: int
    visit_at_s: Seconds = field(default_factory=lambda: np.empty(0))


def diurnal(hour: Seconds) -> Seconds:
    """Give the ranking rate at each hour of the day (0 to 24) as a share of its peak.

    ``0.1 + 0.9 (s - min s) / (max s - min s)`` with ``s(h) = g(h; 20, 3.2) + 0.55 g(h; 12.5, 3)``, where
    ``g(h; m, w) = exp(-d(h, m)**2 / 2 w**2)`` and ``d`` is the distance on the clock in hours.
    """
    everywhere = _two_bumps(_CLOCK)
    low, high = everywhere.min(), everywhere.max()
    return np.minimum(NIGHT_SHARE + (1 - NIGHT_SHARE) * (_two_bumps(np.asarray(hour)) - low) / (high - low), 1.0)


def chat_diurnal(hour: Seconds) -> Seconds:
    """Give the chat rate at each hour as a share of the busiest: the same day, never below ``CHAT_NIGHT_SHARE``."""
    return CHAT_NIGHT_SHARE + (1 - CHAT_NIGHT_SHARE) * (diurnal(hour) - NIGHT_SHARE) / (1 - NIGHT_SHARE)


def draw_day(
    duration_s: float, *, rank_peak_per_s: float, chat_burst_per_s: float, visits: float = 0.0, seed: int = 0
) -> Day:
    """Draw a day.

    Args:
        duration_s: seconds that the day is compressed to; rates are per second of this compressed time.
        rank_peak_per_s: ranking requests a second at the evening peak.
        chat_burst_per_s: chat requests a second in a burst at the busiest hour.
        visits: to the feed, expected over the day; as many come in each hour as ranking requests do.
        seed: of the random generators.

    Raises:
        UsageError: the duration is not positive, or a rate is negative.
    """
    if duration_s <= 0 or min(rank_peak_per_s, chat_burst_per_s, visits) < 0:
        given = f"{duration_s!r} s, ranking {rank_peak_per_s!r}/s, chat {chat_burst_per_s!r}/s"
        raise UsageError(f"a day has a positive duration and rates of 0 or more, got {given}")
    # One generator each: more ranking must not change when chat bursts.
    rank_random, burst_random, chat_random, visit_random = (
        np.random.default_rng([seed, stream]) for stream in (0, 1, 2, 4)
    )
    bursts_s = _draw_bursts(duration_s, burst_random)

    def rank_share(at_s: Seconds) -> Seconds:
        return diurnal(24 * at_s / duration_s)

    def chat_share(at_s: Seconds) -> Seconds:
        return np.where(_inside(bursts_s, at_s), 1.0, CHAT_CALM_SHARE) * chat_diurnal(24 * at_s / duration_s)

    return Day(
        duration_s=duration_s,
        rank_at_s=_thin(rank_share, rank_peak_per_s, duration_s, rank_random),
        chat_at_s=_thin(chat_share, chat_burst_per_s, duration_s, chat_random),
        bursts_s=bursts_s,
        seed=seed,
        visit_at_s=_thin(rank_share, visits / duration_s / diurnal(_CLOCK).mean(), duration_s, visit_random),
    )


def _two_bumps(hour: Seconds) -> Seconds:
    return _bump(hour, 20.0, 3.2) + 0.55 * _bump(hour, 12.5, 3.0)


def _bump(hour: Seconds, middle: float, width: float) -> Seconds:
    apart = np.abs(hour - middle) % 24
    apart = np.minimum(apart, 24 - apart)
    return np.exp(-(apart**2) / (2 * width**2))


def _draw_bursts(duration_s: float, random: np.random.Generator) -> Seconds:
    """Draw begin and end of each burst: one anywhere in each part of the day, its length from a gamma distribution."""
    part_s = duration_s / BURSTS_PER_DAY
    lengths_s = random.gamma(BURST_STAGES, duration_s * BURST_SHARE / BURSTS_PER_DAY / BURST_STAGES, BURSTS_PER_DAY)
    lengths_s = np.minimum(lengths_s, part_s)
    begins_s = part_s * np.arange(BURSTS_PER_DAY) + random.uniform(0.0, part_s - lengths_s)
    return np.stack((begins_s, begins_s + lengths_s), axis=1)


def _inside(bursts_s: Seconds, at_s: Seconds) -> NDArray[np.bool_]:
    """Say for each time whether it is in a burst: more bursts have begun than have ended."""
    return np.searchsorted(bursts_s[:, 0], at_s, "right") > np.searchsorted(bursts_s[:, 1], at_s, "right")


def _thin(
    share: Callable[[Seconds], Seconds], peak_per_s: float, duration_s: float, random: np.random.Generator
) -> Seconds:
    """Draw a Poisson process of rate ``peak_per_s * share(t)``, share between 0 and 1."""
    candidates_s = np.sort(random.uniform(0.0, duration_s, random.poisson(peak_per_s * duration_s)))
    return candidates_s[random.uniform(size=candidates_s.size) < share(candidates_s)]
