"""A process's turns at the database: money, campaigns that have changed, and what selling has noted since the last."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection

from tenfold.ads import campaigns as shelf
from tenfold.ads import earning, library, noting
from tenfold.ads.campaign import Status
from tenfold.ads.contract import VariantOut
from tenfold.ads.money import lease as leasing
from tenfold.ads.money.cashier import Cashier, Running, Turned
from tenfold.ads.money.moment import database_now
from tenfold.ads.money.purse import Wish
from tenfold.ads.selling import Seller
from tenfold.ads.wants import Said, Wants, read_said
from tenfold.product.context import Context
from tenfold.product.transactions import Transactions

Roster = tuple[dict[str, shelf.Kept], dict[str, tuple[VariantOut, ...]]]
"""Campaigns that are not over, and what of each may be shown."""


class _Turned(NamedTuple):
    """What a turn found; ``roster``: only where any campaign has changed."""

    money: Turned
    shown: noting.Shown
    said: Said
    edition: tuple[int, int]
    roster: Roster | None


class Turns:
    """Takes turns, and keeps the campaigns that they found.

    Args:
        context: of the product; ranking is told there what it has earned.
        transactions: at the database of ads.
        cashier: of this process; ``on_low`` of it asks for a turn at once.
        seller: whose draws and ticks are written down.
        wants: what people said, read at each turn.
        holdout: share of people whose ads are chosen without rank.
        turned: called after each turn; whether any campaign has changed.
    """

    def __init__(
        self,
        context: Context,
        transactions: Transactions,
        cashier: Cashier,
        seller: Seller,
        wants: Wants,
        holdout: float,
        turned: Callable[[bool], None],
    ) -> None:
        self._context = context
        self._transactions = transactions
        self._cashier = cashier
        self._seller = seller
        self._wants = wants
        self._holdout = holdout
        self._turned = turned
        self.roster: dict[str, shelf.Kept] = {}
        self.showable: dict[str, tuple[VariantOut, ...]] = {}
        self.rank_requests = 0.0
        self._people: set[str] = set()
        self._counted: set[str] = set()
        self._edition = (-1, -1)
        self._last_shown = 0
        self._turning = asyncio.Lock()

    def note_person(self, person: str) -> None:
        """Count somebody who is asked for ads in their arm, at the next turn."""
        if person not in self._counted and self._wants.may_be_personal(person):
            self._people.add(person)

    async def turn(self) -> None:
        """Take one turn."""
        # Whoever waits for it may leave: a turn that has begun ends.
        await asyncio.shield(asyncio.create_task(self._one_turn()))

    async def turn_when_due(self, every_s: float, low: asyncio.Event) -> None:
        """Take a turn after so many seconds, or once money is ``low``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(low.wait(), every_s)
        low.clear()
        await self.turn()

    async def leave(self) -> None:
        """Give back what can be given back, and count as gone at once; what was sold may still be seen."""
        await self._take_turn(self._cashier.wishes([Running(id, False) for id in self.roster]))
        worker = self._cashier.worker
        assert worker is not None
        settle_s = self._cashier.settle_s
        await self._transactions.write(lambda c: leasing.orphan(c, [worker], database_now(c) + settle_s))

    async def _one_turn(self) -> None:
        async with self._turning:
            edition = self._edition
            await self._take_turn(self._cashier.wishes(self._running()))
            if self._edition != edition:
                # What has changed is acted upon at once: a campaign that was paused gives its money back.
                await self._take_turn(self._cashier.wishes(self._running()))

    def _running(self) -> list[Running]:
        now = self._cashier.now()
        return [
            Running(each.id, each.is_running(now), each.ends_at - now)
            for each in (kept.campaign for kept in self.roster.values())
        ]

    async def _take_turn(self, wishes: Sequence[Wish]) -> None:
        draws, ticks = self._seller.take_draws(), self._seller.take_ticks()
        new_people = list(self._people)
        untold, self.rank_requests = self.rank_requests, 0.0

        def turning(connection: Connection) -> _Turned:
            now = database_now(connection)
            money = self._cashier.turn(connection, wishes)
            noting.note_draws(connection, draws)
            noting.note_ticks(connection, money.worker, *ticks)
            earning.count_people(connection, new_people, self._holdout, now)
            earned = earning.take_untold(connection)
            if earned is not None or untold:
                self._context.earned(connection, "rank", earned or 0.0, untold, "ads")
            shelf.end_those_over(connection, now)
            edition = shelf.edition_of_all(connection)
            return _Turned(
                money=money,
                shown=noting.shown_since(connection, self._last_shown, money.worker),
                said=read_said(connection),
                edition=edition,
                roster=None if edition == self._edition else _read_roster(connection, now),
            )

        try:
            found = await self._transactions.write(turning)
        except BaseException:
            self.rank_requests += untold
            raise
        self._cashier.apply(found.money)
        self._seller.keep_draws(draws)
        self._people.difference_update(new_people)
        self._counted.update(new_people)
        self._last_shown = found.shown.last
        self._seller.note_shown(found.shown.of_others)
        self._wants.take(found.said)
        if found.roster is not None:
            self._edition = found.edition
            self.roster, self.showable = found.roster
        self._turned(found.roster is not None)


def _read_roster(connection: Connection, now: float) -> Roster:
    """Campaigns that are not over, and what of each may be shown."""
    # Of one that has ended, money that is held goes back first.
    held = shelf.held_by_processes(connection)
    kept = {
        each.campaign.id: each
        for each in shelf.read_all(connection, now)
        if each.campaign.status in (Status.LIVE, Status.PAUSED) or each.campaign.id in held
    }
    showable = {
        id: tuple(each for each in library.variants_of(connection, id) if each.may_be_shown(now)) for id in kept
    }
    return kept, showable
