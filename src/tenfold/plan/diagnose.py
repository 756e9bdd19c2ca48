"""Why there is no plan: the least that floors and limits would have to give, and what stands in the way.

The elastic program lets floors and capex limits be broken, each at a cost per share broken; all else is free. Its
solution says which periods break them; its duals say which rows cannot help. It is solved thrice: for the least by
which floors break whatever is spent, since what money can mend is no matter of floors; for the least by which limits
break then; and, where they do, for the floors that break if limits are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenfold.page.figures import usd
from tenfold.plan.columns import Floats, Key
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver
from tenfold.plan.model import Template
from tenfold.plan.solve import NoPlan
from tenfold.plan.tree import Tree

BROKEN = 1e-6
BINDING = 1e-7
SHOWN = 6
BUDGET = "capex_limit_usd"
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
    """What breaks, and what it would take: sites, offers and limits that are used to the full there.

    ``instead``: the floors that would break if the limits were kept.
    """

    breaches: tuple[Breach, ...]
    binding: tuple[str, ...]
    instead: tuple[Breach, ...] = ()

    def error(self) -> NoPlan:
        """The diagnosis as an error to show."""
        if not self.breaches:
            return NoPlan(
                "parts of phases and lots would meet all floors and limits, whole ones do not",
                next_step="lower a floor, raise a limit, or allow smaller lots",
            )
        floors = [breach for breach in self.breaches if breach.key != BUDGET]
        limits = [breach for breach in self.breaches if breach.key == BUDGET]
        lines = [*_sentences(limits), *_sentences(floors)]
        binding = [name for name in self.binding if not name.startswith("capex limit")]
        if floors and binding:
            lines.append(f"what binds there, whatever is spent: {', '.join(binding)}")
        if self.instead:
            lines += ["or, with the limits as they are:", *(f"  {line}" for line in _sentences(self.instead))]
        if floors:
            cure = f"change {floors[0].key}, or what binds: earlier phases, shorter leads, more rent"
        else:
            cure = f"raise {BUDGET} of {' and '.join(breach.period for breach in limits)}, or lower the floors"
        if floors and limits:
            cure += f"; and raise {BUDGET}"
        return NoPlan(
            "no plan meets all floors and limits:\n" + "\n".join(f"  {line}" for line in lines), next_step=cure
        )


def diagnose(program: Program, node: Template, tree: Tree) -> Diagnosis:
    """Find the least breach of floors and capex limits, and what binds."""
    elastic, short_nK, limits = _elastic(program, node, tree)
    columns = np.arange(len(program.cost_C), len(elastic.cost_C))
    excess, over = np.split(columns, [short_nK.size])
    least = Solver(_at_cost(elastic, excess)).run()
    if least.value_C is None or least.dual_R is None:
        return Diagnosis((), ())
    floors = tuple(_floors(least.value_C, short_nK, node, tree))
    binding = _binding(least.dual_R, program, node, tree)
    spent = Solver(_capped(_at_cost(elastic, over), excess, least.value_C[excess] + BROKEN)).run()
    budgets = () if spent.value_C is None else tuple(_limits(spent.value_C, limits, program, node, tree))
    if not budgets:
        return Diagnosis(floors, tuple(binding))
    kept = Solver(_capped(_at_cost(elastic, excess), over, np.zeros(len(over)))).run()
    instead = () if kept.value_C is None else tuple(_floors(kept.value_C, short_nK, node, tree))
    return Diagnosis((*budgets, *floors), (*binding, *(f"capex limit {each.period}" for each in budgets)), instead)


def _at_cost(elastic: Program, columns: NDArray[np.int64]) -> Program:
    """The elastic program with only these columns at their cost; all others are free."""
    cost_C = np.zeros(len(elastic.cost_C))
    cost_C[columns] = elastic.cost_C[columns]
    return replace(elastic, cost_C=cost_C)


def _capped(elastic: Program, columns: NDArray[np.int64], most: Floats) -> Program:
    upper_C = elastic.upper_C.copy()
    upper_C[columns] = most
    return replace(elastic, upper_C=upper_C)


def _elastic(program: Program, node: Template, tree: Tree) -> tuple[Program, NDArray[np.int64], NDArray[np.int64]]:
    """The elastic program, its short columns (n, K), and its rows of limits.

    After the program's own columns come those by which floors are broken, and then those by which limits are.
    """
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
            yield Breach(BUDGET, year, limit, limit + over)


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


def _sentences(breaches: Sequence[Breach]) -> list[str]:
    lines = [_sentence(breach) for breach in breaches[:SHOWN]]
    return [*lines, f"and {len(breaches) - SHOWN} more"] if len(breaches) > SHOWN else lines


def _sentence(breach: Breach) -> str:
    if breach.key == BUDGET:
        spent = f"{usd(breach.possible)} must be spent in the dearest scenario"
        return f"{breach.period}: {BUDGET} is {usd(breach.wanted)}, but {spent}"
    possible = f"{breach.possible:.1%} can be served in the worst scenario"
    return f"{breach.period}: {breach.key} is {breach.wanted:.0%}, but {possible}"
