"""``[feed]`` of ``tenfold.toml``."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tenfold.core.config import Settings


class ArmSettings(Settings):
    """``[feed.experiments.NAME.arms.ARM]``: what one arm's people get."""

    share: float = Field(gt=0, le=1, description="part of all people that this arm gets")
    history: Literal["all", "surface"] = Field(
        "all", description="what ranking is told: what the person did anywhere, or on the surface that asks"
    )
    by: Literal["rank", "popular"] = Field("rank", description="who chooses")
    snapshot: Literal["fresh", "stale"] = Field(
        "fresh", description="which ranking model is asked: the newest, or that of a while ago"
    )


class ExperimentSettings(Settings):
    """``[feed.experiments.NAME]``: arms that are compared while the feed works."""

    control: str = Field(description="the arm that the others are compared with")
    arms: dict[str, ArmSettings] = Field(min_length=2, max_length=8, description="each by its name")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.control not in self.arms:
            raise ValueError(f"control: there is no arm {self.control!r}; there are: {', '.join(self.arms)}")
        if (total := sum(arm.share for arm in self.arms.values())) > 1 + 1e-9:
            raise ValueError(f"arms: their shares come to {total:g}, and all people are 1")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The share of each arm, in their order."""
        return {name: arm.share for name, arm in self.arms.items()}

    @property
    def begins_at_second_surface(self) -> bool:
        """Whether the arms are the same for people until they have chosen something on a second surface."""
        return len({(arm.by, arm.snapshot) for arm in self.arms.values()}) == 1


class FeedSettings(Settings):
    """What the feed shows, and what it earns."""

    surfaces: tuple[str, ...] = Field(
        ("home", "video", "short", "long", "live", "groups", "shop"),
        min_length=1,
        description="places that show a feed; the first is shown to who names none",
    )
    usd_per_watched_minute: float = Field(1e-6, ge=0, description="USD that a minute watched earns")
    holdout: float = Field(
        0.1, ge=0.01, le=0.5, description="share of people who get the popular list, so that ranking's worth is known"
    )
    again_after_s: float = Field(
        1800.0, ge=0, description="seconds in which an item that was shown and not chosen is not shown again"
    )
    rank_deadline_s: float = Field(0.5, gt=0, le=10, description="seconds to wait for a ranking before doing without")
    ads_deadline_s: float = Field(0.02, gt=0, le=1, description="seconds to wait for ads before doing without")
    keep_days: int = Field(
        400, ge=1, description="days that events stay; what they say of people, items and earnings stays for good"
    )
    segment_every_s: float = Field(
        60.0, gt=0, description="seconds between two looks for events to write to the files that ranking learns from"
    )
    experiments: dict[str, ExperimentSettings] = Field(
        {}, max_length=20, description="each by its name: lower-case letters, digits, - and _"
    )

    @model_validator(mode="after")
    def _names(self) -> Self:
        if HOLDOUT in self.experiments:
            raise ValueError(f"experiments: {HOLDOUT!r} is the holdout's own name; choose another")
        return self


HOLDOUT = "holdout"
"""The experiment that every feed has: ranked against popular."""
