"""The extensive form: the template placed on every node of a scenario tree, as arrays for the solver.

Shapes: n nodes, V variables of a node, C columns, R rows, Z entries of the matrix.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats, Key
from tenfold.plan.model import Template
from tenfold.plan.tree import Tree

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Program:
    """A mixed-integer linear program, rows compressed.

    Attributes:
        cost_C, offset: the objective, in the template's unit of money.
        lower_C, upper_C, integer_C: the columns.
        row_lower_R, row_upper_R: the rows.
        start_R: where each row's entries start; ``index_Z`` and ``value_Z`` hold them.
        column_nV: the column of each variable of each node.
        row_node_R, row_label_R: node and place in its stage's labels of each row, -1 for rows of no node.
    """

    cost_C: Floats
    offset: float
    lower_C: Floats
    upper_C: Floats
    integer_C: NDArray[np.bool_]
    row_lower_R: Floats
    row_upper_R: Floats
    start_R: NDArray[np.int32]
    index_Z: NDArray[np.int32]
    value_Z: Floats
    column_nV: Ints
    row_node_R: Ints
    row_label_R: Ints

    def held(self, columns: Ints, value: Floats) -> Self:
        """The same with some columns held at given values, as far as their bounds allow."""
        lower_C, upper_C = self.lower_C.copy(), self.upper_C.copy()
        lower_C[columns] = upper_C[columns] = np.clip(value, lower_C[columns], upper_C[columns])
        return replace(self, lower_C=lower_C, upper_C=upper_C)

    def label(self, template: Template, tree: Tree, row: int) -> tuple[int, Key]:
        """Stage and label of a row."""
        stage = int(tree.stage_n[self.row_node_R[row]])
        return stage, template.stages[stage].labels[self.row_label_R[row]]


def extensive(template: Template, tree: Tree, shared: Ints | None = None) -> Program:
    """Place a template on a tree.

    Args:
        template: of a study with as many periods as the tree has stages.
        tree: the scenario tree.
        shared: variables that have one value for all nodes of a stage, decided without knowing demand.
    """
    ancestors_nT = tree.ancestors_nT()
    column_nV = _columns(template, tree, shared)
    columns = int(column_nV.max()) + 1
    cost_C = np.zeros(columns)
    lower_C, upper_C = np.full(columns, -np.inf), np.full(columns, np.inf)
    integer_C = np.zeros(columns, dtype=bool)
    integer_C[column_nV[:, template.columns.integer_V]] = True
    offset = 0.0
    index, value, counts, row_lower, row_upper, row_node, row_label = [], [], [], [], [], [], []
    for stage, content in enumerate(template.stages):
        nodes = tree.at(stage)
        demand_mK = tree.demand_nK[nodes]
        own_mV = column_nV[nodes]
        np.maximum.at(lower_C, own_mV, np.broadcast_to(content.lower_V, own_mV.shape))
        np.minimum.at(upper_C, own_mV, content.upper_V + demand_mK @ content.upper_demand_VK.T)
        weight_m = tree.probability_n[nodes] * template.discount_T[stage]
        for entries, constant in content.costs.values():
            at_mE = column_nV[ancestors_nT[nodes][:, entries.lag], entries.variable]
            cost_C += np.bincount(at_mE.ravel(), np.outer(weight_m, entries.value).ravel(), columns)
            offset += constant * float(weight_m.sum())
        matrix = content.matrix
        index.append(column_nV[ancestors_nT[nodes][:, matrix.lag], matrix.variable].ravel())
        value.append(np.tile(matrix.value, len(nodes)))
        rows = len(content.labels)
        counts.append(np.tile(np.bincount(matrix.row, minlength=rows), len(nodes)))
        needed_mR = demand_mK @ content.row_demand_RK.T
        row_lower.append((content.row_lower_R + needed_mR).ravel())
        row_upper.append(np.tile(content.row_upper_R, len(nodes)))
        row_node.append(np.repeat(nodes, rows))
        row_label.append(np.tile(np.arange(rows), len(nodes)))
    program = Program(
        cost_C=cost_C,
        offset=offset,
        lower_C=lower_C,
        upper_C=upper_C,
        integer_C=integer_C,
        row_lower_R=np.concatenate(row_lower),
        row_upper_R=np.concatenate(row_upper),
        start_R=np.concatenate([[0], np.cumsum(np.concatenate(counts))[:-1]]).astype(np.int32),
        index_Z=np.concatenate(index).astype(np.int32),
        value_Z=np.concatenate(value),
        column_nV=column_nV,
        row_node_R=np.concatenate(row_node),
        row_label_R=np.concatenate(row_label),
    )
    return _with_risk(program, template, tree) if template.study.risk.weight else program


def _columns(template: Template, tree: Tree, shared: Ints | None) -> Ints:
    """Number the columns: one per node and variable, or one per stage for shared variables."""
    column_nV = np.arange(len(tree) * len(template.columns)).reshape(len(tree), -1)
    if shared is None or not len(shared):
        return column_nV
    first_n = np.searchsorted(tree.stage_n, tree.stage_n)
    column_nV[:, shared] = column_nV[np.ix_(first_n, shared)]
    return np.unique(column_nV, return_inverse=True)[1].reshape(column_nV.shape)


def _with_risk(program: Program, template: Template, tree: Tree) -> Program:
    """Add weight x CVaR of the cost of a scenario (Rockafellar and Uryasev 2000).

    CVaR = min over eta of eta + mean of max(0, cost - eta) / (1 - alpha). One column is eta, one per leaf the excess.
    """
    risk = template.study.risk
    leaves = tree.leaves()
    columns, count = len(program.cost_C), len(leaves)
    spent = program.column_nV[leaves, template.columns.place[("spent",)]]
    excess = columns + 1 + np.arange(count)
    tail_cost = risk.weight * tree.probability_n[leaves] / (1 - risk.alpha)
    index = np.stack([excess, np.full(count, columns), spent], axis=1)
    entries = len(program.value_Z)
    return Program(
        cost_C=np.concatenate([program.cost_C, [risk.weight], tail_cost]),
        offset=program.offset,
        lower_C=np.concatenate([program.lower_C, [-np.inf], np.zeros(count)]),
        upper_C=np.concatenate([program.upper_C, np.full(count + 1, np.inf)]),
        integer_C=np.concatenate([program.integer_C, np.zeros(count + 1, dtype=bool)]),
        row_lower_R=np.concatenate([program.row_lower_R, np.zeros(count)]),
        row_upper_R=np.concatenate([program.row_upper_R, np.full(count, np.inf)]),
        start_R=np.concatenate([program.start_R, entries + 3 * np.arange(count)]).astype(np.int32),
        index_Z=np.concatenate([program.index_Z, index.ravel()]).astype(np.int32),
        value_Z=np.concatenate([program.value_Z, np.tile([1.0, 1.0, -1.0], count)]),
        column_nV=program.column_nV,
        row_node_R=np.concatenate([program.row_node_R, leaves]),
        row_label_R=np.concatenate([program.row_label_R, np.full(count, -1)]),
    )
