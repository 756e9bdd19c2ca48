"""Ask a running pool over its own HTTP API."""

import urllib.error
import urllib.request

import orjson
from pydantic import BaseModel, ConfigDict

from tenfold.core.errors import NotRunning, TenfoldError
from tenfold.pool.state import PoolState

TIMEOUT_S = 10.0


class RankedItem(BaseModel):
    """One item of a ranked list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item: int
    title: str
    genres: tuple[str, ...]
    score: float


class Ranked(BaseModel):
    """A ranked list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user: int | None
    items: tuple[RankedItem, ...]


def get_state(url: str) -> PoolState:
    """Read the pool's state.

    Raises:
        NotRunning: nothing answers, or the pool is still starting.
    """
    return PoolState.model_validate_json(_call(f"{url}/api/state", None))


def rank(url: str, user: int, k: int) -> Ranked:
    """Rank the catalog for a user."""
    return Ranked.model_validate_json(_call(f"{url}/v1/rank", {"user": user, "k": k}))


def _call(url: str, body: dict[str, object] | None) -> bytes:
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        if error.code == 503:
            raise NotRunning(f"{url}: {text}", next_step="try again in a moment") from error
        raise TenfoldError(f"{url} answered {error.code}: {text}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise NotRunning(
            f"{url} does not answer: {error}", next_step="see 'tenfold status', or start the pool"
        ) from error
