"""Who is interested in what is advertised: hidden from every product, as the world's tastes are.

Half of a person's interest in an ad goes with its words: those who watch films of the genres that are nearest in
meaning to them. The other half no words tell: it goes with what they think of a few films that the advertiser drew by
lot, so that it can be learned only from who clicks. Ads of one advertiser differ in how well they are made.

Shapes: P people, I films, G genres.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tenfold.world.taste import Tastes

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

CLICKS = 0.0038
"""Mean chance of a click: 38 of the 10,000 impressions that the Open Bandit sample's random policy showed."""

_SHARP = 12.0
"""How much more the nearest genre counts than others: exponent over the cosine."""
_LOTS = 3


@dataclass(frozen=True, slots=True)
class Temper:
    """How people are with ads.

    ``clicks``: mean chance of a click on an ad that is seen. ``spread`` and ``craft``: deviations of its logit over the
    people who see an ad, and over an advertiser's ads; assumed, since so few clicks do not tell. ``buys``: chance that
    who clicked buys, and ``fancy`` the deviation of its logit over the people who see a shop. ``needs``: chance that
    somebody buys from a shop in a day without any ad. ``cheats``: share of people who click whatever they are shown, at
    once and twice.
    """

    clicks: float = CLICKS
    spread: float = 1.0
    craft: float = 0.4
    buys: float = 0.1
    fancy: float = 0.5
    needs: float = 0.004
    cheats: float = 0.01

    @property
    def middling(self) -> float:
        """Logit of the chance at no interest either way, so that the mean over interests is ``clicks``, nearly."""
        return _middling(self.clicks, self.spread**2 + self.craft**2)

    @property
    def middling_to_buy(self) -> float:
        """The same of buying after a click."""
        return _middling(self.buys, self.fancy**2)


@dataclass(frozen=True)
class Audience:
    """The people of a world, as advertisers would like to know them.

    Args:
        tastes: how much each person likes each film.
        genre_IG: 1 where a film is of a genre.
        genres: their names.
        embed: gives texts' vectors of length 1.
        temper: how these people are with ads.
    """

    tastes: Tastes
    genre_IG: Floats
    genres: tuple[str, ...]
    embed: Embed
    temper: Temper = Temper()
    _interests: dict[tuple[str, str], Floats] = field(default_factory=dict)

    def interest_P(self, advertiser: str, words: str) -> Floats:
        """Interest of each person in an ad, a standard normal over people, nearly."""
        key = advertiser, words
        if key not in self._interests:
            told_P = _standard(self._taste_PG @ self._nearness_G(words))
            untold_P = _standard(self._order_PI[:, _lots(advertiser, self._order_PI.shape[1])].mean(axis=1))
            self._interests[key] = _standard(told_P + untold_P)
        return self._interests[key]

    def chance(self, person: int, advertiser: str, words: str, ad: str) -> float:
        """How likely a person clicks an ad that they see; ``ad``: its name, of which its craft is drawn."""
        return float(self.chance_P(advertiser, words, ad)[person])

    def chance_P(self, advertiser: str, words: str, ad: str) -> Floats:
        """The same of all people."""
        temper = self.temper
        craft = temper.craft * _normal(ad)
        return 1.0 / (1.0 + np.exp(-(temper.middling + temper.spread * self.interest_P(advertiser, words) + craft)))

    def buys_P(self, advertiser: str) -> Floats:
        """How likely each person buys from an advertiser whose ad they have clicked."""
        fancy_P = _standard(self._order_PI[:, _lots(f"{advertiser} buys", self._order_PI.shape[1])].mean(axis=1))
        return 1.0 / (1.0 + np.exp(-(self.temper.middling_to_buy + self.temper.fancy * fancy_P)))

    def _nearness_G(self, words: str) -> Floats:
        cosine_G = (self._genre_GD @ self.embed([words])[0]).astype(np.float64)
        weight_G = np.exp(_SHARP * (cosine_G - cosine_G.max()))
        return weight_G / weight_G.sum()

    @cached_property
    def _genre_GD(self) -> NDArray[np.float32]:
        return self.embed([f"{genre} films" for genre in self.genres])

    @cached_property
    def _order_PI(self) -> Floats:
        """Each film's share of a person's order, standardised over people, so that no film counts for being liked."""
        order_PI = self.tastes.like_PI.argsort(axis=1).argsort(axis=1) / self.tastes.like_PI.shape[1]
        return (order_PI - order_PI.mean(axis=0)) / np.maximum(order_PI.std(axis=0), 1e-9)

    @cached_property
    def _taste_PG(self) -> Floats:
        taste_PG = self._order_PI @ self.genre_IG / np.maximum(self.genre_IG.sum(axis=0), 1.0)
        return (taste_PG - taste_PG.mean(axis=0)) / np.maximum(taste_PG.std(axis=0), 1e-9)


def audience_of(tastes: Tastes, genres_I: Sequence[Sequence[str]], embed: Embed, temper: Temper = Temper()) -> Audience:
    """Make the audience of people whose films have these genres."""
    names = tuple(sorted({genre for genres in genres_I for genre in genres}))
    genre_IG = np.array([[float(name in genres) for name in names] for genres in genres_I])
    return Audience(tastes, genre_IG, names, embed, temper)


def _middling(mean: float, variance: float) -> float:
    """Logit at no interest either way, where so much variance of it leaves the mean chance as it is, nearly."""
    chance = min(mean * np.exp(-variance * (1.0 - mean) ** 2 / 2), 1.0 - 1e-9)
    return float(np.log(chance / (1.0 - chance)))


def _standard(value_P: Floats) -> Floats:
    return (value_P - value_P.mean()) / max(float(value_P.std()), 1e-9)


def _lots(name: str, films: int) -> NDArray[np.int64]:
    return np.random.default_rng(_seed(name)).choice(films, min(_LOTS, films), replace=False)


def _normal(name: str) -> float:
    return float(np.random.default_rng(_seed(name)).standard_normal())


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
