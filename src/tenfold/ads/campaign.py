"""What an advertiser asks for: a campaign, with its objective, budget, dates and limits.

Money is whole millionths of a US dollar everywhere in ``ads/``, in names that end in ``_micro``. Times are Unix
seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum

MICROS = 1_000_000
"""Micro-dollars in a dollar."""

MOST_MICRO = 10**15
"""A thousand million dollars: more is a mistake of writing."""

DAY_S = 86_400.0


class Objective(StrEnum):
    """What the advertiser wants more of."""

    REACH = "reach"
    """People who see an ad; an action is an impression."""
    TRAFFIC = "traffic"
    """Visits; an action is a click."""
    LEADS = "leads"
    """People who leave a contact; an action is a conversion, and all are worth the same."""
    SALES = "sales"
    """Purchases; an action is a conversion, worth what was paid."""

    @property
    def needs_conversions(self) -> bool:
        """Whether its actions happen on the advertiser's own page, which must tell of them."""
        return self in (Objective.LEADS, Objective.SALES)


class Status(StrEnum):
    """Where a campaign is in its life. Its dates and what is left of its budget decide further whether it bids."""

    DRAFT = "draft"
    """Made and previewed; nothing is shown or charged."""
    LIVE = "live"
    PAUSED = "paused"
    """By the advertiser; may go on."""
    ENDED = "ended"
    """Closed for good: its last day is over, or the advertiser ended it."""


class Approval(StrEnum):
    """Who decides that a variant of the copy may be shown. Never changes by itself."""

    AUTO = "auto"
    """What passes the gate may be shown."""
    REVIEW = "review"
    """Each variant waits for a person's yes."""
    LOCKED = "locked"
    """What has been approved stays; nothing new is written."""


@dataclass(frozen=True, slots=True)
class CostPerAction:
    """An action may cost no more than this on average."""

    micro: int

    def worth_micro(self, _value_micro: float) -> float:
        """The most that an action may cost on average, whatever it brings the advertiser."""
        return float(self.micro)


@dataclass(frozen=True, slots=True)
class ReturnOnSpend:
    """What actions bring the advertiser must be at least this many times what they cost, on average."""

    ratio: float

    def worth_micro(self, value_micro: float) -> float:
        """The most that an action may cost that brings ``value_micro``."""
        return value_micro / self.ratio


Cap = CostPerAction | ReturnOnSpend


@dataclass(frozen=True, slots=True)
class Targeting:
    """Whom an ad is for. Nothing declared means everybody who is likely to be interested.

    ``interests``: words for what people like, as genres or categories; one is enough. ``surfaces``: places where the
    ad may stand. ``broad``: whether people beyond the declared interests may see it where the prediction is as good.
    """

    interests: frozenset[str] = frozenset()
    surfaces: frozenset[str] = frozenset()
    broad: bool = True


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """One person sees a campaign's ads at most ``impressions`` times in ``per_s`` seconds."""

    impressions: int = 3
    per_s: float = DAY_S


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign of an account, as it is now.

    ``id``: unique among all campaigns. ``account``: who pays, the tenant of the advertiser's keys. ``budget_micro``:
    what may be billed for the whole of it, at most. ``starts_at``, ``ends_at``: nothing is shown outside. ``cap``: on
    the average cost of an action, or none. ``page``: where a click leads. ``catalog``: name of the catalog that is
    advertised, or empty where the page is. ``excluded``: categories of content beside which no ad of it may stand.
    ``edition``: rises by one with each change of any of this.
    """

    id: str
    account: str
    name: str
    objective: Objective
    budget_micro: int
    starts_at: float
    ends_at: float
    page: str
    catalog: str = ""
    cap: Cap | None = None
    targeting: Targeting = field(default_factory=Targeting)
    frequency: FrequencyCap = field(default_factory=FrequencyCap)
    excluded: frozenset[str] = frozenset()
    approval: Approval = Approval.REVIEW
    status: Status = Status.DRAFT
    edition: int = 1

    @property
    def days(self) -> float:
        """How long it runs."""
        return (self.ends_at - self.starts_at) / DAY_S

    def is_running(self, now: float) -> bool:
        """Whether it may bid at ``now``, if there is money left."""
        return self.status is Status.LIVE and self.starts_at <= now < self.ends_at
