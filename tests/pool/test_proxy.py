"""What the front passes to products: a real server over real sockets, which answers, dawdles, dies and streams."""

import asyncio
import contextlib
import gzip
import hashlib
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from minipool import TOKEN, free_port, serve, until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from yarl import URL

from tenfold.pool import proxy
from tenfold.pool.answer import answered
from tenfold.pool.product_route import ProductRoute, covers
from tenfold.pool.proxy import Proxy

LIMIT = 300_000


class Shop:
    """A product that does what its paths say, and notes what it saw."""

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.counts, self.counts_status = "{}", 200
        self.left = asyncio.Event()
        self.go_on = asyncio.Event()

    def app(self) -> Starlette:
        routes = [
            Route("/v1/shop/told", self.told, methods=["GET", "POST", "HEAD"]),
            Route("/v1/shop/upload", self.upload, methods=["POST"]),
            Route("/v1/shop/events", self.events),
            Route("/v1/shop/cut", self.cut),
            Route("/v1/shop/never", self.never, methods=["GET"]),
            Route("/product/counts", lambda _: Response(self.counts, self.counts_status)),
            Route("/v1/shop/fails", lambda _: Response(status_code=500)),
            Route("/v1/shop/moved", lambda _: RedirectResponse("/v1/shop/told")),
            WebSocketRoute("/v1/shop/talk", self.talk),
        ]
        return Starlette(routes=routes)

    async def told(self, request: Request) -> Response:
        body = await request.body()
        told = {"path": request.scope["raw_path"].decode(), "query": request.url.query, "bytes": len(body)}
        told["sha256"] = hashlib.sha256(body).hexdigest()
        return JSONResponse(told | {"headers": dict(request.headers)}, headers={"x-own": "yes"})

    async def upload(self, request: Request) -> Response:
        async for part in request.stream():
            self.parts.append(len(part))
            self.go_on.set()
        return JSONResponse({"bytes": sum(self.parts)})

    async def events(self, _: Request) -> Response:
        async def two():
            try:
                yield b"data: one\n\n"
                await self.go_on.wait()
                yield b"data: two\n\n"
            finally:
                self.left.set()

        return StreamingResponse(two(), media_type="text/event-stream")

    async def cut(self, _: Request) -> Response:
        async def half():
            yield b"half"
            raise RuntimeError("on purpose")

        return StreamingResponse(half())

    async def never(self, request: Request) -> Response:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.left.set()
        return Response()

    async def talk(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="chat" if "chat" in socket.scope["subprotocols"] else None)
        try:
            while (text := await socket.receive_text()) != "bye":
                await socket.send_text(f"{socket.headers['x-tenfold-token']}: {text}")
                await socket.send_bytes(b"\x00\xff")
            await socket.close(4001)
        except WebSocketDisconnect:
            self.left.set()


class Front:
    def __init__(self, url: str, proxy: Proxy, session: aiohttp.ClientSession) -> None:
        self.url, self.proxy, self.session = url, proxy, session

    def ask(self, path: str, method: str = "GET", **more):
        return self.session.request(method, URL(f"{self.url}/v1/shop/{path}", encoded=True), **more)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
async def front(shop):
    url, serving = serve(shop.app())
    async with _front({"shop": ProductRoute(url=url, prefixes=("/v1/shop",))}) as found:
        yield found
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@asynccontextmanager
async def _front(products):
    proxy = Proxy(TOKEN, body_limit_bytes=LIMIT)
    proxy.learn(products)
    async with proxy.running(), aiohttp.ClientSession() as session:
        url, serving = serve(answered(proxy))
        yield Front(url, proxy, session)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def refused(response: aiohttp.ClientResponse, status: int) -> str:
    assert (response.status, response.content_type) == (status, "application/json")
    return (await response.json())["error"]["message"]


# ---- which product


def test_a_prefix_covers_itself_and_what_is_below():
    assert all(covers("/v1/feed", path) for path in ("/v1/feed", "/v1/feed/", "/v1/feed/events"))
    assert not any(covers("/v1/feed", path) for path in ("/v1/fee", "/v1/feeds", "/x/v1/feed"))
    assert covers("/.well-known/", "/.well-known/ucp") and not covers("/.well-known/", "/.well-known")


