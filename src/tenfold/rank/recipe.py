"""What the ranker learns from and how: the data and the numbers that make an artifact what it is."""

from typing import Self

from pydantic import Field, model_validator

from tenfold.core.assets import Asset
from tenfold.core.frozen import Frozen

_MEMBERS = "recbole/dataset_example/ml-100k"
DATA = Asset(
    name="ml-100k",
    package="recbole",
    version="1.2.1",
    sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    members={f"{_MEMBERS}/{file}": file for file in ("ml-100k.inter", "ml-100k.item", "ml-100k.user")},
    license="GroupLens terms: research use, no redistribution (fetched, never committed)",
    purpose="MovieLens-100K, the ratings that rank learns from",
)


class Recipe(Frozen):
    """Sizes and training numbers; one recipe for all data, chosen on validation events (``docs/log.md``)."""

    width: int = Field(128, ge=4, description="channels per item")
    heads: int = Field(2, ge=1)
    blocks: int = Field(1, ge=1)
    widen: int = Field(2, ge=0, description="times the width inside a block's SwiGLU; 0: blocks have none, as HSTU's")
    length: int = Field(50, ge=2, description="latest items of a history that are read")
    context: int = Field(0, ge=0, description="events that a window in the middle of a history reads before it learns")
    dropout: float = Field(0.45, ge=0, lt=1)
    own_dropout: float = Field(0.1, ge=0, lt=1, description="share of items that a batch knows by their content only")
    cold_places: float = Field(
        1.5, ge=0, description="places in lists of an item without events, for one of an average item's; see ``cold``"
    )
    event_dropout: float = Field(0.0, ge=0, lt=1, description="share of events of a history whose item is not told")
    anywhere: float = Field(
        0.2, ge=0, le=1, description="share of targets asked for on no surface; with 0, that is not learned"
    )
    gaps: bool = Field(True, description="read the time between events")
    temperature: float = Field(0.05, gt=0, description="a score is a cosine over this")
    negatives: int = Field(1024, ge=1, description="items drawn per batch that every target competes with")
    batch_events: int = Field(2000, ge=1, description="events per batch; fewer where there are few, see ``lessons``")
    epochs: int = Field(15, ge=1)
    learning_rate: float = Field(0.001, gt=0, description="peak, after 50 steps of warm-up; cosine down to 2%")
    weight_decay: float = Field(0.1, ge=0)
    test_share: float = Field(0.1, gt=0, lt=1, description="share of the events, the latest, held out for evaluation")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.context >= self.length:
            raise ValueError(f"context {self.context} leaves nothing of length {self.length} to learn")
        return self


class Shape(Frozen):
    """How much of each thing the data has; what it lacks gets no parameters."""

    items: int = Field(ge=1)
    attributes: int = Field(0, ge=0, description="words that items share")
    content: int = Field(0, ge=0, description="numbers in an embedded text; 0: items have no text")
    surfaces: int = Field(1, ge=1)
    actions: int = Field(1, ge=1)
    timed: bool = Field(False, description="events have times, so that gaps between them mean something")
    judged: bool = Field(False, description="actions differ between events, so that they can be foretold")
    watched: bool = Field(False, description="the share watched is known of some events")
