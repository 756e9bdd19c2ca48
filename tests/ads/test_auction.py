"""Who wins pays what others make them pay, and whoever lost is told why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.ads.auction import Reason, Rules, run


def held(bids, rules, relevance=None, not_here=(), seen_enough=()):
    bid_RC = np.array([bids], dtype=float)
    relevance_RC = np.ones_like(bid_RC) if relevance is None else np.array([relevance])
    flags = [np.isin(np.arange(len(bids)), out)[None, :] for out in (not_here, seen_enough)]
    return run(bid_RC, relevance_RC, *flags, rules)


@given(
    st.lists(st.floats(0, 1000, allow_subnormal=False), max_size=12),
    st.integers(1, 4),
    st.floats(0, 500, allow_subnormal=False),
)
def test_a_bid_of_the_least_that_wins_wins_and_a_lower_one_does_not(bids, places, reserve):
    rules = Rules(places=places, reserve=reserve)
    outcome = held(bids, rules)
    won = [place for place in outcome.winner_RS[0].tolist() if place >= 0]
    standing = sorted((bid for bid in bids if bid > 0 and bid >= reserve), reverse=True)
    assert [bids[place] for place in won] == standing[:places]
    losing = max(reserve, standing[places] if len(standing) > places else 0.0)
    assert outcome.price_RS[0][: len(won)].tolist() == pytest.approx([losing] * len(won))
    joined = held([*bids, 1.01 * float(outcome.to_join_R[0]) + 1e-9], rules)
    assert len(bids) in joined.winner_RS[0]
    for campaign in range(len(bids)):
        least = outcome.to_win_RC[0, campaign]
        if least > 0:
            lower = held([*bids[:campaign], 0.99 * least, *bids[campaign + 1 :]], rules)
            assert campaign not in lower.winner_RS[0]
        higher = held([*bids[:campaign], 1.01 * least + 1e-9, *bids[campaign + 1 :]], rules)
        assert campaign in higher.winner_RS[0]


def test_each_that_lost_is_told_the_first_reason_that_kept_it_out():
    rules = Rules(places=1, reserve=10.0, floor=0.01)
    relevance = [0.5, 0.5, 0.001, 0.5, 0.5, 0.5, 0.5]
    outcome = held([50, 20, 90, 5, 80, 70, 0], rules, relevance, not_here=[4], seen_enough=[5])
    expected = [
        *(Reason.WON, Reason.OUTBID, Reason.IRRELEVANT, Reason.BELOW_RESERVE),
        *(Reason.NOT_HERE, Reason.SEEN_ENOUGH, Reason.NO_MONEY),
    ]
    assert outcome.reason_RC[0].tolist() == expected
    assert outcome.price_RS[0, 0] == 20
    assert all(reason.words for reason in Reason)


def test_in_a_first_price_auction_a_winner_pays_its_bid():
    outcome = held([50, 20], Rules(pricing="first"))
    assert outcome.price_RS[0].tolist() == [50]


def test_nobody_and_more_places_than_campaigns_are_no_error():
    assert held([], Rules(places=2)).winner_RS.tolist() == [[-1, -1]]
    outcome = held([5.0], Rules(places=3, reserve=1.0))
    assert outcome.winner_RS.tolist() == [[0, -1, -1]]
    assert outcome.price_RS.tolist() == [[1.0, 0.0, 0.0]]


def test_many_requests_at_once_are_each_decided_alone():
    rng = np.random.default_rng(1)
    bid_RC = rng.uniform(0, 100, (40, 9))
    none = np.zeros_like(bid_RC, dtype=bool)
    together = run(bid_RC, np.ones_like(bid_RC), none, none, Rules(places=2, reserve=30.0))
    for row in range(40):
        alone = held(bid_RC[row].tolist(), Rules(places=2, reserve=30.0))
        assert together.winner_RS[row].tolist() == alone.winner_RS[0].tolist()
        assert together.price_RS[row].tolist() == alone.price_RS[0].tolist()
