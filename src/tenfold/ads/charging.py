"""Charges ads that were seen: what many requests have told by now goes to disk in one transaction."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from tenfold.ads import earning
from tenfold.ads.money.charge import Impression, Outcome, take
from tenfold.ads.money.moment import database_now
from tenfold.ads.wants import Wants
from tenfold.product.transactions import Transactions

MOST_TOGETHER = 1_000
"""Impressions that are charged in one transaction, unless a single request has more."""


class _Told(NamedTuple):
    """Impressions of one request, and who waits until they are on disk."""

    seen: Sequence[Impression]
    done: asyncio.Future[dict[str, Outcome]]


class Charging:
    """Charges impressions as they come.

    Args:
        transactions: at the database of money.
        wants: whose ads may be personal: only theirs count as earned by ranking.
        holdout: share of people whose ads are chosen without rank.
    """

    def __init__(self, transactions: Transactions, wants: Wants, holdout: float) -> None:
        self._transactions = transactions
        self._wants = wants
        self._holdout = holdout
        self._told: deque[_Told] = deque()
        self._came = asyncio.Event()

    async def charge(self, seen: Sequence[Impression]) -> dict[str, Outcome]:
        """Charge impressions; on disk when this returns, also if whoever told them has left by then."""
        told = _Told(seen, asyncio.get_running_loop().create_future())
        self._told.append(told)
        self._came.set()
        return await told.done

    async def charge_what_came(self) -> None:
        """Wait for impressions, and charge all that were told by now at once: the disk is waited for once."""
        await self._came.wait()
        self._came.clear()
        while self._told:
            group: list[_Told] = []
            while self._told and (not group or sum(len(each.seen) for each in group) < MOST_TOGETHER):
                group.append(self._told.popleft())
            await self._charge_group(group)

    async def _charge_group(self, group: Sequence[_Told]) -> None:
        every = [each for told in group for each in told.seen]
        try:
            outcomes = await self._transactions.write(lambda connection: self._take(connection, every))
        except Exception as error:
            if len(group) == 1:
                if not group[0].done.done():
                    group[0].done.set_exception(error)
                return
            # What the database refuses of one must not be refused of the others.
            for told in group:
                await self._charge_group([told])
            return
        for told in group:
            if not told.done.done():
                told.done.set_result({each.event: outcomes[each.event] for each in told.seen})

    def _take(self, connection: Connection, seen: Sequence[Impression]) -> dict[str, Outcome]:
        now = database_now(connection)
        outcomes = take(connection, seen, now)
        by_person: dict[str, int] = {}
        for each in {each.event: each for each in seen}.values():
            if outcomes[each.event] == "billed" and self._wants.may_be_personal(each.person):
                by_person[each.person] = by_person.get(each.person, 0) + each.price_micro
        earning.note_billed(connection, by_person, self._holdout, now)
        return outcomes
