"""Advertisers of a world: the user's own shop, and rivals who bid for the same people."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from tenfold.ads import client
from tenfold.ads.contract import NewCampaign
from tenfold.ads.report import ReportOut
from tenfold.catalog.ingest.source import feed_of
from tenfold.catalog.shipped import DEMO_FOLDER
from tenfold.core.errors import UsageError
from tenfold.world.audience import Temper
from tenfold.world.shoppers import Shop

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Market:
    """Who advertises. ``campaigns``: ids, the user's own first. ``temper``: how people are with ads."""

    campaigns: tuple[str, ...]
    shops: tuple[Shop, ...]
    temper: Temper

    def begin(self) -> None:
        """Take all campaigns live: their time is the day's, and begins with it."""
        for id in self.campaigns:
            # The forecast knows no visits yet: people come when the day begins.
            client.step(id, "live", anyway=True)

    def report(self) -> ReportOut:
        """What ads report of the user's campaign."""
        return client.report(self.campaigns[0])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an advertiser asks for. ``duration_s``: wall seconds that the campaign runs, as the day does."""

    objective: str
    budget_micro: int
    duration_s: float


def open_market(catalog: Path, wanted: Wanted, rivals: int, temper: Temper) -> Market:
    """Make a campaign for ``catalog``, and one each for rivals, who have a part of the demo catalog; none is live yet.

    Raises:
        UsageError: the catalog cannot be read, or has no prices.
    """
    (source,) = client.sources(catalog)
    told = [(catalog.stem, source["name"], source["text"])]
    told += [(f"rival-{number}", f"rival-{number}.csv", text) for number, text in _parts(rivals)]
    made = [_make(wanted, *each) for each in told]
    return Market(tuple(id for id, _ in made), tuple(shop for _, shop in made), temper)


def _parts(count: int) -> list[tuple[int, str]]:
    """The demo catalog by category, each with a number from 1, as CSV."""
    rows = list(csv.DictReader(io.StringIO((DEMO_FOLDER / "products.csv").read_text(encoding="utf-8"))))
    found = []
    for number, category in enumerate(list(dict.fromkeys(row["category"] for row in rows))[:count], 1):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if row["category"] == category)
        found.append((number, text.getvalue()))
    return found


def _make(wanted: Wanted, account: str, name: str, text: str) -> tuple[str, Shop]:
    told: dict[str, object] = {
        "account": account,
        "wish": {
            "name": account,
            "objective": wanted.objective,
            "budget_micro": wanted.budget_micro,
            "days": wanted.duration_s / DAY_S,
            "page": f"https://{account}.example",
            "catalog": name,
        },
        "sources": [{"name": name, "text": text}],
    }
    shop = Shop(account, _prices_micro(name, text))
    made = client.create(client.checked(NewCampaign, told))
    client.judge(made.campaign.id, "all", approved=True)
    return made.campaign.id, shop


def _prices_micro(name: str, text: str) -> tuple[int, ...]:
    gathered = feed_of(text, name, "USD")
    prices = tuple(variant.offer.price.micros for item in gathered.items for variant in item.variants)
    if not prices:
        raise UsageError(f"{name} has nothing with a price", next_step="give --advertise a catalog of things for sale")
    return prices
