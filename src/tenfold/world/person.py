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
    people; at 0 nothing does. ``usual``: like of an average page's cards that people are used to.
    """

    leaves: float = 0.35
    hold: float = 6.0
    usual: float = 0.5

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
    """One person's time with the feed, page by page; ``pleased``: what they think of it by now, 0 to 1."""

    person: int
    tastes: Tastes
    habit: Habit
    random: Random
    row_of: dict[int, int]
    pleased: float = field(default=-1.0)

    def read(self, items: Sequence[int]) -> list[Deed]:
        """Go through a page's items in order and say what the person does with each."""
        deeds: list[Deed] = []
        likes: list[float] = []
        now_s = 0.0
        for item in items:
            like = self.tastes.of(self.person, self.row_of[item])
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

    def stays(self) -> bool:
        """Decide whether to open another page."""
        return self.random.random() < self.habit.stays(self.pleased)
