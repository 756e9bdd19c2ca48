"""What the feed takes and gives over HTTP."""

from typing import Annotated, Literal

from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.feed.item import PLAIN, ItemId

LONGEST_NAME = 100
MOST_CARDS = 50
MOST_EVENTS = 1_000
MOST_FILTERS = 20
LONGEST_WATCH_S = 24 * 3600.0

Action = Literal[
    "shown",
    "opened",
    "watched",
    "liked",
    "saved",
    "shared",
    "commented",
    "bought",
    "skipped",
    "not_interested",
    "less",
    "allowed",
]
CHOICES: tuple[Action, ...] = ("opened", "watched", "liked", "saved", "shared", "commented", "bought")
"""Actions that make an item part of a person's history; their order is that of the bits in which they are kept."""

By = Literal["rank", "popular"]


class FeedEvent(Frozen):
    """Something that a person did with an item, told by the surface that showed it."""

    id: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="of the sender's; one seen before is not counted"
    )
    person: str = Field(pattern=PLAIN, max_length=LONGEST_NAME)
    surface: str = Field(min_length=1, max_length=LONGEST_NAME)
    item: ItemId
    action: Action = Field(
        description="`skipped`: passed by; `not_interested`: never this one again; `less`: less of what is like it;"
        " `allowed`: takes both back"
    )
    seconds: float = Field(0.0, ge=0, le=LONGEST_WATCH_S, allow_inf_nan=False, description="watched, for `watched`")
    ratio: float | None = Field(
        None, ge=0, le=100, allow_inf_nan=False, description="of the item's length that was watched, for `watched`"
    )
    session: str | None = Field(
        None, min_length=1, max_length=LONGEST_NAME, pattern=PLAIN, description="visit; default: this half hour"
    )
    at: float | None = Field(
        None, ge=0, le=1e11, allow_inf_nan=False, description="Unix seconds when it happened; default: now"
    )


class FeedEvents(Frozen):
    """Events in any order; they may be late, and may be sent again."""

    events: tuple[FeedEvent, ...] = Field(min_length=1, max_length=MOST_EVENTS)


class Taken(Frozen):
    """What became of the events. They are on disk when this is answered."""

    new: int = Field(description="counted now")
    repeated: int = Field(description="counted before, by their ids")


class Because(Frozen):
    """Something that the person did, for which a card is there."""

    item: ItemId
    title: str
    surface: str = Field(description="where it was chosen; empty: unknown")


class Card(Frozen):
    """One item of a feed."""

    item: ItemId
    title: str
    genres: tuple[str, ...]
    reason: str = Field(description="why it is here, in a sentence")
    poster: str = Field(description="path or address of its picture")
    author: str = ""
    because: tuple[Because, ...] = Field((), description="what of the person's it rests on, the weightiest first")
    terms: dict[str, float] = Field({}, description="what its place is made of: chances of actions, and their value")
    sponsored: Annotated[dict[str, object] | None, Field(description="what its advertiser is told of; none: no ad")] = (
        None
    )


class Feed(Frozen):
    """What a person is shown, best first."""

    person: str
    surface: str
    by: By = Field(description="who chose: the ranking model, or the popular list")
    because: str = Field(description="why the popular list, where it chose; else empty")
    cards: tuple[Card, ...]
    snapshot: str = Field("", description="version of the ranking model that chose; empty where it does not say")
    arms: dict[str, str] = Field({}, description="the person's arm in each experiment")


class Known(Frozen):
    """What the feed remembers of a person."""

    person: str
    holdout: bool = Field(description="gets the popular list, so that ranking's worth can be measured")
    watched: tuple[Card, ...] = Field(description="opened, watched or liked: the latest last")
    blocked: tuple[ItemId, ...] = Field(description="items that the person is not interested in")
    less: tuple[ItemId, ...] = Field((), description="items of whose like the person wants less")
    events: int


class ToldEvent(FeedEvent):
    """An event as it was taken."""

    taken_at: float = Field(description="Unix seconds when it was told")


class Export(Frozen):
    """All that is kept of a person."""

    known: Known
    events: tuple[ToldEvent, ...] = Field(description="the oldest first")
    experiments: dict[str, str] = Field(description="the person's arm in each experiment that has counted them")
