"""The Markov lattice: few demands per period, and how likely one leads to another.

Unlike a tree's nodes, a lattice's are reached by many ways, so that it stays small over many periods.
Shapes: J nodes of a period, I of the one before, N paths, K workloads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.tree import Tree, reduce

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_GROWTH = 4
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Lattice:
    """Nodes by period.

    Attributes:
        demand_JK: demand of the nodes of each period.
        move_IJ: probability of each node given the node of the period before; the first has one row.
        spread_K: standard deviation of demand in each period, to measure nearness by. In demand itself, not in its
            logarithm: high demand is what costs, so there the nodes should lie close together.
    """

    demand_JK: tuple[Floats, ...]
    move_IJ: tuple[Floats, ...]
    spread_K: tuple[Floats, ...]

    @classmethod
    def of_paths(cls, paths_NTK: Floats, width: int) -> Self:
        """Cluster the demands of each period into up to ``width`` nodes, and count the paths' moves between them.

        The first period is one node: its demand is near to known, and ratios to it last.
        """
        spread_TK = np.maximum(paths_NTK.std(axis=0), 1e-9 * paths_NTK.mean(axis=0))
        demand_JK, move_IJ = [], []
        before_N, count = np.zeros(len(paths_NTK), dtype=np.int64), 1
        for period in range(paths_NTK.shape[1]):
            points_NK = paths_NTK[:, period]
            nodes_JK = _cluster(points_NK / spread_TK[period], min(width, FIRST_GROWTH**period)) * spread_TK[period]
            now_N = _nearest(points_NK, nodes_JK, spread_TK[period])
            moves_IJ = np.zeros((count, len(nodes_JK)))
            np.add.at(moves_IJ, (before_N, now_N), 1.0)
            demand_JK.append(nodes_JK)
            # A node that no path leaves would have no way on: it moves as all paths together do.
            lost_I = moves_IJ.sum(axis=1) == 0
            moves_IJ[lost_I] = moves_IJ.sum(axis=0)
            move_IJ.append(moves_IJ / moves_IJ.sum(axis=1, keepdims=True))
            before_N, count = now_N, len(nodes_JK)
        return cls(tuple(demand_JK), tuple(move_IJ), tuple(spread_TK))

    @classmethod
    def of_tree(cls, tree: Tree) -> Self:
        """A tree as a lattice: each node is reached from its parent only."""
        demand_JK: list[Floats] = []
        move_IJ: list[Floats] = [np.ones((1, 1))]
        for stage in range(tree.stages):
            nodes = tree.at(stage)
            demand_JK.append(tree.demand_nK[nodes])
            if stage:
                parents = tree.at(stage - 1)
                moves_IJ = np.zeros((len(parents), len(nodes)))
                share_J = tree.probability_n[nodes] / tree.probability_n[tree.parent_n[nodes]]
                moves_IJ[tree.parent_n[nodes] - parents[0], np.arange(len(nodes))] = share_J
                move_IJ.append(moves_IJ)
        workloads = tree.demand_nK.shape[1]
        return cls(tuple(demand_JK), tuple(move_IJ), tuple(np.ones(workloads) for _ in range(tree.stages)))

    @property
    def periods(self) -> int:
        """Number of periods."""
        return len(self.demand_JK)

    def nearest(self, period: int, demand_NK: Floats) -> Ints:
        """The node of a period that is nearest to each demand."""
        return _nearest(demand_NK, self.demand_JK[period], self.spread_K[period])

    def walk(self, rng: np.random.Generator) -> Sequence[int]:
        """One random way through the nodes."""
        nodes: list[int] = []
        for moves_IJ in self.move_IJ:
            nodes.append(int(rng.choice(moves_IJ.shape[1], p=moves_IJ[nodes[-1] if nodes else 0])))
        return nodes


def _nearest(demand_NK: Floats, nodes_JK: Floats, spread_K: Floats) -> Ints:
    apart_NJK = (demand_NK[:, None] - nodes_JK) / spread_K
    return (apart_NJK**2).sum(axis=2).argmin(axis=1)


def _cluster(points_NK: Floats, width: int) -> Floats:
    """Centres of ``width`` clusters, begun where splitting the widest cluster in two again and again leads."""
    # The reduction measures in the logarithm, hence the exponential.
    tree = reduce(np.exp(points_NK - points_NK.max(axis=0))[:, None].repeat(2, axis=1), [1, width])
    centres_JK = np.log(tree.demand_nK[tree.leaves()]) + points_NK.max(axis=0)
    for _ in range(ROUNDS):
        of_N = _nearest(points_NK, centres_JK, np.ones(points_NK.shape[1]))
        count_J = np.bincount(of_N, minlength=len(centres_JK))
        sum_JK = np.zeros_like(centres_JK)
        np.add.at(sum_JK, of_N, points_NK)
        centres_JK = np.where(count_J[:, None] > 0, sum_JK / np.maximum(count_J, 1)[:, None], centres_JK)
    return centres_JK
