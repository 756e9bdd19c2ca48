"""Ads beside what was chosen: the feed asks for them, waits for a moment, and goes without.

An ad and an organic card stand in one order, by total value: what the place is worth to whoever shows it. What asks
for candidates knows nothing of money; what answers says of each ad what showing it is worth, in the same unit as the
values of the organic cards that it was told, and what it wants to hear of when it is shown.
"""

import logging
from collections.abc import Sequence

from pydantic import Field, ValidationError

from tenfold.core.frozen import Frozen
from tenfold.feed.contract import Card
from tenfold.product.peers import Peers

log = logging.getLogger(__name__)

ADS = "ads"
PATH = "/v1/ads/candidates"
EVERY = 5
"""At most one card in so many is an ad, and never the first."""


class Sponsored(Frozen):
    """An ad as ``POST /v1/ads/candidates`` gives it."""

    item: str = Field(min_length=1, max_length=200, description="of the ad, unlike any item of the catalog")
    title: str = Field(min_length=1, max_length=300)
    text: str = Field("", max_length=1000)
    image: str = Field("", max_length=2000, description="path or address of its picture")
    advertiser: str = Field("", max_length=200)
    value: float = Field(ge=0, allow_inf_nan=False, description="total value of showing it, as of the organic cards")
    tell: dict[str, object] = Field({}, description="addresses and signed names by which what becomes of it is told")


class Candidates(Frozen):
    """Its answer, best first."""

    ads: tuple[Sponsored, ...] = Field((), max_length=50)


async def ads_for(
    peers: Peers, person: str, surface: str, cards: Sequence[Card], values: Sequence[float], deadline_s: float
) -> tuple[Sponsored, ...]:
    """Ask for ads for a page; none if there is no product ``ads`` here, or it has not answered in time.

    Args:
        peers: the other products.
        person: who will see the page.
        surface: where.
        cards: the organic ones, best first.
        values: total value of each.
        deadline_s: seconds that ads are worth waiting for.
    """
    if not cards or not peers.has(ADS):
        return ()
    organic = [
        {"item": card.item, "genres": card.genres, "value": value} for card, value in zip(cards, values, strict=True)
    ]
    body: dict[str, object] = {"person": person, "surface": surface, "slots": len(cards) // EVERY, "organic": organic}
    answer = await peers.ask(ADS, PATH, body, deadline_s)
    if answer is None:
        return ()
    try:
        return Candidates.model_validate(answer).ads
    except ValidationError as error:
        # The other side's mistake, which would be there for every page: told, and gone without.
        log.warning("ads answered what the feed does not take: %s", str(error).splitlines()[0:2])
        return ()


def beside(cards: Sequence[Card], values: Sequence[float], ads: Sequence[Sponsored]) -> tuple[Card, ...]:
    """Put ads and cards in one order by value: an ad stands before the first card that is worth less.

    Ads keep ``EVERY`` apart, none is first, and a page becomes no longer than it was.
    """
    left, found = list(ads), []
    last_ad = 0
    for card, value in zip(cards, values, strict=True):
        if left and found and len(found) - last_ad >= EVERY - 1 and left[0].value >= value:
            last_ad = len(found) + 1
            found.append(_card(left.pop(0)))
        found.append(card)
    return tuple(found[: len(cards)])


def _card(ad: Sponsored) -> Card:
    return Card(
        item=ad.item,
        title=ad.title,
        genres=(),
        reason=f"An ad by {ad.advertiser}" if ad.advertiser else "An ad",
        poster=ad.image,
        author=ad.advertiser,
        sponsored={"text": ad.text, **ad.tell},
    )
