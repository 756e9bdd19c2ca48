"""Who is paced uses its share of a core, and no more, whatever its neighbours leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.pace import Pace

SAVED_S = 2.0


class Machine:
    """Wall and CPU time that a test moves by hand."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 100.0

    def pace(self, share: float | None) -> Pace:
        return Pace(share, lambda: self.wall_s, lambda: self.cpu_s, SAVED_S)

    def work(self, cpu_s: float, wall_s: float | None = None) -> None:
        self.cpu_s += cpu_s
        self.wall_s += cpu_s if wall_s is None else wall_s

    def rest(self, seconds: float) -> None:
        self.wall_s += seconds


@given(share=st.sampled_from([0.25, 0.5, 1.0]), pieces=st.lists(st.floats(0.001, 2.0), min_size=5, max_size=40))
def test_over_time_it_uses_its_share_and_all_of_it(share, pieces):
    machine = Machine()
    pace = machine.pace(share)
    for cpu_s in pieces:
        machine.rest(pace.rest_s())
        machine.work(cpu_s)
    machine.rest(pace.rest_s())
    assert sum(pieces) == pytest.approx(share * (machine.wall_s - 100.0))


def test_the_first_piece_begins_at_once_and_the_next_after_a_rest():
    machine = Machine()
    pace = machine.pace(0.5)
    assert pace.rest_s() == 0.0
    machine.work(0.3)
    assert pace.rest_s() == pytest.approx(0.3)


def test_on_a_core_that_neighbours_fill_it_never_rests():
    machine = Machine()
    pace = machine.pace(0.5)
    for _ in range(20):
        machine.work(0.2, wall_s=0.4)
        assert pace.rest_s() == pytest.approx(0.0)


def test_time_that_it_waited_for_a_step_is_made_up_for_but_not_without_end():
    machine = Machine()
    pace = machine.pace(0.5)
    machine.rest(60.0)
    assert pace.rest_s() == 0.0
    machine.work(10.0)
    # It has earned 5 s while it worked and had saved SAVED_S; what is missing takes twice as long to earn.
    assert pace.rest_s() == pytest.approx((10.0 - 5.0 - SAVED_S) / 0.5)


def test_a_sleep_neither_saves_nor_forgives():
    machine = Machine()
    pace = machine.pace(0.5)
    machine.work(1.0)
    machine.rest(0.4)
    pace.begin()
    # It has earned 0.7 s of the 1.0 s that it used.
    assert pace.rest_s() == pytest.approx(0.6)
    machine.rest(60.0)
    pace.begin()
    machine.work(1.0)
    assert pace.rest_s() == pytest.approx(1.0)


def test_without_a_share_it_never_rests():
    machine = Machine()
    pace = machine.pace(None)
    machine.work(50.0)
    assert pace.rest_s() == 0.0
