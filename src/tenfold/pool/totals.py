"""What a process has counted since it started, in the shape that Prometheus asks for: running sums, never averages."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from tenfold.pool.host import ResidentStatus
from tenfold.pool.state import ControllerTotals, MoveTotal, MoveView, RestartTotal, SpreadView

TICK_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
MOVE_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
FIRST_BYTE_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Spread:
    """How durations are spread: how many were at most each bound, and their sum.

    Args:
        bounds_s: seconds, ascending.
    """

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self._sum_s += seconds

    def view(self) -> SpreadView:
        """Show it."""
        return SpreadView(bounds_s=self._bounds_s, counts=tuple(self._counts), sum_s=self._sum_s)


class Totals:
    """What the controller counts beside work and slot-seconds, which the account has."""

    def __init__(self, workloads: Iterable[str]) -> None:
        self.tick = Spread(TICK_BOUNDS_S)
        self.decision = Spread(TICK_BOUNDS_S)
        self._move = {workload: Spread(MOVE_BOUNDS_S) for workload in workloads}
        self._moves: Counter[tuple[str | None, str | None, str]] = Counter()
        self._restarts: Counter[tuple[str, str]] = Counter()
        self._seen: dict[str, int] = {}

    def moved(self, move: MoveView) -> None:
        """Count a move that has ended."""
        self._moves[move.donor, move.receiver, move.state] += 1
        if move.receiver is not None and move.seconds is not None:
            self._move[move.receiver].add(move.seconds)

    def restarted(self, residents: Iterable[ResidentStatus]) -> None:
        """Count what hosts have started again since the last report; a host that is new begins from zero again."""
        for resident in residents:
            role = "companion" if resident.slot is None else "resident"
            before = self._seen.get(resident.name, 0)
            since = resident.restarts - before if resident.restarts >= before else resident.restarts
            self._restarts[resident.workload, role] += since
            self._seen[resident.name] = resident.restarts

    def view(self, *, recorded: int, dropped: int, unrecorded: int) -> ControllerTotals:
        """Show all; the ledger's counts are the recorder's."""
        return ControllerTotals(
            tick=self.tick.view(),
            decision=self.decision.view(),
            moves=tuple(MoveTotal(donor=d, receiver=r, state=s, count=n) for (d, r, s), n in self._moves.items()),
            move={workload: spread.view() for workload, spread in self._move.items()},
            restarts=tuple(RestartTotal(workload=w, role=r, count=n) for (w, r), n in self._restarts.items()),
            recorded=recorded,
            dropped=dropped,
            unrecorded=unrecorded,
        )
