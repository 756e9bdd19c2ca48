"""Ads for a place beside a person's items, over HTTP: what is asked, and what is given of an ad that was sold."""

from pydantic import Field

from tenfold.ads.bidder import Sold
from tenfold.ads.contract import LONGEST_NAME
from tenfold.ads.product import PUBLIC
from tenfold.core.frozen import Frozen


class CandidatesIn(Frozen):
    """A page that a surface would show a person, and that has room for ads."""

    person: str = Field(min_length=1, max_length=LONGEST_NAME)
    surface: str = Field(max_length=LONGEST_NAME)
    slots: int = Field(1, ge=1, le=10, description="ads at most")
    items: tuple[int | str, ...] = Field(
        (), max_length=200, description="beside which they would stand, as rank has them"
    )
    genres: tuple[str, ...] = Field((), max_length=100, description="of these items")


class Offer(Frozen):
    """An ad that has won a place; it is charged when its token comes back as seen."""

    campaign: str
    variant: str
    advertiser: str
    headline: str
    body: str
    call_to_action: str
    image: str
    click: str = Field(description="public path that counts a click and leads on")
    seen: str = Field(description="public path of a picture that counts the ad as seen")
    token: str
    bid_micro: int = Field(description="what the place is worth to the advertiser, to be weighed against organic items")
    price_micro: int


class CandidatesOut(Frozen):
    """Ads for a page, the dearest first."""

    ads: tuple[Offer, ...]


def offer_of(sold: Sold) -> Offer:
    """What a surface is given of an ad that was sold."""
    variant = sold.variant
    return Offer(
        campaign=sold.campaign.id,
        variant=variant.id,
        advertiser=sold.campaign.account,
        headline=variant.headline,
        body=variant.body,
        call_to_action=variant.call_to_action,
        image=variant.image,
        click=f"{PUBLIC}/click/{sold.token}",
        seen=f"{PUBLIC}/seen/{sold.token}.gif",
        token=sold.token,
        bid_micro=sold.decision.bid_micro,
        price_micro=sold.decision.price_micro,
    )
