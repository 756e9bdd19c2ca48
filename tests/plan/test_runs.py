"""A training run with a due date: worked on when it is cheapest, done in time or paid for, and priced by the hour."""

import numpy as np
import pytest
from tiny_study import TINY, built, study_of

from tenfold.plan.columns import Restriction
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import template
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.plan import make_plan
from tenfold.plan.shadow import run_prices_usd
from tenfold.plan.solve import Effort, solve

HOURS = 6 * 8766 / 12
RUN = {"due": "2027H1", "earliest": "2026H2", "missed_usd": 5e6, "accelerator_hours": {"gpu": 40 * HOURS}}


def with_run(**changes):
    return study_of({**TINY, "runs": {"next": {**RUN, **changes}}})


def solved(study):
    tree, node, program = built(study)
    solution = solve(program, node, tree, Effort(gap=1e-6))
    return tree, node, program, solution


def test_a_run_is_done_in_every_future_between_its_dates_and_never_outside():
    tree, node, program, solution = solved(with_run())
    outcomes = Outcomes.of(node, tree, program, solution.value_C)
    at_work = outcomes.of_name("assigned", "gpu", "next")
    assert at_work[np.isin(tree.stage_n, [0, 3])] == pytest.approx(0)
    done = outcomes.along(at_work) / 40
    assert done + outcomes.along(outcomes.of_name("undone", "next")) == pytest.approx(np.ones(len(tree.leaves())))
    assert outcomes.of_name("undone", "next") == pytest.approx(0, abs=1e-7)


def test_a_run_that_is_worth_less_than_it_costs_is_left_and_paid_for():
    study = with_run(missed_usd=1_000)
    plan = make_plan(study, Effort(gap=1e-5), worth=False)
    (run,) = plan.runs
    without = make_plan(study_of(TINY), Effort(gap=1e-5), worth=False)
    assert run.undone_share > 0.5 and run.missed_probability > 0.5
    assert plan.solve.objective_usd <= without.solve.objective_usd + 1_000 + 1e-5 * without.solve.objective_usd
    assert run.price_usd_per_accelerator_hour["gpu"] <= 1_000 / (40 * HOURS) * (1 + 1e-6)


def test_the_price_of_an_hour_lies_between_what_one_less_saves_and_one_more_costs(tiny):
    # Without phases to start nothing is whole, so that costs of neighbouring sizes can be compared.
    del tiny["sites"]["home"]["phases"]["hall-2"], tiny["sites"]["home"]["phases"]["hall-3"]
    tiny["sites"]["home"]["phases"]["hall-1"]["power_mw"] = 0.3

    def cost(size):
        study = study_of({**tiny, "runs": {"next": {**RUN, "accelerator_hours": {"gpu": size * 40 * HOURS}}}})
        tree, node, program, solution = solved(study)
        price = run_prices_usd(node, tree, program, solution)["next"]
        return solution.cost * node.columns.money_unit_usd, price

    less, (now, price), more = cost(0.98)[0], cost(1.0), cost(1.02)[0]
    slack = 1e-6 * now / 0.02
    assert (now - less) / 0.02 - slack <= price <= (more - now) / 0.02 + slack
    assert price > 0


def test_a_run_takes_what_others_leave_and_denied_fungibility_it_does_not():
    study = with_run(accelerator_hours={"gpu": 10 * HOURS}, missed_usd=1e7)
    tree, node, _, solution = solved(study)
    denied = template(study, tree.demand_nK.max(axis=0), Restriction(fungible=False))
    without = Solver(extensive(denied, tree)).run().objective * denied.columns.money_unit_usd
    assert ("dedicated", "gpu", "next") in denied.columns.place
    assert without > solution.bound * node.columns.money_unit_usd


def test_the_plan_tells_when_accelerators_work_on_a_run_and_what_its_tokens_cost():
    plan = make_plan(with_run(tokens=2e9), Effort(gap=1e-4), worth=False)
    (run,) = plan.runs
    assert (run.run, run.due, run.missed_probability) == ("next", "2027H1", 0)
    assert sum(period.accelerators.get("gpu", 0.0) for period in run.periods) == pytest.approx(40)
    price = run.price_usd_per_accelerator_hour["gpu"]
    assert run.price_usd_per_token * 2e9 == pytest.approx(price * 40 * HOURS)
