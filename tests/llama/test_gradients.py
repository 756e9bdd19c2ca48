"""Memory in which the gradients of a machine's workers meet."""

import pytest

from tenfold.llama.gradients import GradientBuffers


def test_memory_that_was_let_go_is_not_taken_for_what_has_its_number_now():
    first = GradientBuffers(5)
    left = first.memory(first.take())
    assert list(left.map(5)) == [0, 0, 0, 0, 0]
    del first
    second = GradientBuffers(5)
    there = second.memory(second.take())
    assert there.path == left.path
    with pytest.raises(FileNotFoundError):
        left.map(5, writable=True)
    there.map(5, writable=True)[:] = 1
    assert list(second.vector_P(0)) == [1, 1, 1, 1, 1]
