"""What the people of a world do over some days, as the log of a platform that already has a policy of its own.

Nobody is asked over HTTP here: this is for whoever needs events to learn from, or to judge a recommender by. Each page
of a surface has the cards that the platform's policy chose, best first (or, now and then, drawn at random); a person
sees some from the top, opens what they like, and watches for a while.

Shapes: E events (one for each card that was seen), I items, P people, N pages, C candidates, K cards.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import UsageError
from tenfold.world.day import diurnal
from tenfold.world.interests import Interests, draw_interests
from tenfold.world.stock import Stock, draw_stock
from tenfold.world.surface import CANDIDATES, QUALITY, SURFACES, Surface, opening_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EXPLORED = 0.01
"""Share of the pages that are drawn at random; KuaiRand's log has 0.37% of such cards."""

_ACTIVE_SPREAD = 0.7
"""Deviation of the logarithm of how many pages people open: a few open many."""

_LIKED = 0.1
"""Share of opened cards that are liked, where the person likes it as usual; assumed."""

_GLANCE_S = 1.0
_LONGEST_PART = 1.5
"""Some watch a thing again; assumed, as is how the part watched goes with the chance of opening."""

DAY_S = 86_400.0

Columns = tuple[NDArray[Any], ...]
"""Those of ``Log``, in its order."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a world is like.

    ``correlation``: of a person's interests on any two surfaces, 0 to 1. ``drift``: part of everybody's interests
    that is new each day. ``pages``: that a person opens a day, on average.
    """

    people: int = 500
    days: int = 14
    correlation: float = 0.5
    drift: float = 0.01
    pages: float = 3.0
    surfaces: tuple[Surface, ...] = SURFACES

    def __post_init__(self) -> None:
        if not (0 <= self.correlation <= 1 and 0 <= self.drift <= 1):
            raise UsageError(f"correlation {self.correlation!r} and drift {self.drift!r} are between 0 and 1")
        if self.people < 1 or self.days < 1 or self.pages <= 0:
            raise UsageError(f"a world has people, days and pages, not {self.people}, {self.days} and {self.pages}")


@dataclass(frozen=True, slots=True)
class Log:
    """What happened, in order of time; (E,) each.

    ``place_E``: of the card on its page, from 0. ``by_policy_E``: the page was the policy's, not random.
    ``watched_s_E``: seconds, 0 where it was not opened. ``at_s_E``: seconds from the world's first day. ``chance_E``:
    how likely the person was to open the card once seen. That and ``interests``, as they are when the log ends, only
    the world knows.
    """

    terms: Terms
    stock: Stock
    interests: Interests
    person_E: Ints
    item_E: Ints
    surface_E: Ints
    place_E: Ints
    by_policy_E: Bools
    opened_E: Bools
    liked_E: Bools
    watched_s_E: Floats
    at_s_E: Floats
    chance_E: Floats

    def __len__(self) -> int:
        return len(self.person_E)

    def chance_PI(self, surface: int, rows: Ints) -> Floats:
        """How likely each person would open each of these items of a surface, once seen, when the log has ended."""
        interest_PD = self.interests.on(surface)
        like_PI = _likes(interest_PD, self.stock, np.broadcast_to(rows, (len(interest_PD), len(rows))))
        return opening_of(self.terms.surfaces[surface]).chance(like_PI)


def draw_log(terms: Terms, seed: int) -> Log:
    """Let people use the surfaces; the same terms and seed give the same log.

    Raises:
        UsageError: a surface runs out of items: it has fewer than a page has cards.
    """
    random = np.random.default_rng([seed, 31])
    stock = draw_stock(terms.surfaces, terms.days, random)
    interests = draw_interests(terms.people, len(terms.surfaces), terms.correlation, random)
    share_S = np.array([surface.share for surface in terms.surfaces])
    active_P = random.lognormal(0.0, _ACTIVE_SPREAD, terms.people)
    active_P *= terms.pages / active_P.mean()
    met_PI = np.zeros((terms.people, len(stock)), dtype=np.bool_)
    parts: list[Columns] = []
    for day in range(terms.days):
        there_S = [_there(stock, index, surface, day) for index, surface in enumerate(terms.surfaces)]
        pages_P = random.poisson(active_P)
        # One page of each person at a time, since nobody is shown again what they have seen.
        for number in range(int(pages_P.max())):
            person_N = np.flatnonzero(pages_P > number)
            surface_N = random.choice(len(share_S), len(person_N), p=share_S / share_S.sum())
            for index, surface in enumerate(terms.surfaces):
                mine_N = person_N[surface_N == index]
                item_NC = there_S[index][random.integers(0, len(there_S[index]), (len(mine_N), CANDIDATES))]
                like_NC = _likes(interests.on(index)[mine_N], stock, item_NC)
                met_NC = met_PI[mine_N[:, None], item_NC]
                shown = _show(surface, item_NC, like_NC, met_NC, random)
                parts.append(_use(surface, index, mine_N, shown, stock, day, random))
                met_PI[parts[-1][0], parts[-1][1]] = True
        interests = interests.later(terms.drift, random)
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order_E = np.argsort(joined[-2], kind="stable")
    return Log(terms, stock, interests, *(column[order_E] for column in joined))


