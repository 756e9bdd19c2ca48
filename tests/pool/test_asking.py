"""What a page asks for is answered, or said to be refused in words that somebody can use."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from tenfold.pool.api_error import error_body
from tenfold.pool.asking import Api


class Asked(BaseModel):
    method: str
    told: dict[str, int] | None = None


async def answer(request):
    told = await request.json() if request.can_read_body else None
    return web.json_response(Asked(method=request.method, told=told).model_dump(), status=202 if told else 200)


async def refuse(_):
    return web.Response(status=409, body=error_body(409, "it has ended"))


async def fail(_):
    return web.Response(status=502, text="no words that a program reads")


async def ask(path, body=None, *, is_there=True):
    said = []
    app = web.Application()
    app.router.add_routes([web.route("*", "/v1/shop/answer", answer), web.get("/v1/shop/refuse", refuse)])
    app.router.add_get("/v1/shop/fail", fail)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        if not is_there:
            await server.close()
        found = await Api(lambda: url, {}, "/v1/shop", said.append).ask(Asked, path, body)
    return found, "; ".join(said)


def test_it_is_read_without_a_body_and_told_with_one():
    assert asyncio.run(ask("/answer")) == (Asked(method="GET"), "")
    assert asyncio.run(ask("/answer", {"a": 1})) == (Asked(method="POST", told={"a": 1}), "")


@pytest.mark.parametrize(
    ("path", "is_there", "words"),
    [("/refuse", True, "it has ended"), ("/fail", True, "no words"), ("/answer", False, "no answer from the gateway")],
)
def test_what_is_refused_is_said(path, is_there, words):
    found, said = asyncio.run(ask(path, is_there=is_there))
    assert found is None
    assert words in said
