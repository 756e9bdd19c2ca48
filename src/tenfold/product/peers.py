"""How a product asks another: over HTTP, for a moment, and then it does without."""

import logging
from collections import Counter
from collections.abc import Mapping

import aiohttp

from tenfold.pool.asker import FOR_HEADER
from tenfold.pool.token import TOKEN_HEADER
from tenfold.product.calls import Json, Late, call

log = logging.getLogger(__name__)


class Peers:
    """The other products of this pool.

    Args:
        session: HTTP client.
        urls: address of each product's process.
        token: the pool's secret.
        product: who asks.

    ``late``: how many questions went without an answer, by product and reason.
    """

    def __init__(self, session: aiohttp.ClientSession, urls: Mapping[str, str], token: str, product: str) -> None:
        self._session = session
        self._urls = urls
        self._headers = {TOKEN_HEADER: token, FOR_HEADER: f"{product}/"}
        self.late: Counter[tuple[str, str]] = Counter()

    def has(self, product: str) -> bool:
        """Whether there is such a product in this pool."""
        return product in self._urls

    async def ask(self, product: str, path: str, body: Json | None, deadline_s: float) -> Json | None:
        """Ask another product; none if it is not here, or has not answered well within ``deadline_s``.

        Args:
            product: its name.
            path: of its API, e.g. ``/v1/ads/candidates``.
            body: sent by POST; none for a GET.
            deadline_s: seconds that the answer is worth waiting for.
        """
        url = self._urls.get(product)
        if url is None:
            self.late[product, "absent"] += 1
            return None
        found = await call(self._session, f"{url}{path}", body, self._headers, deadline_s)
        if isinstance(found, Late):
            self.late[product, found.reason] += 1
            log.debug("without %s: %s", product, found.detail)
            return None
        return found
