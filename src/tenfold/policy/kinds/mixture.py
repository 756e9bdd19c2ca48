"""What workloads ask of slots of several kinds, and what an answer is worth.

Letters: W workloads, K kinds, R runs of slots of equal value.
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.claims import Claims, Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Claims on several kinds of slots.

    Args:
        claims: of everybody. Runs count effective slots, which are slots of speed 1; floors, ceilings and least sizes
            count slots of any kind. Its ``held_W`` is not read.
        speed_WK: how many effective slots one slot of each kind is; 0 where a workload cannot run.
        held_WK: slots that each has now.
        slots_K: slots of each kind.
        converts_W: which workloads need general compute and storage beside the slot.
        conversion_K: how many slots of each kind have that.
    """

    claims: Claims
    speed_WK: Floats
    held_WK: Ints
    slots_K: Ints
    converts_W: Bools
    conversion_K: Ints


class Worth:
    """Value per second of any counts, net of moves: for ``join_cost`` of the time, slots that just joined still wake.

    So a workload is worth ``join_cost x V(effective slots kept) + (1 - join_cost) x V(all)``, V its curve; concave,
    and with one kind the same as what ``fill`` maximises.
    """

    def __init__(self, mixture: Mixture) -> None:
        claims = mixture.claims
        self._mixture = mixture
        workloads = np.arange(len(claims.names))
        self._end_R = np.append(np.cumsum(claims.slots_R), np.inf).astype(np.float64)
        self._usd_R = np.append(claims.usd_R, 0.0)
        self._before_R = np.append(0.0, self._end_R[:-1])
        self._value_R = np.append(0.0, np.cumsum(claims.usd_R * claims.slots_R))
        self._first_W = np.searchsorted(claims.owner_R, workloads)
        last_W = np.searchsorted(claims.owner_R, workloads, side="right")
        self._width_W = self._before_R[last_W] - self._before_R[self._first_W]
        # The same as lists, for one workload at a time.
        self._ends, self._usds, self._befores = self._end_R.tolist(), self._usd_R.tolist(), self._before_R.tolist()
        self._values, self._widths = self._value_R.tolist(), self._width_W.tolist()
        self._firsts, self._lasts = self._first_W.tolist(), last_W.tolist()

    def value(self, effective_W: Floats, who: Ints | slice = slice(None)) -> Floats:
        """Value per second of so many effective slots, without any join cost; for some workloads or all."""
        first_W = self._first_W[who]
        at_W = self._before_R[first_W] + np.minimum(effective_W, self._width_W[who])
        run_W = np.searchsorted(self._end_R, at_W)
        return self._value_R[run_W] - self._value_R[first_W] + self._usd_R[run_W] * (at_W - self._before_R[run_W])

    def of_one(self, workload: int, effective: float) -> float:
        """The same as ``value``, for one workload in plain Python."""
        first = self._firsts[workload]
        at = self._befores[first] + min(effective, self._widths[workload])
        run = bisect_left(self._ends, at, first, self._lasts[workload])
        return self._values[run] - self._values[first] + self._usds[run] * (at - self._befores[run])

    def of_one_slot(self, counts_WK: Ints) -> tuple[Floats, Floats]:
        """Each workload's gain by one slot more of each kind, and its loss by one less (infinite where it has none)."""
        speed_WK, held_WK = self._mixture.speed_WK, self._mixture.held_WK
        join_cost_W1 = self._mixture.claims.join_cost_W.clip(0.0, 1.0)[:, None]
        everybody = np.arange(len(counts_WK))[:, None]
        working_W1 = (speed_WK * counts_WK).sum(axis=1, keepdims=True)
        waking_W1 = (speed_WK * np.minimum(counts_WK, held_WK)).sum(axis=1, keepdims=True)

        def net_WK(working: Floats, waking: Floats) -> Floats:
            working, waking = (self.value(np.maximum(0.0, slots), everybody) for slots in (working, waking))
            return join_cost_W1 * waking + (1.0 - join_cost_W1) * working

        now_W1 = net_WK(working_W1, waking_W1)
        more_WK = net_WK(working_W1 + speed_WK, waking_W1 + speed_WK * (counts_WK < held_WK))
        less_WK = net_WK(working_W1 - speed_WK, waking_W1 - speed_WK * (counts_WK <= held_WK))
        return more_WK - now_W1, np.where(counts_WK > 0, now_W1 - less_WK, np.inf)

    def net_W(self, counts_WK: Ints) -> Floats:
        """Value per second of the counts, net of what moves cost."""
        mixture, join_cost_W = self._mixture, self._mixture.claims.join_cost_W.clip(0.0, 1.0)
        kept_W = (mixture.speed_WK * np.minimum(counts_WK, mixture.held_WK)).sum(axis=1)
        all_W = (mixture.speed_WK * counts_WK).sum(axis=1)
        return join_cost_W * self.value(kept_W) + (1.0 - join_cost_W) * self.value(all_W)
