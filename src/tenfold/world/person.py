"""What one person does with a feed: opens what they like, watches, and leaves when bored."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tenfold.world.taste import Tastes

LENGTH_S = 600.0
"""A film here is as long as a video: what a person who likes it wholly watches, on average."""

GLANCE_S = 3.0
"""World seconds to look at a card that is not opened."""

MEMORY = 0.5
"""Weight of the latest page in what a person thinks of a feed."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How people use a feed.

    ``leaves``: chance to leave after a page that is as good as ``usual``. ``hold``: how strongly a better page holds
    people; at 0 nothing does. ``usual``: like of an average page's cards that people are used to. ``looks_on``: chance
    that who saw a card sees the next one too, so that what stands lower is seen less. ``roams``: chance that the next
    page is on another surface.
    """

    leaves: float = 0.35
    hold: float = 6.0
    usual: float = 0.5
    looks_on: float = 1.0
    roams: float = 0.3

    def stays(self, pleased: float) -> float:
        """Chance that a person who is so pleased opens another page."""
        odds = (1.0 - self.leaves) / self.leaves * math.exp(self.hold * (pleased - self.usual))
        return odds / (1.0 + odds)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a person did: ``action`` as the feed's events call it, at ``after_s`` world seconds of a page."""

    item: int
    action: str
    seconds: float
    after_s: float


@dataclass(slots=True)
class Visit:
    """One person's time with the feed, page by page.

    ``pleased``: what they think of it by now, 0 to 1. ``liked``: how much they like the latest page's cards, seen or
    not, on average.
    """

    person: int
    tastes: Tastes
    habit: Habit
    random: Random
    row_of: dict[int, int]
    pleased: float = field(default=-1.0)
    liked: float = 0.0

    def read(self, items: Sequence[int]) -> list[Deed]:
        """Go through a page's items in order and say what the person does with each."""
        deeds: list[Deed] = []
        likes: list[float] = []
        now_s = 0.0
        self.liked = sum(self._like(item) for item in items) / len(items) if items else 0.0
        for place, item in enumerate(items):
            if place and self.habit.looks_on < 1 and self.random.random() >= self.habit.looks_on:
                break
            like = self._like(item)
            likes.append(like)
            deeds.append(Deed(item, "shown", 0.0, now_s))
            if self.random.random() >= like:
                now_s += GLANCE_S
                continue
            watched_s = round(min(LENGTH_S * 2, self.random.gammavariate(4.0, LENGTH_S * like / 4.0)), 1)
            deeds.append(Deed(item, "opened", 0.0, now_s))
            now_s += watched_s
            deeds.append(Deed(item, "watched", watched_s, now_s))
            if self.random.random() < like / 4:
                deeds.append(Deed(item, "liked", 0.0, now_s))
        page = sum(likes) / len(likes) if likes else 0.0
        self.pleased = page if self.pleased < 0 else (1 - MEMORY) * self.pleased + MEMORY * page
        return deeds

    def surface(self, surfaces: Sequence[str], now: str | None = None) -> str:
        """Choose where to open the next page: any surface at first, later mostly the same as ``now``."""
        others = [surface for surface in surfaces if surface != now]
        if now is None or (others and self.random.random() < self.habit.roams):
            return self.random.choice(others) if len(others) > 1 else others[0]
        return now

    def stays(self) -> bool:
        """Decide whether to open another page."""
        return self.random.random() < self.habit.stays(self.pleased)

    def _like(self, item: int) -> float:
        """How much the person likes an item; not at all one that was not there when the world was drawn."""
        row = self.row_of.get(item)
        return 0.0 if row is None else self.tastes.of(self.person, row)
