"""The feed and its page as a process, with items on three surfaces: ``feed_page_process.py PORT FOLDER``."""

import asyncio
import random
import sys
import time
from pathlib import Path

import uvicorn

from tenfold.console.pages import product_pages
from tenfold.console.shell import mount
from tenfold.feed import stock, taking
from tenfold.feed.app import make_app
from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Item, ToldItem
from tenfold.feed.product import FEED
from tenfold.feed.settings import FeedSettings
from tenfold.feed.subjects import designs_of
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables

GENRES = ("Drama", "Comedy", "Sci-Fi", "Thriller", "Animation", "Documentary")
PLACES = ("Harbour", "Orchard", "Night Train", "Lighthouse", "Glacier", "Market", "Observatory", "Canal", "Desert")
KINDS = ("Letters from the", "Return to the", "Below the", "Songs of the", "A Year at the")
SURFACES = ("short", "long", "shop")
ITEMS = [
    Item(
        n,
        f"{KINDS[n % 5]} {PLACES[n % 9]}",
        (GENRES[n % 6], GENRES[(n // 6) % 6]) if n % 6 != (n // 6) % 6 else (GENRES[n % 6],),
        viewers=200 - n,
        surfaces=(SURFACES[n % 3],),
        author=f"Studio {n % 7}",
    )
    for n in range(1, 181)
]
SETTINGS = FeedSettings.model_validate(
    {
        "holdout": 0.1,
        "surfaces": ["home", *SURFACES],
        "experiments": {
            "unified": {
                "control": "surface",
                "arms": {"unified": {"share": 0.5}, "surface": {"share": 0.5, "history": "surface"}},
            }
        },
    }
)


class Pool(PoolClient):
    """Ranks by id, and says of each item that the latest of the history was why."""

    def __init__(self):
        pass

    async def items(self, *, deadline_s, tenant=""):
        rows = [
            {"item": i.item, "title": i.title, "genres": i.genres, "viewers": i.viewers}
            | {"surfaces": i.surfaces, "author": i.author}
            for i in ITEMS
        ]
        return {"items": rows}

    async def ranking_model(self, *, deadline_s, tenant=""):
        told = {"snapshot": "2026-11-28-b41c", "model": "stream", "trained_at": time.time() - 240}
        told |= {"latest_event_at": time.time() - 300, "people": 1143, "items": 1682, "events": 104_213}
        losses = (6.9, 6.1, 5.8, 5.6, 5.5, 5.45)
        rows = [
            ("model", "all", 0.214),
            ("EASE", "all", 0.189),
            ("item-kNN", "all", 0.171),
            ("popularity", "all", 0.093),
        ]
        rows += [("model", "short", 0.231), ("model", "long", 0.205), ("model", "shop", 0.187), ("model", "new", 0.118)]
        quality = [
            {"system": system, "users_kind": kind, "ndcg_at_10": n, "ndcg_low": n - 0.012, "ndcg_high": n + 0.012}
            | {"queries": 900, "recall_at_10": 2 * n}
            for system, kind, n in rows
        ]
        told |= {"parameters": 221_000, "surfaces": SURFACES, "epochs": [{"loss": loss} for loss in losses]}
        return told | {"quality": quality}

    async def rank(self, body, *, deadline_s, tenant=""):
        history = [each["item"] for each in body["events"]]
        hidden = {*history, *body["exclude"]}
        told = {"because": history[-2:], "chances": {"opened": 0.42}, "value": 0.0031}
        found = [{"item": item.item, **told} for item in ITEMS if item.item not in hidden and fits(item, body)]
        return {"items": found[: body["k"]], "snapshot": "2026-11-28-b41c"}


def fits(item, body):
    return "candidates" not in body or item.item in body["candidates"]


def a_day(store) -> None:
    """What 80 people did within the last day."""
    draw, now = random.Random(3), time.time()
    designs = designs_of(SETTINGS)
    cold = frozenset(f"new-{number}" for number in range(12))
    with store.writing() as connection:
        stock.write_catalog(connection, ITEMS)
        for number in range(12):
            told = ToldItem(
                item=f"new-{number}", title=f"New: {PLACES[number % 9]} {number}", born_at=now - 3600 * number
            )
            stock.tell_items(connection, [told], now)
        for person in range(80):
            for page in range(6):
                # Before the second surface the arms are alike.
                more = 1.5 if page > 2 and designs[0].arm_of(str(person)) == "unified" else 1.0
                at = now - draw.random() * 86_000
                surface = draw.choice(SURFACES)
                told = []
                for card in range(8):
                    item = draw.choice(ITEMS).item if draw.random() < 0.9 else f"new-{draw.randrange(12)}"
                    key = f"{page}/{card}"
                    told.append(event(f"{key}s", person, surface, item, "shown", at))
                    if draw.random() < 0.3 * more:
                        told.append(event(f"{key}o", person, surface, item, "opened", at))
                        told.append(
                            event(f"{key}w", person, surface, item, "watched", at, draw.gammavariate(3, 40) * more)
                        )
                    elif draw.random() < 0.03:
                        told.append(event(f"{key}n", person, surface, item, "not_interested", at))
                taking.take(
                    connection,
                    told,
                    SETTINGS.holdout,
                    now,
                    designs=designs,
                    cold=cold,
                )


def event(key, person, surface, item, action, at, seconds=0.0):
    return FeedEvent(
        id=key, person=str(person), surface=surface, item=item, action=action, at=at, seconds=seconds, session=key[:1]
    )


async def main(port: int, folder: Path) -> None:
    store = open_tables(f"sqlite:///{folder / 'feed.db'}", FEED.tables)
    a_day(store)
    outbox = Outbox(store, "feed")
    app = make_app(Context("feed", SETTINGS, store, Pool(), Peers(None, {}, "", "feed"), outbox, folder, folder))
    mount(app, product_pages([FEED], lambda: f"http://127.0.0.1:{port}"))
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning")).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
