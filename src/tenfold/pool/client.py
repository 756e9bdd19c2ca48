"""Ask a running pool over its own HTTP API."""

import urllib.error
import urllib.request

import orjson

from tenfold.core.errors import NotRunning, TenfoldError
from tenfold.core.paths import home_dir
from tenfold.pool.api_error import reason_in
from tenfold.pool.runfile import own_headers
from tenfold.pool.state import PoolState

TIMEOUT_S = 10.0


def get_state(url: str) -> PoolState:
    """Read the state of the pool at ``url``.

    Raises:
        NotRunning: nothing answers, or the pool is still starting.
    """
    return PoolState.model_validate_json(ask(url, "/api/state"))


def ask(
    url: str,
    path: str,
    body: dict[str, object] | None = None,
    *,
    method: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> bytes:
    """Give what the pool at ``url`` answers on ``path``, to a body if there is one.

    ``method``: of the request; default: POST with a body, else GET.

    Raises:
        NotRunning: nothing answers, or the pool is still starting.
        TenfoldError: it refuses the request; says why.
    """
    where = f"{url}{path}"
    data = None if body is None else orjson.dumps(body)
    headers = {"content-type": "application/json", **own_headers(home_dir())}
    request = urllib.request.Request(where, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        why = reason_in(error.read().decode("utf-8", "replace"))
        if error.code == 503:
            raise NotRunning(f"{why} ({where})", next_step="try again in a moment") from error
        raise TenfoldError(f"{why} ({where} answered {error.code})") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise NotRunning(
            f"{where} does not answer: {error}", next_step="see 'tenfold status', or start the pool"
        ) from error
