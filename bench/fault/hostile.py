"""What hostile clients do: bodies that never come, queries of death, endless headers, deep JSON, hundreds of pages."""

import asyncio
import http.client
import json
import re
import socket
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import aiohttp

from fault.kinds import Struck
from fault.pool import HELLO, NotHappened, Pool, ask

BODIES = 40
HOLD_S = 10.0
GRAMMAR_BYTES = 600_000
HEADER_BYTES = 64 << 20
DEPTH = 200_000
PAGES = 400
PAGES_AT_ONCE = 20

CHAT, RANK = "/v1/chat/completions", "/v1/rank"


def withhold_bodies(pool: Pool) -> Struck:
    """Send 40 heads to each service, each with a byte of the body that it promises, and nothing more for 10 s."""
    place = _place(pool)
    with ExitStack() as held:
        for path in (CHAT, RANK):
            head = f"POST {path} HTTP/1.1\r\nHost: {place[0]}:{place[1]}\r\nContent-Length: 1000\r\n"
            for _ in range(BODIES):
                client = held.enter_context(socket.create_connection(place, timeout=5))
                client.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        time.sleep(HOLD_S)
    return Struck()


def ask_query_of_death(pool: Pool) -> Struck:
    """Ask for a chat by a grammar of 600 kB of brackets."""
    half = GRAMMAR_BYTES // 2
    grammar = f'root ::= {"(" * half}"a"{")" * half}'
    status, body = ask(f"{pool.url}{CHAT}", {**HELLO, "grammar": grammar}, 30)
    if b"Connection refused" in body:
        raise NotHappened("the question did not reach the pool")
    print(f"  the query of death was answered {status}: {body[:120]!r}")
    return Struck()


def send_endless_headers(pool: Pool) -> Struck:
    """Send 64 MB of headers, or as many as are taken."""
    place, sent = _place(pool), 0
    line = b"X-Filler: " + b"a" * 8000 + b"\r\n"
    with socket.create_connection(place, timeout=10) as client:
        client.sendall(f"POST {RANK} HTTP/1.1\r\nHost: {place[0]}:{place[1]}\r\n".encode())
        with suppress(OSError):
            while sent < HEADER_BYTES:
                client.sendall(line)
                sent += len(line)
    if not sent:
        raise NotHappened("not one header was taken")
    print(f"  {sent >> 10} kB of headers were taken")
    return Struck()


def send_deep_json(pool: Pool) -> Struck:
    """Send JSON of 200,000 brackets, and an honest request after it on the same connection, which must be answered."""
    place, failed = _place(pool), 0
    for path, key in ((CHAT, "messages"), (RANK, "history")):
        connection = http.client.HTTPConnection(*place, timeout=20)
        try:
            _post(connection, path, f'{{"model": "smollm2-135m", "{key}": {"[" * DEPTH}{"]" * DEPTH}}}')
        except (OSError, http.client.HTTPException):
            connection.close()
        try:
            failed += _post(connection, RANK, json.dumps({"user": 3, "k": 3})) != 200
        except (OSError, http.client.HTTPException):
            failed += 1
        finally:
            connection.close()
    return Struck(failed=failed)


def _post(connection: http.client.HTTPConnection, path: str, body: str) -> int:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def open_pages(pool: Pool) -> Struck:
    """Open 400 console pages with their web sockets and leave them open for 10 s."""
    opened, refused = asyncio.run(_open_pages(pool.url))
    if opened + refused < PAGES:
        raise NotHappened(f"of {PAGES} pages {opened} were opened and {refused} refused")
    print(f"  {opened} pages were opened, {refused} refused")
    return Struck()


async def _open_pages(url: str) -> tuple[int, int]:
    """Return how many pages were opened and how many refused."""
    gate = asyncio.Semaphore(PAGES_AT_ONCE)
    sockets: list[aiohttp.ClientWebSocketResponse] = []
    refused = 0
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

        async def open_one(number: int) -> None:
            nonlocal refused
            async with gate:
                try:
                    async with session.get("/") as response:
                        page = await response.text()
                    found = re.search(r"""client_id["']?\s*:\s*["']([0-9a-f-]{36})""", page)
                    if response.status != 200 or found is None:
                        refused += 1
                        return
                    query = {
                        **{"EIO": "4", "transport": "websocket", "client_id": found[1], "next_message_id": "0"},
                        **{"tab_id": f"tab{number}", "document_id": f"document{number}", "implicit_handshake": "true"},
                    }
                    web_socket = await session.ws_connect("/_nicegui_ws/socket.io/", params=query)
                    await web_socket.receive(timeout=20)
                    await web_socket.send_str("40")
                    sockets.append(web_socket)
                except (aiohttp.ClientError, TimeoutError):
                    refused += 1

        await asyncio.gather(*(open_one(number) for number in range(PAGES)))
        await asyncio.sleep(HOLD_S)
        for web_socket in sockets:
            await web_socket.close()
    return len(sockets), refused


def _place(pool: Pool) -> tuple[str, int]:
    parts = urlsplit(pool.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port
