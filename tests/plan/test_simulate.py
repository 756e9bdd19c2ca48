"""Following a plan breaks no constraint, charges every dollar, and knows nothing of the future."""

import copy

import numpy as np
import pytest
from tiny_study import TINY, everything, study_of

from outline import Outline
from synthetic_study import synthetic_study
from tenfold.page.figures import usd
from tenfold.plan.columns import DECISIONS, Restriction
from tenfold.plan.costs import FLOOR_FACTOR
from tenfold.plan.demand import DemandProcess
from tenfold.plan.model import template
from tenfold.plan.rolling import Chain, Forecast, Replanning, Rest, follow_static, foresee
from tenfold.plan.simulate import Step, account, simulate, streams
from tenfold.plan.simulation_report import report
from tenfold.plan.solve import Effort

STUDY = synthetic_study(2, nodes=30, periods=6, sites=2)
PROCESS = DemandProcess.fit(STUDY)
SEEN_NTK = PROCESS.simulate(1000, np.random.default_rng(7))
FUTURES_NTK = PROCESS.simulate(25, np.random.default_rng(8))
NODE = template(STUDY, SEEN_NTK.max(axis=(0, 1)), Restriction(floors=False))
COMMITMENTS = NODE.columns.of(DECISIONS)
NOTHING_D = NODE.columns.initial_V[COMMITMENTS]


def silent(*_):
    pass


@pytest.fixture(scope="module")
def replanning():
    return Replanning(NODE, Forecast.of(PROCESS, np.random.default_rng(9)), NOTHING_D)


@pytest.fixture(scope="module")
def replanned_NTV(replanning):
    return replanning.follow(FUTURES_NTK, 0.3, silent)


@pytest.fixture(scope="module")
def static_NTV(replanned_NTV):
    """One of the futures' schedules, held in all of them."""
    return follow_static(NODE, replanned_NTV[0][:, COMMITMENTS], FUTURES_NTK, silent)


def broken(amount_NTV, futures_NTK):
    """By how much any constraint is broken at most, in the solver's units."""
    worst = 0.0
    for period, stage in enumerate(NODE.stages):
        matrix = stage.matrix
        done_NE = amount_NTV[:, period - matrix.lag, matrix.variable] * matrix.value
        rows_NR = np.zeros((len(amount_NTV), len(stage.labels)))
        np.add.at(rows_NR.T, matrix.row, done_NE.T)
        needed_NR = stage.row_lower_R + futures_NTK[:, period] @ stage.row_demand_RK.T
        most_NV = stage.upper_V + futures_NTK[:, period] @ stage.upper_demand_VK.T
        amount_NV = amount_NTV[:, period]
        breaches = (needed_NR - rows_NR, rows_NR - stage.row_upper_R, stage.lower_V - amount_NV, amount_NV - most_NV)
        worst = max(worst, *(float(breach.max()) for breach in breaches))
    return worst


@pytest.mark.parametrize("way", ["replanned_NTV", "static_NTV"])
def test_what_is_done_keeps_to_the_constraints(way, request):
    amount_NTV = request.getfixturevalue(way)
    assert broken(amount_NTV, FUTURES_NTK) < 2e-5
    integer_NTV = amount_NTV[:, :, NODE.columns.integer_V]
    np.testing.assert_allclose(integer_NTV, np.round(integer_NTV), atol=1e-9)


def test_decisions_do_not_know_the_future(replanning, replanned_NTV):
    other_NTK = FUTURES_NTK.copy()
    other_NTK[:, 3:] *= 1.5
    other_NTV = replanning.follow(other_NTK, 0.3, silent)
    np.testing.assert_allclose(other_NTV[:, :3, COMMITMENTS], replanned_NTV[:, :3, COMMITMENTS], atol=1e-6)
    assert not np.allclose(other_NTV[:, 3:, COMMITMENTS], replanned_NTV[:, 3:, COMMITMENTS])


def test_what_a_plan_commits_to_now_is_not_changed_by_re_planning(replanned_NTV):
    orders = NODE.columns.of(["order"])
    assert not replanned_NTV[:, 0, orders].any()
    assert replanned_NTV[:, 1, orders].any()


@pytest.mark.parametrize("way", ["replanned_NTV", "static_NTV"])
def test_no_way_costs_less_than_if_the_future_had_been_known(way, request):
    cost_N = account(NODE, request.getfixturevalue(way), FUTURES_NTK).cost_usd_N
    assert (cost_N >= foresee(NODE, FUTURES_NTK, silent) * (1 - 1e-9)).all()


def test_the_account_is_the_solvers_objective():
    """A plan for the demand that comes, carried out as planned, costs what the solver said it would."""
    rest = Rest(Chain(NODE), 0)
    program = rest.chain.program
    planned = rest.plan(np.zeros(len(program.cost_C)), FUTURES_NTK[0])
    done = account(NODE, planned.value_C[program.column_nV][None], FUTURES_NTK[:1])
    said_usd = (planned.objective + program.offset) * NODE.columns.money_unit_usd
    assert done.cost_usd_N[0] == pytest.approx(said_usd, rel=1e-9)


