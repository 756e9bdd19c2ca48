"""HiGHS: how a program is handed to it, and what it says when it fails. Who solves what is up to its callers."""

from dataclasses import dataclass
from typing import Self

import highspy
import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import TenfoldError

Floats = NDArray[np.float64]
INFINITE = highspy.kHighsInf


class SolverFailed(TenfoldError):
    """HiGHS ended with neither a solution nor a proof that there is none."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Entries by rows: those of a row begin at its place in ``start_R``."""

    start_R: NDArray[np.int32]
    index_Z: NDArray[np.int32]
    value_Z: Floats

    @classmethod
    def of(cls, row_Z: NDArray[np.int64], column_Z: NDArray[np.int64], value_Z: Floats, rows: int) -> Self:
        """Sort entries that are in any order; those of one row keep theirs."""
        order = np.argsort(row_Z, kind="stable")
        start_R = np.searchsorted(row_Z[order], np.arange(rows))
        return cls(start_R.astype(np.int32), column_Z[order].astype(np.int32), value_Z[order])


def load(
    matrix: Matrix,
    *,
    cost_C: Floats,
    lower_C: Floats,
    upper_C: Floats,
    row_lower_R: Floats,
    row_upper_R: Floats,
    offset: float = 0.0,
    threads: int = 1,
) -> highspy.Highs:
    """Hand a program to a solver of its own, to minimise; quiet, and no column is whole yet.

    Raises:
        SolverFailed: it would not take it, for instance because entries are too large.
    """
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", threads)
    status = highs.passModel(
        len(cost_C),
        len(row_lower_R),
        len(matrix.value_Z),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMinimize),
        offset,
        cost_C,
        lower_C,
        upper_C,
        row_lower_R,
        row_upper_R,
        matrix.start_R,
        matrix.index_Z,
        matrix.value_Z,
        np.zeros(len(cost_C), dtype=np.int32),
    )
    require_ok(status, "take the program")
    return highs


def require_ok(status: highspy.HighsStatus, what: str) -> None:
    """Check that a call was carried out; ``what`` says what was asked.

    Raises:
        SolverFailed: it was not.
    """
    if status == highspy.HighsStatus.kError:
        raise SolverFailed(f"HiGHS would not {what}", next_step="report it with what was to be solved")


def is_optimal(highs: highspy.Highs) -> bool:
    """Whether the last run ended with a best solution."""
    return highs.getModelStatus() == highspy.HighsModelStatus.kOptimal


def is_infeasible(highs: highspy.Highs) -> bool:
    """Whether the last run ended with a proof that there is no solution."""
    return highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible


def ending(highs: highspy.Highs) -> str:
    """How the last run ended, in HiGHS' words."""
    return f"HiGHS ended with {highs.modelStatusToString(highs.getModelStatus())!r}"
