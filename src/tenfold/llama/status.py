"""How training goes, asked of the coordinator over its own protocol. Imports no torch."""

import asyncio

from tenfold.llama.wire import Channel, StatusQuery, TrainStatus, WireError


async def status(address: str, token: str) -> TrainStatus:
    """``fetch_status`` for asyncio; cheap enough to call every second."""
    return await asyncio.to_thread(fetch_status, address, token)


def fetch_status(address: str, token: str) -> TrainStatus:
    """Ask the coordinator at ``host:port`` how training goes; blocking.

    Raises:
        OSError: nobody listens there. EOFError: it went away meanwhile.
        WireError: it is not this pool's coordinator.
    """
    channel = Channel.connect(address, token)
    try:
        channel.send(StatusQuery())
        answer = channel.receive()
    finally:
        channel.close()
    if not isinstance(answer, TrainStatus):
        raise WireError(f"the coordinator answered a status query with {answer.says}", next_step="restart the pool")
    return answer
