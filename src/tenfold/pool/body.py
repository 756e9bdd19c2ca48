"""Reading the bodies of requests: bounded in bytes, in time, and in how many are read at once."""

import asyncio
from collections.abc import AsyncGenerator

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
        self._reading: dict[object, asyncio.Timeout | None] = {}

    async def read(self, receive: Receive) -> bytes:
        """Read the whole body.

        Raises:
            BodyRefused: it is over the limit, or too slow.
            Disconnected: the client went away.
        """
        return b"".join([part async for part in self.parts(receive)])

    async def parts(self, receive: Receive) -> AsyncGenerator[bytes]:
        """Read the body in parts as they come; only the time in which the client is waited for counts.

        Raises:
            BodyRefused: it is over the limit, or too slow; parts within the limit have been given by then.
            Disconnected: the client went away.
        """
        me, size, waited_s = object(), 0, 0.0
        now = asyncio.get_running_loop().time
        try:
            while True:
                began = now()
                async with asyncio.timeout(min(TOTAL_S, GRACE_S + size / RATE_BYTES_PER_S) - waited_s) as patience:
                    self._reading[me] = patience
                    if not waited_s:
                        self._make_room()
                    message = await receive()
                # Whoever takes the parts may be slow; that is not the client's fault.
                self._reading[me] = None
                waited_s += now() - began
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                size += len(part)
                is_whole = not message.get("more_body", False)
                if size > self._limit_bytes and (is_whole or size > DISCARDED * self._limit_bytes):
                    raise BodyRefused(413, f"the body is larger than {self._limit_bytes} bytes", was_read=is_whole)
                if part and size <= self._limit_bytes:
                    yield part
                if is_whole:
                    return
        except TimeoutError:
            text = f"the body came too slowly: {size} bytes; {RATE_BYTES_PER_S} a second are waited for"
            raise BodyRefused(408, text, was_read=False) from None
        finally:
            self._reading.pop(me, None)

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._reading) > MOST_READING:
            waited_for = (patience for patience in self._reading.values() if patience is not None)
            oldest = next((patience for patience in waited_for if (patience.when() or now) > now), None)
            if oldest is not None:
                oldest.reschedule(now)
