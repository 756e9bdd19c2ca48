"""Improving a plan in one part of the tree while the rest is held: a small program cut out of the large one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """The columns that may change."""

    columns: Ints


def solve_part(
    program: Program, part: Part, value_C: Floats, gap: float, seconds: float, threads: int
) -> Floats | None:
    """The best values of a part, the rest held at ``value_C``; None if nothing better was found."""
    sub, columns = cut_out(program, part, value_C)
    solver = Solver(sub, threads)
    solver.whole(sub.integer_C)
    solver.suggest(value_C[columns])
    outcome = solver.run(seconds=seconds, gap=gap)
    if outcome.value_C is None or outcome.objective >= float(sub.cost_C @ value_C[columns]) - 1e-9:
        return None
    better_C = value_C.copy()
    better_C[columns] = outcome.value_C
    return better_C


def cut_out(program: Program, part: Part, value_C: Floats) -> tuple[Program, Ints]:
    """The program of a part alone, and its columns; what the rest adds to a row moves into the row's bounds."""
    columns = part.columns
    inside_C = np.zeros(len(program.cost_C), dtype=bool)
    inside_C[columns] = True
    new_C = np.cumsum(inside_C) - 1
    entries = len(program.value_Z)
    row_Z = np.repeat(np.arange(len(program.start_R)), np.diff(program.start_R, append=entries))
    inside_Z = inside_C[program.index_Z]
    rows = np.unique(row_Z[inside_Z])
    outside_R = np.bincount(
        row_Z[~inside_Z],
        program.value_Z[~inside_Z] * value_C[program.index_Z[~inside_Z]],
        minlength=len(program.start_R),
    )
    count_R = np.bincount(row_Z[inside_Z], minlength=len(program.start_R))[rows]
    sub = Program(
        cost_C=program.cost_C[columns],
        offset=0.0,
        lower_C=program.lower_C[columns],
        upper_C=program.upper_C[columns],
        integer_C=program.integer_C[columns],
        row_lower_R=program.row_lower_R[rows] - outside_R[rows],
        row_upper_R=program.row_upper_R[rows] - outside_R[rows],
        start_R=np.concatenate([[0], np.cumsum(count_R)[:-1]]).astype(np.int32),
        index_Z=new_C[program.index_Z[inside_Z]].astype(np.int32),
        value_Z=program.value_Z[inside_Z],
        column_nV=np.zeros((0, 0), dtype=np.int64),
        row_node_R=program.row_node_R[rows],
        row_label_R=program.row_label_R[rows],
    )
    return sub, columns
