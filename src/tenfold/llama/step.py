"""One global step: which microbatches are claimed, which are in, and in which buffers their gradients lie.

It keeps the books only; ``tree`` says what is added to what, and the coordinator adds.
"""

from tenfold.llama.tree import Addition, Branch, PartialSums


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
        self._sums: PartialSums[int] = PartialSums(microbatches)

    @property
    def complete(self) -> bool:
        """Whether all gradients are in and added."""
        return self._sums.root in self._sums.held

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

    def wants(self, microbatch: int) -> bool:
        """Whether this microbatch's gradient is still to come."""
        return 0 <= microbatch < self._microbatches and microbatch not in self._losses

    def put(self, microbatch: int, loss: float, buffer: int) -> bool:
        """Take in one gradient, which lies in ``buffer``; false if it is in already and is not taken."""
        if not self.wants(microbatch):
            return False
        self._losses[microbatch] = loss
        self._sums.put(Branch(0, microbatch), buffer)
        return True

    def next_addition(self) -> Addition[int] | None:
        """Two buffers to be added into the left one, which nobody else adds; tell ``added`` then. None: no two now."""
        return self._sums.next_addition()

    def added(self, addition: Addition[int]) -> None:
        """The sum is in the addition's left buffer."""
        self._sums.put(addition.parent, addition.left)

    def result(self) -> tuple[float, int]:
        """Mean loss of the complete step, and the buffer with the sum of its gradients."""
        assert self.complete, "the step is not complete"
        losses = [self._losses[index] for index in range(self._microbatches)]
        return sum(losses) / self._microbatches, self._sums.held[self._sums.root]
