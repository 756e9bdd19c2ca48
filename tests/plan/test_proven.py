"""Nobody is told that a plan with less freedom costs less: not by a wrong model, and not by a clipped figure."""

import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from random_study import studies
from rich.console import Console
from tiny_study import TINY, built, study_of

from tenfold.plan import show, values
from tenfold.plan.columns import Restriction
from tenfold.plan.plan import make_plan
from tenfold.plan.proven import TOLERANCE, BelowBound, require_not_below
from tenfold.plan.report import report
from tenfold.plan.result import Worth
from tenfold.plan.solve import Effort, Infeasible, solve
from tenfold.plan.study_file import parse_study
from tenfold.plan.values import Estimate, all_worths, fixed_now, mean_plan, restricted, with_perfect_information

EXACT = Effort(gap=1e-6, seconds=20)


@pytest.mark.slow
@given(studies())
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_no_restricted_model_is_below_the_free_one(study):
    tree, node, program = built(study)
    free = solve(program, node, tree, EXACT)
    slack = TOLERANCE * abs(free.cost)
    models = {
        "fixed now": lambda: fixed_now(node, tree, EXACT),
        "mean plan": lambda: mean_plan(node, tree, program, EXACT),
        **{
            str(restriction): lambda restriction=restriction: restricted(node, tree, restriction, EXACT)
            for restriction in (
                Restriction(fungible=False),
                Restriction(staged=False),
                Restriction(fungible=False, staged=False),
            )
        },
    }
    for name, model in models.items():
        try:
            found = model()
        except Infeasible:
            continue
        assert found.cost >= free.bound - slack, f"{name} costs {found.cost}, the free model at least {free.bound}"
    assert with_perfect_information(node, tree, EXACT).bound <= free.cost + slack


@pytest.mark.parametrize(("lead_months", "periods_used"), [(6, 2), (12, 1), (18, 0)])
def test_staging_is_worth_what_the_phases_that_nobody_needs_are_charged_for(lead_months, periods_used):
    # Hall 1 is needed at once, hall 2 never. As one decision, hall 2 follows as hall 1 ends, in the second period of
    # four; of its life of 28 half-years those within the study are charged. With 18 months it would end after them.
    study = parse_study(
        f"""
        {{name: halls, start: 2026H1, periods: 4, discount_rate: 0,
          workloads: {{w: {{unit: u, shortage_usd_per_unit_month: 1e5,
                            demand: {{ranges: {{2026H1: [10, 10, 10], 2027H2: [10, 10, 10]}}}}}}}},
          accelerators: {{g: {{price_usd: 1e4, lead_months: 6, power_kw: 1, throughput: {{w: 1}},
                               owned: [{{count: 10}}]}}}},
          sites: {{s: {{power: {{usd_per_mwh: 0}}, phases: {{
            hall-1: {{power_mw: 0.01, capex_usd: 2.8e6, lead_months: 6}},
            hall-2: {{power_mw: 0.01, capex_usd: 1.4e6, lead_months: {lead_months}, after: [hall-1]}}}}}}}},
          tree: {{nodes: 4, paths: 20}}}}
        """
    )
    tree, node, program = built(study)
    free = solve(program, node, tree, EXACT)
    at_once = restricted(node, tree, Restriction(staged=False), EXACT)
    unit = node.columns.money_unit_usd
    assert (at_once.cost - free.cost) * unit == pytest.approx(1.4e6 * periods_used / 28, abs=1)


def test_a_model_that_undercuts_the_bound_is_an_error_and_not_a_value_of_nothing(tiny, monkeypatch):
    tree, node, program = built(study_of(tiny))
    solution = solve(program, node, tree, Effort(gap=1e-3))

    def wrong(*_):
        return Estimate(0.99 * solution.bound, 0.98 * solution.bound)

    monkeypatch.setattr(values, "fixed_now", wrong)
    with pytest.raises(BelowBound, match="the value of adaptivity is measured by costs"):
        all_worths(node, tree, program, solution, Effort(gap=1e-3), None)


def test_a_bound_gives_by_a_solvers_tolerances_only():
    require_not_below(1e9, 1e9 - 100, "a plan")
    require_not_below(-1e9, float("inf"), "a plan")
    with pytest.raises(BelowBound, match=r"a plan costs 999,900,000\.00 USD"):
        require_not_below(1e9, 1e9 - 1e5, "a plan")


@pytest.mark.parametrize(
    ("usd", "low_usd", "high_usd", "share", "printed", "drawn"),
    [
        (-1e4, -4e4, 2e4, -1e-3, "nothing within the gap: at most $20k", "nothing within the gap: at most $20k"),
        (0.0, 0.0, 0.0, 0.0, "nothing within the gap", "nothing within the gap"),
        (
            1e4,
            -1e4,
            3e4,
            1e-3,
            "$10k 0.1% at most $30k, perhaps 0",
            "$10k 0.1% of the cost; at most $30k, perhaps nothing",
        ),
        (2e4, 1e4, 3e4, 2e-3, "$20k 0.2% $10k - $30k", "$20k 0.2% of the cost; $10k to $30k"),
        (2e4, 1e4, 3e4, None, "$20k $10k - $30k", "$20k $10k to $30k"),
        (None, None, None, None, "no figure", "no figure without it no plan meets all floors and limits"),
    ],
)
def test_a_reader_is_told_how_sure_a_value_is(small_plan, usd, low_usd, high_usd, share, printed, drawn):
    worth = Worth(name="staging", definition="", usd=usd, low_usd=low_usd, high_usd=high_usd, share=share)
    plan, shown = small_plan.model_copy(update={"worth": (worth,)}), io.StringIO()
    show.plan(plan, Console(file=shown, width=80))
    assert f"staging {printed} " in " ".join(shown.getvalue().split()) + " "
    text = " ".join(re.sub("<[^>]*>", " ", re.sub("</?data[^>]*>", "", report(plan))).split())
    assert f"staging {drawn} " in text


@pytest.fixture(scope="module")
def small_plan():
    return make_plan(study_of(TINY), Effort(gap=1e-2, seconds=5), worth=False)
