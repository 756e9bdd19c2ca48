"""What ``/v1/rank`` takes and gives, and how a request that cannot be answered is explained."""

from typing import Self

import orjson
from pydantic import ConfigDict, Field, ValidationError, model_validator

from tenfold.core.frozen import Frozen
from tenfold.rank.stream import Id

MOST_CONTENTS = 256
_LONGEST_LIST = 10_000
_MOST_PROBLEMS = 5
_SHOWN_CHARACTERS = 80
MOST_SAMPLE_USERS = 50


class _Wire(Frozen):
    model_config = ConfigDict(strict=True)


class HistoryEvent(_Wire):
    """Something that a person did; what the ranker does not know of it counts for nothing."""

    item: Id
    surface: str | None = Field(None, description="where; default: the item's own surface")
    actions: tuple[str, ...] = Field((), max_length=32, description="what was done; none: it was only shown")
    watched: float | None = Field(None, ge=0, le=100, description="share of the item's length that was watched")
    at: float | None = Field(None, ge=0, le=1e11, description="Unix seconds")


class Content(_Wire):
    """An item that the ranker has never seen."""

    title: str = Field("", max_length=1000)
    text: str = Field("", max_length=10_000)
    attributes: tuple[str, ...] = Field((), max_length=100)


class Filters(_Wire):
    """What a request lets be shown; every filter that is given must let an item pass."""

    attributes: tuple[str, ...] = Field((), max_length=100, description="items with one of these at least")
    without_attributes: tuple[str, ...] = Field((), max_length=100, description="items with none of these")
    authors: tuple[str, ...] = Field((), max_length=1000, description="items by one of these")
    without_authors: tuple[str, ...] = Field((), max_length=1000, description="items by none of these: blocks")
    without: tuple[Id, ...] = Field((), max_length=10_000, description="items that are not shown")
    born_after: float | None = Field(None, description="Unix seconds; items that came later, or of unknown age")


class RankRequest(_Wire):
    """Rank for a user of the data set, for a history, or for events on several surfaces."""

    user: int | None = Field(None, description="user id of the data set, whose events are the history")
    history: tuple[Id, ...] | None = Field(
        None, max_length=_LONGEST_LIST, description="item ids, oldest first; empty: what people begin with"
    )
    events: tuple[HistoryEvent, ...] | None = Field(
        None, max_length=_LONGEST_LIST, description="a history with what was done where, oldest first; it may be empty"
    )
    person: str | None = Field(
        None, min_length=1, max_length=200, description="whose history it is; what was read of it may be kept by this"
    )
    surface: str | None = Field(
        None,
        max_length=200,
        description="where it is shown, which decides what is worth how much; default: anywhere",
    )
    k: int = Field(10, ge=1, le=100, description="items wanted")
    exclude_seen: bool = Field(True, description="leave out items of the history")
    candidates: tuple[Id, ...] | None = Field(
        None, min_length=1, max_length=_LONGEST_LIST, description="item ids to choose from; default: the whole catalog"
    )
    exclude: tuple[Id, ...] = Field((), max_length=_LONGEST_LIST, description="item ids to leave out")
    filters: Filters | None = Field(None, description="what may be shown; each must let an item pass")
    explain: bool = Field(False, description="tell the terms of each item's value, and the events that weigh most")
    embeddings: bool = Field(False, description="tell the vectors of the person and of the items")
    contents: tuple[Content, ...] = Field(
        (), max_length=MOST_CONTENTS, description="items never seen, whose vectors are told with `embeddings`"
    )
    stale: bool = Field(False, description="ask the snapshot of a while ago: what a fresher one is compared with")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.user is not None, self.history is not None, self.events is not None]
        if sum(given) != 1:
            found = "neither" if not any(given) else "both"
            if self.events is None:
                raise ValueError(f"give exactly one of 'user' and 'history', got {found}")
            raise ValueError("give exactly one of 'user', 'history' and 'events', got several")
        return self


