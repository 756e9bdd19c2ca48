"""The account adds up what became of requests, of slots and of work."""

import numpy as np

from tenfold.policy.account import Account


def test_what_is_asked_is_answered_shed_or_waits():
    account = Account(2)
    account.served(slice(0, 2), np.array([10.0, 0.0]), np.array([6.0, 0.0]), np.array([3.0, 0.0]))
    account.served(slice(0, 2), np.array([0.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert account.asked_W.tolist() == [10.0, 0.0]
    assert (account.in_time_W + account.shed_W).tolist() == [10.0, 0.0]
    assert account.in_time_W.tolist() == [7.0, 0.0]


def test_slot_seconds_add_up_by_state():
    account = Account(3)
    account.spent(slice(0, 1), np.array([50.0]), np.array([10.0]))
    account.spent(np.array([2]), np.array([20.0]), np.array([5.0]))
    account.unheld(4.0, 11.0)
    states = account.slot_seconds()
    assert (states.working, states.starting, states.draining, states.idle) == (70.0, 15.0, 4.0, 11.0)
    assert states.total == 100.0


def test_moves_and_lost_work_are_counted_by_workload():
    account = Account(2)
    account.moved(slice(0, 2), np.array([3, 0]), np.array([0.0, 8.0]))
    account.undone(np.array([1]), np.array([120.0]))
    assert account.moves == 3
    assert account.saving_s_W.tolist() == [0.0, 8.0]
    assert account.undone_W.tolist() == [0.0, 120.0]
