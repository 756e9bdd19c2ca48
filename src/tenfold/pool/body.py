"""Reading the bodies of requests: bounded in bytes, in time, and in how many are read at once."""

import asyncio
import time

from starlette.types import Receive

MOST_READING = 128
GRACE_S = 5.0
RATE_BYTES_PER_S = 8 << 10
TOTAL_S = 30.0
DISCARDED = 4
"""So many times the limit is read of a body over it, since a client that still sends does not hear a refusal."""


class Disconnected(Exception):
    """The client went away."""


class BodyRefused(Exception):
    """A body that is not taken: too large, or too slow.

    ``was_read``: whether the client has sent all of it, so that its connection is good for another request.
    """

    def __init__(self, status: int, text: str, *, was_read: bool) -> None:
        super().__init__(text)
        self.status = status
        self.was_read = was_read


class BodyReader:
    """Reads bodies. A client that sends slowly, or nothing, holds a place here only, and not for long.

    A body may take ``GRACE_S``, and for each 8 KiB that came a second more, up to ``TOTAL_S``. Beyond ``MOST_READING``
    at once, the one that has been read longest is refused: so who sends at once is not kept out by those who do not.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._reading: dict[object, asyncio.Timeout] = {}

    async def read(self, receive: Receive) -> bytes:
        """Read the whole body.

        Raises:
            BodyRefused: it is over the limit, or too slow.
            Disconnected: the client went away.
        """
        me, size = object(), 0
        try:
            async with asyncio.timeout(None) as patience:
                self._reading[me] = patience
                self._make_room()
                parts: list[bytes] = []
                began = time.monotonic()
                while True:
                    may_take_s = min(TOTAL_S, GRACE_S + size / RATE_BYTES_PER_S)
                    patience.reschedule(asyncio.get_running_loop().time() + began + may_take_s - time.monotonic())
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    size += len(message.get("body", b""))
                    if size <= self._limit_bytes:
                        parts.append(message.get("body", b""))
                    is_whole = not message.get("more_body", False)
                    if size > self._limit_bytes and (is_whole or size > DISCARDED * self._limit_bytes):
                        text = f"the body is larger than {self._limit_bytes} bytes"
                        raise BodyRefused(413, text, was_read=is_whole)
                    if is_whole:
                        return b"".join(parts)
        except TimeoutError:
            text = f"the body came too slowly: {size} bytes; {RATE_BYTES_PER_S} a second are waited for"
            raise BodyRefused(408, text, was_read=False) from None
        finally:
            self._reading.pop(me, None)

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._reading) > MOST_READING:
            waiting = (patience for patience in self._reading.values() if (patience.when() or now) > now)
            oldest = next(waiting, None)
            if oldest is not None:
                oldest.reschedule(now)
