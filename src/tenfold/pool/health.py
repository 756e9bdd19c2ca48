"""Whether every workload answers now: one judgement, for ``healthz``, ``tenfold status`` and the console alike."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenfold.pool.state import PoolState

RECENT_S = 10.0
FAILURES = 2
"""Requests that must have failed, and none been answered, before a workload counts as failing: one may be odd."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests of one workload that were answered, and that failed without a fault of the client's."""

    answered: int = 0
    failed: int = 0


class Recently:
    """What became of the requests of the last ``RECENT_S`` seconds, from running sums."""

    def __init__(self) -> None:
        self._sums: deque[tuple[float, Mapping[str, Answers]]] = deque()

    def note(self, now: float, sums: Mapping[str, Answers]) -> dict[str, Answers]:
        """Take the sums as they are at ``now``, in seconds of any clock that only goes on."""
        self._sums.append((now, sums))
        while self._sums[0][0] < now - RECENT_S:
            self._sums.popleft()
        before = self._sums[0][1]
        return {
            workload: Answers(
                total.answered - before.get(workload, Answers()).answered,
                total.failed - before.get(workload, Answers()).failed,
            )
            for workload, total in sums.items()
        }


def judge(state: PoolState, recent: Mapping[str, Answers]) -> PoolState:
    """Return the state with ``ready`` as users see it, and with an alarm for each reason why it is not.

    Args:
        state: as the controller tells it, ``frozen`` while that does not answer.
        recent: what the gateway saw lately, by workload.
    """
    if not state.ready:
        # The controller waits for the first answer of each, and says what hinders it.
        return state
    causes = tuple(_causes(state, recent))
    ready = state.controller == "running" and not causes
    return state.model_copy(update={"ready": ready, "alarms": (*state.alarms, *causes)})


def _causes(state: PoolState, recent: Mapping[str, Answers]) -> Iterator[str]:
    loaded = {r.workload for slot in state.slots for r in slot.residents if r.url is not None}
    for workload in (view.workload for view in state.workloads):
        seen = recent.get(workload, Answers())
        if workload not in loaded:
            yield f"{workload} has no loaded resident, so nobody can be woken for it"
        elif seen.failed >= FAILURES and not seen.answered:
            yield f"{workload} answered none of its last {seen.failed} requests"
