"""What moves the cost: each answer is that of a plan made anew, and goes the way that it must."""

import pytest
from tiny_study import TINY, study_of

from tenfold.plan.charts import tornado_chart
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import template
from tenfold.plan.plan import make_plan
from tenfold.plan.result import Sensitivity
from tenfold.plan.solve import Effort
from tenfold.plan.tornado import tornado
from tenfold.plan.tree import grow


@pytest.fixture(scope="module")
def bars() -> dict[str, Sensitivity]:
    return {bar.name: bar for bar in tornado(study_of(TINY)).bars}


def test_every_input_that_the_study_has_is_moved(bars):
    assert set(bars) == {
        *("demand of serving", "demand of training", "prices of accelerators", "throughput of accelerators"),
        *("deliveries of accelerators", "cost of building", "time of building", "price of cloud rent"),
        *("price of electricity", "cost of a shortage", "discount rate"),
    }


@pytest.mark.parametrize(
    "name",
    ["demand of serving", "demand of training", "prices of accelerators", "cost of building", "price of cloud rent"],
)
def test_less_demand_and_lower_prices_never_cost_more(bars, name):
    assert bars[name].low_usd <= 1e-6
    assert bars[name].high_usd >= -1e-6


def test_faster_accelerators_cost_less(bars):
    assert bars["throughput of accelerators"].low_usd > 0 > bars["throughput of accelerators"].high_usd


def test_an_answer_is_the_cost_of_the_changed_study(bars):
    gpu = {**TINY["accelerators"]["gpu"], "price_usd": 30_000 * 1.2}
    dearer = study_of({**TINY, "accelerators": {"gpu": gpu}})
    tree = grow(study_of(TINY))

    def cost_usd(study):
        node = template(study, tree.demand_nK.max(axis=0))
        return Solver(extensive(node, tree)).run().objective * node.columns.money_unit_usd

    expected = cost_usd(dearer) - cost_usd(study_of(TINY))
    assert expected > 0
    assert bars["prices of accelerators"].high_usd == pytest.approx(expected, rel=1e-6)


def test_the_most_moving_comes_first():
    found = tornado(study_of(TINY)).bars
    widths = [max(abs(bar.low_usd), abs(bar.high_usd), abs(bar.high_usd - bar.low_usd)) for bar in found]
    assert widths == sorted(widths, reverse=True)


def test_where_no_plan_is_left_there_is_no_figure_and_the_picture_says_so():
    serving = {**TINY["workloads"]["serving"], "floor": 1.0}
    study = study_of({**TINY, "workloads": {**TINY["workloads"], "serving": serving}, "rent": {}})
    found = tornado(study)
    late = next(bar for bar in found.bars if bar.name == "deliveries of accelerators")
    assert late.high_usd is None, "what must be served next period is on order only if leads are as short as said"
    assert late.low_usd is not None
    assert found.bars[0].high_usd is None, "no amount moves more than having no plan"
    plan = make_plan(study, Effort(seconds=5), worth=False).model_copy(update={"tornado": found})
    assert "+6 months: no plan is left" in tornado_chart(plan)


def test_it_can_be_stopped():
    assert tornado(study_of(TINY), lambda _: False) is None
