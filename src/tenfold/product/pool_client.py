"""How a product reaches accelerators: through the gateway, in the name of a product and a tenant."""

from collections import Counter

import aiohttp

from tenfold.pool.asker import FOR_HEADER
from tenfold.pool.token import TOKEN_HEADER
from tenfold.product.calls import Json, Late, call


class PoolClient:
    """Asks the pool's workloads. Every call has a deadline and gives an answer or ``Late``; none raises for a late one.

    Args:
        session: HTTP client.
        url: the front's address.
        token: the pool's secret.
        product: in whose name.

    ``late``: how many calls went without an answer, by workload and reason.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, product: str) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._product = product
        self.late: Counter[tuple[str, str]] = Counter()

    async def rank(self, body: Json, *, deadline_s: float, tenant: str = "") -> Json | Late:
        """Rank a catalog; ``body`` as ``POST /v1/rank`` takes it."""
        return await self._call("rank", "/v1/rank", body, tenant, deadline_s)

    async def items(self, *, deadline_s: float) -> Json | Late:
        """Read the catalog that can be ranked; as ``GET /v1/rank/items`` gives it."""
        return await self._call("items", "/v1/rank/items", None, "", deadline_s)

    async def ranking_model(self, *, deadline_s: float) -> Json | Late:
        """Read what the ranking model is and has learned; as ``GET /v1/rank/model`` gives it."""
        return await self._call("model", "/v1/rank/model", None, "", deadline_s)

    async def chat(self, body: Json, *, deadline_s: float, tenant: str = "") -> Json | Late:
        """Answer a chat; ``body`` as ``POST /v1/chat/completions`` takes it."""
        return await self._call("chat", "/v1/chat/completions", {**body, "stream": False}, tenant, deadline_s)

    async def embeddings(self, body: Json, *, deadline_s: float, tenant: str = "") -> Json | Late:
        """Embed texts; ``body`` as OpenAI's ``POST /v1/embeddings`` takes it. ``refused`` where no workload does."""
        return await self._call("embeddings", "/v1/embeddings", body, tenant, deadline_s)

    async def _call(self, what: str, path: str, body: Json | None, tenant: str, deadline_s: float) -> Json | Late:
        found = await call(self._session, f"{self._url}{path}", body, self._headers(tenant), deadline_s)
        return self._count(what, found) if isinstance(found, Late) else found

    def _count(self, what: str, late: Late) -> Late:
        self.late[what, late.reason] += 1
        return late

    def _headers(self, tenant: str) -> dict[str, str]:
        return {TOKEN_HEADER: self._token, FOR_HEADER: f"{self._product}/{tenant}"}
