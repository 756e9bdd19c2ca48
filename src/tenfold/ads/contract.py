"""What ads take and give over HTTP. Money is whole micro-dollars, times are Unix seconds."""

from typing import Literal

from pydantic import Field, model_validator

from tenfold.ads.campaign import (
    DAY_S,
    MOST_MICRO,
    Approval,
    Campaign,
    Cap,
    CostPerAction,
    FrequencyCap,
    Objective,
    ReturnOnSpend,
    Status,
    Targeting,
)
from tenfold.core.frozen import Frozen

LONGEST_NAME = 120
LONGEST_URL = 2_000
LONGEST_SOURCE = 900_000

PLAIN = r"^[^\x00-\x1f\x7f/?#]+$"
"""No control characters, and none that would end a part of an address."""


class Source(Frozen):
    """Something that the copy is written from: a catalog, or a text of the advertiser's."""

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=LONGEST_NAME, description="file name: shop.csv")
    text: str = Field(min_length=1, max_length=LONGEST_SOURCE, description="what the file holds")


class Wish(Frozen):
    """What an advertiser asks for."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    objective: Objective
    budget_micro: int = Field(gt=0, le=MOST_MICRO, description="billed for the whole campaign at most")
    days: float = Field(7.0, gt=0, le=366, description="how long it runs, from when it goes live or `starts_at`")
    starts_at: float | None = Field(None, ge=0, le=1e11, description="default: when it goes live")
    page: str = Field("", max_length=LONGEST_URL, description="where a click leads; default: the item's own address")
    catalog: str = Field("", max_length=LONGEST_NAME, description="name of the catalog that is advertised")
    cost_per_action_micro: int | None = Field(
        None, gt=0, le=MOST_MICRO, description="what an action may cost on average"
    )
    return_on_spend: float | None = Field(None, gt=0, le=1e6, description="what sales must bring per dollar spent")
    interests: tuple[str, ...] = Field(
        (), max_length=50, description="who it is for; default: who is likely interested"
    )
    surfaces: tuple[str, ...] = Field((), max_length=50, description="places where it may stand; default: all")
    broad: bool = Field(True, description="also show it beyond the interests where the prediction is as good")
    frequency_impressions: int = Field(3, ge=1, le=1000, description="times that one person sees it in a span of time")
    frequency_per_s: float = Field(DAY_S, gt=0, le=366 * DAY_S, description="that span")
    excluded: tuple[str, ...] = Field(
        (), max_length=50, description="categories of content beside which it never stands"
    )
    approval: Approval = Approval.REVIEW

    @model_validator(mode="after")
    def _is_sound(self) -> "Wish":
        if self.cost_per_action_micro is not None and self.return_on_spend is not None:
            raise ValueError("give cost_per_action_micro or return_on_spend, not both")
        if self.return_on_spend is not None and self.objective is not Objective.SALES:
            raise ValueError(f"return_on_spend needs the objective sales, not {self.objective.value}")
        if not self.page and not self.catalog:
            raise ValueError("give a page or a catalog: a click must lead somewhere")
        if self.page and not self.page.startswith(("https://", "http://")):
            raise ValueError(f"page must be an address as https://shop.example, not {self.page!r:.80}")
        return self

    @property
    def cap(self) -> Cap | None:
        """On the average cost of an action."""
        if self.cost_per_action_micro is not None:
            return CostPerAction(self.cost_per_action_micro)
        return ReturnOnSpend(self.return_on_spend) if self.return_on_spend is not None else None

    def campaign(
        self,
        id: str,
        account: str,
        status: Status,
        edition: int,
        budget_micro: int,
        live_since: float | None,
        now: float,
    ) -> Campaign:
        """The campaign that this wish is; before it goes live, as if it did so ``now``."""
        starts_at = self.starts_at if self.starts_at is not None else (live_since if live_since is not None else now)
        return Campaign(
            id=id,
            account=account,
            name=self.name,
            objective=self.objective,
            budget_micro=budget_micro,
            starts_at=starts_at,
            ends_at=starts_at + self.days * DAY_S,
            page=self.page,
            catalog=self.catalog,
            cap=self.cap,
            targeting=Targeting(frozenset(self.interests), frozenset(self.surfaces), self.broad),
            frequency=FrequencyCap(self.frequency_impressions, self.frequency_per_s),
            excluded=frozenset(self.excluded),
            approval=self.approval,
            status=status,
            edition=edition,
        )


class NewCampaign(Frozen):
    """A campaign to make, with what its copy is written from."""

    account: str = Field("", max_length=LONGEST_NAME, description="who pays; default: the tenant of the key")
    wish: Wish
    sources: tuple[Source, ...] = Field((), max_length=5)


class NewSources(Frozen):
    """What the copy is written from now on, in place of what was given before."""

    sources: tuple[Source, ...] = Field(min_length=1, max_length=5)


class Edit(Frozen):
    """What to change of a campaign; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)
    budget_micro: int | None = Field(None, gt=0, le=MOST_MICRO)
    days: float | None = Field(None, gt=0, le=366)
    page: str | None = Field(None, max_length=LONGEST_URL)
    cost_per_action_micro: int | None = Field(None, gt=0, le=MOST_MICRO)
    return_on_spend: float | None = Field(None, gt=0, le=1e6)
    no_cap: bool = Field(False, description="take the cap away")
    interests: tuple[str, ...] | None = Field(None, max_length=50)
    surfaces: tuple[str, ...] | None = Field(None, max_length=50)
    broad: bool | None = None
    frequency_impressions: int | None = Field(None, ge=1, le=1000)
    excluded: tuple[str, ...] | None = Field(None, max_length=50)
    approval: Approval | None = None


