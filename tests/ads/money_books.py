"""What tests of the money share: a database with accounts and campaigns, and impressions of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tenfold.ads.money.budget import account_node, add_node, campaign_node, read_budget
from tenfold.ads.money.charge import Impression
from tenfold.ads.tables import MIGRATIONS, campaigns
from tenfold.core.store import Store, open_store


@contextmanager
def books(url: str) -> Iterator[Store]:
    store = open_store(url, MIGRATIONS)
    try:
        yield store
    finally:
        store.close()


def add_account(connection: sa.Connection, account: str, limit: int) -> None:
    add_node(connection, account_node(account), None, limit)


def add_campaign(connection: sa.Connection, campaign: str, account: str, budget: int) -> None:
    add_node(connection, campaign_node(campaign), account_node(account), budget)
    row = {"id": campaign, "account": account, "name": campaign, "status": "live", "edition": 1, "wish": {}}
    connection.execute(campaigns.insert().values(row | {"made_at": 0.0, "live_since": 0.0}))


def impression(event: str, lease: str, campaign: str, price: int, *, expires_at: float = 1e9) -> Impression:
    return Impression(event, lease, campaign, "v1", "ann", "home", price, 0.0, expires_at, {"bid_micro": price})


def spent(store: Store, node: str) -> tuple[int, int]:
    """Billed and leased."""
    with store.reading() as connection:
        found = read_budget(connection, node)
    assert found is not None
    return found.billed_micro, found.leased_micro
