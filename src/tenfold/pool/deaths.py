"""Residents that must die: those that do not answer, and donors that do not sleep."""

import asyncio
from collections.abc import Callable, Set

from tenfold.pool.alarms import Alarms
from tenfold.pool.moves import Address
from tenfold.pool.occupancy import Occupancy

SILENCE_BEFORE_ALARM_S = 1.0
SILENCE_BEFORE_KILL_S = 5.0
KILL_CONFIRM_S = 3.0


class Deaths:
    """Asks the supervisor to kill residents, and waits until hosts report that they are dead.

    Args:
        occupancy: who lives, as hosts report it.
        alarms: told of residents that do not answer.
        clock: gives seconds, and only goes on.
    """

    def __init__(self, occupancy: Occupancy, alarms: Alarms, clock: Callable[[], float]) -> None:
        self._occupancy = occupancy
        self._alarms = alarms
        self._clock = clock
        self._ordered: dict[str, int] = {}
        self._silent_since: dict[str, float] = {}
        self._reported = asyncio.Condition()

    def order(self, address: Address) -> None:
        """Have a resident killed."""
        self._ordered[address.name] = address.pid

    def ordered(self) -> dict[str, int]:
        """Residents to kill now, name to process id; those that are dead are forgotten."""
        residents = self._occupancy.residents
        self._ordered = {
            name: pid for name, pid in self._ordered.items() if name in residents and residents[name].pid == pid
        }
        return dict(self._ordered)

    async def confirm(self) -> None:
        """Tell those who wait for a death that hosts have reported."""
        async with self._reported:
            self._reported.notify_all()

    async def kill(self, address: Address) -> None:
        """Have a resident killed, and return once it is dead.

        Raises:
            TimeoutError: it still lives after ``KILL_CONFIRM_S``.
        """
        self.order(address)
        async with self._reported:
            dead = self._reported.wait_for(lambda: self._occupancy.is_dead(address))
            await asyncio.wait_for(dead, KILL_CONFIRM_S)

    def heard(self, name: str) -> None:
        """A resident has answered, or is not asked any more."""
        self._silent_since.pop(name, None)
        self._alarms.set(f"silent {name}", "")

    def not_heard(self, address: Address) -> None:
        """A live resident that does not answer is killed after a while; its host starts it afresh."""
        now = self._clock()
        silent_s = now - self._silent_since.setdefault(address.name, now)
        if silent_s > SILENCE_BEFORE_ALARM_S:
            self._alarms.set(f"silent {address.name}", f"{address.name} does not answer")
        if silent_s > SILENCE_BEFORE_KILL_S:
            self.order(address)

    def forget_all_but(self, asked: Set[str]) -> None:
        """Forget the silence of residents that are not asked any more."""
        for name in self._silent_since.keys() - asked:
            self.heard(name)
