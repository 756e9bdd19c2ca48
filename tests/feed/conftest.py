"""A desk over each kind of database, with a pool that the test plays."""

import pytest

from tenfold.feed import stock
from tenfold.feed.desk import Desk
from tenfold.feed.item import Item
from tenfold.feed.settings import FeedSettings
from tenfold.product.calls import Late
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables


class Pool(PoolClient):
    """Ranks what it is told to (``ranked``); its catalog comes when it is let."""

    def __init__(self):
        self.asked: list[dict] = []
        self.catalog: list[dict] | None = None
        self.ranked: list[dict] = []

    async def items(self, *, deadline_s, tenant=""):
        return Late("busy", "not yet") if self.catalog is None else {"items": self.catalog}

    async def ranking_model(self, *, deadline_s, tenant=""):
        return Late("refused", "tells nothing of itself")

    async def rank(self, body, *, deadline_s, tenant=""):
        self.asked.append(body)
        allowed, hidden = body.get("candidates"), {*(each["item"] for each in body["events"]), *body["exclude"]}
        found = [
            each for each in self.ranked if each["item"] not in hidden and (not allowed or each["item"] in allowed)
        ]
        return {"items": found[: body["k"]], "snapshot": "v7"}


@pytest.fixture
def make_desk(database, tmp_path):
    """Gives a function that opens a desk with items and settings; all are closed in the end."""
    stores = []

    async def make(items: list[Item], peers: Peers | None = None, **settings) -> Desk:
        if not stores:
            stores.append(open_tables(database("feed"), "tenfold.feed.tables:MIGRATIONS"))
        with stores[0].writing() as connection:
            stock.write_catalog(connection, items)
        others = peers or Peers(None, {}, "", "feed")
        outbox = Outbox(stores[0], "feed")
        found = Desk(Context("feed", FeedSettings(**settings), stores[0], Pool(), others, outbox, tmp_path, tmp_path))
        await found.open()
        return found

    yield make
    for store in stores:
        store.close()
