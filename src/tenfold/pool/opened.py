"""What keys have opened and is still open: streams and sockets, which end soon after their key is revoked."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.pool.api_error import send_error
from tenfold.pool.keys import Keyring

POLICY_VIOLATION = 1008
_WHY = "the key that this was opened with was revoked"


class Opened:
    """Runs requests that a key has let in, for as long as there is that key.

    Args:
        keyring: the pool's keys.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._held: dict[asyncio.Timeout, str] = {}

    async def run(self, app: ASGIApp, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that the key with the id ``key`` has let in."""
        stage = ""

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal stage
            stage = message["type"]
            await send(message)

        patience = asyncio.timeout(None)
        try:
            async with patience:
                self._held[patience] = key
                await app(scope, receive, noted)
        except TimeoutError:
            if not patience.expired():
                raise
        finally:
            self._held.pop(patience, None)
        if patience.expired():
            await _end(scope, stage, send)

    def close_revoked(self) -> int:
        """End what was opened with keys that are no more; how much that was.

        A file of keys that cannot be read says nothing of a key that was good before.
        """
        if not self._held:
            return 0
        known = self._keyring.ids()
        if self._keyring.trouble:
            return 0
        gone = [patience for patience, key in self._held.items() if key not in known]
        for patience in gone:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time())
        return len(gone)


async def _end(scope: Scope, stage: str, send: Send) -> None:
    """Tell the client, where it can still be told; an answer that has begun is broken off by its server."""
    if scope["type"] == "websocket":
        if stage in ("", "websocket.accept", "websocket.send"):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": _WHY})
    elif not stage:
        await send_error(send, 401, _WHY, code="no_key", headers={"connection": "close"})
