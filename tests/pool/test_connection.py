"""Bounds of one connection."""

import asyncio
import socket

import aiohttp
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
