"""The answer that the README shows, and a user's own MFU."""

import pytest
from inline_snapshot import snapshot

from tenfold.compute.accelerators import find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.recognise import known_organisation
from tenfold.compute.run import Run, goodput, training_flops
from tenfold.compute.training import estimate_training
from tenfold.core.errors import InfeasibleError, UsageError

LLAMA_405B = Run(405e9, 405e9, 15.6e12, find_accelerator("h100"), count=16384)
HALL = find_facility("hyperscale")


def test_the_405b_answer():
    found = estimate_training(LLAMA_405B, HALL)
    shown = {
        "days": [float(f"{value:.3g}") for value in (found.days.low, found.days.mid, found.days.high)],
        "million hours": float(f"{found.accelerator_hours.mid / 1e6:.3g}"),
        "GWh": float(f"{found.bill.energy_mwh.mid / 1e3:.2g}"),
        "rent, million": float(f"{found.bill.rent_usd.mid / 1e6:.2g}"),
        "nearest": [near.row.run for near in found.nearest],
    }
    assert shown == snapshot(
        {
            "days": [70.9, 103.0, 200.0],
            "million hours": 40.4,
            "GWh": 42.0,
            "rent, million": 100.0,
            "nearest": ["Llama 3.1 405B", "Llama 3.1 405B at 8192 H100", "Nemotron-4 340B"],
        }
    )
    # Meta spent 30.84 million hours.
    assert found.accelerator_hours.holds(30.84e6)


def test_an_mfu_of_ones_own_is_used_as_it_is_and_failures_are_added():
    found = estimate_training(LLAMA_405B, HALL, mfu=0.4)
    seconds = training_flops(LLAMA_405B) / (16384 * 989.5e12 * 0.4 * goodput(16384))
    assert found.days.mid == pytest.approx(seconds / 86400)
    assert found.utilisation.mid == pytest.approx(0.4 / 1.1)
    assert found.interruptions.mid == pytest.approx(466 / 54 * found.days.mid)


def test_without_a_count_there_are_hours_but_no_days():
    found = estimate_training(Run(8e9, 8e9, 1e12, find_accelerator("mi300x")), HALL)
    assert found.days is None
    assert found.interruptions is None
    assert found.accelerator_hours.low < found.accelerator_hours.mid < found.accelerator_hours.high


def test_a_count_that_cannot_hold_the_state_is_refused():
    with pytest.raises(InfeasibleError, match="do not fit on 8 h100-sxm"):
        estimate_training(Run(405e9, 405e9, 1e12, find_accelerator("h100"), count=8), HALL)


def test_organisations_are_found_in_any_case_and_others_named():
    assert known_organisation("meta") == "Meta"
    with pytest.raises(UsageError, match="organisation 'Mta' has no published run") as caught:
        known_organisation("Mta")
    assert caught.value.next_step.startswith("did you mean 'Meta'?")
