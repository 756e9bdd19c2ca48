"""The items of a world: what they are about, when they came, and when they go.

Shapes: I items, D width, T topics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.world.interests import WIDTH
from tenfold.world.surface import Surface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOPICS = (
    *("cooking", "football", "gardening", "travel", "cats", "dogs", "guitar", "history", "physics", "chess"),
    *("fashion", "running", "cars", "painting", "birds", "sailing", "baking", "comedy", "politics", "money"),
    *("space", "fishing", "yoga", "photography", "trains", "poetry", "robots", "hiking", "tennis", "magic"),
    *("architecture", "languages", "piano", "cycling", "wine", "parenting", "games", "theatre", "surfing", "knitting"),
)

_MAIN, _SECOND, _OWN = 0.8, 0.4, 0.45
"""How much of an item's vector is its main topic, its second topic, and only its own."""


@dataclass(frozen=True, slots=True)
class Stock:
    """All items that there are at any time, as arrays (I,).

    ``surface_I``: index of each item's surface. ``topic_I2``: its main and second topic. ``vector_ID``: of length 1.
    ``quality_I``: how much it pleases everybody, standard normal. ``length_s_I``: time it takes. ``born_I``,
    ``dies_I``: days from the world's first; those that were there before were born before day 0.
    """

    surface_I: Ints
    topic_I2: Ints
    vector_ID: Floats
    quality_I: Floats
    length_s_I: Floats
    born_I: Floats
    dies_I: Floats

    def __len__(self) -> int:
        return len(self.surface_I)

    def there(self, surface: int, day: float) -> Ints:
        """Rows of the items that a surface can show at a time."""
        return np.flatnonzero((self.surface_I == surface) & (self.born_I <= day) & (day < self.dies_I))

    def title(self, row: int) -> str:
        """Give an item's title."""
        main, second = (TOPICS[topic] for topic in self.topic_I2[row])
        return f"{main.capitalize()} and {second}, no. {row + 1}"


def draw_stock(surfaces: Sequence[Surface], days: int, random: np.random.Generator) -> Stock:
    """Draw items such that on every surface about as many are born a day as die."""
    topic_TD = _unit(random.standard_normal((len(TOPICS), WIDTH)))
    parts = []
    for index, surface in enumerate(surfaces):
        births = random.poisson(surface.items / surface.life_days * days)
        count = surface.items + births
        # The rest of a life is as long as a whole one where lives end at random.
        born = np.concatenate([-random.exponential(surface.life_days, surface.items), random.uniform(0, days, births)])
        dies = np.maximum(born, 0.0) + random.exponential(surface.life_days, count)
        topic_I2 = np.stack([random.integers(0, len(TOPICS), count), random.integers(0, len(TOPICS), count)], axis=1)
        own_ID = _unit(random.standard_normal((count, WIDTH)))
        vector_ID = _unit(_MAIN * topic_TD[topic_I2[:, 0]] + _SECOND * topic_TD[topic_I2[:, 1]] + _OWN * own_ID)
        length_s = surface.length_s * random.lognormal(0.0, surface.spread, count)
        parts.append(
            (np.full(count, index), topic_I2, vector_ID, random.standard_normal(count), length_s.round(1), born, dies)
        )
    return Stock(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _unit(vector: Floats) -> Floats:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)