class RankedItem(_Wire):
    """One item of the answer. What is none or empty here is absent where it was not asked for."""

    item: Id
    title: str
    genres: tuple[str, ...]
    score: float = Field(description="logit; higher is better, comparable within one answer only")
    value: float | None = Field(None, description="what showing it on the surface is worth")
    propensity: float | None = Field(
        None, description="probability that it stands here, given those above; log it with what becomes of it"
    )
    terms: dict[str, float] = Field({}, description="what its value is the sum of")
    chances: dict[str, float] = Field({}, description="probability of each action")
    because: tuple[Id, ...] = Field((), description="items of the history that weigh most, the weightiest first")


class Embeddings(_Wire):
    """Vectors of one snapshot; those of different snapshots cannot be compared. Each has length 1."""

    person: tuple[float, ...]
    items: tuple[tuple[float, ...], ...] = Field(description="of the answer's items, in their order")
    contents: tuple[tuple[float, ...], ...] = Field((), description="of the request's contents, in their order")


class RankResponse(_Wire):
    """The best items, best first."""

    model: str
    user: int | None
    items: tuple[RankedItem, ...]
    seen_excluded: int = Field(description="items left out because they are in the history")
    snapshot: str = Field("", description="version of the trained ranker that answered")
    embeddings: Embeddings | None = Field(None, description="absent where it was not asked for")


class SampleUser(_Wire):
    """A user of the data set that a page can offer to rank for."""

    user: int
    last_titles: tuple[str, ...] = Field(description="of the latest five events, oldest first")


class SampleUsers(_Wire):
    """Some users of the data set, spread evenly over the ids."""

    users: tuple[SampleUser, ...]


class CatalogItem(_Wire):
    """One item that can be ranked."""

    item: Id
    title: str
    genres: tuple[str, ...]
    viewers: int = Field(description="people who had seen it in the data that the model learned from")
    surfaces: tuple[str, ...] = Field((), description="on which it may be shown; empty: all")
    author: str = ""


class CatalogItems(_Wire):
    """The whole catalog, in rising order of id."""

    items: tuple[CatalogItem, ...]


class LearnedEpoch(_Wire):
    """One pass over the training events."""

    loss: float = Field(description="nats per target, mean over the epoch")
    validation: float | None = Field(description="NDCG@10 on validation events; none: not asked")


class LearnedQuality(_Wire):
    """How well one system foretold what people did after all that it had learned."""

    system: str
    users_kind: str = Field(description="all, returning, new, or those on a surface")
    ndcg_at_10: float
    ndcg_low: float = Field(description="95% bootstrap over users")
    ndcg_high: float
    queries: int


class RankModel(_Wire):
    """The model that answers: what it has learned, how that went, and how good it was found to be."""

    snapshot: str
    model: str
    trained_at: float = Field(description="Unix seconds")
    latest_event_at: float = Field(description="Unix seconds of the last event that it learned from")
    people: int
    items: int
    events: int
    parameters: int
    surfaces: tuple[str, ...]
    epochs: tuple[LearnedEpoch, ...]
    quality: tuple[LearnedQuality, ...] = Field(description="empty where it was not evaluated")


class BadRequest(Exception):
    """A request that cannot be answered; ``status`` is 400 for what is not JSON, else 422."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_request(body: bytes) -> RankRequest:
    """Validate the body of ``POST /v1/rank``.

    Raises:
        BadRequest: names each wrong field, its value, and what would be right.
    """
    try:
        return RankRequest.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    if problems[0]["type"] == "json_invalid":
        raise BadRequest(400, f"the body is not JSON: {problems[0]['msg'].removeprefix('Invalid JSON: ')}")
    told = [_explain(problem["loc"], problem["msg"], problem["input"]) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    raise BadRequest(422, "; ".join(told))


def _explain(location: tuple[int | str, ...], message: str, value: object) -> str:
    if message.startswith("Value error, "):
        return message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        return f"{location[0]:.{_SHOWN_CHARACTERS}}: unknown field; known are {', '.join(RankRequest.model_fields)}"
    field = str(location[0]) if location else "the body"
    place = "".join(f"[{part}]" for part in location[1:])
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
    return f"{field}{place}: {message.replace('Tuple', 'List')}, got {shown}"


def person_of(body: bytes) -> bytes | None:
    """Find whose request it is, so that it goes to the resident that keeps their state."""
    if b'"person"' not in body:
        return None
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    person = told.get("person") if isinstance(told, dict) else None
    return person.encode("utf-8", "replace") if isinstance(person, str) else None
