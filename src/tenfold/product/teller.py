"""Tell the controller what a product earned, until it has recorded it."""

import asyncio
import logging

import aiohttp

from tenfold.core.errors import TenfoldError
from tenfold.pool.loops import for_ever
from tenfold.pool.token import TOKEN_HEADER
from tenfold.product.outbox import Outbox

log = logging.getLogger(__name__)

PATIENCE = aiohttp.ClientTimeout(total=5.0)


class Teller:
    """Empties an outbox.

    Args:
        outbox: what is told.
        session: HTTP client.
        controller_url: who is told.
        token: the pool's secret.
        every_s: seconds between two reports.
    """

    def __init__(
        self, outbox: Outbox, session: aiohttp.ClientSession, controller_url: str, token: str, every_s: float
    ) -> None:
        self._outbox = outbox
        self._session = session
        self._url = f"{controller_url}/earned"
        self._headers = {TOKEN_HEADER: token}
        self._every_s = every_s
        self.trouble = ""

    async def run(self) -> None:
        """Seal and tell every few seconds, until cancelled; what is not told then is told in the next life."""
        await for_ever("telling what was earned", self._turn, self._note)

    async def _turn(self) -> None:
        await asyncio.sleep(self._every_s)
        await asyncio.to_thread(self._outbox.seal)
        for report in await asyncio.to_thread(self._outbox.sealed):
            if not await self._tell(report.model_dump_json()):
                return
            await asyncio.to_thread(self._outbox.acknowledged, report.number)

    async def _tell(self, report: str) -> bool:
        """Whether the controller has recorded a report; it may be away, or unable to write now.

        Raises:
            TenfoldError: it will never take this one; what is earned from now on waits behind it.
        """
        try:
            async with self._session.post(self._url, data=report, headers=self._headers, timeout=PATIENCE) as answer:
                text = await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            log.debug("the controller does not answer: %s", error or type(error).__name__)
            return False
        if 400 <= answer.status < 500:
            raise TenfoldError(f"the controller refuses a report of earnings with {answer.status}: {text:.300}")
        return answer.ok

    def _note(self, _loop: str, trouble: str) -> None:
        self.trouble = trouble
