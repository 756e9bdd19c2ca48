"""Carry out a move: the donor's resident sleeps, then the receiver's wakes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import aiohttp

from tenfold.pool.process import CountersReport
from tenfold.pool.token import TOKEN_HEADER

WAKE_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach a resident."""

    name: str
    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a move ended, and what it took.

    ``occupant``: who may be awake on the slot now; none only if the donor is known to be asleep or dead and so is the
    receiver. ``seconds``: from order to end. ``wake_s``: of these, from the donor's sleep to the receiver awake.
    """

    state: Literal["done", "failed"]
    occupant: Address | None
    seconds: float
    wake_s: float
    detail: str


class Mover:
    """Sends orders to residents. It never wakes a receiver before its donor is known to be asleep or dead.

    Args:
        session: HTTP client.
        token: the pool's secret.
        kill: orders a resident killed, and returns once its death is confirmed, or raises ``TimeoutError``.
    """

    def __init__(self, session: aiohttp.ClientSession, token: str, kill: Callable[[Address], Awaitable[None]]) -> None:
        self._session = session
        self._headers = {TOKEN_HEADER: token}
        self._kill = kill

    async def move(self, donor: Address | None, receiver: Address | None, epoch: int, deadline_s: float) -> Ended:
        """Put ``donor`` to sleep, killing it at the deadline, then wake ``receiver``."""
        began = time.monotonic()
        detail = ""
        if donor is not None:
            try:
                await self._order(donor, "sleep", {"epoch": epoch, "deadline_s": deadline_s}, deadline_s + 0.2)
            except (aiohttp.ClientError, TimeoutError) as error:
                detail = f"{donor.name} did not sleep within {deadline_s:g} s ({type(error).__name__}) and was killed"
                if not await self._is_killed(donor):
                    detail = f"{donor.name} neither slept within {deadline_s:g} s nor could it be killed"
                    return Ended("failed", donor, time.monotonic() - began, 0.0, detail)
        slept = time.monotonic()
        if receiver is not None:
            try:
                await self._order(receiver, "wake", {"epoch": epoch}, WAKE_DEADLINE_S)
            except (aiohttp.ClientError, TimeoutError) as error:
                detail = f"{receiver.name} did not wake ({type(error).__name__}: {error}) and was killed"
                occupant = None if await self._is_killed(receiver) else receiver
                return Ended("failed", occupant, time.monotonic() - began, 0.0, detail)
        ended = time.monotonic()
        return Ended("done", receiver, ended - began, ended - slept, detail)

    async def _is_killed(self, address: Address) -> bool:
        try:
            await self._kill(address)
        except TimeoutError:
            return False
        return True

    async def counters(self, address: Address, timeout_s: float) -> CountersReport:
        """Read a resident's counters, phase and epoch."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.get(
            f"{address.url}/resident/counters", headers=self._headers, timeout=timeout
        ) as response:
            response.raise_for_status()
            return CountersReport.model_validate_json(await response.read())

    async def _order(self, address: Address, order: str, body: dict[str, float], timeout_s: float) -> None:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with asyncio.timeout(timeout_s):
            async with self._session.post(
                f"{address.url}/resident/{order}", json=body, headers=self._headers, timeout=timeout
            ) as response:
                response.raise_for_status()
