"""Why there is no plan: the least that floors and limits would have to give, and what stands in the way.

The elastic program lets floors and capex limits be broken at a cost of 1 per share broken, and everything else be free.
Its solution says which periods break them; its duals say which rows cannot help.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats, Key
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver
from tenfold.plan.model import Template
from tenfold.plan.solve import NoPlan
from tenfold.plan.tree import Tree

BROKEN = 1e-6
BINDING = 1e-7
SHOWN = 6
PLACES = ("power", "start", "sign", "after")


@dataclass(frozen=True, slots=True)
class Breach:
    """A floor or a limit that cannot be met.

    Attributes:
        key: the study's key.
        period: label of the period, or the year.
        wanted: what the study says: a share of demand, or USD.
        possible: the best that can be had, in the worst scenario.
    """

    key: str
    period: str
    wanted: float
    possible: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What breaks, and what it would take: sites, offers and limits that are used to the full there."""

    breaches: tuple[Breach, ...]
    binding: tuple[str, ...]

    def error(self) -> NoPlan:
        """The diagnosis as an error to show."""
        if not self.breaches:
            return NoPlan(
                "parts of phases and lots would meet all floors and limits, whole ones do not",
                next_step="lower a floor, raise a limit, or allow smaller lots",
            )
        lines = [_sentence(breach) for breach in self.breaches[:SHOWN]]
        if len(self.breaches) > SHOWN:
            lines.append(f"and {len(self.breaches) - SHOWN} more")
        if self.binding:
            lines.append(f"what binds there: {', '.join(self.binding)}")
        return NoPlan(
            "no plan meets all floors and limits:\n" + "\n".join(f"  {line}" for line in lines),
            next_step=f"change {self.breaches[0].key}, or what binds: earlier phases, shorter leads, more rent",
        )


def diagnose(program: Program, node: Template, tree: Tree) -> Diagnosis:
    """Find the least breach of floors and capex limits, and what binds."""
    elastic, floors, limits = _elastic(program, node, tree)
    answer = Solver(elastic).run()
    if answer.value_C is None or answer.dual_R is None:
        return Diagnosis((), ())
    breaches = [*_floors(answer.value_C, floors, node, tree), *_limits(answer.value_C, limits, program, node, tree)]
    return Diagnosis(tuple(breaches), tuple(_binding(answer.dual_R, program, node, tree)))


def _elastic(program: Program, node: Template, tree: Tree) -> tuple[Program, NDArray[np.int64], NDArray[np.int64]]:
    """The elastic program, its short columns (n, K), and its rows of limits."""
    workloads = list(node.study.workloads)
    short_V = np.array([node.columns.place["short", name] for name in workloads])
    short_nK = program.column_nV[:, short_V]
    unit_K = node.columns.unit_V[short_V]
    demand_nK = tree.demand_nK / unit_K
    floor_nK = program.upper_C[short_nK]
    upper_C = program.upper_C.copy()
    upper_C[short_nK] = demand_nK
    limits = np.array(
        [row for row in range(len(program.row_node_R)) if _label(program, node, tree, row)[0] == "capex limit"],
        dtype=int,
    )
    columns, entries, count = len(program.cost_C), len(program.value_Z), short_nK.size
    # Rows of floors: short - excess <= what the floor allows. Limits: the row's own slack becomes a column.
    index = np.stack([short_nK.ravel(), columns + np.arange(count)], axis=1)
    value = np.tile([1.0, -1.0], count)
    ends_R = np.append(program.start_R[1:], entries)
    extra = ends_R[limits]
    index_Z = np.insert(program.index_Z, extra, columns + count + np.arange(len(limits)))
    value_Z = np.insert(program.value_Z, extra, -1.0)
    start_R = program.start_R + np.searchsorted(extra, program.start_R, side="right").astype(np.int32)
    scale_L = np.maximum(np.abs(program.row_upper_R[limits]), 1.0)
    elastic = replace(
        program,
        cost_C=np.concatenate([np.zeros(columns), 1 / np.maximum(demand_nK.ravel(), 1e-9), 1 / scale_L]),
        offset=0.0,
        lower_C=np.concatenate([program.lower_C, np.zeros(count + len(limits))]),
        upper_C=np.concatenate([upper_C, np.full(count + len(limits), np.inf)]),
        integer_C=np.concatenate([program.integer_C, np.zeros(count + len(limits), dtype=bool)]),
        row_lower_R=np.concatenate([program.row_lower_R, np.full(count, -np.inf)]),
        row_upper_R=np.concatenate([program.row_upper_R, floor_nK.ravel()]),
        start_R=np.concatenate([start_R, len(value_Z) + 2 * np.arange(count)]).astype(np.int32),
        index_Z=np.concatenate([index_Z, index.ravel()]).astype(np.int32),
        value_Z=np.concatenate([value_Z, value]),
    )
    return elastic, short_nK, limits


def _label(program: Program, node: Template, tree: Tree, row: int) -> Key:
    if program.row_label_R[row] < 0:
        return ("risk",)
    return program.label(node, tree, row)[1]


def _floors(value_C: Floats, short_nK: NDArray[np.int64], node: Template, tree: Tree) -> Iterable[Breach]:
    study = node.study
    for k, (name, workload) in enumerate(study.workloads.items()):
        unit = node.columns.unit_V[node.columns.place["short", name]]
        served_n = 1 - value_C[short_nK[:, k]] * unit / tree.demand_nK[:, k]
        for stage in range(tree.stages):
            worst = float(served_n[tree.at(stage)].min())
            if worst < workload.floor - BROKEN:
                yield Breach(f"workloads.{name}.floor", study.calendar.label(stage), workload.floor, max(0.0, worst))


def _limits(
    value_C: Floats, limits: NDArray[np.int64], program: Program, node: Template, tree: Tree
) -> Iterable[Breach]:
    study = node.study
    over_L = value_C[len(value_C) - len(limits) :] * node.columns.money_unit_usd
    worst: dict[str, float] = {}
    for row, over in zip(limits, over_L, strict=True):
        year = _label(program, node, tree, int(row))[1]
        worst[year] = max(worst.get(year, 0.0), float(over))
    for year, over in worst.items():
        limit = study.capex_limit_usd[year]
        if over > BROKEN * max(limit, 1.0):
            yield Breach("capex_limit_usd", year, limit, limit + over)


def _binding(dual_R: Floats, program: Program, node: Template, tree: Tree) -> list[str]:
    """Places, limits and offers whose rows have a price in the elastic program."""
    found: dict[str, None] = {}
    for row in np.flatnonzero(np.abs(dual_R[: len(program.row_node_R)]) > BINDING):
        label = _label(program, node, tree, int(row))
        if label[0] in PLACES:
            kind = "site" if label[1] in node.study.sites else "lease"
            found[f"power at {kind} {label[1]}"] = None
        elif label[0] in ("rent limit", "capex limit"):
            found[" ".join(label)] = None
        elif label[0] in ("installed", "kit"):
            found["lead time of " + (label[1] if len(label) > 1 else "conversion kit")] = None
    return list(found)


def _sentence(breach: Breach) -> str:
    if breach.key == "capex_limit_usd":
        return f"{breach.period}: capex_limit_usd is {breach.wanted:.4g}, but {breach.possible:.4g} must be spent"
    possible = f"{breach.possible:.1%} can be served in the worst scenario"
    return f"{breach.period}: {breach.key} is {breach.wanted:.0%}, but {possible}"
