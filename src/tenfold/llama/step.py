"""One global step: which microbatches are claimed, which are in, and in which buffers their gradients lie.

It keeps the books only; ``tree`` says what is added to what, and the coordinator adds. A gradient that was computed on
another machine lies there, at its outpost, until that machine's sums arrive.
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
        self._elsewhere: dict[int, int] = {}
        self._sums: PartialSums[int] = PartialSums(microbatches)

    @property
    def complete(self) -> bool:
        """Whether all gradients are in and added."""
        return self._sums.root in self._sums.held

    @property
    def all_in(self) -> bool:
        """Whether all gradients are computed, wherever they lie."""
        return len(self._losses) == self._microbatches

    def claim(self, worker: int, now: float, first: int = 0) -> int | None:
        """Give ``worker`` the next microbatch from ``first`` on, and round, that nobody works on; none if none now."""
        for offset in range(self._microbatches):
            microbatch = (first + offset) % self._microbatches
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

    def put_elsewhere(self, microbatch: int, loss: float, outpost: int) -> bool:
        """Note that an outpost has one gradient; false if it is in already and is not wanted."""
        if not self.wants(microbatch):
            return False
        self._losses[microbatch] = loss
        self._elsewhere[microbatch] = outpost
        return True

    def lies_at(self, outpost: int) -> tuple[int, ...]:
        """Microbatches whose gradients an outpost has."""
        return tuple(sorted(microbatch for microbatch, where in self._elsewhere.items() if where == outpost))

    def arrive(self, outpost: int, branch: Branch, buffer: int) -> bool:
        """Take in an outpost's sum of a branch; false if not all of that lies there, so that it is not taken."""
        microbatches = branch.microbatches(self._microbatches)
        if not microbatches or any(self._elsewhere.get(microbatch) != outpost for microbatch in microbatches):
            return False
        for microbatch in microbatches:
            del self._elsewhere[microbatch]
        self._sums.put(branch, buffer)
        return True

    def lose(self, outpost: int) -> None:
        """An outpost is gone: what lies there is to be computed again."""
        for microbatch in self.lies_at(outpost):
            del self._elsewhere[microbatch], self._losses[microbatch]
            # There is none where it was handed in to a coordinator that had not handed it out.
            self._claims.pop(microbatch, None)

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
