"""Tuning finds the thriftiest dials that attain, within its budget, and every policy gets the same."""

import numpy as np
import pytest
from small import job, service, week

from tenfold.replay.rules import Static
from tenfold.replay.tune import OURS, PEERS, Tunable, tune

FLOORS = {"llm": 0.9, "ranking": 0.99}


@pytest.fixture
def made():
    rates = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    return week([service(rates), service(rates, name="rank", family="ranking")], [job()], slots=40)


def fixed(rungs) -> Tunable:
    def make(week, dials):
        known = dict(dials)
        return Static(np.array([known[service.family] for service in week.services]))

    return Tunable("fixed", rungs, make)


def test_the_thriftiest_dials_that_attain_are_found(made):
    policy = fixed(tuple(float(slots) for slots in range(1, 17)))
    tuned = tune(made, policy, FLOORS, budget=12)
    # By hand: 8 slots answer 52 of 55, 7 only 49; and all 10 are needed for 99%.
    assert dict(tuned.chosen.dials) == {"llm": 8.0, "ranking": 10.0}
    assert tuned.chosen.shortfall(FLOORS) == 0.0
    assert len(tuned.trials) <= 12


def test_if_nothing_attains_the_nearest_is_chosen(made):
    tuned = tune(made, fixed((1.0, 2.0, 3.0, 4.0)), FLOORS)
    assert dict(tuned.chosen.dials) == {"llm": 4.0, "ranking": 4.0}
    assert tuned.chosen.shortfall(FLOORS) > 0


def test_the_frontier_trades_attainment_for_training(made):
    frontier = tune(made, fixed(tuple(float(slots) for slots in range(1, 17))), FLOORS).frontier()
    training = [trial.outcome.useful_training_h for trial in frontier]
    assert training == sorted(training, reverse=True)
    assert frontier[0].outcome.attainment("llm") < frontier[-1].outcome.attainment("llm")


def test_every_policy_has_as_many_rungs_from_thrifty_to_generous(made):
    assert {len(policy.rungs) for policy in PEERS + OURS} == {64}
    for policy in PEERS + OURS:
        thrifty, generous = (
            tune(made, Tunable(policy.name, (rung,), policy.make), FLOORS, budget=1).chosen.outcome
            for rung in (policy.rungs[0], policy.rungs[-1])
        )
        assert generous.attainment("llm") >= thrifty.attainment("llm")
        assert generous.policy == policy.name


def test_tuning_is_the_same_each_time(made):
    policy = PEERS[2]
    assert tune(made, policy).chosen.dials == tune(made, policy).chosen.dials
