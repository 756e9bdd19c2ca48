"""A process that is dead is told from one that is slow, and from a machine that does not answer."""

import asyncio
import socket

from tenfold.core.links import is_refused


async def test_a_port_where_somebody_listens_is_not_refused_however_slow_they_are():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not await is_refused("127.0.0.1", port)
    assert await is_refused("127.0.0.1", port)


async def test_one_that_takes_a_connection_and_dies_is_dead():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = asyncio.create_task(is_refused("127.0.0.1", listener.getsockname()[1]))
        await asyncio.sleep(0.02)
    assert await asked


async def test_an_address_without_a_machine_says_nothing():
    assert not await is_refused("not-a-machine.invalid", 1)
