"""Bounds of one connection."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvicorn

from tenfold.pool import connection
from tenfold.pool.connection import Connection


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def test_a_websocket_outlives_the_time_that_a_request_has_for_its_head(monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(echo, http=Connection, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    # Not by ``serve``, which takes the signals of this process.
    task = asyncio.create_task(server._serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as open_one:
        for word in ("first", "second"):
            await open_one.send_str(word)
            assert await open_one.receive_str(timeout=10) == word
            await asyncio.sleep(0.5)
    server.should_exit = True
    await task
    listener.close()


@asynccontextmanager
async def listening(app):
    """A server whose connections are bounded ones; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=Connection, log_config=None, lifespan="off"))
    task = asyncio.create_task(server._serve([listener]))
    yield listener.getsockname()
    server.should_exit = True
    await task
    listener.close()


@pytest.fixture
async def seen():
    """What a server is asked that notes it, and its address."""
    requests: list[tuple[str, bytes, dict]] = []

    async def note(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        requests.append((scope["path"], body, dict(scope["headers"])))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with listening(note) as address:
        yield requests, address


async def say(address, *parts: bytes) -> bytes:
    """Send parts one after the other; the first line of the answer to the first."""
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.2)
    line = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    return line


async def test_what_comes_after_a_body_is_no_header(seen):
    requests, address = seen
    chunked = (
        b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-tenfold-role: o\r\n\r\n"
    )
    assert b" 200 " in await say(address, chunked)
    ((path, body, headers),) = requests
    assert (path, body) == ("/a", b"hello") and b"x-tenfold-role" not in headers


@pytest.mark.parametrize("protocol", ["h2c", "websockets"])
async def test_a_body_is_never_taken_for_the_next_request(seen, protocol):
    requests, address = seen
    hidden = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
    asks = f"connection: upgrade\r\nupgrade: {protocol}\r\ncontent-length: {len(hidden)}"
    assert b" 400 " in await say(address, f"POST /a HTTP/1.1\r\nhost: x\r\n{asks}\r\n\r\n".encode(), hidden)
    assert requests == []


@pytest.mark.parametrize(
    "head",
    [
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length : 5",
        "POST /a HTTP/1.1\r\nhost: x\r\nx-a: b\r\n folded: y\r\ncontent-length: 5",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity",
        "CONNECT evil.example:80 HTTP/1.1\r\nhost: x",
    ],
)
async def test_a_request_whose_end_is_in_doubt_is_refused(seen, head):
    requests, address = seen
    assert b" 400 " in await say(address, f"{head}\r\n\r\n0\r\n\r\n".encode())
    assert requests == []
