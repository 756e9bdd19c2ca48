"""Passing a request on: what is known of it while nobody has answered yet."""

import asyncio
import socket

import pytest
from starlette.types import Scope

from tenfold.pool.forward import IN_HAND, forward, passing_session


async def given_up(port: int) -> Scope:
    """A request's scope after its client has left, without an answer from this port."""
    scope = {"method": "POST", "raw_path": b"/v1/chat/completions", "query_string": b"", "headers": []}

    async def nothing(_) -> None:
        raise AssertionError("nobody answers")

    async with passing_session() as session:
        url = f"http://127.0.0.1:{port}"
        request = asyncio.create_task(forward(session, url, scope, nothing, headers=[], body=b"{}", begin=nothing))
        await asyncio.sleep(0.2)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    return scope


async def test_who_leaves_while_nobody_takes_the_connection_is_in_nobodys_hand_and_pays_no_prompt():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        port = full.getsockname()[1]
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        assert IN_HAND not in await given_up(port)


async def test_who_leaves_when_the_request_is_sent_had_it_in_hand():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert IN_HAND in await given_up(silent.getsockname()[1])


async def test_a_request_whose_kept_connection_and_its_successor_fail_is_in_nobodys_hand():
    served = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        served += 1
        # The process ends as the next request arrives.
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    async def note(_) -> None:
        pass

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    fates, scopes = [], []
    async with passing_session() as session:
        for _ in range(2):
            scopes.append({"method": "GET", "raw_path": b"/v1/models", "query_string": b"", "headers": []})
            fates.append(await forward(session, url, scopes[-1], note, headers=[], body=None, begin=note))
    await server.wait_closed()
    assert (fates, served) == (["answered", "unreached"], 1)
    assert IN_HAND in scopes[0] and IN_HAND not in scopes[1]
