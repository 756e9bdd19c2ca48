"""Improving a plan in one part of the tree while the rest is held: a small program taken out of the large one."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Columns that may change, and where they stand in the program's matrix.

    Attributes:
        columns: the columns, rising.
        rows: rows in which any of them stands, rising.
        entries: places of their entries in ``value_Z``, row by row.
        entry_row: for each entry, the place of its row in ``rows``.
        entry_column: for each entry, the place of its column in ``columns``.
    """

    columns: Ints
    rows: Ints
    entries: Ints
    entry_row: Ints
    entry_column: Ints

    @classmethod
    def of(cls, program: Program, columns: Ints) -> Self:
        """Find the entries of some columns."""
        inside_C = np.zeros(len(program.cost_C), dtype=bool)
        inside_C[columns] = True
        entries = np.flatnonzero(inside_C[program.index_Z])
        row_of_entry = np.searchsorted(program.start_R, entries, side="right") - 1
        rows, entry_row = np.unique(row_of_entry, return_inverse=True)
        entry_column = np.searchsorted(columns, program.index_Z[entries])
        return cls(columns, rows, entries, entry_row, entry_column)


def solve_part(
    program: Program, part: Part, value_C: Floats, gap: float, seconds: float, threads: int
) -> Floats | None:
    """The best values of a part, the rest held at ``value_C``; None if nothing better was found."""
    sub = take_out(program, part, value_C)
    solver = Solver(sub, threads)
    solver.whole(sub.integer_C)
    solver.suggest(value_C[part.columns])
    answer = solver.run(seconds=seconds, gap=gap)
    if answer.value_C is None or answer.objective >= float(sub.cost_C @ value_C[part.columns]) - 1e-9:
        return None
    better_C = value_C.copy()
    better_C[part.columns] = answer.value_C
    return better_C


def take_out(program: Program, part: Part, value_C: Floats) -> Program:
    """The program of a part alone; what the rest adds to a row moves into the row's bounds."""
    values = program.value_Z[part.entries]
    count = len(part.rows)
    own_R = np.bincount(part.entry_row, values * value_C[part.columns][part.entry_column], minlength=count)
    rest_R = _sums(program, part.rows, value_C) - own_R
    sizes_R = np.bincount(part.entry_row, minlength=count)
    return Program(
        cost_C=program.cost_C[part.columns],
        offset=0.0,
        lower_C=program.lower_C[part.columns],
        upper_C=program.upper_C[part.columns],
        integer_C=program.integer_C[part.columns],
        row_lower_R=program.row_lower_R[part.rows] - rest_R,
        row_upper_R=program.row_upper_R[part.rows] - rest_R,
        start_R=np.concatenate([[0], np.cumsum(sizes_R)[:-1]]).astype(np.int32),
        index_Z=part.entry_column.astype(np.int32),
        value_Z=values,
        column_nV=np.zeros((0, 0), dtype=np.int64),
        row_node_R=program.row_node_R[part.rows],
        row_label_R=program.row_label_R[part.rows],
    )


def _sums(program: Program, rows: Ints, value_C: Floats) -> Floats:
    """What some rows come to."""
    ends_R = np.append(program.start_R[1:], len(program.value_Z))
    sizes = ends_R[rows] - program.start_R[rows]
    # Places of all entries of the rows: each row's start, counted up.
    ahead = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    places = np.repeat(program.start_R[rows] - ahead, sizes) + np.arange(sizes.sum())
    terms = program.value_Z[places] * value_C[program.index_Z[places]]
    sums_R = np.bincount(np.repeat(np.arange(len(rows)), sizes), terms, minlength=len(rows))
    return np.asarray(sums_R, dtype=np.float64)
