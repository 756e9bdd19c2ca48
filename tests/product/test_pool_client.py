"""A call to a workload gives an answer in time or says why not; an answer that has begun is never asked for again."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from minipool import TOKEN, free_port
from product_processes import serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tenfold.product.calls import Late
from tenfold.product.pool_client import PoolClient


class Gateway:
    """A stand-in for the front that answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.status = 200
        self.wait_s = 0.0
        self.parts: list[bytes] = []
        self.breaks_off = False

    def app(self) -> Starlette:
        paths = ("/v1/rank", "/v1/chat/completions", "/v1/embeddings")
        return Starlette(routes=[Route(path, self.answer, methods=["POST"]) for path in paths])

    async def answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        await asyncio.sleep(self.wait_s)
        if self.parts or self.breaks_off:
            return StreamingResponse(self._stream(), self.status, headers={"content-length": "1000"})
        return JSONResponse({"path": request.url.path, "for": request.headers["x-tenfold-for"]}, self.status)

    async def _stream(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
            await asyncio.sleep(0.02)
        if self.breaks_off:
            raise ConnectionResetError
        await asyncio.sleep(2)


@pytest.fixture
async def pool():
    gateway = Gateway()
    async with serving(gateway.app()) as url, aiohttp.ClientSession() as session:
        yield gateway, PoolClient(session, url, TOKEN, "feed")


async def test_each_call_goes_to_its_path_in_the_name_of_product_and_tenant(pool):
    _, client = pool
    calls = {client.rank: "/v1/rank", client.chat: "/v1/chat/completions", client.embeddings: "/v1/embeddings"}
    for call, path in calls.items():
        assert await call({"input": "a"}, deadline_s=5.0, tenant="acme") == {"path": path, "for": "feed/acme"}
    assert not client.late


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "busy"), (503, "busy"), (400, "refused"), (404, "refused"), (500, "failed")]
)
async def test_an_answer_that_is_none_says_why_and_is_asked_for_once(pool, status, reason):
    gateway, client = pool
    gateway.status = status
    found = await client.rank({"user": 1}, deadline_s=5.0)
    assert isinstance(found, Late) and found.reason == reason and str(status) in found.detail
    assert len(gateway.asked) == 1
    assert client.late == {("rank", reason): 1}


async def test_a_deadline_ends_the_wait(pool):
    gateway, client = pool
    gateway.wait_s = 0.6
    found = await client.chat({"messages": []}, deadline_s=0.1)
    assert isinstance(found, Late) and found.reason == "deadline"


async def test_an_answer_that_breaks_off_is_not_asked_for_again(pool):
    gateway, client = pool
    gateway.parts, gateway.breaks_off = [b'{"items":'], True
    found = await client.rank({"user": 1}, deadline_s=5.0)
    assert isinstance(found, Late) and found.reason == "broken"
    assert len(gateway.asked) == 1


async def test_who_is_away_is_tried_until_the_deadline_and_answers_once_it_is_back(pool):
    gateway, _ = pool
    port = free_port()
    async with aiohttp.ClientSession() as session:
        client = PoolClient(session, f"http://127.0.0.1:{port}", TOKEN, "feed")
        found = await client.rank({"user": 1}, deadline_s=0.3)
        assert isinstance(found, Late) and found.reason == "unreachable"
        asked = asyncio.create_task(client.rank({"user": 1}, deadline_s=30.0))
        await asyncio.sleep(0.2)
        async with serving(gateway.app(), port):
            assert not isinstance(await asked, Late)
    assert len(gateway.asked) == 1
