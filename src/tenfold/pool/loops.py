"""Loops that must not end: one way for all of them to go on after an error that nobody expected."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PAUSE_S = 1.0


async def for_ever(
    name: str, turn: Callable[[], Awaitable[None]], alarm: Callable[[str, str], None] | None = None
) -> None:
    """Take one turn after the other until cancelled.

    What a turn expects to go wrong it deals with itself. Any other error is logged with its traceback (once, as long as
    it is the same), shown as an alarm until a turn succeeds, and the next turn begins a second later.

    Args:
        name: what the loop does, for the alarm: "following the routes".
        turn: one turn, its waiting included.
        alarm: takes the name and what is wrong, or nothing; none where there is nobody but the log to tell.
    """
    last = ""
    while True:
        try:
            await turn()
            wrong = ""
        except Exception as error:
            wrong = f"{name} fails: {type(error).__name__}: {error!s:.200}; it is tried again, see the log"
            if wrong != last:
                log.exception("%s failed; it is tried again every %g s", name, PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        if alarm is not None and (wrong or last):
            alarm(name, wrong)
        last = wrong
