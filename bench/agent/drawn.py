"""Catalogs drawn at random from ``sets/drawn.txt``, with questions whose answers are found by going through all rows.

Sixteen trades with options that no other set has. Each seed draws which variants there are, their prices and stock.
Nothing was tuned on the second half of the trades.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

from agent import asked_askew, asked_plainly
from agent.expected import rows_of
from agent.shelf import Line, Shelf
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.source import feed_of

RANGES = Path(__file__).parent / "sets" / "drawn.txt"
TUNED = 8
"""Trades of the file that were tuned on; those after them were not."""
MOST_VARIANTS = 9


def catalogs(seed: int) -> Iterator[tuple[str, bool, Gathered]]:
    """Each trade's name, whether it was tuned on, and a catalog of it."""
    for number, part in enumerate(RANGES.read_text(encoding="utf-8").split("== ")[1:]):
        name, *lines = part.strip().splitlines()
        rng = random.Random(f"{seed} {name}")
        rows = ["id,title,options,price,stock"]
        for line in lines:
            title, *options, base = (each.strip() for each in line.split("|"))
            rows += _variants(rng, title, options, float(base), f"{name[0].upper()}{len(rows)}")
        yield name, number < TUNED, feed_of("\n".join(rows), f"{name}.csv", "USD")


def _variants(rng: random.Random, title: str, options: Sequence[str], base: float, prefix: str) -> Iterator[str]:
    named = [(key, values.split(", ")) for key, values in (each.split(": ", 1) for each in options)]
    every = list(product(*(values for _, values in named)))
    for at, chosen in enumerate(sorted(rng.sample(every, min(len(every), rng.randint(2, MOST_VARIANTS))))):
        told = "; ".join(f"{key}: {value}" for (key, _), value in zip(named, chosen, strict=True))
        price, stock = base * rng.uniform(0.6, 3), rng.choice((0, 0, 1, 4, 9, 27))
        yield f'{prefix}-{at},{title},"{told}",{price:.2f},{stock}'


def questions(gathered: Gathered, others: Sequence[str], seed: int) -> list[Line]:
    """Questions about one catalog, in the form of the sets' lines; ``others``: titles of what it does not sell."""
    rng, rows = random.Random(seed), rows_of(gathered.items)
    found: list[Line] = []
    titles = list(dict.fromkeys(row.title for row in rows))
    for title in titles:
        shelf = Shelf(rng, [row for row in rows if row.title == title], rows, others)
        for make in MAKERS:
            found += [{"kind": make.__name__, **line} for line in make(shelf)]
    return [{"id": f"{line['kind']}-{n}", **line} for n, line in enumerate(found, 1)]


MAKERS: tuple[Callable[[Shelf], Iterator[Line]], ...] = (
    asked_plainly.prices,
    asked_plainly.exist,
    asked_plainly.foreign,
    asked_plainly.cheapest,
    asked_plainly.largest,
    asked_plainly.bounds,
    asked_plainly.compared,
    asked_plainly.denied,
    asked_plainly.joined,
    asked_askew.supposed,
    asked_askew.counted,
    asked_askew.told_of,
    asked_askew.across,
    asked_askew.untold,
    asked_askew.slipped,
    asked_askew.followed,
    asked_askew.sold_out,
    asked_askew.of_all,
    asked_askew.priced,
    asked_askew.denied_to_be,
    asked_askew.went_on,
    asked_askew.narrowed,
)
