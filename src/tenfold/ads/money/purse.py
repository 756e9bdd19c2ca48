"""What a process may bid with now: of each campaign the part that it has leased, less what it has sold of that.

It lives in memory and is touched by one thread only, so reserving costs no lock and no database. It may only be too
small, never too large: what was sold stays reserved until the charge is known, or the ad can no longer be seen.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from tenfold.ads.money.lease import Lease

GRACE_S = 5.0
"""Seconds after its last moment until an ad that was not seen counts as unseen, for clocks that differ."""


@dataclass
class Purse:
    """What one process holds of one campaign.

    ``sold``: price, and until when it may be seen by a clock that nobody sets, of each ad that is on its way, by its
    event, in the order in which they were sold. ``spent_micro``: sold since it was last asked what to lease.
    ``low_micro``: with less than this to sell, it is time to ask for more.
    """

    lease: Lease
    free_micro: int = 0
    sold: dict[str, tuple[int, float]] = field(default_factory=dict)
    spent_micro: int = 0
    low_micro: int = 0

    @property
    def is_low(self) -> bool:
        """Whether more should be leased before it runs dry."""
        return self.free_micro < self.low_micro

    def sell(self, event: str, price_micro: int, until: float) -> bool:
        """Reserve the price of an ad; whether there was enough."""
        if price_micro > self.free_micro:
            return False
        self.free_micro -= price_micro
        self.spent_micro += price_micro
        self.sold[event] = (price_micro, until)
        return True

    def settle(self, lease: Lease, charged: Iterable[str]) -> None:
        """Take up what the database says of the lease, and which ads were charged."""
        for event in charged:
            self.sold.pop(event, None)
        self.lease = lease
        self._count()

    def forget_unseen(self, now: float) -> None:
        """Free what was sold and can no longer be seen; ``now`` by the same clock."""
        for event, (_, until) in list(self.sold.items()):
            if until + GRACE_S > now:
                break
            del self.sold[event]
        self._count()

    def _count(self) -> None:
        self.free_micro = self.lease.left_micro - sum(price for price, _ in self.sold.values())


@dataclass(frozen=True, slots=True)
class Wish:
    """What a process wants of one campaign in its next turn at the database.

    ``more_micro``: to lease. ``back_micro``: to give back, of the lease ``lease``. ``low_micro``: with less than this
    to sell it should be asked for again, before its turn. ``left_s``: seconds until the campaign ends.
    """

    campaign: str
    more_micro: int = 0
    back_micro: int = 0
    low_micro: int = 0
    left_s: float = math.inf


SHARE = 200
"""A process leases a two-hundredth of what is left of a campaign at a time, or more where it spends more."""

AHEAD = 4
"""It leases for so many turns like the last."""

AHEAD_S, MOST_SHARE = 10.0, 20
"""It leases what so many seconds of an even spending take, but no more than a twentieth of what is left: a campaign of
minutes must not wait for each turn, and what a process holds that is killed stays away for minutes."""


def enough_for(remaining_micro: int, most_bid_micro: int, left_s: float, spent_micro: int = 0) -> int:
    """What a process should hold of a campaign.

    Args:
        remaining_micro: of its budget, what is neither billed nor leased.
        most_bid_micro: what an ad costs at most.
        left_s: seconds until it ends.
        spent_micro: sold since the last turn.
    """
    even = int(remaining_micro * min(1.0 / MOST_SHARE, AHEAD_S / max(left_s, 1.0)))
    return max(most_bid_micro, AHEAD * spent_micro, remaining_micro // SHARE, even)


def wish_for(
    purse: Purse | None, campaign: str, remaining_micro: int, most_bid_micro: int, is_running: bool, left_s: float
) -> Wish:
    """Say what to lease of a campaign, or to give back.

    Args:
        purse: what is held, if anything.
        campaign: its id.
        remaining_micro: of its budget, what is neither billed nor leased.
        most_bid_micro: what an ad costs at most.
        is_running: whether it bids.
        left_s: seconds until it ends.
    """
    free = purse.free_micro if purse is not None else 0
    if not is_running:
        return Wish(campaign, back_micro=max(0, free))
    enough = enough_for(remaining_micro, most_bid_micro, left_s, purse.spent_micro if purse is not None else 0)
    if remaining_micro <= 0:
        # Too little for a bid is more use to a process that has the rest.
        return Wish(campaign, back_micro=free if 0 < free < most_bid_micro else 0)
    if free < enough:
        # The last of a campaign is leased with this: there is no more to ask for early.
        low_micro = enough // 2 if remaining_micro > enough - free else 0
        return Wish(campaign, more_micro=enough - free, low_micro=low_micro, left_s=left_s)
    return Wish(campaign, back_micro=max(0, free - 4 * enough), low_micro=enough // 2)
