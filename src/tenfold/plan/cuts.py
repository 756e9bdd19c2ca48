"""Cuts: rows that every plan with whole phases keeps and a solution with parts of phases breaks.

At a node all places together power what is at work, and what is at work, rented or short meets demand. A weight on each
workload, in power per unit of it, joins these rows to one:

    power of whole phases + weighed rent and shortage + gain x accelerators >= weighed demand

where a kind's gain is what it serves, weighed, beyond the power that it draws. Weights at which some kind gains
nothing leave little beside the phases. Of a row of whole and other variables, mixed-integer rounding then makes a cut
(Nemhauser and Wolsey 1990; Marchand and Wolsey 2001).

Shapes: m nodes of a stage, K variables of a node and its ancestors, J those of them that are whole.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Columns, Floats, Key
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver
from tenfold.plan.model import Stage, Template
from tenfold.plan.tree import Tree

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WEIGHTS = 256
PER_NODE = 2
BROKEN = 1e-3
SLACK = 0.25
LEAST, MOST = 0.01, 0.999
ZERO = 1e-9


@dataclass(frozen=True, slots=True)
class Cut:
    """``lower <= value @ columns[index]``."""

    lower: float
    index: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class Joined:
    """A row that all plans keep at each node of a stage: value_K @ x >= need_m + known.

    Attributes:
        value_K: at least 0 where variables are whole. The rest of it, less ``known``, is at least 0 in all plans.
    """

    value_K: Floats
    known: float
    need_m: Floats


@dataclass(frozen=True, slots=True)
class StageRows:
    """The joined rows of the nodes of a stage.

    Attributes:
        column_mK: the program's columns.
        whole_J: which of the K must be whole; each is 0 or 1.
    """

    column_mK: Ints
    whole_J: Ints
    rows: tuple[Joined, ...]


def joined_rows(program: Program, template: Template, tree: Tree) -> tuple[StageRows, ...]:
    """Rows to make cuts of, for all stages; none if nothing draws power."""
    cols, ancestors_nT = template.columns, tree.ancestors_nT()
    if not cols.keys("assigned"):
        return ()
    owned = dict.fromkeys(template.study.accelerators, 0.0)
    found = []
    for number, stage in enumerate(template.stages):
        table, nodes = _Table.of(stage, cols), tree.at(number)
        owned = {kind: count + stage.row_lower_R[table.row["installed", kind]] for kind, count in owned.items()}
        lower_mR = stage.row_lower_R + tree.demand_nK[nodes] @ stage.row_demand_RK.T
        rows = [row for weights in _weights(table) for row in _joined(table, weights, lower_mR, owned)]
        column_mK = program.column_nV[ancestors_nT[nodes][:, table.lag_K], table.variable_K]
        found.append(StageRows(column_mK, np.flatnonzero(cols.integer_V[table.variable_K]), tuple(rows)))
    return tuple(found)


def find_cuts(stages: tuple[StageRows, ...], value_C: Floats) -> list[Cut]:
    """The most broken cuts of each node, a few at most."""
    return [cut for stage in stages for cut in _cuts(stage, value_C)]


def add_cuts(solver: Solver, cuts: list[Cut]) -> None:
    """Add cuts to a program in the solver."""
    start_R = np.cumsum([0, *(len(cut.index) for cut in cuts[:-1])])
    index_Z, value_Z = np.concatenate([cut.index for cut in cuts]), np.concatenate([cut.value for cut in cuts])
    solver.add_rows(np.array([cut.lower for cut in cuts]), start_R, index_Z, value_Z)


@dataclass(frozen=True, slots=True)
class _Table:
    """A stage's rows over K pairs of variable and lag.

    Attributes:
        row: place of each label's first row; ``power_rows``: of all rows of power that is there.
        installed: place among the K of each kind's accelerators; ``work``: of those at work, by task.
    """

    value_RK: Floats
    variable_K: Ints
    lag_K: Ints
    row: dict[Key, int]
    power_rows: list[int]
    installed: dict[str, int]
    work: dict[str, dict[str, int]]

    @classmethod
    def of(cls, stage: Stage, cols: Columns) -> Self:
        matrix = stage.matrix
        code_K, place_Z = np.unique(matrix.lag * len(cols) + matrix.variable, return_inverse=True)
        value_RK = np.zeros((len(stage.labels), len(code_K)))
        value_RK[matrix.row, place_Z] = matrix.value
        row: dict[Key, int] = {}
        for place, label in enumerate(stage.labels):
            row.setdefault(label, place)
        work: dict[str, dict[str, int]] = {}
        for kind, workload in cols.keys("assigned"):
            # With lag 0 the code of a variable is its place.
            place = np.searchsorted(code_K, cols.place["assigned", kind, workload])
            work.setdefault(kind, {})[workload] = int(place)
        return cls(
            value_RK=value_RK,
            variable_K=code_K % len(cols),
            lag_K=code_K // len(cols),
            row=row,
            power_rows=[place for place, label in enumerate(stage.labels) if label[0] == "power"],
            installed={kind: int(np.searchsorted(code_K, cols.place["installed", kind])) for kind in work},
            work=work,
        )


def _weights(table: _Table) -> Iterator[dict[str, float]]:
    """Power per unit of each workload: none, or what a kind draws for it; the lowest if there are many."""
    power_K = -table.value_RK[table.row["power balance",]]
    choices: dict[str, set[float]] = {}
    for places in table.work.values():
        for workload, place in places.items():
            if ("demand", workload) not in table.row:
                continue  # a run: it can wait, so no period must power it
            served = table.value_RK[table.row["demand", workload], place]
            choices.setdefault(workload, {0.0}).add(float(power_K[place] / served))
    if not choices:
        return
    most = int(WEIGHTS ** (1 / len(choices)) + ZERO)
    for weights in itertools.product(*(sorted(choice)[:most] for choice in choices.values())):
        yield dict(zip(choices, weights, strict=True))


def _joined(table: _Table, weights: dict[str, float], lower_mR: Floats, owned: dict[str, float]) -> Iterator[Joined]:
    """The row of some weights; and where owned kinds lose by work, the row that counts them as idle or at work."""
    rows = [*table.power_rows, table.row["power balance",], *(table.row["demand", name] for name in weights)]
    weight_R = np.array([1.0] * (len(rows) - len(weights)) + list(weights.values()))
    value_K = weight_R @ table.value_RK[rows]
    need_m = lower_mR[:, rows] @ weight_R
    idle_K, idle_need = np.zeros_like(value_K), 0.0
    known = 0.0
    for kind, places in table.work.items():
        installed, work = table.installed[kind], list(places.values())
        gain = float(value_K[work].max())
        value_K[work] = 0.0
        if gain > 0:
            value_K[installed] += gain
            known += gain * owned[kind]
        elif owned[kind] > ZERO:
            # At work = installed - idle, and installed >= owned.
            idle_K[installed], idle_K[work] = -gain, gain
            idle_need -= gain * owned[kind]
    value_K[value_K < ZERO] = 0.0
    yield Joined(value_K, known, need_m - known)
    if idle_need:
        yield Joined(value_K + idle_K, known, need_m - known + idle_need)


def _cuts(stage: StageRows, value_C: Floats) -> list[Cut]:
    value_mK = value_C[stage.column_mK]
    whole_mJ = value_mK[:, stage.whole_J]
    found = [rounded for row in stage.rows for rounded in _roundings(row, stage.whole_J, value_mK, whole_mJ)]
    found.sort(key=lambda rounded: -rounded.depth)
    taken_m = np.zeros(len(value_mK), dtype=np.int64)
    cuts = []
    for rounded in found:
        if taken_m[rounded.node] < PER_NODE:
            taken_m[rounded.node] += 1
            some = np.flatnonzero(np.abs(rounded.value_K) > ZERO)
            cuts.append(Cut(rounded.lower, stage.column_mK[rounded.node, some], rounded.value_K[some]))
    return cuts


@dataclass(frozen=True, slots=True)
class _Rounded:
    """A broken cut of a node: how far the solution is from it, and its row."""

    depth: float
    node: int
    lower: float
    value_K: Floats


def _roundings(row: Joined, whole_J: Ints, value_mK: Floats, whole_mJ: Floats) -> Iterator[_Rounded]:
    """Broken cuts by rounding a row in units of each phase's size, with and without phases nearly there flipped."""
    size_J = row.value_K[whole_J]
    if not size_J.any():
        return
    rest_K = row.value_K.copy()
    rest_K[whole_J] = 0.0
    rest_m = value_mK @ rest_K - row.known
    close = np.flatnonzero(whole_mJ @ size_J + rest_m - row.need_m < SLACK * size_J.max())
    if not len(close):
        return
    whole_cJ, rest_c, need_c = whole_mJ[close], rest_m[close], row.need_m[close]
    for flipped_cJ in (np.zeros(whole_cJ.shape, dtype=bool), whole_cJ > 0.5):
        for unit in np.unique(size_J[size_J > 0]):
            factor_cJ, lower_c = _round(size_J, flipped_cJ, need_c, unit)
            short_c = lower_c - (factor_cJ * whole_cJ).sum(axis=1) - rest_c / unit
            depth_c = short_c / np.sqrt((factor_cJ**2).sum(axis=1) + ((rest_K / unit) ** 2).sum())
            for place in np.flatnonzero(depth_c > BROKEN):
                value_K = rest_K / unit
                value_K[whole_J] = factor_cJ[place]
                lower = float(lower_c[place] + row.known / unit)
                yield _Rounded(float(depth_c[place]), int(close[place]), lower, value_K)


def _round(size_J: Floats, flipped_mJ: Bools, need_m: Floats, unit: float) -> tuple[Floats, Floats]:
    """Mixed-integer rounding of size_J @ z + rest >= need, rest >= 0, where some z are replaced by 1 - (1 - z).

    Returns:
        Factors of z and the lower bound of the cut whose rest has the factor 1 / unit. 0 and -inf where the need is
        so close to a multiple of the unit that the cut would be weak or unsafe.
    """
    units_m = (need_m - (flipped_mJ * size_J).sum(axis=1)) / unit
    part_m = units_m - np.floor(units_m)
    usable_m = (part_m > LEAST) & (part_m < MOST)
    part_m = np.where(usable_m, part_m, 1.0)
    units_mJ = np.where(flipped_mJ, -size_J, size_J) / unit
    whole_mJ = np.floor(units_mJ)
    factor_mJ = whole_mJ * part_m[:, None] + np.minimum(part_m[:, None], units_mJ - whole_mJ)
    lower_m = part_m * np.ceil(units_m) - (factor_mJ * flipped_mJ).sum(axis=1)
    return np.where(flipped_mJ, -factor_mJ, factor_mJ), np.where(usable_m, lower_m, -np.inf)
