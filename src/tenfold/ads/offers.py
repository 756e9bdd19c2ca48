"""Ads for a place beside a person's items, over HTTP: what is asked, and what is given of an ad that was sold.

As the feed asks and takes it (``feed/beside.py``): an ad and an organic card stand in one order, by total value.
"""

from pydantic import Field

from tenfold.ads.bidder import Page, Sold
from tenfold.ads.campaign import MICROS
from tenfold.ads.contract import LONGEST_NAME
from tenfold.ads.product import PUBLIC
from tenfold.core.frozen import Frozen

MOST_ORGANIC = 200


class Organic(Frozen):
    """A card beside which an ad would stand."""

    item: int | str = Field(description="as rank has it")
    genres: tuple[str, ...] = Field((), max_length=100)
    value: float = Field(0.0, allow_inf_nan=False, description="total value of showing it")


class CandidatesIn(Frozen):
    """A page that a surface would show a person, and that has room for ads."""

    person: str = Field(min_length=1, max_length=LONGEST_NAME)
    surface: str = Field(max_length=LONGEST_NAME)
    slots: int = Field(1, ge=0, le=50, description="ads at most")
    organic: tuple[Organic, ...] = Field((), max_length=MOST_ORGANIC, description="the page without ads, best first")

    def page(self) -> Page:
        """As bids are made for it."""
        genres = dict.fromkeys(genre for card in self.organic for genre in card.genres)
        return Page(self.person, self.surface, self.slots, tuple(card.item for card in self.organic), tuple(genres))


class Told(Frozen):
    """What a surface needs to tell what becomes of an ad."""

    campaign: str
    variant: str
    call_to_action: str
    click: str = Field(description="public path that counts a click and leads on")
    seen: str = Field(description="public path of a picture that counts the ad as seen")
    why: str = Field(description="public path that says why this person saw it")
    stop: str = Field(description="public path; a POST there shows its campaign to this person no more")
    token: str
    bid_micro: int
    price_micro: int


class Ad(Frozen):
    """An ad that has won a place; it is charged when its token comes back as seen."""

    item: str = Field(description="of the ad, unlike any item of a catalog")
    title: str
    text: str
    image: str
    advertiser: str
    value: float = Field(description="total value of showing it, in the unit of the organic cards'")
    tell: Told


class CandidatesOut(Frozen):
    """Ads for a page, the dearest first."""

    ads: tuple[Ad, ...]


def offer_of(sold: Sold, usd_per_value: float) -> Ad:
    """What a surface is given of an ad that was sold.

    Args:
        sold: the ad.
        usd_per_value: what one unit of an organic card's value is worth.
    """
    variant, decision = sold.variant, sold.decision
    return Ad(
        item=f"ad-{sold.campaign.id}-{variant.id}",
        title=variant.headline,
        text=variant.body,
        image=variant.image,
        advertiser=sold.campaign.account,
        value=decision.bid_micro / MICROS / usd_per_value,
        tell=Told(
            campaign=sold.campaign.id,
            variant=variant.id,
            call_to_action=variant.call_to_action,
            click=f"{PUBLIC}/click/{sold.token}",
            seen=f"{PUBLIC}/seen/{sold.token}.gif",
            why=f"{PUBLIC}/why/{sold.token}",
            stop=f"{PUBLIC}/stop/{sold.token}",
            token=sold.token,
            bid_micro=decision.bid_micro,
            price_micro=decision.price_micro,
        ),
    )
