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
class Door:
    """How to reach a resident."""

    name: str
    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a move ended, and what it took.

    ``occupant``: who may be awake on the slot now; none only if the donor is known to be asleep or dead and so is the
    receiver. ``seconds``: from order to end. ``wake_s``: of these, from the donor's sleep to the receiver awake.
    """

    state: Literal["done", "failed"]
    occupant: Door | None
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

    def __init__(self, session: aiohttp.ClientSession, token: str, kill: Callable[[Door], Awaitable[None]]) -> None:
        self._session = session
        self._headers = {TOKEN_HEADER: token}
        self._kill = kill

    async def move(self, source: Door | None, target: Door | None, epoch: int, deadline_s: float) -> Outcome:
        """Put ``source`` to sleep, killing it at the deadline, then wake ``target``."""
        began = time.monotonic()
        detail = ""
        if source is not None:
            try:
                await self._order(source, "sleep", {"epoch": epoch, "deadline_s": deadline_s}, deadline_s + 0.2)
            except (aiohttp.ClientError, TimeoutError) as error:
                detail = f"{source.name} did not sleep within {deadline_s:g} s ({type(error).__name__}) and was killed"
                if not await self._is_killed(source):
                    detail = f"{source.name} neither slept within {deadline_s:g} s nor could it be killed"
                    return Outcome("failed", source, time.monotonic() - began, 0.0, detail)
        slept = time.monotonic()
        if target is not None:
            try:
                await self._order(target, "wake", {"epoch": epoch}, WAKE_DEADLINE_S)
            except (aiohttp.ClientError, TimeoutError) as error:
                detail = f"{target.name} did not wake ({type(error).__name__}: {error}) and was killed"
                occupant = None if await self._is_killed(target) else target
                return Outcome("failed", occupant, time.monotonic() - began, 0.0, detail)
        ended = time.monotonic()
        return Outcome("done", target, ended - began, ended - slept, detail)

    async def _is_killed(self, door: Door) -> bool:
        try:
            await self._kill(door)
        except TimeoutError:
            return False
        return True

    async def counters(self, door: Door, timeout_s: float) -> CountersReport:
        """Read a resident's counters, phase and epoch."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.get(
            f"{door.url}/resident/counters", headers=self._headers, timeout=timeout
        ) as response:
            response.raise_for_status()
            return CountersReport.model_validate_json(await response.read())

    async def _order(self, door: Door, order: str, body: dict[str, float], timeout_s: float) -> None:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with asyncio.timeout(timeout_s):
            async with self._session.post(
                f"{door.url}/resident/{order}", json=body, headers=self._headers, timeout=timeout
            ) as response:
                response.raise_for_status()
