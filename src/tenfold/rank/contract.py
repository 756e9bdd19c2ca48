"""What ``/v1/rank`` takes and gives, and how a request that cannot be answered is explained."""

from typing import Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from tenfold.core.frozen import Frozen

_LONGEST_LIST = 10_000
_MOST_PROBLEMS = 5
_SHOWN_CHARACTERS = 80
MOST_SAMPLE_USERS = 50


class _Wire(Frozen):
    model_config = ConfigDict(strict=True)


class RankRequest(_Wire):
    """Rank for a user of the data set or for a history."""

    user: int | None = Field(None, description="user id of the data set, whose events are the history")
    history: tuple[int, ...] | None = Field(
        None, max_length=_LONGEST_LIST, description="item ids, oldest first; empty: what people begin with"
    )
    k: int = Field(10, ge=1, le=100, description="items wanted")
    exclude_seen: bool = Field(True, description="leave out items of the history")
    candidates: tuple[int, ...] | None = Field(
        None, min_length=1, max_length=_LONGEST_LIST, description="item ids to choose from; default: the whole catalog"
    )
    exclude: tuple[int, ...] = Field((), max_length=_LONGEST_LIST, description="item ids to leave out")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.user is None) == (self.history is None):
            found = "neither" if self.user is None else "both"
            raise ValueError(f"give exactly one of 'user' and 'history', got {found}")
        return self


class RankedItem(_Wire):
    """One item of the answer."""

    item: int
    title: str
    genres: tuple[str, ...]
    score: float = Field(description="logit; higher is better, comparable within one answer only")


class RankResponse(_Wire):
    """The best items, best first."""

    model: str
    user: int | None
    items: tuple[RankedItem, ...]
    seen_excluded: int = Field(description="items left out because they are in the history")


class SampleUser(_Wire):
    """A user of the data set that a page can offer to rank for."""

    user: int
    last_titles: tuple[str, ...] = Field(description="of the latest five events, oldest first")


class SampleUsers(_Wire):
    """Some users of the data set, spread evenly over the ids."""

    users: tuple[SampleUser, ...]


class CatalogItem(_Wire):
    """One item that can be ranked."""

    item: int
    title: str
    genres: tuple[str, ...]
    viewers: int = Field(description="people who had seen it in the data that the model learned from")


class CatalogItems(_Wire):
    """The whole catalog, in rising order of id."""

    items: tuple[CatalogItem, ...]


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
