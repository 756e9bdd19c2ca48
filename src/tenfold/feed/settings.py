"""``[feed]`` of ``tenfold.toml``."""

from pydantic import Field

from tenfold.core.config import Settings


class FeedSettings(Settings):
    """What the feed shows, and what it earns."""

    surfaces: tuple[str, ...] = Field(("home", "video"), min_length=1, description="places that show a feed")
    usd_per_watched_minute: float = Field(1e-6, ge=0, description="USD that a minute watched earns")
    holdout: float = Field(
        0.1, ge=0.01, le=0.5, description="share of people who get the popular list, so that ranking's worth is known"
    )
    again_after_s: float = Field(
        1800.0, ge=0, description="seconds in which an item that was shown and not chosen is not shown again"
    )
    rank_deadline_s: float = Field(0.5, gt=0, le=10, description="seconds to wait for a ranking before doing without")
    keep_days: int = Field(
        400, ge=1, description="days that events stay; what they say of people, items and earnings stays for good"
    )
