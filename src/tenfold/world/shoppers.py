"""People and ads over HTTP: they see them, click by hidden interest, buy later, or cheat.

A browser tells that an ad was seen and follows a click, as a page's would; the advertiser's server tells what was
bought, of whom it knows, whether or not an ad led there.
"""

import asyncio
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tenfold.world.audience import Audience
from tenfold.world.report import AdsReport

READS_S = 0.5
"""Wall seconds that somebody looks at an ad before a click: less, and it is no person's click."""
BUYS_AFTER_S = 1_200.0
"""World seconds from a click to what is bought, on average."""
TWICE = 0.02
"""Share of what is told that is told twice, as networks do."""
_PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=5)
_FAILURES = (aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True)
class AdCard:
    """An ad among a page's cards. ``seen`` and ``click``: public paths that came with it."""

    item: str
    words: str
    advertiser: str
    seen: str
    click: str

    @classmethod
    def of(cls, card: Mapping[str, object]) -> "AdCard | None":
        """Read a card of the feed; none if it is no ad."""
        told = card.get("sponsored")
        if not isinstance(told, dict) or "seen" not in told:
            return None
        words = f"{card['title']} {told.get('text', '')}".strip()
        return cls(str(card["item"]), words, str(card.get("author", "")), str(told["seen"]), str(told["click"]))


@dataclass(frozen=True, slots=True)
class Shop:
    """An advertiser of the world. ``prices_micro``: of what it sells."""

    account: str
    prices_micro: tuple[int, ...]


@dataclass(slots=True)
class AdTruth:
    """What really happened with ads, as ``AdsReport`` says."""

    seen: int = 0
    clicked: int = 0
    expected_clicks: float = 0.0
    cheated: int = 0
    bought: int = 0
    needed: int = 0
    lost: int = 0


class Shoppers:
    """The people of a world before ads.

    Args:
        browser: HTTP client of people, with the pool's address as base.
        servers: HTTP client of the advertisers' servers.
        audience: their hidden interests.
        shops: the advertisers whose sales the world knows.
        seconds_per_s: world seconds in a wall second.
        seed: of everything that they do.
    """

    def __init__(
        self,
        browser: aiohttp.ClientSession,
        servers: aiohttp.ClientSession,
        audience: Audience,
        shops: Sequence[Shop],
        *,
        seconds_per_s: float,
        seed: int,
    ) -> None:
        self._browser, self._servers = browser, servers
        self._audience = audience
        self._shops = {shop.account: shop for shop in shops}
        self._seconds_per_s = seconds_per_s
        # The same people buy again in another run, and that is another sale.
        self._run, self._sales = uuid.uuid4().hex[:12], 0
        self._random = Random(f"{seed} shoppers")
        self._cheats = {p for p in range(len(audience.tastes)) if self._random.random() < audience.temper.cheats}
        self._later: set[asyncio.Task[None]] = set()
        self.truth = AdTruth()

    def report(self) -> AdsReport:
        """Sum up what happened until now."""
        return AdsReport(**asdict(self.truth))

    def meet(self, person: int, name: str, ad: AdCard, after_s: float) -> None:
        """Let a person see an ad, ``after_s`` wall seconds from now, and do with it what they like."""
        self._begin(self._see(person, name, ad, after_s))

    def need(self, people: Sequence[str], day_s: float) -> None:
        """Let people buy what they need without any ad, at some time of a day of so many wall seconds."""
        for shop in self._shops.values():
            for name in people:
                if self._random.random() < self._audience.temper.needs:
                    self._begin(self._buy(shop, name, "", self._random.uniform(0.0, day_s)))

    async def finish(self) -> None:
        """Wait until everything that was begun has happened."""
        while self._later:
            await asyncio.wait(self._later)

    def _begin(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _see(self, person: int, name: str, ad: AdCard, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.truth.seen += 1
        await self._get(ad.seen)
        if person in self._cheats:
            self.truth.cheated += 1
            await self._get(ad.click)
            await self._get(ad.click)
            return
        chance = self._audience.chance(person, ad.advertiser, ad.words, ad.item)
        self.truth.expected_clicks += chance
        if self._random.random() >= chance:
            return
        await asyncio.sleep(READS_S)
        self.truth.clicked += 1
        led = await self._get(ad.click)
        shop = self._shops.get(ad.advertiser)
        if shop is not None and self._random.random() < self._audience.buys_P(shop.account)[person]:
            click = parse_qs(urlsplit(led).query).get("tf_click", [""])[0]
            await self._buy(shop, name, click, self._random.expovariate(self._seconds_per_s / BUYS_AFTER_S))

    async def _buy(self, shop: Shop, name: str, click: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._sales += 1
        sale = {
            "event": f"{self._run}/{self._sales}",
            "click": click,
            "person": name,
            "value_micro": self._random.choice(shop.prices_micro),
        }
        body = {"account": shop.account, "conversions": [sale]}
        self.truth.bought += bool(click)
        self.truth.needed += not click
        for _ in range(2 if self._random.random() < TWICE else 1):
            try:
                async with self._servers.post("/v1/ads/conversions", json=body, timeout=_PATIENCE) as answer:
                    self.truth.lost += answer.status != 200
            except _FAILURES:
                self.truth.lost += 1

    async def _get(self, path: str) -> str:
        """Ask a public path as a browser would; gives where it leads."""
        led = ""
        for _ in range(2 if self._random.random() < TWICE else 1):
            try:
                async with self._browser.get(path, timeout=_PATIENCE, allow_redirects=False) as answer:
                    self.truth.lost += answer.status >= 400
                    led = answer.headers.get("location", "")
            except _FAILURES:
                self.truth.lost += 1
        return led
