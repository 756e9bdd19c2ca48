"""A websocket passed through: one to the client, one to the process behind, and whatever comes on either."""

import asyncio
from collections.abc import Iterable

import aiohttp
from starlette.types import Receive, Scope, Send

from tenfold.pool.forward import CONNECT_S, behind

LONGEST_MESSAGE_BYTES = 1 << 20
"""From the process behind; what a client may send is the server's own bound."""

HEARTBEAT_S = 20.0
_OWN = ("sec-websocket-",)
GOING_AWAY = 1001
BROKEN = 1011


async def relay(
    session: aiohttp.ClientSession,
    url: str,
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: Iterable[tuple[str, str]],
) -> bool:
    """Take a client's websocket and join it to one at ``url``, until either ends.

    Returns:
        False if the process behind did not take it; the handshake is then still to be answered.
    """
    await receive()
    try:
        async with asyncio.timeout(CONNECT_S * 2):
            other = await session.ws_connect(
                behind(url, scope),
                protocols=scope["subprotocols"],
                headers=[(name, value) for name, value in headers if not name.startswith(_OWN)],
                heartbeat=HEARTBEAT_S,
                max_msg_size=LONGEST_MESSAGE_BYTES,
            )
    except (aiohttp.ClientError, TimeoutError):
        return False
    async with other:
        await send({"type": "websocket.accept", "subprotocol": other.protocol})
        ways = [asyncio.create_task(_to_behind(receive, other)), asyncio.create_task(_to_client(other, send))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    return True


async def _to_behind(receive: Receive, behind: aiohttp.ClientWebSocketResponse) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            await behind.send_str(message["text"])
        else:
            await behind.send_bytes(message["bytes"])
    await behind.close(code=_sendable(message.get("code"), GOING_AWAY))


async def _to_client(behind: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    async for message in behind:
        if message.type is aiohttp.WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is aiohttp.WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
    await send({"type": "websocket.close", "code": _sendable(behind.close_code, BROKEN)})


def _sendable(code: int | None, otherwise: int) -> int:
    """The code of a close to pass on; some say only that there was none."""
    return otherwise if code in (None, 1005, 1006, 1015) else int(code or otherwise)
