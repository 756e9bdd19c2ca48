"""Slots between holders: the soonest free go first, and none is made up."""

import numpy as np

from tenfold.replay.handover import Unheld


def test_what_is_free_soonest_goes_to_who_comes_first():
    unheld = Unheld(2)
    unheld.put(np.array([130.0, 110.0]), np.array([3, 1]), 100.0)
    handed = unheld.take(np.array([3, 2]))
    assert handed.receiver_P.tolist() == [0, 0, 1]
    assert handed.slots_P.tolist() == [2, 1, 2]
    assert handed.free_at_s_P.tolist() == [100.0, 110.0, 130.0]
    assert unheld.slots == 1


def test_slots_that_are_still_being_left_are_counted_until_they_are_free():
    unheld = Unheld(5)
    unheld.take(np.array([5]))
    unheld.put(np.array([130.0, 500.0]), np.array([2, 1]), 100.0)
    assert unheld.draining_s(100.0, 100.0) == 2 * 30.0 + 100.0
    assert unheld.draining_s(200.0, 100.0) == 100.0


def test_nobody_wants_anything():
    unheld = Unheld(5)
    assert unheld.take(np.zeros(0, dtype=np.int64)).slots_P.tolist() == []
    assert unheld.slots == 5
