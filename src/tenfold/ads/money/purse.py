"""What a process may bid with now: of each campaign the part that it has leased, less what it has sold of that.

It lives in memory and is touched by one thread only, so reserving costs no lock and no database. It may only be too
small, never too large: what was sold stays reserved until the charge is known, or the ad can no longer be seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tenfold.ads.money.lease import Lease

GRACE_S = 5.0
"""Seconds after its last moment until an ad that was not seen counts as unseen, for clocks that differ."""


@dataclass
class Purse:
    """What one process holds of one campaign.

    ``sold``: price, and until when it may be seen by a clock that nobody sets, of each ad that is on its way, by its
    event, in the order in which they were sold. ``spent_micro``: sold since it was last asked what to lease.
    """

    lease: Lease
    free_micro: int = 0
    sold: dict[str, tuple[int, float]] = field(default_factory=dict)
    spent_micro: int = 0

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

    ``more_micro``: to lease. ``back_micro``: to give back, of the lease ``lease``.
    """

    campaign: str
    more_micro: int = 0
    back_micro: int = 0


SHARE = 200
"""A process leases a two-hundredth of what is left of a campaign at a time, or more where it spends more."""

AHEAD = 4
"""It leases for so many turns like the last."""


def wish_for(purse: Purse | None, campaign: str, remaining_micro: int, bid_micro: int, is_running: bool) -> Wish:
    """Say what to lease of a campaign, or to give back.

    Args:
        purse: what is held, if anything.
        campaign: its id.
        remaining_micro: of its budget, what is neither billed nor leased.
        bid_micro: the most that one ad of it may cost now.
        is_running: whether it bids.
    """
    free = purse.free_micro if purse is not None else 0
    if not is_running:
        return Wish(campaign, back_micro=max(0, free))
    spent = purse.spent_micro if purse is not None else 0
    enough = max(bid_micro, AHEAD * spent, remaining_micro // SHARE)
    if remaining_micro <= 0:
        # Too little for a bid is more use to a process that has the rest.
        return Wish(campaign, back_micro=free if 0 < free < bid_micro else 0)
    if free < enough:
        return Wish(campaign, more_micro=enough - free)
    return Wish(campaign, back_micro=max(0, free - 4 * enough))


def total_sold(purses: Sequence[Purse]) -> int:
    """Ads on their way."""
    return sum(len(purse.sold) for purse in purses)
