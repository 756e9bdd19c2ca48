"""Numbers that the solver cannot hold together are named in pairs before it is asked."""

import copy

import pytest
from tiny_study import TINY, study_of

from tenfold.plan.plan import make_plan
from tenfold.plan.scale import too_far_apart
from tenfold.plan.shipped import find_study, names, text
from tenfold.plan.solve import Effort
from tenfold.plan.study import Study
from tenfold.plan.study_file import StudyError, parse_study

PEAK = "'workloads.serving.demand.ranges.2027H2' is 320"
PRICE = "'accelerators.gpu.price_usd' is 30000"


def tiny_with(key: str, value: float) -> Study:
    table = copy.deepcopy(TINY)
    *path, last = key.split("/")
    inner = table
    for name in path:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    inner[last] = value
    return study_of(table)


def test_a_demand_without_its_unit_is_named_with_the_throughput():
    slip = text("two-racks").replace("[12, 45, 160]", "[12, 45, 1e29]")
    with pytest.raises(StudyError) as caught:
        parse_study(slip, "my.yaml")
    assert str(caught.value).splitlines()[0] == (
        "my.yaml: 'workloads.chat.demand.ranges.2029H1' is 1e+29 and 'accelerators.gpu.throughput.chat' is 2.5: "
        "too far apart for the solver (that makes 4e+28 accelerators); mend one, or use another unit"
    )


@pytest.mark.parametrize(
    ("key", "value", "other"),
    [
        ("accelerators/gpu/throughput/serving", 1e-12, PEAK),
        ("accelerators/gpu/throughput/serving", 1e20, PEAK),
        ("rent/cloud/throughput/serving", 1e20, PEAK),
        ("accelerators/gpu/owned/0/count", 1e17, PEAK),
        ("accelerators/gpu/lot", 10**17, PEAK),
        ("sites/home/phases/hall-2/power_mw", 1e18, PEAK),
        ("accelerators/gpu/price_usd", 1e20, "'workloads.serving.shortage_usd_per_unit_month' is 400"),
        ("rent/cloud/usd_per_hour", 1e20, "'workloads.serving.shortage_usd_per_unit_month' is 400"),
        ("accelerators/gpu/operating_usd_per_month", 1e25, PRICE),
        ("sites/home/phases/hall-2/capex_usd", 1e29, PRICE),
        ("sites/home/power/usd_per_mwh", 1e17, PRICE),
        ("workloads/serving/shortage_usd_per_unit_month", 1e29, PRICE),
    ],
)
def test_both_keys_and_their_values_are_named(key, value, other):
    (line, *_) = too_far_apart(tiny_with(key, value))
    assert f"'{key.replace('/', '.')}' is {value:g}" in line
    assert other in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accelerators/gpu/throughput/serving", 1e-7),
        ("accelerators/gpu/throughput/serving", 1e10),
        ("accelerators/gpu/owned/0/count", 1e12),
        ("sites/home/phases/hall-2/power_mw", 1e11),
        ("sites/home/phases/hall-2/capex_usd", 1e15),
        ("accelerators/gpu/price_usd", 1e12),
        ("sites/home/power/usd_per_mwh", 1e9),
    ],
)
def test_what_is_within_the_limits_is_solved(key, value):
    study = tiny_with(key, value)
    assert list(too_far_apart(study)) == []
    assert make_plan(study, Effort(seconds=10), worth=False).solve.gap <= 0.005


def test_shipped_studies_are_far_from_the_limits():
    assert [list(too_far_apart(find_study(name))) for name in names()] == [[]] * len(names())
