"""The physics of a run against hand calculation."""

from dataclasses import replace

import pytest

from tenfold.compute.accelerators import find_accelerator
from tenfold.compute.facilities import bill, find_facility
from tenfold.compute.interval import Interval
from tenfold.compute.run import Run, check_fits, goodput, interruptions_per_day, least_accelerators, shape
from tenfold.compute.run import training_flops as flops
from tenfold.core.errors import InfeasibleError

LLAMA_405B = Run(
    active_params=405e9,
    total_params=405e9,
    tokens=15.6e12,
    accelerator=find_accelerator("h100"),
    count=16384,
    layers=126,
    hidden=16384,
    context=8192,
)


def test_flops_are_six_per_parameter_and_token_and_the_attention():
    attention = 6 * 126 * 16384 * 8192 * 15.6e12
    assert flops(LLAMA_405B) == pytest.approx(6 * 405e9 * 15.6e12 + attention)
    # The paper gives 3.8e25, without attention.
    assert flops(replace(LLAMA_405B, context=1)) == pytest.approx(3.8e25, rel=0.01)


def test_experts_that_a_token_does_not_visit_cost_no_flops():
    sparse = replace(LLAMA_405B, active_params=37e9, total_params=671e9)
    assert flops(sparse) == pytest.approx(flops(replace(sparse, total_params=37e9)))


def test_a_shape_that_is_not_given_is_that_of_a_llama():
    for params, layers, hidden in ((8e9, 32, 4096), (70e9, 80, 8192), (405e9, 126, 16384)):
        guess = shape(Run(params, params, 1e12, find_accelerator("h100")))
        assert guess == pytest.approx((layers, hidden), rel=0.15)


def test_the_state_of_405b_needs_81_h100():
    assert least_accelerators(LLAMA_405B) == 81
    check_fits(replace(LLAMA_405B, count=81))
    with pytest.raises(InfeasibleError, match="do not fit on 80 h100-sxm") as caught:
        check_fits(replace(LLAMA_405B, count=80))
    assert caught.value.next_step == "use at least --count 81"
    assert caught.value.exit_code == 3


def test_failures_are_those_of_the_405b_run():
    assert interruptions_per_day(16384) * 54 == pytest.approx(466)
    # A tenth of the effective time again is lost.
    assert 1 / goodput(16384) == pytest.approx(1.1)
    assert goodput(8) > 0.9999


def test_energy_and_money_by_hand():

    found = bill(find_accelerator("h100"), find_facility("hyperscale"), Interval.exact(1000))
    # 1,275 W of server, 74% of it drawn, PUE 1.1.
    assert found.energy_mwh.mid == pytest.approx(1000 * 1275e-6 * 0.74 * 1.1)
    assert found.electricity_usd.mid == pytest.approx(found.energy_mwh.mid * 60)
    assert found.rent_usd.mid == pytest.approx(2500)
    building = 11.5e6 * 1275e-6
    yearly = 33000 / 5 + building / 14 + 0.03 * (33000 + building)
    assert found.owned_usd.mid == pytest.approx(1000 * yearly / 8766 + found.electricity_usd.mid)


def test_energy_of_runs_whose_power_was_measured():
    # GPT-3: 330 W per V100 with its share of the system, PUE 1.1, 1,287 MWh (Patterson et al. 2021, table 4).
    gpt3 = bill(find_accelerator("v100"), find_facility("hyperscale"), Interval.exact(10000 * 14.8 * 24))
    assert gpt3.energy_mwh.mid == pytest.approx(1287, rel=0.1)
    assert gpt3.energy_mwh.holds(1287)
    # T5-11B: 310 W per TPU v3, PUE 1.12, 85.7 MWh.
    assert bill(find_accelerator("tpu-v3"), find_facility("hyperscale"), Interval.exact(512 * 480)).energy_mwh.holds(
        85.7
    )


def test_an_accelerator_without_a_price_has_no_owned_cost():

    found = bill(find_accelerator("mi250x"), find_facility("office"), Interval.exact(10))
    assert found.rent_usd is None
    assert found.owned_usd is None
