"""A campaign says by itself whether it may bid, and what an action may cost."""

from dataclasses import replace

import pytest

from tenfold.ads.campaign import DAY_S, Campaign, CostPerAction, Objective, ReturnOnSpend, Status

SHOP = Campaign(
    "c1", "acme", "Shoes", Objective.SALES, 500_000_000, 1_000.0, 1_000.0 + 7 * DAY_S, "https://acme.example"
)


def test_a_campaign_bids_only_while_it_is_live_and_between_its_dates():
    live = replace(SHOP, status=Status.LIVE)
    assert [live.is_running(at) for at in (999.0, 1_000.0, live.ends_at)] == [False, True, False]
    assert not SHOP.is_running(1_000.0) and not replace(SHOP, status=Status.PAUSED).is_running(1_000.0)
    assert SHOP.days == pytest.approx(7)


def test_a_cap_says_what_an_action_may_cost():
    assert CostPerAction(4_000_000).worth_micro(99.0) == 4_000_000
    assert ReturnOnSpend(4.0).worth_micro(20_000_000) == 5_000_000
