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
    """Sizes and training numbers; chosen on the tenth of the events before the test cut (``docs/log.md``)."""

    width: int = Field(48, ge=4, description="channels per item")
    heads: int = Field(2, ge=1)
    length: int = Field(50, ge=2, description="latest items of a history that are read")
    dropout: float = Field(0.3, ge=0, lt=1)
    negatives: int = Field(512, ge=1, description="items drawn per batch that every target competes with")
    batch_events: int = Field(400, ge=1, description="events per batch, padding included")
    epochs: int = Field(8, ge=1)
    learning_rate: float = Field(0.01, gt=0, description="peak, after 50 steps of warm-up; cosine down to 2%")
    weight_decay: float = Field(0.1, ge=0)
    test_share: float = Field(0.1, gt=0, lt=1, description="share of the events, the latest, held out for evaluation")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self
