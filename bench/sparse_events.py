"""Events as sparse as those of a shop: people with a few interests each, items of one interest, popular ones first.

Made from a seed, so that speed can be measured on the size of a published set where none can be had: 22,363 people,
12,101 items, some 195,000 events (Amazon's Beauty has 198,502). How well a model ranks here says little elsewhere.
"""

import json
from pathlib import Path

import numpy as np

PEOPLE, ITEMS, EVENTS = 22_363, 12_101, 198_502
INTERESTS, OF_A_PERSON, STRAY = 200, 3, 0.2
NAME = "Sparse"


def write(folder: Path, *, people: int = PEOPLE, items: int = ITEMS, seed: int = 0) -> Path:
    """Write the set as S3-Rec has its own, and return the text file."""
    draw = np.random.default_rng(seed)
    interest_I = draw.integers(INTERESTS, size=items)
    popular_I = draw.permutation(1 / np.arange(1, items + 1) ** 0.8)
    rows = [np.flatnonzero(interest_I == interest) for interest in range(INTERESTS)]
    cumulative = [np.cumsum(popular_I[row]) / popular_I[row].sum() for row in rows]
    lines = []
    for person in range(1, people + 1):
        count = min(4 + int(draw.geometric(1 / (EVENTS / PEOPLE - 4))), 200)
        interests = draw.integers(INTERESTS, size=OF_A_PERSON)
        chosen = draw.integers(OF_A_PERSON, size=count)
        places, strays = draw.random(count), draw.random(count) < STRAY
        found = [
            int(draw.integers(items)) if stray else int(rows[interest][np.searchsorted(cumulative[interest], place)])
            for interest, place, stray in zip(interests[chosen], places, strays, strict=True)
        ]
        lines.append(f"{person} {' '.join(str(item + 1) for item in dict.fromkeys(found))}")
    path = folder / f"{NAME}.txt"
    path.write_text("\n".join(lines) + "\n")
    attributes = {str(item + 1): [int(interest_I[item]) + 1] for item in range(items)}
    (folder / f"{NAME}_item2attributes.json").write_text(json.dumps(attributes))
    return path