def test_the_longest_prefix_counts_and_says_whether_it_is_public():
    found = Proxy(TOKEN, body_limit_bytes=LIMIT)
    found.learn(
        {
            "ads": ProductRoute(url="http://ads", prefixes=("/v1/ads",), public=("/v1/ads/widget", "/w")),
            "more": ProductRoute(url="http://more", prefixes=("/v1/ads/widget/admin",)),
        }
    )
    assert [found.product_of(path) for path in ("/v1/ads", "/v1/ads/widget/admin/x", "/w/1", "/v1/rank", "/")] == [
        "ads", "more", "ads", None, None,
    ]  # fmt: skip
    asked = ("/v1/ads/widget/a.js", "/w", "/v1/ads", "/v1/ads/widget/admin", "/v1/rank")
    assert [found.is_public(path) for path in asked] == [True, True, False, False, False]


@pytest.mark.parametrize("prefix", ["/", "", "v1/feed", "//", "/a?b"])
def test_a_prefix_that_would_take_everything_is_refused(prefix):
    with pytest.raises(ValueError, match="prefixes"):
        ProductRoute(url="http://x", prefixes=(prefix,))


# ---- what passes


async def test_a_request_and_its_answer_pass_as_they_are(front):
    headers = {"x-request-id": "mine", "x-tenfold-token": "forged", "host": "shop.example", "user-agent": "me/1"}
    async with front.ask("told?a=%2Fb&c", "POST", data=b"x" * 1000, headers=headers) as response:
        told = await response.json()
        assert response.headers["x-request-id"] == "mine" and response.headers["x-own"] == "yes"
    assert (told["path"], told["query"], told["bytes"]) == ("/v1/shop/told", "a=%2Fb&c", 1000)
    seen = told["headers"]
    assert (seen["x-tenfold-token"], seen["x-request-id"], seen["host"]) == (TOKEN, "mine", "shop.example")
    assert (seen["content-length"], seen["x-forwarded-for"], seen["user-agent"]) == ("1000", "127.0.0.1", "me/1")
    async with front.ask("told", "HEAD") as response:
        assert response.status == 200 and int(response.headers["content-length"]) > 10
    async with front.ask("moved", allow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (307, "/v1/shop/told")


async def test_no_key_reaches_a_product_and_what_the_client_says_of_proxies_is_ours(front):
    key = "tf_0123456789ab_" + "x" * 43
    headers = {
        "authorization": f"Bearer {key}",
        "cookie": f"a=1; tenfold_key={key}; b=2",
        "x-forwarded-for": "9.9.9.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "host": "shop.example:81",
    }
    async with front.ask("told", headers=headers) as response:
        seen = (await response.json())["headers"]
    assert key not in str(seen) and "authorization" not in seen and seen["cookie"] == "a=1; b=2"
    # The server has believed a proxy on loopback in who the client is, and in nothing else.
    told = {name: seen[name] for name in seen if name.startswith("x-forwarded")}
    assert told == {
        "x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example:81",
    }  # fmt: skip
    async with front.ask("told", headers={"cookie": f"tenfold_key={key}"}) as response:
        assert "cookie" not in (await response.json())["headers"]


async def test_on_a_public_path_what_is_no_key_of_the_pool_is_the_products(front):
    route = front.proxy._products["shop"].model_copy(update={"public": ("/v1/shop/told",)})
    front.proxy.learn({"shop": route})
    for sent, got in (("Bearer of-the-shop", "Bearer of-the-shop"), ("Bearer tf_0123456789ab_" + "x" * 43, None)):
        async with front.ask("told", headers={"authorization": sent}) as response:
            assert (await response.json())["headers"].get("authorization") == got


async def test_a_signed_body_passes_bit_by_bit(front, shop):
    """A webhook's sender signs the bytes: unpacked, joined or encoded anew they would be worth nothing."""
    body = gzip.compress(b'{"entry": [1,  2]}')
    headers = {"content-encoding": "gzip", "content-type": "application/json", "x-hub-signature-256": "sha256=a"}
    async with front.ask("told", "POST", data=body, headers=headers) as response:
        told = await response.json()
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert {name: told["headers"][name] for name in headers} == headers


async def test_a_body_passes_while_it_comes(front, shop):
    async def slowly():
        yield b"a" * 100
        # The product has the first part before the second is sent.
        await asyncio.wait_for(shop.go_on.wait(), 20)
        yield b"b" * 50

    async with front.ask("upload", "POST", data=slowly()) as response:
        assert await response.json() == {"bytes": 150}
    assert shop.parts[0] == 100


async def test_an_answer_passes_while_it_comes_and_ends_with_its_client(front, shop):
    async with front.ask("events") as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"data: one\n"
        shop.go_on.set()
        assert b"data: two" in await response.content.read()
    shop.go_on.clear()
    shop.left.clear()
    async with front.ask("events") as response:
        await response.content.readline()
        response.close()
    await asyncio.wait_for(shop.left.wait(), 20)


async def test_a_websocket_passes_both_ways_and_closes_with_its_code(front, shop):
    async with front.session.ws_connect(f"{front.url}/v1/shop/talk", protocols=("other", "chat")) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == f"{TOKEN}: hello"
        assert await socket.receive_bytes() == b"\x00\xff"
        await socket.send_str("bye")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4001
    async with front.session.ws_connect(f"{front.url}/v1/shop/talk"):
        pass
    await asyncio.wait_for(shop.left.wait(), 20)


# ---- bounds


async def test_a_body_over_the_limit_is_refused_told_or_not(front, shop):
    async with front.ask("upload", "POST", data=b"x" * (LIMIT + 1)) as response:
        assert "larger than 300000 bytes" in await refused(response, 413)
    assert shop.parts == [], "the product heard of it"

    async def endless():
        while True:
            yield b"x" * 50_000

    with contextlib.suppress(aiohttp.ClientOSError):
        async with front.ask("upload", "POST", data=endless()) as response:
            assert response.status == 413
    assert sum(shop.parts) <= LIMIT


async def test_a_client_that_sends_too_slowly_is_refused(front, monkeypatch):
    monkeypatch.setattr("tenfold.pool.body.GRACE_S", 0.2)

    async def stuck():
        yield b"x"
        await asyncio.sleep(60)

    async with front.ask("upload", "POST", data=stuck()) as response:
        assert "too slowly" in await refused(response, 408)


async def test_a_product_holds_so_many_requests_and_no_more(front, shop, monkeypatch):
    monkeypatch.setattr(proxy, "MOST_IN_FLIGHT", 2)
    held = [asyncio.create_task(_status(front, "never")) for _ in range(2)]
    await until(lambda: front.proxy._in_flight["shop"] == 2)
    async with front.ask("told") as response:
        assert "may have no more" in await refused(response, 503)
        assert response.headers["retry-after"] == "2"
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    await until(lambda: front.proxy._in_flight["shop"] == 0)
    assert await _status(front, "told") == 200


async def test_one_who_has_no_key_leaves_room_for_others(front, monkeypatch):
    """Slow requests to a public path: one address fills half of the places, and everybody else gets through."""
    monkeypatch.setattr(proxy, "MOST_IN_FLIGHT", 16)
    flood = [asyncio.create_task(_as(front, "9.9.9.9", "never")) for _ in range(12)]

    async def held(count: int) -> None:
        """Wait until so many places are taken: one is free again a moment after its client has the answer."""
        await until(lambda: front.proxy._in_flight["shop"] == count)

    await held(8)
    await until(lambda: sum(each.done() for each in flood) == 4)
    assert {each.result() for each in flood if each.done()} == {429}
    for client in ("8.8.8.8", "7.7.7.7"):
        assert await _as(front, client, "told") == 200
        await held(8)
    assert await _as(front, "9.9.9.9", "told") == 429
    # A tenant's visitors, wherever they are, leave room to other tenants' too.
    flood += [asyncio.create_task(_as(front, f"8.8.8.{n}", "never", tenant="acme")) for n in range(10)]
    await held(15)
    await until(lambda: sum(each.done() for each in flood) == 7)
    assert await _as(front, "6.6.6.6", "told", tenant="acme") == 429
    assert await _as(front, "6.6.6.6", "told", tenant="brand") == 200
    await held(15)
    assert await _as(front, "6.6.6.6", "told", role="owner", tenant="acme") == 200
    await held(15)
    flood.append(asyncio.create_task(_as(front, "9.9.9.9", "never", role="operator")))
    await held(16)
    assert await _as(front, "6.6.6.6", "told", role="operator") == 503, "nobody has more than there are"
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    await held(0)
    assert await _as(front, "9.9.9.9", "told") == 200


def test_who_has_a_network_of_addresses_is_one():
    def names(client: str) -> dict[str, int]:
        headers = [(b"x-tenfold-role", b"public"), (b"x-tenfold-tenant", b"acme")]
        return proxy._holders({"client": (client, 1), "headers": headers})

    assert names("2001:db8::1") == names("2001:db8::ffff:1") != names("2001:db8:0:1::1")
    assert names("::ffff:9.9.9.9") == names("9.9.9.9") != names("9.9.9.8")


async def _as(front: Front, client: str, path: str, role: str = "public", tenant: str = "") -> int:
    """Ask as the door would have said: its word is taken here from headers, and from the server on the address."""
    told = {"x-tenfold-role": role, "x-tenfold-tenant": tenant, "x-tenfold-key": "k", "x-forwarded-for": client}
    async with front.ask(path, headers=told) as response:
        return response.status


async def _status(front: Front, path: str) -> int:
    async with front.ask(path) as response:
        return response.status


# ---- a product that is gone, late, or breaks off


async def test_a_product_that_is_dead_is_answered_for_and_found_again_where_it_moved(front):
    alive = front.proxy._products["shop"]
    front.proxy.learn({"shop": alive.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})})
    async with front.ask("told", "POST", data=b"{}") as response:
        assert "shop does not answer" in await refused(response, 503)
        assert response.headers["retry-after"] == "2"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await front.session.ws_connect(f"{front.url}/v1/shop/talk")
    assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "2")
    front.proxy.learn({"shop": alive})
    assert await _status(front, "told") == 200


