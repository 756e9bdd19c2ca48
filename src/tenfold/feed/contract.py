"""What the feed takes and gives over HTTP."""

from typing import Literal

from pydantic import Field

from tenfold.core.frozen import Frozen

LONGEST_NAME = 100
MOST_CARDS = 50
MOST_EVENTS = 1_000
LONGEST_WATCH_S = 24 * 3600.0

PLAIN = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: PostgreSQL takes no NUL in a text, and no name needs a line's end."""

Action = Literal["shown", "opened", "watched", "liked", "not_interested"]
By = Literal["rank", "popular"]


class FeedEvent(Frozen):
    """Something that a person did with an item, told by the surface that showed it."""

    id: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="of the sender's; one seen before is not counted"
    )
    person: str = Field(pattern=PLAIN, max_length=LONGEST_NAME)
    surface: str = Field(min_length=1, max_length=LONGEST_NAME)
    item: int = Field(ge=0, le=2**53)
    action: Action
    seconds: float = Field(0.0, ge=0, le=LONGEST_WATCH_S, allow_inf_nan=False, description="watched, for `watched`")
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


class Card(Frozen):
    """One item of a feed."""

    item: int
    title: str
    genres: tuple[str, ...]
    reason: str = Field(description="why it is here, in a sentence")
    poster: str = Field(description="path of its picture")


class Feed(Frozen):
    """What a person is shown, best first."""

    person: str
    surface: str
    by: By = Field(description="who chose: the ranking model, or the popular list")
    because: str = Field(description="why the popular list, where it chose; else empty")
    cards: tuple[Card, ...]


class Known(Frozen):
    """What the feed remembers of a person."""

    person: str
    holdout: bool = Field(description="gets the popular list, so that ranking's worth can be measured")
    watched: tuple[Card, ...] = Field(description="opened, watched or liked: the latest last")
    blocked: tuple[int, ...] = Field(description="items that the person is not interested in")
    events: int
