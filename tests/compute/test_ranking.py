"""Ranking's three needs against hand calculation; host and storage are counted beside them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.compute.accelerators import find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.ranking import RankingLoad, estimate_ranking
from tenfold.core.errors import UsageError

H100 = find_accelerator("h100")
LOAD = RankingLoad(1e5, 500, 1e9, 2e12)


def ranked(load):
    return estimate_ranking(load, H100, find_facility("hyperscale"), precision="bf16")


def test_the_three_needs_by_hand():
    found = ranked(LOAD)
    assert found.by_flops.mid == pytest.approx(1e5 * 500 * 1e9 / (989.5e12 * 0.2 * 0.7))
    assert found.by_memory.mid == pytest.approx(2e12 / (80e9 * 0.9))
    assert found.by_lookups.mid == pytest.approx(1e5 * 500 * 200 * 256 / (3350e9 * 0.25 * 0.7))
    assert found.accelerators == found.by_flops
    assert found.bound == "compute"


def test_large_tables_or_many_lookups_take_over():
    assert ranked(replace(LOAD, embedding_bytes=1e15)).bound == "embedding memory"
    assert ranked(replace(LOAD, lookups_per_example=1e5)).bound == "lookups"


def test_a_short_row_still_moves_a_sector():
    assert ranked(replace(LOAD, row_bytes=8)).by_lookups == ranked(replace(LOAD, row_bytes=64)).by_lookups


def test_host_cores_and_storage_are_separate_needs():
    found = ranked(LOAD)
    assert found.host_cores.mid == pytest.approx(1e5 * 500 / 4000 / 0.7)
    assert found.storage_tb.mid == pytest.approx(6)
    assert ranked(replace(LOAD, flops_per_example=1e11)).host_cores == found.host_cores


@given(st.floats(0, 0.9), st.floats(0.01, 0.09), st.floats(2, 1e4))
def test_work_shared_by_a_request_saves_and_never_goes_below_one_example(share, more, candidates):
    load = replace(LOAD, user_share=share, candidates=candidates)
    assert replace(load, user_share=share + more).examples_per_s < load.examples_per_s <= 1e5 * candidates
    assert load.examples_per_s >= 1e5


@given(st.floats(1, 1e7), st.floats(1.1, 10))
def test_more_requests_need_no_fewer(requests, factor):
    less, more = (ranked(replace(LOAD, requests_per_s=each)) for each in (requests, requests * factor))
    assert more.accelerators.mid >= less.accelerators.mid
    assert more.host_cores.mid > less.host_cores.mid


def test_a_share_of_the_whole_is_refused():
    with pytest.raises(UsageError, match=r"user share 1\.0 is not a share"):
        replace(LOAD, user_share=1.0)
