"""One global step: which microbatches are claimed, and their gradients summed in a fixed order.

Floating-point addition is not associative, so gradients are added by microbatch index, whoever computed them and
whenever they arrived; those that come early wait. The sum is therefore the same bits for any set of workers.

Letter: P parameters of the model.
"""

import numpy as np
from numpy.typing import NDArray


class StepInFlight:
    """The state of one step's microbatches. Not locked: the coordinator holds its lock around each call.

    Args:
        microbatches: how many the step has.
        claim_timeout_s: a claim older than this may be given to another worker too.
    """

    def __init__(self, microbatches: int, claim_timeout_s: float) -> None:
        self._microbatches = microbatches
        self._claim_timeout_s = claim_timeout_s
        self._claims: dict[int, tuple[int, float]] = {}
        self._losses: dict[int, float] = {}
        self._early: dict[int, NDArray[np.float32]] = {}
        self._sum_P: NDArray[np.float32] | None = None
        self._summed = 0

    @property
    def complete(self) -> bool:
        """Whether all gradients are in."""
        return self._summed == self._microbatches

    def claim(self, worker: int, now: float) -> int | None:
        """Give ``worker`` the lowest microbatch that nobody works on; none if there is none now."""
        for microbatch in range(self._microbatches):
            if microbatch in self._losses:
                continue
            held = self._claims.get(microbatch)
            if held is None or now - held[1] > self._claim_timeout_s:
                self._claims[microbatch] = (worker, now)
                return microbatch
        return None

    def next_timeout(self) -> float | None:
        """Time at which the oldest open claim runs out; none without open claims."""
        since = [at for microbatch, (_, at) in self._claims.items() if microbatch not in self._losses]
        return min(since) + self._claim_timeout_s if since else None

    def release(self, worker: int) -> None:
        """Put back what ``worker`` claimed and did not hand in."""
        for microbatch, (holder, _) in list(self._claims.items()):
            if holder == worker and microbatch not in self._losses:
                del self._claims[microbatch]

    def add(self, microbatch: int, loss: float, gradient_P: NDArray[np.float32]) -> list[NDArray[np.float32]] | None:
        """Take in one gradient.

        Returns:
            Buffers that are free again, or none when this microbatch is in already: the gradient is not taken.
        """
        if microbatch in self._losses or not 0 <= microbatch < self._microbatches:
            return None
        self._losses[microbatch] = loss
        self._early[microbatch] = gradient_P
        free = []
        while self._summed in self._early:
            ready_P = self._early.pop(self._summed)
            if self._sum_P is None:
                self._sum_P = ready_P
            else:
                np.add(self._sum_P, ready_P, out=self._sum_P)
                free.append(ready_P)
            self._summed += 1
        return free

    def mean(self) -> tuple[float, NDArray[np.float32]]:
        """Mean loss and mean gradient of the complete step; the gradient's buffer passes to the caller."""
        assert self._sum_P is not None and self.complete, "the step is not complete"
        self._sum_P *= np.float32(1.0 / self._microbatches)
        return sum(self._losses[index] for index in range(self._microbatches)) / self._microbatches, self._sum_P
