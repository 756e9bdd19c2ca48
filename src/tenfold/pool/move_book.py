"""Moves under way, the last that ended, and how long waking takes: the controller's book of moves, without any I/O."""

from collections import deque
from collections.abc import Iterable, KeysView
from dataclasses import dataclass

from tenfold.policy.policy import Change
from tenfold.pool.moves import Address, Ended
from tenfold.pool.state import MoveView

SHOWN_MOVES = 50
ASSUMED_WAKE_S = 0.1
WAKE_MEMORY = 0.2
"""Share of the last wake in what a workload's wake is taken to last."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A move under way, and the residents that it is about."""

    view: MoveView
    donor: Address | None
    receiver: Address | None


class MoveBook:
    """Numbers moves and remembers them.

    Attributes:
        wake_s: seconds that a slot takes to wake, by workload, smoothed.
        count: number of the last move.
    """

    def __init__(self, workloads: Iterable[str]) -> None:
        self.wake_s = dict.fromkeys(workloads, ASSUMED_WAKE_S)
        self.count = 0
        self._under_way: dict[str, Moving] = {}
        self._ended: deque[MoveView] = deque(maxlen=SHOWN_MOVES)

    def begin(
        self,
        change: Change,
        donor: Address | None,
        receiver: Address | None,
        *,
        reason: str,
        epoch: int,
        at: float,
        deadline_s: float,
    ) -> Moving:
        """Note that a change is being carried out; ``reason`` is the whole sentence, the change's own part included."""
        self.count += 1
        view = MoveView(
            move=self.count,
            epoch=epoch,
            at=at,
            slot=change.slot,
            donor=change.donor,
            receiver=change.receiver,
            reason=reason,
            gain_usd_per_s=change.gain_usd_per_s,
            deadline_s=deadline_s,
            state="draining",
            seconds=None,
        )
        moving = Moving(view, donor, receiver)
        self._under_way[change.slot] = moving
        return moving

    def end(self, moving: Moving, ended: Ended) -> MoveView:
        """Note how a move ended; returns what to show and to record of it."""
        view = moving.view
        del self._under_way[view.slot]
        if ended.state == "done" and view.receiver is not None:
            self.wake_s[view.receiver] += WAKE_MEMORY * (ended.wake_s - self.wake_s[view.receiver])
        reason = f"{view.reason}; {ended.detail}" if ended.detail else view.reason
        done = view.model_copy(update={"state": ended.state, "seconds": ended.seconds, "reason": reason})
        self._ended.appendleft(done)
        return done

    @property
    def slots(self) -> KeysView[str]:
        """Slots with a move under way."""
        return self._under_way.keys()

    @property
    def donors(self) -> list[Address]:
        """Residents that moves under way put to sleep."""
        return [moving.donor for moving in self._under_way.values() if moving.donor is not None]

    def on(self, slot: str) -> MoveView | None:
        """The move under way on a slot."""
        moving = self._under_way.get(slot)
        return None if moving is None else moving.view

    def views(self) -> tuple[MoveView, ...]:
        """Moves to show: those under way, then the last that ended."""
        return (*(moving.view for moving in self._under_way.values()), *self._ended)[:SHOWN_MOVES]