def _there(stock: Stock, index: int, surface: Surface, day: int) -> Ints:
    there = stock.there(index, day)
    if len(there) < surface.cards:
        raise UsageError(f"on day {day} surface {surface.name!r} has {len(there)} items for a page of {surface.cards}")
    return there


def _likes(interest_ND: Floats, stock: Stock, item_NC: Ints) -> Floats:
    """How much each person likes each candidate, a standard normal over people and items."""
    like_NC = np.einsum("nd,ncd->nc", interest_ND, stock.vector_ID[item_NC])
    return np.sqrt(1 - QUALITY) * like_NC + np.sqrt(QUALITY) * stock.quality_I[item_NC]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Pages as they were shown: items and how much they are liked (N, K), whether the card is there, and who chose."""

    item_NK: Ints
    like_NK: Floats
    there_NK: Bools
    by_policy_N: Bools


def _show(surface: Surface, item_NC: Ints, like_NC: Floats, met_NC: Bools, random: np.random.Generator) -> _Shown:
    """Choose the cards of pages: by what the policy sees of the person's liking, or at random; none met before."""
    by_policy_N = random.random(len(item_NC)) >= EXPLORED
    skill_N1 = np.where(by_policy_N, opening_of(surface).skill, 0.0)[:, None]
    score_NC = skill_N1 * like_NC + np.sqrt(1 - skill_N1**2) * random.standard_normal(like_NC.shape)
    score_NC[met_NC | _repeated(item_NC)] = -np.inf
    best_NK = np.argsort(-score_NC, axis=1)[:, : surface.cards]
    item_NK, like_NK = np.take_along_axis(item_NC, best_NK, axis=1), np.take_along_axis(like_NC, best_NK, axis=1)
    return _Shown(item_NK, like_NK, np.isfinite(np.take_along_axis(score_NC, best_NK, axis=1)), by_policy_N)


def _use(
    surface: Surface, index: int, person_N: Ints, shown: _Shown, stock: Stock, day: int, random: np.random.Generator
) -> Columns:
    """Let people look at their pages from the top, open, watch and like; gives the columns of the cards they saw."""
    shape = shown.item_NK.shape
    looks_NK = random.random(shape) < surface.looks_on
    looks_NK[:, :1] = True  # The first card is seen by whoever opens the page.
    seen_NK = np.cumprod(looks_NK, axis=1).astype(np.bool_) & shown.there_NK
    chance_NK = opening_of(surface).chance(shown.like_NK)
    opened_NK = seen_NK & (random.random(shape) < chance_NK)
    part_NK = np.minimum(_LONGEST_PART, random.gamma(3.0, (0.2 + 0.7 * chance_NK) / 3.0))
    watched_s_NK = np.where(opened_NK, (part_NK * stock.length_s_I[shown.item_NK]).round(1), 0.0)
    liked_NK = opened_NK & (random.random(shape) < 2 * _LIKED * chance_NK)
    began_s_N = (day + _hours(len(person_N), random) / 24.0) * DAY_S
    at_s_NK = began_s_N[:, None] + np.cumsum(watched_s_NK + _GLANCE_S, axis=1) - watched_s_NK
    columns = (
        person_N[:, None],
        shown.item_NK,
        index,
        np.arange(surface.cards),
        shown.by_policy_N[:, None],
        opened_NK,
        liked_NK,
        watched_s_NK,
        at_s_NK,
        chance_NK,
    )
    return tuple(np.broadcast_to(column, shape)[seen_NK] for column in columns)


def _repeated(item_NC: Ints) -> Bools:
    """Which candidates stand earlier in their row already."""
    order_NC = np.argsort(item_NC, axis=1, kind="stable")
    sorted_NC = np.take_along_axis(item_NC, order_NC, axis=1)
    again_NC = np.zeros(item_NC.shape, dtype=np.bool_)
    np.put_along_axis(again_NC, order_NC[:, 1:], sorted_NC[:, 1:] == sorted_NC[:, :-1], axis=1)
    return again_NC


_CLOCK = np.linspace(0.0, 24.0, 24 * 60 + 1)


def _hours(count: int, random: np.random.Generator) -> Floats:
    """Draw hours of the day at which people come, by the day's shape."""
    until = np.cumsum(diurnal(_CLOCK))
    return np.interp(random.random(count) * until[-1], until, _CLOCK)