def test_demand_below_a_floor_costs_more():
    amount_NTV = np.zeros((1, STUDY.periods, len(NODE.columns)))
    serving, demand = STUDY.workloads["serving"], FUTURES_NTK[0, 0, 1]
    short, below = (NODE.columns.place[group, "serving"] for group in ("short", "below"))
    nothing = account(NODE, amount_NTV, FUTURES_NTK[:1])
    amount_NTV[0, 0, short] = (1 - serving.floor) * demand / NODE.columns.unit_V[short]
    amount_NTV[0, 0, below] = 0.1 * demand / NODE.columns.unit_V[below]
    found = account(NODE, amount_NTV, FUTURES_NTK[:1])
    price_usd = serving.shortage_usd_per_unit_month * STUDY.calendar.months
    more_usd = found.cost_usd_N[0] - nothing.cost_usd_N[0]
    assert more_usd == pytest.approx((1 - serving.floor + 0.1 * FLOOR_FACTOR) * demand * price_usd)
    assert found.short_NTK[0, 0, 1] == pytest.approx((1.1 - serving.floor) * demand)
    assert found.below_NK.tolist() == [[False, True, False]]


@pytest.mark.slow
def test_a_forecast_is_the_mean_of_what_follows():
    forecast = Forecast.of(PROCESS, np.random.default_rng(1), paths=4000)
    onward_NTK = PROCESS.simulate_from(1, SEEN_NTK[0, 1], 20_000, np.random.default_rng(2))
    mean_TK = forecast.mean(1, SEEN_NTK[:1])[0]
    np.testing.assert_array_equal(mean_TK[:2], SEEN_NTK[0, :2])
    np.testing.assert_allclose(mean_TK[2:], onward_NTK.mean(axis=0), rtol=0.04)


def test_a_buffer_rises_with_the_root_of_the_time_ahead(replanning):
    plain_NTK, raised_NTK = (replanning.planned_for(1, FUTURES_NTK, buffer) for buffer in (0.0, 0.3))
    ratio_NTK = raised_NTK / plain_NTK
    np.testing.assert_allclose(ratio_NTK[:, :2], 1.0)
    np.testing.assert_allclose(ratio_NTK[:, 3], 1.3)  # two half-years ahead
    np.testing.assert_allclose(ratio_NTK[:, 5], 1 + 0.3 * np.sqrt(2))


@pytest.mark.slow
def test_where_nothing_is_uncertain_all_ways_cost_what_the_plan_says():
    sure = copy.deepcopy(TINY)
    for workload in sure["workloads"].values():
        workload["demand"] = {
            "ranges": {
                label: [0.9999 * middle, middle, 1.0001 * middle]
                for label, (_, middle, _) in workload["demand"]["ranges"].items()
            }
        }
    found = simulate(study_of(sure), 10, effort=Effort(gap=1e-6, seconds=10))
    assert found.replanned.cost_usd.mean == pytest.approx(found.plan_cost_usd.mean, rel=0.01)
    assert found.static.cost_usd.mean == pytest.approx(found.plan_cost_usd.mean, rel=0.005)
    assert found.foreseen_usd.mean <= found.replanned.cost_usd.mean


@pytest.fixture(scope="module")
def simulated():
    steps = {}
    study = study_of(everything(copy.deepcopy(TINY)))
    found = simulate(study, 20, 5, Effort(gap=1e-3, seconds=5), lambda step, done, of: steps.update({step: (done, of)}))
    return found, steps


@pytest.mark.slow
def test_all_that_the_model_knows_can_be_followed(simulated):
    found, steps = simulated
    assert list(steps) == list(Step)
    assert all(done == of for step, (done, of) in steps.items() if step not in (Step.PLAN, Step.STATIC))
    assert found.saved.usd == pytest.approx(found.static.cost_usd.mean - found.replanned.cost_usd.mean)
    assert found.saved.low_usd <= found.saved.usd <= found.saved.high_usd
    assert found.foreseen_usd.mean <= min(found.replanned.cost_usd.mean, found.static.cost_usd.mean)
    limits = found.study.capex_limit_usd
    for course in (found.replanned, found.static):
        spent = {str(year.year): year.capex_usd.p90 for year in course.capex}
        assert all(spent[year] <= limit * (1 + 1e-6) for year, limit in limits.items())
    # A static plan spends on building and buying what it said, whatever comes.
    assert all(year.capex_usd.p10 == pytest.approx(year.capex_usd.p90, abs=1) for year in found.static.capex)


@pytest.mark.slow
def test_futures_are_others_than_those_of_the_plan_and_follow_their_seed(simulated):
    found = simulated[0]
    again = simulate(found.study, 20, 5, Effort(gap=1e-3, seconds=5))
    assert again.replanned == found.replanned
    # Also where a study's tree has the same seed.
    drawn = [tuple(rng.standard_normal(3)) for rng in (np.random.default_rng(5), *streams(5))]
    assert len(set(drawn)) == 4


@pytest.mark.slow
def test_the_page_shows_both_ways(simulated):
    found = simulated[0]
    page = report(found)
    outline = Outline(page)
    assert outline.headings == ["tiny", "Cost of a future", "Capex by year", "Shortage"]
    assert outline.pictures == [
        "Cost by the share of futures that stay below it",
        "Capex by year, 10th to 90th percentile and median",
    ]
    assert f'<data value="{found.saved.usd!r}">{usd(found.saved.usd)}</data>' in page
    assert "<script" not in page
