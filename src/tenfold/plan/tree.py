"""The scenario tree: few futures that stand for many, and what is known when.

Shapes: n nodes in order of their stage, N paths, T stages, K workloads.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.demand import DemandProcess
from tenfold.plan.study import Study

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_GROWTH = 3.0
LLOYD_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Tree:
    """A scenario tree. Node 0 is the root; nodes are in order of stage, children in order of their parents.

    Attributes:
        stage_n: period of each node.
        parent_n: parent of each node, -1 for the root.
        probability_n: probability of passing through each node.
        demand_nK: demand in each node, the mean of the paths through it, in the workloads' units.
    """

    stage_n: Ints
    parent_n: Ints
    probability_n: Floats
    demand_nK: Floats

    def __len__(self) -> int:
        return len(self.stage_n)

    @property
    def stages(self) -> int:
        """Number of stages T."""
        return int(self.stage_n[-1]) + 1

    def at(self, stage: int) -> Ints:
        """The nodes of a stage."""
        first, last = np.searchsorted(self.stage_n, [stage, stage + 1])
        return np.arange(first, last)

    def leaves(self) -> Ints:
        """The nodes of the last stage; each ends one scenario."""
        return self.at(self.stages - 1)

    def ancestors_nT(self) -> Ints:
        """Ancestor of each node by lag: column 0 is the node itself, column 1 its parent; -1 before the root."""
        table_nT = np.full((len(self), self.stages), -1)
        table_nT[:, 0] = np.arange(len(self))
        for lag in range(1, self.stages):
            known = table_nT[:, lag - 1] >= 0
            table_nT[known, lag] = self.parent_n[table_nT[known, lag - 1]]
        return table_nT

    def scenario(self, leaf: int) -> Self:
        """The path to a leaf as a tree of its own, with probability 1."""
        nodes = self.ancestors_nT()[leaf, ::-1]
        return type(self)(
            stage_n=np.arange(self.stages),
            parent_n=np.arange(self.stages) - 1,
            probability_n=np.ones(self.stages),
            demand_nK=self.demand_nK[nodes],
        )

    def mean(self) -> Self:
        """The one path of mean demand, with probability 1."""
        weighted_nK = self.probability_n[:, None] * self.demand_nK
        return type(self)(
            stage_n=np.arange(self.stages),
            parent_n=np.arange(self.stages) - 1,
            probability_n=np.ones(self.stages),
            demand_nK=np.stack([weighted_nK[self.at(stage)].sum(axis=0) for stage in range(self.stages)]),
        )


def grow(study: Study) -> Tree:
    """The tree of a study: simulate its demand, then reduce."""
    settings = study.tree
    paths_NTK = DemandProcess.fit(study).simulate(settings.paths, np.random.default_rng(settings.seed))
    return reduce(paths_NTK, widths(settings.nodes, study.periods, settings.paths))


def widths(nodes: int, stages: int, paths: int) -> list[int]:
    """Nodes per stage that add up to ``nodes``: early stages widen threefold (more if few), then all are alike.

    What is decided early matters most and is known least, so the tree branches early.
    """
    growth = FIRST_GROWTH
    free = np.minimum(growth ** np.arange(stages), paths)
    while free.sum() < nodes and growth < paths:
        growth *= 1.5
        free = np.minimum(growth ** np.arange(stages), paths)
    low, high = 1.0, float(nodes)
    for _ in range(60):
        cap = (low + high) / 2
        low, high = (cap, high) if np.floor(np.minimum(free, cap)).sum() <= nodes else (low, cap)
    result = np.floor(np.minimum(free, low)).astype(int)
    spare = min(nodes - int(result.sum()), stages - 1)
    if spare > 0:
        result[-spare:] = np.minimum(result[-spare:] + 1, paths)
    return [int(width) for width in np.maximum.accumulate(result)]


def reduce(paths_NTK: Floats, width_T: Sequence[int]) -> Tree:
    """Reduce paths to a tree by splitting clusters stage by stage.

    Each stage starts from the clusters of the one before. The cluster whose paths' demands of this stage lie furthest
    apart (sum of squares of log demand, each workload by its spread over all paths) is split in two by 2-means, until
    the stage has its width. Only demand up to the stage is used, so a node knows nothing of its future. A node's demand
    is the mean of its paths: the tree keeps the mean of every stage, and loses the variance within clusters.

    Args:
        paths_NTK: equally likely paths.
        width_T: nodes wanted per stage, rising; a stage gets fewer if its paths do not differ.
    """
    count_N, stages, _ = paths_NTK.shape
    logs_NTK = np.log(paths_NTK)
    scale_TK = logs_NTK.std(axis=0)
    scaled_NTK = (logs_NTK - logs_NTK.mean(axis=0)) / np.where(scale_TK > 1e-9, scale_TK, 1.0)
    groups = [(-1, np.arange(count_N))]
    stage_n: list[int] = []
    parent_n: list[int] = []
    probability_n: list[float] = []
    demand_nK: list[Floats] = []
    for stage in range(stages):
        if stage:
            groups = _split(groups, scaled_NTK[:, stage], width_T[stage])
        first = len(stage_n)
        for parent, members in groups:
            stage_n.append(stage)
            parent_n.append(parent)
            probability_n.append(len(members) / count_N)
            demand_nK.append(paths_NTK[members, stage].mean(axis=0))
        groups = [(first + place, members) for place, (_, members) in enumerate(groups)]
    return Tree(np.array(stage_n), np.array(parent_n), np.array(probability_n), np.stack(demand_nK))


def _split(groups: list[tuple[int, Ints]], points_NK: Floats, width: int) -> list[tuple[int, Ints]]:
    """Split the widest groups in two until there are ``width``; parents stay in order."""
    ticket = count()
    heap = [(-_spread(points_NK[members]), next(ticket), parent, members) for parent, members in groups]
    heapq.heapify(heap)
    while len(heap) < width and heap[0][0] < -1e-9:
        _, _, parent, members = heapq.heappop(heap)
        upper = _two_means(points_NK[members])
        for part in (members[~upper], members[upper]):
            heapq.heappush(heap, (-_spread(points_NK[part]), next(ticket), parent, part))
    return [(parent, members) for _, _, parent, members in sorted(heap, key=lambda entry: (entry[2], entry[1]))]


def _spread(points_MK: Floats) -> float:
    return float(((points_MK - points_MK.mean(axis=0)) ** 2).sum())


def _two_means(points_MK: Floats) -> NDArray[np.bool_]:
    """Which points belong to the upper of two clusters; begun with a split across the longest axis, so repeatable."""
    centred_MK = points_MK - points_MK.mean(axis=0)
    axis = np.linalg.eigh(centred_MK.T @ centred_MK)[1][:, -1]
    along = centred_MK @ (axis * (1.0 if axis.sum() >= 0 else -1.0))
    upper = along > np.median(along)
    if not upper.any():
        upper = along > along.min()
    for _ in range(LLOYD_ROUNDS):
        low, high = points_MK[~upper].mean(axis=0), points_MK[upper].mean(axis=0)
        better = ((points_MK - high) ** 2).sum(axis=1) < ((points_MK - low) ** 2).sum(axis=1)
        if better.all() or not better.any() or (better == upper).all():
            break
        upper = better
    return upper
