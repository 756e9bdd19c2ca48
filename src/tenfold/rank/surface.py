"""``[rank.surfaces.NAME]`` of ``tenfold.toml``: what counts on one surface."""

from pydantic import Field

from tenfold.core.config import Settings


class SurfaceSettings(Settings):
    """``[rank.surfaces.NAME]``: what is worth how much on one surface, and what its lists must keep to."""

    relevance: float = Field(1.0, description="worth of the score, a logit: 1 more is 2.7 times as likely next")
    actions: dict[str, float] = Field({}, description="worth of each action, by its name; below 0 for what harms")
    watched: float = Field(0.0, description="worth of an item that is watched to its end")
    minute: float = Field(0.0, description="worth of a minute watched, of items whose length is known")
    boosts: dict[str, float] = Field({}, description="added to the value of items with an attribute")
    without: tuple[str, ...] = Field((), description="attributes of items that are never shown here")
    newest_days: float | None = Field(None, gt=0, description="days after which an item is no longer shown here")
    most_per_author: int | None = Field(None, ge=1, description="items of one author in a list")
    author_decay: float = Field(0.8, ge=0, le=1, description="what remains of the value per item of the author above")
    diversity: float = Field(0.1, ge=0, le=1, description="weight of being unlike what is above, against the value")
    explore: float = Field(0.0, ge=0, le=0.5, description="chance of each place to show any candidate, to learn of it")
