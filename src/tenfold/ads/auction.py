"""The auction of the places beside one person's items: who may bid, who wins, what it costs, and why others lost.

All campaigns bid for all places at once, for many requests at once. The highest bids win, and in a second-price auction
every winner pays the highest bid that lost, or the reserve: the least bid that would still have won. So what a campaign
pays does not depend on its own bid, and what pacing learns of prices is exactly what a bid would have cost. In a
first-price auction a winner pays its bid, which is shaded (``shading.py``).

Letters: R requests, C campaigns, S places.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

Pricing = Literal["second", "first"]


class Reason(IntEnum):
    """Why a campaign was not shown, or that it was. Of several reasons the one with the highest number is told."""

    WON = 0
    OUTBID = 1
    BELOW_RESERVE = 2
    NO_MONEY = 3
    IRRELEVANT = 4
    SEEN_ENOUGH = 5
    NOT_HERE = 6

    @property
    def words(self) -> str:
        """For a report."""
        return _WORDS[self]


_WORDS = {
    Reason.WON: "won",
    Reason.OUTBID: "another bid was higher",
    Reason.BELOW_RESERVE: "the bid was below the least price",
    Reason.IRRELEVANT: "too few people like this one would care",
    Reason.SEEN_ENOUGH: "this person has seen it often enough, or wants no more of it",
    Reason.NOT_HERE: "it may not stand beside such content, or not on this surface, or is not for this person",
    Reason.NO_MONEY: "nothing is left that it may bid",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Of an auction. Money in one unit throughout.

    ``places``: ads that one request may get. ``reserve``: the least price. ``floor``: the least relevance, the
    predicted chance of a click.
    """

    places: int = 1
    reserve: float = 0.0
    floor: float = 0.0
    pricing: Pricing = "second"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What auctions came to.

    ``winner_RS``: campaigns, the highest bid first; -1 for a place that stays empty. ``price_RS``: what each pays.
    ``to_win_RC``: the least bid with which each campaign would have won a place; ``to_join_R``: with which one more
    would have. ``reason_RC``: a ``Reason`` each.
    """

    winner_RS: Ints
    price_RS: Floats
    to_win_RC: Floats
    to_join_R: Floats
    reason_RC: NDArray[np.int8]


def run(bid_RC: Floats, relevance_RC: Floats, not_here_RC: Flags, seen_enough_RC: Flags, rules: Rules) -> Outcome:
    """Hold an auction for each request.

    Args:
        bid_RC: what each campaign bids; 0 for what may bid nothing.
        relevance_RC: predicted chance of a click.
        not_here_RC: who is excluded by content, surface or targeting.
        seen_enough_RC: whom a frequency cap or the person's wish keeps out.
        rules: of the auction.
    Returns:
        Winners and prices; of two equal bids the campaign with the lower index wins.
    """
    reason_RC = np.full(bid_RC.shape, Reason.OUTBID, dtype=np.int8)
    for reason, holds_RC in (
        (Reason.BELOW_RESERVE, bid_RC < rules.reserve),
        (Reason.NO_MONEY, bid_RC <= 0),
        (Reason.IRRELEVANT, relevance_RC < rules.floor),
        (Reason.SEEN_ENOUGH, seen_enough_RC),
        (Reason.NOT_HERE, not_here_RC),
    ):
        # A product and a maximum of bytes take a tenth of the time of an assignment by a mask.
        np.maximum(reason_RC, holds_RC.view(np.int8) * np.int8(reason), out=reason_RC)
    standing_RC = np.where(reason_RC == Reason.OUTBID, bid_RC, bid_RC.dtype.type(-1.0))
    requests, campaigns = bid_RC.shape
    places = min(rules.places, campaigns)
    winner_RS = np.full((requests, rules.places), -1, dtype=np.int64)
    price_RS = np.zeros((requests, rules.places))
    if not places:
        return Outcome(winner_RS, price_RS, np.zeros_like(bid_RC), np.full(requests, rules.reserve), reason_RC)
    best_RS, next_R = _highest(standing_RC, places)
    row_R1 = np.arange(requests)[:, None]
    best_bid_RS = standing_RC[row_R1, best_RS]
    won_RS = best_bid_RS >= 0
    losing_R = np.maximum(next_R, rules.reserve)
    winner_RS[:, :places] = np.where(won_RS, best_RS, -1)
    price_RS[:, :places] = np.where(won_RS, best_bid_RS if rules.pricing == "first" else losing_R[:, None], 0.0)
    request_W, place_W = np.nonzero(won_RS)
    campaign_W = best_RS[request_W, place_W]
    reason_RC[request_W, campaign_W] = Reason.WON
    # Who lost must beat the last that won; who won, the first that lost.
    last_R = best_bid_RS[:, -1] if places == rules.places else np.full(requests, -1.0)
    to_join_R = np.maximum(last_R, rules.reserve)
    to_win_RC = np.empty_like(bid_RC)
    to_win_RC[:] = to_join_R[:, None]
    to_win_RC[request_W, campaign_W] = losing_R[request_W]
    return Outcome(winner_RS, price_RS, to_win_RC, to_join_R, reason_RC)


def _highest(standing_RC: Floats, places: int) -> tuple[Ints, Floats]:
    """Find the highest bids of each request, in order, and the one after them; below 0 for none."""
    requests, campaigns = standing_RC.shape
    if places == 1:
        best_R = np.argmax(standing_RC, axis=1)
        others_RC = standing_RC.copy()
        others_RC[np.arange(requests), best_R] = -1.0
        return best_R[:, None], others_RC.max(axis=1)
    order_RC = np.argsort(-standing_RC, axis=1, kind="stable")
    row_R = np.arange(requests)
    next_R = standing_RC[row_R, order_RC[:, places]] if campaigns > places else np.full(requests, -1.0)
    return order_RC[:, :places], next_R
