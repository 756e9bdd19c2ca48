"""Simulation breaks no constraint, charges every dollar, and knows nothing of the future."""

import numpy as np
import pytest

from tenfold.plan.columns import DECISIONS
from tenfold.plan.demand import DemandProcess
from tenfold.plan.highs import Solver
from tenfold.plan.lattice import Lattice
from tenfold.plan.lookahead import lookahead
from tenfold.plan.model import template
from tenfold.plan.rolling import Forecast, Replan
from tenfold.plan.sddp import Cuts
from tenfold.plan.simulate import StartsWith, account, broken, simulate
from tenfold.plan.synthetic import synthetic_study

STUDY = synthetic_study(2, nodes=30, periods=6, sites=2)
PROCESS = DemandProcess.fit(STUDY)
TRAINING_NTK = PROCESS.simulate(1000, np.random.default_rng(7))
HELD_OUT_NTK = PROCESS.simulate(25, np.random.default_rng(8))
TEMPLATE = template(STUDY, TRAINING_NTK.max(axis=(0, 1)))


@pytest.fixture(scope="module")
def replan():
    return Replan.of(TEMPLATE, Forecast.of(PROCESS, np.random.default_rng(9)))


@pytest.fixture(scope="module")
def cuts():
    trained = Cuts(TEMPLATE, Lattice.of_paths(TRAINING_NTK, 6))
    trained.train(25, TRAINING_NTK)
    return trained


@pytest.mark.parametrize("name", ["replan", "cuts"])
def test_policies_keep_to_the_constraints(name, request):
    done = simulate(TEMPLATE, request.getfixturevalue(name), HELD_OUT_NTK)
    assert broken(TEMPLATE, done.amount_NTV, HELD_OUT_NTK) < 1e-6
    integer_NTV = done.amount_NTV[:, :, TEMPLATE.columns.integer_V]
    np.testing.assert_array_equal(integer_NTV, np.round(integer_NTV))


@pytest.mark.parametrize("name", ["replan", "cuts"])
def test_decisions_do_not_know_the_future(name, request):
    policy = request.getfixturevalue(name)
    other_NTK = HELD_OUT_NTK.copy()
    other_NTK[:, 3:] *= 1.5
    one, other = (simulate(TEMPLATE, policy, paths).amount_NTV[:, :3] for paths in (HELD_OUT_NTK, other_NTK))
    commitments = TEMPLATE.columns.of(DECISIONS)
    np.testing.assert_allclose(one[:, :, commitments], other[:, :, commitments], atol=1e-6)


@pytest.mark.parametrize("name", ["replan", "cuts"])
def test_no_policy_beats_wait_and_see(name, request, replan):
    done = simulate(TEMPLATE, request.getfixturevalue(name), HELD_OUT_NTK)
    empty = np.zeros((len(HELD_OUT_NTK), STUDY.periods, len(TEMPLATE.columns)))
    seen_N = replan.follow(0, empty, HELD_OUT_NTK)[1] * TEMPLATE.columns.money_unit_usd
    assert (done.cost_usd_N >= seen_N * (1 - 1e-9)).all()


def test_the_account_is_the_solvers_objective():
    """A plan for the demand that comes, carried out as planned, costs what the solver said it would."""
    ahead, path_TK = lookahead(TEMPLATE, 0, STUDY.periods), HELD_OUT_NTK[0]
    solver, demand_1F = Solver(ahead.program), path_TK.reshape(1, -1)
    lower_NR, upper_NR = ahead.row_bounds(np.zeros((1, 0)), demand_1F)
    solver.bound_rows(lower_NR[0], upper_NR[0])
    solver.bound(ahead.short_F, np.zeros(demand_1F.size), ahead.short_bounds(demand_1F)[0])
    planned = solver.run()
    assert planned.value_C[ahead.below_F].max() == 0
    amount_NTV = planned.value_C[ahead.program.column_nV][None]
    done = account(TEMPLATE, amount_NTV, path_TK[None])
    assert done.cost_usd_N[0] == pytest.approx(planned.objective * TEMPLATE.columns.money_unit_usd, rel=1e-9)
    assert done.penalty_usd_N[0] == pytest.approx(0.0, abs=1e-3)


def test_a_start_may_not_be_changed_by_the_policy(replan):
    nothing_V = np.where(TEMPLATE.columns.initial_V > 0, TEMPLATE.columns.initial_V, 0.0)
    done = simulate(TEMPLATE, StartsWith(TEMPLATE, nothing_V, replan), HELD_OUT_NTK[:5])
    assert not done.amount_NTV[:, 0][:, TEMPLATE.columns.of(["order"])].any()
    assert done.amount_NTV[:, 1][:, TEMPLATE.columns.of(["order"])].any()


def test_demand_below_a_floor_costs_more():
    amount_NTV = np.zeros((1, STUDY.periods, len(TEMPLATE.columns)))
    path_1TK = HELD_OUT_NTK[:1]
    place = TEMPLATE.columns.place["short", "serving"]
    amount_NTV[0, 0, place] = path_1TK[0, 0, 1] * 0.75 / TEMPLATE.columns.unit_V[place]
    serving = STUDY.workloads["serving"]
    below = path_1TK[0, 0, 1] * (0.75 - (1 - serving.floor))
    done = account(TEMPLATE, amount_NTV, path_1TK)
    assert done.penalty_usd_N[0] == pytest.approx(below * serving.shortage_usd_per_unit_month * 6 * 4)


def test_a_forecast_is_the_mean_of_what_follows():
    forecast = Forecast.of(PROCESS, np.random.default_rng(1), paths=4000)
    now_K = TRAINING_NTK[0, 1]
    onward_NTK = PROCESS.simulate_from(1, now_K, 20_000, np.random.default_rng(2))
    np.testing.assert_allclose(forecast.mean(1, now_K[None])[0, 1:], onward_NTK.mean(axis=0), rtol=0.04)
