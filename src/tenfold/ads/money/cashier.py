"""A process's way to the database of money: once a turn it shows itself, leases, gives back and looks after the dead.

A turn has three steps, so that the loop that sells never waits: ``wishes`` in the loop, ``turn`` in a thread and one
transaction, ``apply`` in the loop. A turn that fails leaves the purses too small at worst, and the next mends them.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from tenfold.ads.money import lease as leasing
from tenfold.ads.money.budget import campaign_node, free_on_path, path_of
from tenfold.ads.money.moment import database_now
from tenfold.ads.money.purse import Purse, Wish, enough_for, wish_for
from tenfold.pool.alive import lives

log = logging.getLogger(__name__)


STUCK = 20.0
"""A process that lives, and has been silent for so many times as long as others may be, will not come back."""


@dataclass(frozen=True, slots=True)
class Running:
    """A campaign as a turn needs it; ``left_s``: seconds until it ends."""

    campaign: str
    is_running: bool
    left_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn found. ``worker``: the process's number, a new one if it counted as gone; then nothing is held.

    ``free_micro``: of each campaign, what is neither billed nor leased. ``ahead_s``: by how much the database's clock
    is ahead of this process's own.
    """

    worker: int
    began_anew: bool
    held: tuple[leasing.Lease, ...]
    charged: tuple[tuple[int, str], ...]
    free_micro: dict[str, int]
    returned_micro: int
    ahead_s: float


@dataclass
class Cashier:
    """Holds a process's purses.

    Args:
        dead_after_s: a process that has not shown itself for so long counts as gone, unless it lives on this machine.
        settle_s: seconds for which an ad that was sold may be seen; so long the leases of one that is gone stay.
        most_bid_micro: what an ad costs at most.
        clock: gives Unix seconds, by this machine.
        steady: gives seconds that no clock's change moves.
        now_of: gives Unix seconds by the database, which count.
        place: where this process is, so that others of its machine can tell whether it lives.
        on_low: called where money runs low, so that a turn is taken before it is gone.
    """

    dead_after_s: float
    settle_s: float
    most_bid_micro: int
    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    now_of: Callable[[Connection], float] = database_now
    place: str = ""
    on_low: Callable[[], None] = lambda: None
    worker: int | None = None
    purses: dict[str, Purse] = field(default_factory=dict)
    _remaining: dict[str, int] = field(default_factory=dict)
    _last_charge: int = 0
    _ahead_s: float = 0.0

    def now(self) -> float:
        """Unix seconds as the database had them at the last turn, and this process's clock since."""
        return self.clock() + self._ahead_s

    def sell(self, campaign: str, event: str, price_micro: int, lasts_s: float) -> str | None:
        """Reserve the price of an ad; gives the lease that it is charged to, or none where there is too little.

        Args:
            campaign: whose ad.
            event: of the impression.
            price_micro: that it pays.
            lasts_s: seconds in which it may be seen.
        """
        purse = self.purses.get(campaign)
        if purse is None:
            return None
        is_sold = purse.sell(event, price_micro, self.steady() + lasts_s)
        if purse.is_low:
            self.on_low()
        return purse.lease.id if is_sold else None

    def free_micro(self, campaign: str) -> int:
        """What may be bid for a campaign now."""
        purse = self.purses.get(campaign)
        return 0 if purse is None else purse.free_micro

    def remaining_micro(self, campaign: str, default_micro: int) -> int:
        """What may still be sold of a campaign: what is held here, and what was free at the last turn, if any."""
        return self.free_micro(campaign) + self._remaining.get(campaign, default_micro)

    # ---- one turn

    def wishes(self, running: Sequence[Running]) -> list[Wish]:
        """Say what to ask for; what is to be given back can no longer be sold."""
        steady = self.steady()
        found = []
        for each in running:
            purse = self.purses.get(each.campaign)
            if purse is not None:
                purse.forget_unseen(steady)
            # Of a campaign that is new here nothing is known yet: one ad's worth, or more if the turn finds more left.
            remaining = self._remaining.get(each.campaign, self.most_bid_micro)
            wish = wish_for(purse, each.campaign, remaining, self.most_bid_micro, each.is_running, each.left_s)
            if purse is not None:
                purse.free_micro -= wish.back_micro
                purse.spent_micro = 0
                purse.low_micro = wish.low_micro
            found.append(wish)
        return found

    def turn(self, connection: Connection, wishes: Sequence[Wish]) -> Turned:
        """Do one turn, in a transaction that may write."""
        now, local = self.now_of(connection), self.clock()
        worker, began_anew = self._show(connection, now)
        held = {} if began_anew else {each.campaign: each for each in leasing.open_leases(connection, worker)}
        free: dict[str, int] = {}
        for wish in wishes:
            if wish.back_micro and wish.campaign in held:
                leasing.give_back(connection, held[wish.campaign], min(wish.back_micro, held[wish.campaign].left_micro))
            elif wish.more_micro or (began_anew and not wish.back_micro):
                leasing.grant(connection, worker, wish.campaign, self._more(connection, wish, began_anew))
            free[wish.campaign] = free_on_path(connection, path_of(connection, campaign_node(wish.campaign)))
        self._look_after_others(connection, now)
        returned = leasing.close_orphans(connection, now)
        now_held = tuple(leasing.open_leases(connection, worker))
        charged = leasing.settled_since(connection, [each.id for each in now_held], self._last_charge)
        return Turned(worker, began_anew, now_held, tuple(charged), free, returned, now - local)

    def apply(self, turned: Turned) -> None:
        """Take up what a turn found, once it is on disk."""
        if turned.began_anew:
            self.purses.clear()
        self.worker = turned.worker
        self._remaining = turned.free_micro
        self._ahead_s = turned.ahead_s
        if turned.charged:
            self._last_charge = turned.charged[-1][0]
        events = [event for _, event in turned.charged]
        for held in turned.held:
            purse = self.purses.setdefault(held.campaign, Purse(replace(held, granted_micro=0, settled_micro=0)))
            purse.settle(held, events)
            if not purse.low_micro and self._remaining.get(held.campaign, 0) > 0:
                purse.low_micro = purse.free_micro // 2

    def _more(self, connection: Connection, wish: Wish, began_anew: bool) -> int:
        """What to lease; of a campaign of which nothing is held it is known only now what is left."""
        if wish.campaign in self._remaining and not began_anew:
            return wish.more_micro
        free_micro = free_on_path(connection, path_of(connection, campaign_node(wish.campaign)))
        return enough_for(free_micro, wish.more_micro, wish.left_s)

    def _show(self, connection: Connection, now: float) -> tuple[int, bool]:
        if self.worker is not None:
            try:
                leasing.beat(connection, self.worker, now)
                return self.worker, False
            except leasing.Fenced as fenced:
                log.warning("%s: it begins anew, and what it held goes back", fenced)
        return leasing.enlist(connection, now, self.place), True

    def _look_after_others(self, connection: Connection, now: float) -> None:
        """Count as gone who has not shown itself for long; by the database's clock, so that any process can tell."""
        stuck_s = STUCK * self.dead_after_s
        silent = leasing.silent(connection, now - self.dead_after_s)
        gone = [each.number for each in silent if each.beat_at < now - stuck_s or not lives(each.place)]
        if gone:
            orphaned = leasing.orphan(connection, gone, now + self.settle_s)
            log.warning("processes %s count as gone; %d leases wait for their last ads", gone, orphaned)
