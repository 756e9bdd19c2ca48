"""What the ranking model has learned, as it tells itself: for the team's page, which does without where it is late."""

from pydantic import ConfigDict, Field

from tenfold.core.frozen import Frozen


class _Told(Frozen):
    """What a model tells beside this is not shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Quality(_Told):
    """How well one system foretold what people did after all that it had learned."""

    system: str
    users_kind: str = Field(description="of whom: all, returning, new, or those on a surface")
    ndcg_at_10: float
    ndcg_low: float
    ndcg_high: float
    queries: int


class Epoch(_Told):
    """One pass over the events."""

    loss: float
    validation: float | None = None


class Learned(_Told):
    """A model: what it learned from, how that went, and how good it was found to be."""

    snapshot: str
    model: str
    trained_at: float = Field(description="Unix seconds")
    latest_event_at: float = Field(description="Unix seconds of the last event that it learned from")
    people: int
    items: int
    events: int
    parameters: int
    surfaces: tuple[str, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    quality: tuple[Quality, ...] = ()
