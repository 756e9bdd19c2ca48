"""The model means what the study says: closed forms, and a second build that shares no code."""

import numpy as np
import pytest
from tiny_study import built, everything, study_of

import plan_linopy
from synthetic_study import synthetic_study
from tenfold.plan.columns import Restriction
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import template
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.solve import Effort, solve
from tenfold.plan.study_file import parse_study
from tenfold.plan.tree import Tree, grow


def linopy_objective(study, tree):
    model, constant = plan_linopy.build(study, tree)
    highs = model.to_highspy()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 1e-9)
    highs.run()
    return highs.getObjectiveValue() + constant


def our_objective(study, tree):
    _, node, program = built(study, tree)
    solver = Solver(program)
    solver.whole(program.integer_C)
    return solver.run(gap=1e-9).objective * node.columns.money_unit_usd


@pytest.mark.slow
@pytest.mark.parametrize("horizon", ["annualised", "salvage"])
def test_second_build_in_linopy_agrees_on_every_feature(tiny, horizon):
    study = study_of(everything(tiny) | {"horizon": horizon})
    tree = grow(study)
    assert our_objective(study, tree) == pytest.approx(linopy_objective(study, tree), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_second_build_in_linopy_agrees_on_a_larger_company(seed):
    study = synthetic_study(seed, nodes=16, periods=8, sites=2, risk=0.3)
    tree = grow(study)
    assert our_objective(study, tree) == pytest.approx(linopy_objective(study, tree), rel=1e-6)


def test_single_order_under_uncertainty_is_the_newsvendor_quantile():
    # One order before demand is known, used for one period: buy up to the critical ratio of demand.
    study = parse_study(
        """
        {name: newsvendor, start: 2026H1, periods: 2, discount_rate: 0,
         workloads: {w: {unit: u, shortage_usd_per_unit_month: 100,
                         demand: {ranges: {2026H1: [1, 1, 1], 2026H2: [50, 100, 220]}}}},
         accelerators: {g: {price_usd: 210, lead_months: 6, life_months: 6, power_kw: 1, throughput: {w: 1}}},
         sites: {s: {power: {usd_per_mwh: 0},
                     phases: {p: {power_mw: 9, capex_usd: 0, lead_months: 0, done_in_months: 0}}}},
         tree: {nodes: 202, paths: 5000, seed: 3}}
        """
    )
    tree, node, program = built(study)
    solution = solve(program, node, tree)
    order = Outcomes.of(node, tree, program, solution.value_C).of_name("order", "g")[0]
    leaves = tree.leaves()
    rising = np.argsort(tree.demand_nK[leaves, 0])
    reached = np.cumsum(tree.probability_n[leaves][rising])
    critical = (6 * 100 - 210) / (6 * 100)
    assert order == pytest.approx(tree.demand_nK[leaves, 0][rising][np.searchsorted(reached, critical)])


def test_nothing_arrives_before_its_lead_time(tiny):
    tiny["accelerators"]["gpu"] |= {"lead_months": 12, "owned": []}
    study = study_of(tiny | {"rent": {}, "workloads": {**tiny["workloads"]}})
    study = study.model_copy(
        update={"workloads": {k: w.model_copy(update={"floor": 0.0}) for k, w in study.workloads.items()}}
    )
    tree, node, program = built(study)
    outcomes = Outcomes.of(node, tree, program, solve(program, node, tree).value_C)
    installed = outcomes.of_name("installed", "gpu")
    assert (installed[tree.stage_n < 2] == 0).all()
    assert installed[tree.at(2)] == pytest.approx(np.full(len(tree.at(2)), outcomes.of_name("order", "gpu")[0]))


def test_price_in_money_units_does_not_change_the_plan(tiny):
    study = study_of(tiny)
    tree = grow(study)
    costs = []
    for factor in (1.0, 1000.0):
        node = template(study, factor * tree.demand_nK.max(axis=0))
        program = extensive(node, tree)
        costs.append(Solver(program).run().objective * node.columns.money_unit_usd)
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)


def test_owned_accelerators_retire(tiny):
    tiny["accelerators"]["gpu"] |= {"owned": [{"count": 60, "age_months": 54}, {"count": 7}], "life_months": 60}
    study = study_of(tiny)
    tree, node, program = built(study)
    outcomes = Outcomes.of(node, tree, program, solve(program, node, tree).value_C)
    orders, installed = outcomes.of_name("order", "gpu"), outcomes.of_name("installed", "gpu")
    assert installed[0] == pytest.approx(67)
    assert installed[tree.at(1)] == pytest.approx(np.full(len(tree.at(1)), 7 + orders[0]))


def test_what_a_thing_is_charged_for_does_not_depend_on_how_late_it_is_bought(tiny):
    # By annuities, a year of use costs the same whether the study ends after it or not, apart from price and discount.
    tiny["accelerators"]["gpu"] |= {"price_change_per_year": 0.0}
    study = study_of(tiny | {"discount_rate": 0.0})
    tree, node, program = built(study)
    place = node.columns.place["order", "gpu"]
    charged = program.cost_C[program.column_nV[:, place]] / tree.probability_n * node.columns.money_unit_usd
    used = 3 - tree.stage_n[tree.stage_n < 3]
    unit = node.columns.unit_V[place]
    assert charged[tree.stage_n < 3] == pytest.approx(30_000 * unit * used / 10)


def test_restrictions_only_ever_cost(tiny):
    study = study_of(tiny)
    tree, _, program = built(study)
    free = Solver(program).run().objective
    for restriction in (Restriction(fungible=False), Restriction(staged=False)):
        node = template(study, tree.demand_nK.max(axis=0), restriction)
        assert Solver(extensive(node, tree)).run().objective >= free - 1e-9 * abs(free)


def test_cvar_by_columns_is_the_mean_of_the_worst(tiny):
    tiny["risk"] = {"weight": 1.0, "alpha": 0.7}
    study = study_of(tiny)
    tree, node, program = built(study)
    solution = solve(program, node, tree, Effort(gap=1e-7))
    from tenfold.plan.outcomes import tail_mean

    outcomes = Outcomes.of(node, tree, program, solution.value_C)
    cost_s, weight_s = outcomes.scenario_cost_usd(), tree.probability_n[tree.leaves()]
    expected = weight_s @ cost_s + tail_mean(cost_s, weight_s, 0.7)
    assert solution.cost * node.columns.money_unit_usd == pytest.approx(expected, rel=1e-6)


def test_tree_of_one_path_is_the_deterministic_plan(tiny):
    study = study_of(tiny)
    path = grow(study).mean()
    assert isinstance(path, Tree)
    tree, node, program = built(study, path)
    assert solve(program, node, tree, Effort(gap=1e-6)).gap <= 1e-6
