"""The ladder's plans are plans, its bounds are bounds, and small ones are the best there is."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_study import TINY, built, study_of

from synthetic_study import synthetic_study
from tenfold.core.highs import SolverFailed
from tenfold.page.figures import usd
from tenfold.plan import highs
from tenfold.plan import solve as ladder
from tenfold.plan.diagnose import diagnose
from tenfold.plan.highs import Solver, Status
from tenfold.plan.solve import Effort, Infeasible, solve

DRAWN = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


def is_plan(program, value_C):
    """Whether values meet all bounds, rows and whole numbers."""
    row_R = np.repeat(np.arange(len(program.start_R)), np.diff(program.start_R, append=len(program.value_Z)))
    sums_R = np.bincount(row_R, program.value_Z * value_C[program.index_Z], minlength=len(program.start_R))
    slack = 1e-5 * np.maximum(1, np.abs(value_C).max())
    whole = value_C[program.integer_C]
    return bool(
        (value_C >= program.lower_C - slack).all()
        and (value_C <= program.upper_C + slack).all()
        and (sums_R >= program.row_lower_R - slack).all()
        and (sums_R <= program.row_upper_R + slack).all()
        and np.abs(whole - np.round(whole)).max() < 1e-5
    )


def brute_force(tree, node, program):
    """The least cost over every choice of starts; what is started in the last stage is what was started before it."""
    phases = node.columns.of(["phase"])
    last = program.column_nV[tree.at(tree.stages - 1)][:, phases]
    before = program.column_nV[tree.parent_n[tree.at(tree.stages - 1)]][:, phases]
    early = np.unique(program.column_nV[tree.stage_n < tree.stages - 1][:, phases])
    free = early[program.integer_C[early]]
    columns = np.concatenate([free, last.ravel()])
    solver = Solver(program)
    best = np.inf
    for choice in itertools.product((0.0, 1.0), repeat=len(free)):
        chosen_C = np.zeros(len(program.cost_C))
        chosen_C[free] = choice
        values = np.concatenate([chosen_C[free], chosen_C[before].ravel()])
        solver.bound(columns, values, values)
        outcome = solver.run()
        if outcome.status is Status.OPTIMAL:
            best = min(best, outcome.objective)
    return best


@st.composite
def tiny_studies(draw):
    """Three half-years, five nodes, a phase that is there and two that may be started in the first two periods."""
    table = {**TINY, "periods": 3, "tree": {"nodes": 5, "paths": 50, "seed": draw(st.integers(0, 99))}}
    growth = draw(st.floats(1.0, 4.0))
    table["workloads"] = {
        "serving": {
            "unit": "requests/s",
            "demand": {"ranges": {"2026H1": [80, 90, 100], "2027H1": [80, 90 * growth, 200 * growth]}},
            "floor": draw(st.sampled_from([0.0, 0.3])),
            "shortage_usd_per_unit_month": draw(st.floats(100, 2000)),
        }
    }
    table["correlations"] = []
    gpu = {**TINY["accelerators"]["gpu"], "throughput": {"serving": 2.0}, "lead_months": draw(st.sampled_from([0, 6]))}
    table["accelerators"] = {"gpu": gpu}
    table["rent"] = {"cloud": {"usd_per_hour": 6, "throughput": {"serving": 2.0}, "limit": 200}}
    size = draw(st.floats(0.02, 0.2))
    phase = {"power_mw": size, "capex_usd": draw(st.floats(1e4, 1e6)), "lead_months": 6}
    later = {"after": ["two"]} if draw(st.booleans()) else {}
    home = {"one": {"power_mw": 0.09, "capex_usd": 0, "lead_months": 0, "done_in_months": 0}, "two": phase}
    table["sites"] = {"home": {**TINY["sites"]["home"], "phases": {**home, "three": {**phase, **later}}}}
    return study_of(table)


@pytest.mark.slow
@given(tiny_studies())
@DRAWN
def test_exact_solve_is_as_good_as_trying_everything(study):
    tree, node, program = built(study)
    best = brute_force(tree, node, program)
    solution = solve(program, node, tree, Effort(gap=1e-7))
    assert solution.cost == pytest.approx(best, rel=1e-6)
    assert is_plan(program, solution.value_C)


@given(tiny_studies())
@DRAWN
def test_every_step_of_the_ladder_keeps_bound_and_plan_on_their_sides(study):
    tree, node, program = built(study)
    best = brute_force(tree, node, program)
    before, ladder.DIRECT_WHOLE = ladder.DIRECT_WHOLE, 0
    try:
        solution = solve(program, node, tree, Effort(gap=1e-7, seconds=5))
    finally:
        ladder.DIRECT_WHOLE = before
    assert solution.bound <= best * (1 + 1e-6)
    assert solution.cost >= best * (1 - 1e-6)
    assert is_plan(program, solution.value_C)
    bounds = [step.bound for step in solution.steps]
    assert bounds == sorted(bounds)


@pytest.mark.slow
def test_ladder_of_a_larger_tree_gives_a_plan_and_an_honest_gap(monkeypatch):
    monkeypatch.setattr(ladder, "DIRECT_WHOLE", 0)
    tree, node, program = built(synthetic_study(2, nodes=40, periods=6, sites=3))
    solution = solve(program, node, tree, Effort(gap=0.01, seconds=20))
    assert is_plan(program, solution.value_C)
    assert solution.cost == pytest.approx(program.cost_C @ solution.value_C + program.offset)
    exact = Solver(program)
    exact.whole(program.integer_C)
    best = exact.run(gap=1e-4)
    assert solution.bound <= best.objective * (1 + 1e-6)
    assert solution.cost >= best.bound * (1 - 1e-6)
    assert solution.gap < 0.05


def rounded_at_once(program):
    """The cheapest plan of rounding all stages of the linear program together; infinite if there is none."""
    solver = Solver(program)
    relaxed, whole = solver.run(), np.flatnonzero(program.integer_C)
    costs = [np.inf]
    for threshold in ladder.THRESHOLDS:
        values = ladder._rounded(program, relaxed.value_C[whole], whole, threshold)
        solver.bound(whole, values, values)
        costs.append(solver.run().objective)
    return min(costs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rounding_stage_after_stage_is_cheaper_than_at_once(monkeypatch, seed):
    monkeypatch.setattr(ladder, "DIRECT_WHOLE", 0)
    tree, node, program = built(synthetic_study(seed, nodes=60))
    steps = solve(program, node, tree, Effort(gap=0.2, seconds=20)).steps
    rounded = next(step for step in steps if step.step == "round")
    assert rounded.incumbent < rounded_at_once(program)


def test_plan_is_found_where_rounding_stage_after_stage_leads_nowhere(monkeypatch):
    monkeypatch.setattr(ladder, "DIRECT_WHOLE", 0)
    monkeypatch.setattr(ladder._Ladder, "_cut", lambda _self, _solver, value_C: value_C)
    monkeypatch.setattr(ladder._Ladder, "_forward", lambda *_: False)
    tree, node, program = built(synthetic_study(1, nodes=40))
    solution = solve(program, node, tree, Effort(gap=0.2, seconds=20))
    assert is_plan(program, solution.value_C)
    assert solution.cost == pytest.approx(rounded_at_once(program))


def test_bound_that_met_the_gap_is_kept_when_the_run_is_stopped_for_it(company):
    tree, node, program, best = company
    solution = solve(program, node, tree, Effort(gap=0.005, seconds=60))
    assert solution.gap <= 0.005
    assert solution.bound <= best.objective


def test_no_bound_is_that_of_a_start_which_the_solver_completes(company, monkeypatch):
    # From a linear program's solution HiGHS first solves the program with many columns fixed, and tells its bound.
    monkeypatch.setattr(highs, "STEP_S", 0.0)
    tree, node, program, _ = company
    solution = solve(program, node, tree, Effort(gap=0.005, seconds=60))
    # Found with a gap of 0.1%; the bound of the completed start was 127,973.
    assert solution.bound <= 127_863.24


def test_a_bound_that_falls_is_an_error(company, monkeypatch):
    monkeypatch.setattr(highs, "STEP_S", 0.0)
    *_, program, _ = company
    solver = Solver(program)
    solver.run()
    solver.whole(program.integer_C)
    solver._suggested = True
    with pytest.raises(SolverFailed, match="not both are of this program"):
        solver.run(gap=1e-3, seconds=60, watch=lambda _bound, _incumbent: True)


@pytest.mark.slow
def test_user_who_stops_keeps_the_incumbent():
    tree, node, program = built(synthetic_study(1, nodes=60))
    told = []

    def report(progress):
        told.append(progress)
        return not np.isfinite(progress.incumbent)

    solution = solve(program, node, tree, Effort(gap=1e-6, seconds=60), report)
    assert solution.stopped
    assert is_plan(program, solution.value_C)
    assert solution.gap == pytest.approx((solution.cost - solution.bound) / solution.cost)
    assert told[-1].seconds < 20


def unservable(tiny):
    """Serving must nearly always be served, but power for it comes too late."""
    tiny["workloads"]["serving"]["floor"] = 0.95
    tiny["rent"]["cloud"]["limit"] = 5
    tiny["sites"]["home"]["phases"]["hall-2"]["lead_months"] = 24


def test_study_without_a_plan_names_periods_and_what_binds(tiny):
    unservable(tiny)
    study = study_of(tiny)
    tree, node, program = built(study)
    with pytest.raises(Infeasible) as error:
        solve(program, node, tree)
    assert error.value.exit_code == 3
    found = diagnose(program, node, tree)
    assert {breach.key for breach in found.breaches} == {"workloads.serving.floor"}
    assert "2027H2" in {breach.period for breach in found.breaches}
    assert all(breach.possible < breach.wanted for breach in found.breaches)
    assert "power at site home" in found.binding
    assert "rent limit cloud" in found.binding
    message = str(found.error())
    assert "2027H2: workloads.serving.floor is 95%, but" in message
    assert found.error().exit_code == 3


def test_diagnosis_is_the_least_that_must_give(tiny):
    unservable(tiny)
    study = study_of(tiny)
    tree, node, program = built(study)
    worst = min(breach.possible for breach in diagnose(program, node, tree).breaches)
    tiny["workloads"]["serving"]["floor"] = worst - 0.01
    tree, node, program = built(study_of(tiny), tree)
    assert solve(program, node, tree).value_C is not None


def test_capex_limit_that_leaves_too_little_is_named(tiny):
    tiny["workloads"]["serving"]["floor"] = 0.9
    tiny["rent"] = {}
    tiny["capex_limit_usd"] = {"2026": 1000, "2027": 1000}
    tree, node, program = built(study_of(tiny))
    found = diagnose(program, node, tree)
    assert any(breach.key in ("capex_limit_usd", "workloads.serving.floor") for breach in found.breaches)
    assert any("capex limit" in name for name in found.binding)


def test_a_budget_that_is_too_low_is_named_and_nothing_that_money_can_mend(tiny):
    tiny["workloads"]["serving"]["floor"] = 0.6
    tiny["rent"] = {}
    tiny["capex_limit_usd"] = {"2026": 1000, "2027": 1000}
    tree, node, program = built(study_of(tiny))
    found = diagnose(program, node, tree)
    assert {breach.key for breach in found.breaches} == {"capex_limit_usd"}
    # What the other way out is: which floors the budget as it is would break.
    assert {breach.key for breach in found.instead} == {"workloads.serving.floor"}
    budget, message = found.breaches[0], str(found.error())
    spent = f"{usd(budget.possible)} must be spent in the dearest scenario"
    assert message.splitlines()[1] == f"  {budget.period}: capex_limit_usd is $1k, but {spent}"
    assert "what binds" not in message and "or, with the limits as they are" in message
    assert found.error().next_step.startswith(f"raise capex_limit_usd of {budget.period}")
    raised = {"2026": 1000, "2027": 1000} | {each.period: 1.5 * each.possible for each in found.breaches}
    tree, node, program = built(study_of({**tiny, "capex_limit_usd": raised}), tree)
    assert solve(program, node, tree).value_C is not None


@pytest.mark.slow
def test_time_limit_is_that_of_one_run_with_whole_variables_or_without():
    _, _, program = built(synthetic_study(1, nodes=60))
    solver = Solver(program)
    for _ in range(3):
        assert solver.run(seconds=30).status is Status.OPTIMAL
    solver.whole(program.integer_C)
    for _ in range(3):
        solver.run(seconds=0.3, gap=1e-9)
    solver.whole(np.zeros_like(program.integer_C))
    assert solver.run(seconds=30).status is Status.OPTIMAL


def test_floor_that_only_part_of_a_lot_would_meet_is_told_so(tiny):
    # 60 are owned and 60.75 are needed; the capex limit is below the price of a lot of 8.
    tiny["workloads"] = {"serving": tiny["workloads"]["serving"] | {"floor": 1.0}}
    tiny["workloads"]["serving"]["demand"] = {"ranges": {"2026H1": [100] * 3, "2027H2": [121.5] * 3}}
    tiny["correlations"], tiny["rent"] = [], {}
    tiny["accelerators"]["gpu"] |= {"throughput": {"serving": 2.0}, "lot": 8}
    tiny["sites"]["home"]["phases"] = {"hall-1": tiny["sites"]["home"]["phases"]["hall-1"] | {"power_mw": 1}}
    tiny["capex_limit_usd"] = {"2026": 2e5, "2027": 2e5}
    tree, node, program = built(study_of(tiny))
    with pytest.raises(Infeasible, match="with whole phases and lots"):
        solve(program, node, tree)
    found = diagnose(program, node, tree)
    assert found.breaches == ()
    assert "whole ones do not" in str(found.error())