async def test_a_product_that_is_late_is_answered_for_and_stops(front, shop, monkeypatch):
    monkeypatch.setattr(proxy, "LATE_S", 0.3)
    async with front.ask("never") as response:
        assert "has not answered within 0.3 s" in await refused(response, 503)
    await asyncio.wait_for(shop.left.wait(), 20)


async def test_a_product_that_breaks_off_before_its_answer_is_not_asked_again(front):
    asked = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        front.proxy.learn({"shop": ProductRoute(url=f"http://127.0.0.1:{port}", prefixes=("/v1/shop",))})
        async with front.ask("told", "POST", data=b"{}") as response:
            assert "broke off before it answered" in await refused(response, 503)
    assert len(asked) == 1


async def test_an_answer_that_is_cut_is_seen_to_be_cut(front):
    with pytest.raises(aiohttp.ClientPayloadError):
        async with front.ask("cut") as response:
            assert response.status == 200
            await response.read()
    assert json.loads(await (await front.ask("told")).read())["bytes"] == 0


async def test_a_product_that_fails_at_everything_is_told_until_it_answers(front):
    for _ in range(3):
        assert front.proxy.health.trouble == ""
        async with front.ask("fails") as answer:
            assert answer.status == 500
    assert "the product shop failed at each of its last 3 requests, and answered 500" in front.proxy.health.trouble
    async with front.ask("told") as answer:
        assert answer.status == 200
    assert front.proxy.health.trouble == ""


async def test_what_a_product_says_is_wrong_with_it_is_told_as_long_as_it_says_so(front, shop):
    assert await front.proxy.troubles() == {"shop": ""}
    shop.counts = json.dumps({"trouble": "its token has expired", "product": "shop"})
    assert await front.proxy.troubles() == {"shop": "its token has expired"}
    for said in ("[]", "no JSON", "{}"):
        shop.counts = said
        assert await front.proxy.troubles() == {"shop": ""}
    # Whose database cannot be read can say nothing else.
    shop.counts_status = 500
    assert "answers 500; logs/shop.log" in (await front.proxy.troubles())["shop"]
    shop.counts_status = 200
    front.proxy.learn({"shop": ProductRoute(url=f"http://127.0.0.1:{free_port()}", prefixes=("/v1/shop",))})
    assert await front.proxy.troubles() == {"shop": ""}
