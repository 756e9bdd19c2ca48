"""Which ads one person might see, decided in memory: chances, values, bids and the auction, for many requests at once.

All that is known of the campaigns lies in arrays (``Book``). A decision is one product of matrices for both heads of
the prediction, a look-up that turns log odds into calibrated chances, bids, and the auction: no loop over campaigns, no
database, no clock.

Letters: R requests, C campaigns, D width of embeddings, S places, K cells of a look-up table.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.auction import Flags, Outcome, Rules, run
from tenfold.ads.bid import bid

Singles = NDArray[np.float32]
Floats = NDArray[np.floating]

_LOW, _HIGH, _CELLS_PER_UNIT = -20.0, 12.0, 256
_MOST = 1e30
MOST_BID_MICRO = 50_000
"""An ad costs five cents at most."""

CERTAIN = 12.0
"""Log odds of what happens surely, but for six in a million."""


def look_up(calibrate: Callable[[Floats], Floats]) -> Singles:
    """Make the table from log odds to calibrated chances; its cells are 0.4% of a chance wide.

    Args:
        calibrate: gives calibrated log odds.
    """
    cells = round((_HIGH - _LOW) * _CELLS_PER_UNIT)
    middle_K = _LOW + (np.arange(cells) + 0.5) / _CELLS_PER_UNIT
    return (1.0 / (1.0 + np.exp(-calibrate(middle_K)))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Chances:
    """What predicts one action for all campaigns: weights against a person's embedding, sums, and a look-up table."""

    weights_DC: Singles
    sum_C: Singles
    table_K: Singles

    @staticmethod
    def of(weights_CD: Floats, sum_C: Floats, person_D: Floats, table_K: Singles) -> "Chances":
        """Make it of what ``predict.Head.against`` gives."""
        return Chances((weights_CD + person_D).T.astype(np.float32).copy(), sum_C.astype(np.float32), table_K)

    def only_where(self, needed_C: Flags) -> "Chances":
        """Take the action as certain for the campaigns that do not need it."""
        return Chances(
            np.where(needed_C, self.weights_DC, np.float32(0.0)),
            np.where(needed_C, self.sum_C, np.float32(CERTAIN)),
            self.table_K,
        )

    def of_people(self, person_RD: Singles) -> Singles:
        """Chance of the action, shape (R, C)."""
        place_RC = person_RD @ self.weights_DC
        place_RC += self.sum_C
        place_RC -= _LOW
        place_RC *= _CELLS_PER_UNIT
        np.clip(place_RC, 0, len(self.table_K) - 1, out=place_RC)
        return self.table_K.take(place_RC.astype(np.int32))


@dataclass(slots=True)
class Book:
    """Campaigns that bid. Money is in micro-dollars.

    ``click``: what predicts clicks, of all. ``conversion``: what predicts a conversion after a click, certain where a
    campaign does not want one (``Chances.only_where``). ``is_seen_C``: 1 where the action that a campaign wants is
    that the ad is seen, else 0. ``per_action_C``: value of an action. The others are as
    ``bid.bid`` takes them, and change with each ad that is sold.
    """

    click: Chances
    conversion: Chances
    is_seen_C: Singles
    per_action_C: Singles
    multiplier_C: Floats
    cap_C: Floats
    spent_C: Floats
    won_C: Floats
    left_C: Floats
    overdraft_C: Floats

    @property
    def campaigns(self) -> int:
        """How many there are."""
        return len(self.cap_C)

    def sold(self, campaign: int, price: float, value: float) -> None:
        """Count what was sold, so that the next bid knows it."""
        self.spent_C[campaign] += price
        self.won_C[campaign] += value
        self.left_C[campaign] -= price


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided. ``relevance_RC``: chance of a click. ``chance_RC``: of the action that the campaign wants."""

    outcome: Outcome
    relevance_RC: Singles
    chance_RC: Singles
    value_RC: Singles
    bid_RC: Singles


def decide(book: Book, person_RD: Singles, not_here_RC: Flags, seen_enough_RC: Flags, rules: Rules) -> Decided:
    """Decide requests as if none of the others were won: ``Book.sold`` tells later ones.

    Args:
        book: of campaigns.
        person_RD: embeddings of who asks.
        not_here_RC: which campaigns may not stand here.
        seen_enough_RC: which this person sees no more.
        rules: of the auction.
    """
    click_RC = book.click.of_people(person_RD)
    conversion_RC = book.conversion.of_people(person_RD)
    chance_RC = np.maximum(click_RC, book.is_seen_C) * conversion_RC
    value_RC = chance_RC * book.per_action_C
    # What money allows is exact for each campaign; for each request seven digits are enough, and twice as fast.
    spare_C = np.maximum(book.cap_C * book.won_C - book.spent_C + book.overdraft_C, 0.0)
    multiplier_C, cap_C, left_C, spare_C = (
        np.minimum(each_C, _MOST).astype(np.float32) for each_C in (book.multiplier_C, book.cap_C, book.left_C, spare_C)
    )
    bid_RC = bid(value_RC, multiplier_C, cap_C, 0.0, 0.0, np.minimum(left_C, np.float32(MOST_BID_MICRO)), spare_C)
    outcome = run(bid_RC, click_RC, not_here_RC, seen_enough_RC, rules)
    return Decided(outcome, click_RC, chance_RC, value_RC, bid_RC)