class TopUp(Frozen):
    """More budget. ``id``: the asker's own; the same one sent again adds nothing."""

    id: str = Field(min_length=1, max_length=LONGEST_NAME)
    micro: int = Field(gt=0, le=MOST_MICRO)


class MoneyOut(Frozen):
    """Where a budget is."""

    budget_micro: int
    billed_micro: int = Field(description="charged, less what was given back")
    reserved_micro: int = Field(description="leased to processes that bid; what they do not spend comes back")
    free_micro: int


class UseOut(Frozen):
    """A fact in a piece of copy, and where the advertiser has written it."""

    part: Literal["headline", "body"]
    start: int = Field(description="characters of that part")
    end: int
    kind: str = Field(description="price, discount, date, name, ...")
    written: str = Field(description="in the advertiser's words")
    source: str = Field(description="page, file or item")
    place: str = Field(description="heading, field or column there")


class VariantOut(Frozen):
    """One piece of copy. Every one that may be shown is in the preview."""

    id: str
    headline: str
    body: str
    call_to_action: str
    url: str = Field(description="where a click leads")
    image: str = ""
    state: Literal["waiting", "approved", "rejected"]
    caption: str = Field("", description="of the image: the name of what it shows")
    claims: tuple[str, ...] = Field((), description="what it rests on, in the advertiser's words")
    uses: tuple[UseOut, ...] = Field((), description="the same, with where it stands in the copy and in the source")
    written_by: str = ""
    subject: str = Field("", description="id of the item or page that it is about")
    until: float | None = Field(None, description="when a fact in it stops being true, and it stops being shown")
    regulated: str = Field("", description="category for which a person must say yes first")
    faults: tuple[str, ...] = Field((), description="why it is not shown whatever was decided: facts that have changed")

    def may_be_shown(self, now: float) -> bool:
        """Whether a person or the mode said yes, and every fact in it still holds."""
        return self.state == "approved" and not self.faults and (self.until is None or now < self.until)


class RangeOut(Frozen):
    """A number that is not known: in nine of ten cases between `low` and `high`."""

    low: float
    middle: float
    high: float


class ForecastOut(Frozen):
    """What a campaign will come to in all its days, by the pages that people asked for lately."""

    spend_micro: RangeOut
    impressions: RangeOut
    actions: RangeOut
    holds: Literal["budget", "cap", "supply"] = Field(description="what holds it back; supply: no more people come")
    feasible: bool = Field(description="whether it would be shown at all")
    says: tuple[str, ...] = Field(description="warnings, each with what would help")


