"""``[ads]`` of ``tenfold.toml``."""

from typing import Literal

from pydantic import Field

from tenfold.core.config import Settings


class AdsSettings(Settings):
    """How ads are sold, measured and billed."""

    public_url: str = Field("", description="address under which browsers reach this pool; default: its own")
    account_limit_usd: float = Field(
        10_000.0, gt=0, description="what all campaigns of a new account may be billed together"
    )
    writer: Literal["serve", "endpoint", "templates"] = Field(
        "serve", description="who writes copy beside templates; the gate judges all of it"
    )
    writer_url: str = Field("", description="of `writer = endpoint`: OpenAI-compatible, as http://host/v1")
    writer_model: str = Field("", description="the pool's or endpoint's model that is asked; empty: its own choice")
    writer_deadline_s: float = Field(20.0, gt=0, le=300, description="seconds to wait for one draft")
    turn_s: float = Field(1.0, gt=0, le=10, description="seconds between two turns at the database of money")
    seen_within_s: float = Field(
        300.0, ge=1, le=86_400, description="seconds in which an ad that was sold must be seen to be charged"
    )
    dead_after_s: float = Field(
        15.0, ge=1, description="seconds without a sign of life after which a process's money waits to go back"
    )
    holdout: float = Field(
        0.1, ge=0.01, le=0.5, description="share of people whose ads are chosen without rank, so its worth is known"
    )
    lift_holdout: float = Field(
        0.1, ge=0, le=0.5, description="share of people who are not shown a campaign, so that its lift is known"
    )
    pricing: Literal["second", "first"] = Field(
        "second", description="whether a winner pays what would still have won, or what it bid"
    )
    reserve_usd: float = Field(0.0001, ge=0, le=1, description="the least that an ad costs")
    least_relevance: float = Field(0.0, ge=0, lt=1, description="ads less likely to be clicked are not shown")
    usd_per_value: float = Field(
        0.001, gt=0, description="what one unit of an organic card's value is worth, to set ads among such cards"
    )
    click_days: float = Field(
        7.0, gt=0, le=90, description="days after a click in which a conversion counts as its own"
    )
    bill_after_s: float = Field(
        86_400.0, ge=0, description="seconds in which invalid traffic may come to light before a charge is invoiced"
    )
    personal: bool = Field(True, description="choose ads by what a person did, unless they said no; false: unless yes")
    least_people: int = Field(50, ge=2, description="groups of fewer people are not shown in reports")
    keep_days: int = Field(400, ge=1, description="days that what people saw, clicked and bought stays with their name")
