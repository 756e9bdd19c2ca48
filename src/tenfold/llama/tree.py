"""The tree in which the gradients of a step are added: fixed by the microbatches' numbers alone.

Floating-point addition is not associative. So microbatches are the leaves of a binary tree, in the order of their
numbers, and only two neighbours' sums are ever added, the left first. The result is the same bits whoever computed
which microbatch, whenever it came, and on however many machines the sums lay in between. A machine that has computed
``n`` neighbouring microbatches holds at most 2 log2(n) sums of them, so it has little to send.
"""

from typing import Generic, NamedTuple, TypeVar

Vector = TypeVar("Vector")


class Branch(NamedTuple):
    """The 2^level microbatches from ``index`` x 2^level on, as far as the step has so many."""

    level: int
    index: int

    @property
    def parent(self) -> "Branch":
        """The branch that holds this one and its neighbour."""
        return Branch(self.level + 1, self.index // 2)

    @property
    def sibling(self) -> "Branch":
        """The branch that it is added to."""
        return Branch(self.level, self.index ^ 1)

    def microbatches(self, count: int) -> range:
        """Numbers of its microbatches, in a step that has ``count``."""
        return range(self.index << self.level, min((self.index + 1) << self.level, count))


class Addition(NamedTuple, Generic[Vector]):
    """Two neighbours' sums that make their parent's."""

    parent: Branch
    left: Vector
    right: Vector


class PartialSums(Generic[Vector]):
    """The sums of a step that one place holds, of the largest branches so far. Not locked.

    Args:
        microbatches: how many the step has.
    """

    def __init__(self, microbatches: int) -> None:
        self._microbatches = microbatches
        self.root = Branch((microbatches - 1).bit_length(), 0)
        self.held: dict[Branch, Vector] = {}

    def put(self, branch: Branch, vector: Vector) -> None:
        """Take in a branch's sum; where its neighbour would be past the last microbatch, it is its parent's too."""
        while branch != self.root and not branch.sibling.microbatches(self._microbatches):
            branch = branch.parent
        self.held[branch] = vector

    def next_addition(self) -> Addition[Vector] | None:
        """Take two neighbours out, to be added and put in as their parent; none if no two are here."""
        for branch in self.held:
            if not branch.index & 1 and branch.sibling in self.held:
                return Addition(branch.parent, self.held.pop(branch), self.held.pop(branch.sibling))
        return None

    def added(self, addition: Addition[Vector]) -> None:
        """The sum is in the addition's left vector."""
        self.put(addition.parent, addition.left)
