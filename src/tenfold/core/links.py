"""Connections that notice a lost link: a machine that does not answer at all, which is not one that is slow."""

import asyncio
import socket
import sys

import aiohttp

LOST_AFTER_S = 4.0
PROBE_EVERY_S = 1
DROPPED_WITHIN_S = 0.1
"""A dying process drops what connected to it within so long; one that lives keeps it, or says something."""


def notice_lost_link(connection: socket.socket) -> None:
    """Have a TCP connection broken off once the other machine has acknowledged nothing for ``LOST_AFTER_S``.

    Without it whoever waits for an answer waits for as long as the link is cut, and whoever sends for a quarter of an
    hour. The other machine's kernel acknowledges, so a process there may be as slow as it likes.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_EVERY_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, int(LOST_AFTER_S / PROBE_EVERY_S))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(LOST_AFTER_S * 1000))


def connector(
    *, keepalive_s: float = 15.0, kind: type[aiohttp.TCPConnector] = aiohttp.TCPConnector
) -> aiohttp.TCPConnector:
    """Make a connector without a limit whose connections notice a lost link.

    Args:
        keepalive_s: how long an unused connection is kept.
        kind: the connector's class.
    """
    return kind(limit=0, keepalive_timeout=keepalive_s, socket_factory=_make_socket)


async def is_refused(host: str, port: int) -> bool:
    """Whether a machine answers and says that nobody listens at a port: the process that did is dead.

    One that is just dying may still take a connection, and drops it with its listener: it is watched for a moment.
    False where the machine does not answer: its link may be cut, and that says nothing of who lives there.
    """
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    try:
        async with asyncio.timeout(DROPPED_WITHIN_S):
            return not await reader.read(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        writer.close()


def _make_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, type_, protocol, _, _ = address
    made = socket.socket(family, type_, protocol)
    made.setblocking(False)
    notice_lost_link(made)
    return made