class CampaignOut(Frozen):
    """A campaign as it is now."""

    id: str
    account: str
    status: Status
    edition: int
    made_at: float
    starts_at: float
    ends_at: float
    wish: Wish
    money: MoneyOut
    variants: int = Field(description="that may be shown")
    waiting: int = Field(description="variants that wait for a person's yes")


class Campaigns(Frozen):
    """Campaigns, the newest first."""

    campaigns: tuple[CampaignOut, ...]


class Seen(Frozen):
    """Ads that were seen, by the tokens that came with them; late, again and in any order."""

    tokens: tuple[str, ...] = Field(min_length=1, max_length=500)


class SeenOut(Frozen):
    """What became of them. It is on disk when this is answered."""

    billed: int
    repeated: int
    house: int = Field(description="seen too late: nobody pays")
    refused: int = Field(description="tokens that are none of ours, or were changed")


class Clicked(Frozen):
    """An ad that was clicked, by the token that came with it."""

    token: str


class ClickOut(Frozen):
    """Where the click leads, with the signed id of the click."""

    url: str
    click: str
    repeated: bool


class ConversionIn(Frozen):
    """Something that happened on an advertiser's page."""

    event: str = Field(min_length=1, max_length=LONGEST_NAME, description="the sender's; taken once")
    click: str = Field("", max_length=LONGEST_URL, description="signed id of the click, from `tf_click` in the address")
    person: str = Field("", max_length=LONGEST_NAME, description="whom the advertiser knows it is, where they agreed")
    value_micro: int = Field(0, ge=0, le=MOST_MICRO, description="what it brought the advertiser")
    at: float | None = Field(None, ge=0, le=1e11, description="when it happened; default: now")


class Conversions(Frozen):
    """Conversions; late, again and in any order."""

    account: str = Field("", max_length=LONGEST_NAME, description="whose page; default: the tenant of the key")
    conversions: tuple[ConversionIn, ...] = Field(min_length=1, max_length=500)


class ConversionsOut(Frozen):
    """What became of them. It is on disk when this is answered."""

    attributed: int = Field(description="new, and of a click of a campaign in time")
    others: int = Field(description="new, of no click in time: kept for what ads really add")
    repeated: int
    refused: int = Field(0, description="with the signed id of a click that is none of ours, or was changed")


class AccountOut(Frozen):
    """An account: what all its campaigns may be billed together, and where that is."""

    account: str
    money: MoneyOut


class AccountEdit(Frozen):
    """A new limit of an account, by an operator."""

    limit_micro: int = Field(gt=0, le=MOST_MICRO)


class InvoiceOut(Frozen):
    """What an account owes for a span of time."""

    id: str
    until: float
    charged_micro: int
    credited_micro: int
    due_micro: int


class Invoices(Frozen):
    """An account's invoices, the oldest first."""

    invoices: tuple[InvoiceOut, ...]


class BooksOut(Frozen):
    """Whether all money adds up."""

    wrong: tuple[str, ...] = Field(description="what does not, in sentences")


class Consent(Frozen):
    """Whether ads may be chosen by what a person did."""

    personal: bool


class Stop(Frozen):
    """What a person wants no more of."""

    campaign: str = Field(max_length=LONGEST_NAME)
    whole_account: bool = Field(False, description="and of whoever pays for it")


class WhyOut(Frozen):
    """Why a person was shown an ad, told to whoever has the token that came with it."""

    campaign: str
    advertiser: str
    why: str


class ShownAd(Frozen):
    """An ad that a person saw, and why."""

    event: str
    campaign: str
    advertiser: str
    headline: str
    at: float
    why: str


class PersonOut(Frozen):
    """What ads know of a person."""

    person: str
    personal: bool
    stopped: tuple[str, ...]
    shown: tuple[ShownAd, ...] = Field(description="the latest first")
    conversions: int
