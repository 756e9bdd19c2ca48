"""A program reaches HiGHS as it was meant, or the refusal is told."""

import numpy as np
import pytest

from tenfold.core.highs import INFINITE, Matrix, SolverFailed, ending, is_optimal, load


def least(matrix: Matrix, lower_R: np.ndarray):
    """Least sum of two columns above 0 whose rows reach ``lower_R``."""
    free = np.full(2, INFINITE)
    return load(
        matrix,
        cost_C=np.ones(2),
        lower_C=np.zeros(2),
        upper_C=free,
        row_lower_R=lower_R,
        row_upper_R=np.full(len(lower_R), INFINITE),
        offset=5.0,
    )


def test_entries_in_any_order_make_the_same_program():
    # x + 2y >= 4 and 3x >= 3, so x = 1, y = 1.5; the row between them is empty.
    matrix = Matrix.of(np.array([2, 0, 0]), np.array([0, 1, 0]), np.array([3.0, 2.0, 1.0]), rows=3)
    assert matrix.start_R.tolist() == [0, 2, 2]
    highs = least(matrix, np.array([4.0, -INFINITE, 3.0]))
    highs.run()
    assert is_optimal(highs)
    assert np.array(highs.getSolution().col_value) == pytest.approx([1.0, 1.5])
    assert highs.getInfo().objective_function_value == pytest.approx(7.5)


def test_a_program_without_a_solution_is_told_in_the_solvers_words():
    highs = least(Matrix.of(np.array([0]), np.array([0]), np.array([-1.0]), rows=1), np.array([1.0]))
    highs.run()
    assert not is_optimal(highs)
    assert ending(highs) == "HiGHS ended with 'Infeasible'"


def test_entries_that_are_too_large_are_refused():
    with pytest.raises(SolverFailed, match="HiGHS would not take the program"):
        least(Matrix.of(np.array([0]), np.array([0]), np.array([1e16]), rows=1), np.array([1.0]))
