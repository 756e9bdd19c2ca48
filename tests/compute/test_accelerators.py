"""Facts about accelerators and facilities: every number has a source, and a wrong name is met with the right one."""

import pytest

from tenfold.compute.accelerators import accelerators, find_accelerator
from tenfold.compute.facilities import facilities, find_facility
from tenfold.core.errors import UsageError


@pytest.mark.parametrize("known", accelerators().values(), ids=lambda known: known.name)
def test_every_number_names_a_source_with_a_date(known):
    numbers = known.numbers()
    assert {"hbm_gb", "hbm_gb_per_s", "tdp_w", "server_w"} <= numbers.keys()
    assert all(known.sources[number.source].date for number in numbers.values())
    assert known.peak_16bit_flops > 0
    assert known.entry.tdp_w.value <= known.entry.server_w.value


@pytest.mark.parametrize("place", facilities().values(), ids=lambda place: place.name)
def test_every_facility_number_names_a_source_and_pue_is_at_least_one(place):
    assert place.entry.pue.value >= 1
    for key in ("pue", "electricity_usd_per_mwh", "capex_usd_per_mw", "life_years", "opex_share_per_year"):
        assert getattr(place.entry, key).source in place.sources


def test_no_name_or_alias_means_two_things():
    names = [name for known in accelerators().values() for name in (known.name, *known.entry.aliases)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


def test_aliases_and_case():
    assert find_accelerator("H100").name == "h100-sxm"
    assert find_accelerator(" a100 ").name == "a100-80"


def test_an_h800_is_an_h100_with_less_between():
    h100, h800 = find_accelerator("h100"), find_accelerator("h800")
    assert h100.peak_16bit_flops == h800.peak_16bit_flops == 989.5e12
    assert h800.entry.link_gb_per_s.value < h100.entry.link_gb_per_s.value


def test_an_unknown_accelerator_is_met_with_the_nearest():
    with pytest.raises(UsageError, match=r"accelerator 'h1000' is not known") as caught:
        find_accelerator("h1000")
    assert caught.value.next_step.startswith("did you mean 'h100'?")


def test_an_unknown_facility_is_met_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        find_facility("colo")
    assert "did you mean 'colocation'?" in caught.value.next_step


def test_a_format_that_the_accelerator_lacks_names_those_it_has():
    with pytest.raises(UsageError, match="a100-80 has no 'fp8' peak") as caught:
        find_accelerator("a100").peak_flops("fp8")
    assert caught.value.next_step == "use one of: fp32, bf16, fp16"
