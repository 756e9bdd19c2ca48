"""What a planner gets: verdicts, triggers, ranges and chances that add up, and a file that can be read again."""

import numpy as np
import pytest
from tiny_study import TINY, built, study_of

from tenfold.plan.outcomes import Outcomes, spread, tail_mean
from tenfold.plan.plan import make_plan
from tenfold.plan.result import PlanFileError, Verdict, load_plan
from tenfold.plan.solve import Effort, NoPlan, solve


@pytest.fixture(scope="module")
def plan():
    return make_plan(study_of(TINY), Effort(gap=1e-4))


def test_plan_is_a_file_that_reads_back_with_its_study(plan, tmp_path, tiny):
    plan.save(tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    assert plan.study == study_of(tiny)


def test_file_that_is_no_plan_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"version": 2}')
    with pytest.raises(PlanFileError, match="'version'"):
        load_plan(tmp_path / "x.json")
    with pytest.raises(PlanFileError, match="cannot read"):
        load_plan(tmp_path / "none.json")


def test_costs_by_category_add_up_to_the_plan(plan):
    assert sum(plan.cost_by_category_usd.values()) == pytest.approx(plan.solve.objective_usd, rel=1e-6)
    assert plan.cost_usd.mean == pytest.approx(plan.solve.objective_usd, rel=1e-6)
    assert plan.cvar_usd >= plan.cost_usd.mean
    assert plan.solve.bound_usd <= plan.solve.objective_usd
    assert plan.solve.gap <= 1e-4


def test_verdicts_follow_the_first_period_and_the_chance_of_later_ones(plan):
    assert {item.name for item in plan.items} == {"home/hall-2", "home/hall-3", "gpu"}
    for item in plan.items:
        if item.verdict is Verdict.COMMIT:
            assert item.now > 0
        else:
            assert item.now == 0
            assert (item.verdict in (Verdict.OPTION, Verdict.LATER)) == (item.probability > 0.02)
            # What starts in every future is no option.
            assert (item.verdict is Verdict.LATER) == (item.probability > 0.98)
        assert item.begun_by_period[-1] == pytest.approx(item.probability)
        assert item.share_by_period == tuple(sorted(item.share_by_period))
        assert item.share_by_period[-1] == pytest.approx(item.now + item.later.mean, rel=1e-3)


def test_trigger_tells_the_tree_s_own_decisions(tiny):
    study = study_of(tiny)
    tree, node, program = built(study)
    solution = solve(program, node, tree, Effort(gap=1e-4))
    outcomes = Outcomes.of(node, tree, program, solution.value_C)
    item = next(item for item in make_plan(study, Effort(gap=1e-4), worth=False).items if item.triggers)
    trigger = item.triggers[0]
    stage, k = study.calendar.index(trigger.by), list(study.workloads).index(trigger.workload)
    amount = (
        outcomes.taken_up("order", "gpu")
        if item.what == "accelerators"
        else outcomes.of_name("phase", *item.name.split("/"))
    )
    nodes = tree.at(stage)
    taken = amount[nodes] > 1e-3 * amount.max()
    rule = (tree.demand_nK[nodes, k] > trigger.threshold) == trigger.above
    assert tree.probability_n[nodes][taken == rule].sum() == pytest.approx(trigger.agreement)
    assert trigger.text.endswith(f"by {trigger.by}")


def test_capex_ranges_and_chances_are_in_order(plan):
    assert [year.year for year in plan.capex] == [2026, 2027]
    for year in plan.capex:
        assert year.capex_usd.p10 <= year.capex_usd.p50 <= year.capex_usd.p90
    for outlook in plan.workloads:
        assert max(period.shortage_probability for period in outlook.periods) <= outlook.shortage_probability + 1e-9
        for period in outlook.periods:
            assert period.served.mean <= period.demand.mean * (1 + 1e-9)


def test_floor_that_cannot_be_met_is_explained_to_the_planner(tiny):
    tiny["workloads"]["serving"]["floor"] = 0.95
    tiny["rent"]["cloud"]["limit"] = 5
    tiny["sites"]["home"]["phases"]["hall-2"]["lead_months"] = 24
    with pytest.raises(NoPlan, match="power at site home") as error:
        make_plan(study_of(tiny))
    assert error.value.exit_code == 3
    assert "workloads.serving.floor" in error.value.next_step


def test_spread_and_tail_of_weighted_costs():
    cost, weight = np.array([3.0, 1.0, 2.0]), np.array([0.05, 0.55, 0.4])
    found = spread(cost, weight)
    assert (found.p10, found.p50, found.p90) == (1, 1, 2)
    assert found.mean == pytest.approx(1.5)
    assert tail_mean(cost, weight, 0.9) == pytest.approx((0.05 * 3 + 0.05 * 2) / 0.1)
    assert tail_mean(cost, weight, 0.95) == pytest.approx(3)
