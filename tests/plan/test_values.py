"""Foresight and flexibility are never worth less than nothing: WS <= RP <= EEV, and so for each restriction."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_study import TINY, built, study_of

from tenfold.plan import values
from tenfold.plan.columns import Restriction
from tenfold.plan.solve import Effort, NoPlan, solve
from tenfold.plan.values import all_worths, fixed_now, mean_plan, restricted, with_perfect_information

EXACT = Effort(gap=1e-7, seconds=20)


@pytest.mark.slow
@given(st.integers(0, 50), st.floats(1.0, 3.0), st.sampled_from([0.0, 0.6]))
@settings(max_examples=6)
def test_wait_and_see_then_plan_then_mean_plan(seed, growth, risk):
    table = {**TINY, "tree": {"nodes": 12, "paths": 200, "seed": seed}, "risk": {"weight": risk, "alpha": 0.7}}
    serving = {**TINY["workloads"]["serving"], "floor": 0.0}
    serving["demand"] = {"ranges": {"2026H1": [80, 90, 100], "2027H2": [60, 120 * growth, 300 * growth]}}
    table["workloads"] = {**TINY["workloads"], "serving": serving}
    tree, node, program = built(study_of(table))
    plan = solve(program, node, tree, EXACT)
    known = with_perfect_information(node, tree, EXACT)
    slack = 1e-5 * plan.cost
    assert known.cost <= plan.cost + slack
    assert plan.cost <= fixed_now(node, tree, EXACT).cost + slack
    assert fixed_now(node, tree, EXACT).cost <= mean_plan(node, tree, program, EXACT).cost + slack
    assert plan.cost <= restricted(node, tree, Restriction(fungible=False), EXACT).cost + slack
    assert plan.cost <= restricted(node, tree, Restriction(staged=False), EXACT).cost + slack


def test_all_values_hold_zero_or_more_and_lie_within_their_gaps(tiny):
    tree, node, program = built(study_of(tiny))
    solution = solve(program, node, tree, Effort(gap=1e-4))
    worths = all_worths(node, tree, program, solution, Effort(gap=1e-4), None)
    assert [worth.name for worth in worths] == [
        "information",
        "stochastic solution",
        "adaptivity",
        "fungibility",
        "staging",
    ]
    for worth in worths:
        assert worth.usd is not None
        assert 0 <= worth.low_usd <= worth.usd + 1 <= worth.high_usd + 2


def test_knowing_is_worth_nothing_when_there_is_one_future(tiny):
    tree, node, program = built(study_of(tiny), None)
    path = tree.mean()
    _, node, program = built(study_of(tiny), path)
    plan = solve(program, node, path, EXACT)
    assert with_perfect_information(node, path, EXACT).cost == pytest.approx(plan.cost, rel=1e-6)
    assert fixed_now(node, path, EXACT).cost == pytest.approx(plan.cost, rel=1e-6)


def test_fungibility_is_worth_something_when_work_moves_from_one_workload_to_another(tiny):
    # Serving falls as training rises: a fungible fleet follows, a dedicated one is bought twice.
    ranges = {"2026H1": [95, 100, 105], "2027H2": [9, 10, 11]}
    tiny["workloads"]["serving"] |= {"demand": {"ranges": ranges}}
    tiny["workloads"]["training"] |= {"demand": {"ranges": {"2026H1": [9, 10, 11], "2027H2": [55, 60, 65]}}}
    tree, node, program = built(study_of(tiny))
    plan = solve(program, node, tree, EXACT)
    dedicated = restricted(node, tree, Restriction(fungible=False), EXACT)
    assert dedicated.cost > plan.cost * 1.02


def test_mean_plan_that_breaks_a_floor_has_no_cost(tiny):
    tiny["workloads"]["serving"]["floor"] = 1.0
    tiny["rent"]["cloud"]["limit"] = 10
    del tiny["workloads"]["training"]
    tiny["correlations"] = []
    for offer in (tiny["accelerators"]["gpu"], tiny["rent"]["cloud"]):
        del offer["throughput"]["training"]
    tree, node, program = built(study_of(tiny))
    solution = solve(program, node, tree, Effort(gap=1e-3))
    worth = {w.name: w for w in all_worths(node, tree, program, solution, Effort(gap=1e-3), None)}
    assert worth["stochastic solution"].usd is None
    assert worth["information"].usd is not None


def test_user_who_stops_keeps_the_values_found_so_far(tiny):
    tree, node, program = built(study_of(tiny))
    solution = solve(program, node, tree, Effort(gap=1e-3))

    def report(progress):
        return not progress.step.startswith("value of adaptivity")

    worths = all_worths(node, tree, program, solution, Effort(gap=1e-3), report)
    assert [worth.name for worth in worths] == ["information", "stochastic solution"]


def test_a_value_for_which_no_plan_was_found_in_time_is_left_out_and_costs_no_other(tiny, monkeypatch):
    tree, node, program = built(study_of(tiny))
    solution = solve(program, node, tree, Effort(gap=1e-3))

    def late(*_):
        raise NoPlan("found no plan within the time")

    monkeypatch.setattr(values, "fixed_now", late)
    found = [worth.name for worth in all_worths(node, tree, program, solution, Effort(gap=1e-3), None)]
    assert found == ["information", "stochastic solution", "fungibility", "staging"]
