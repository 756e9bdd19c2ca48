"""Everything that ads do behind their HTTP API: selling, what was seen and clicked, and what is learned of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads import campaigns as shelf
from tenfold.ads import clicks as clicking
from tenfold.ads import earning, library, noting, traffic, writing
from tenfold.ads.bidder import Bidder, Page, Sold
from tenfold.ads.campaign import MICROS, Campaign
from tenfold.ads.candidates import MOST_BID_MICRO
from tenfold.ads.charging import Charging
from tenfold.ads.choosing import Choosing, read_shown
from tenfold.ads.contract import Clicked, ClickOut, SeenOut
from tenfold.ads.money.cashier import Cashier
from tenfold.ads.money.charge import Impression
from tenfold.ads.money.moment import database_now
from tenfold.ads.selling import Seller
from tenfold.ads.settings import AdsSettings
from tenfold.ads.tables import variants
from tenfold.ads.tracking import BadToken, Signer, read_keys
from tenfold.ads.turns import Turns
from tenfold.ads.vectors import WIDTH, Vectors
from tenfold.ads.wants import Wants
from tenfold.core.errors import TenfoldError
from tenfold.pool.alive import place_here
from tenfold.pool.loops import for_ever
from tenfold.product.context import Context
from tenfold.product.transactions import Transactions

log = logging.getLogger(__name__)

Made = TypeVar("Made")

STUDY_EVERY_S = 2.0
CHOOSE_EVERY_S = 15.0
LOOK_EVERY_S = 30.0
FORGET_EVERY_S = 3_600.0


class Desk:
    """Ads without their HTTP. Its database calls run in threads, so the event loop never waits for a disk."""

    def __init__(self, context: Context) -> None:
        assert isinstance(context.settings, AdsSettings)
        self.settings = context.settings
        self.context = context
        self.transactions = Transactions(context.store)
        self.wants = Wants(by_default=self.settings.personal)
        self._low = asyncio.Event()
        self.cashier = Cashier(
            dead_after_s=self.settings.dead_after_s,
            settle_s=self.settings.seen_within_s + 60.0,
            most_bid_micro=MOST_BID_MICRO,
            place=place_here(),
            on_low=self._low.set,
        )
        self.charging = Charging(self.transactions, self.wants, self.settings.holdout)
        self.choosing = Choosing(np.random.default_rng(), WIDTH)
        self._bidding: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self.signer: Signer
        self.seller: Seller
        self.bidder: Bidder
        self.turns: Turns

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends; what is held then goes back at once."""
        self.signer = Signer(await self.write(lambda connection: read_keys(connection, database_now(connection))))
        self.seller = Seller(
            self.cashier,
            self.signer,
            seen_within_s=self.settings.seen_within_s,
            lift_holdout=self.settings.lift_holdout,
        )
        self.bidder = Bidder(
            self.seller,
            Vectors(self.context.pool),
            self.choosing.choose,
            self.cashier.free_micro,
            self._remaining_micro,
            self.cashier.now,
            pricing=self.settings.pricing,
            reserve_micro=self.settings.reserve_usd * MICROS,
            floor=self.settings.least_relevance,
            seen_within_s=self.settings.seen_within_s,
        )
        self.turns = Turns(
            self.context,
            self.transactions,
            self.cashier,
            self.seller,
            self.wants,
            self.settings.holdout,
            self._plan,
        )
        await self.turn()
        tasks = [
            asyncio.create_task(for_ever(what, work, self.context.say))
            for what, work in (
                ("charging", self.charging.charge_what_came),
                ("the turn at the database of money", self._turn_when_due),
                ("learning from what became of ads", self._study),
                ("learning which variants are clicked", self._study_variants),
                ("looking for invalid traffic", self._look),
                ("forgetting what is old", self._forget_old),
            )
        ]
        try:
            yield
        finally:
            tasks += self._asking
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.turns.leave()
            self.transactions.close()

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that reads."""
        return await self.transactions.read(work)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that may write; it is on disk when this returns."""
        return await self.transactions.write(work)

    async def turn(self) -> None:
        """Take one turn at the database: money, campaigns, and what selling has noted."""
        await self.turns.turn()

    async def _turn_when_due(self) -> None:
        await self.turns.turn_when_due(self.settings.turn_s, self._low)

    def _plan(self, is_changed: bool) -> None:
        """Have the bidder plan with what a turn found; take up campaigns that have changed, begun or ended."""
        now = self.cashier.now()
        running = {id: kept.campaign for id, kept in self.turns.roster.items() if kept.campaign.is_running(now)}
        if is_changed or running.keys() != self._bidding:
            self._bidding = set(running)
            self.bidder.use(running, self.turns.showable)
        self.bidder.turn()

    # ---- selling

    def sell(self, page: Page) -> list[Sold]:
        """Decide a page, and sell what has won; the dearest first."""
        self.turns.note_person(page.person)
        by_rank = not earning.is_without_rank(page.person, self.settings.holdout)
        page = replace(page, personal=self.wants.may_be_personal(page.person), by_rank=by_rank)
        return self.bidder.answer(page, self.wants.stopped_by(page.person))

    def _remaining_micro(self, campaign: str) -> float:
        """What may still be sold of a campaign, by all processes."""
        kept = self.turns.roster[campaign]
        return self.cashier.remaining_micro(campaign, kept.budget.free_micro)

    def note_converted(self, events: Sequence[str]) -> None:
        """Learn of ads whose clicks have led to conversions."""
        for event in events:
            self.bidder.lessons.converted(event, self.cashier.now())

    # ---- what was seen and clicked

    async def see(self, tokens: Sequence[str]) -> SeenOut:
        """Charge ads that were seen; they are on disk when this returns."""
        seen, refused = [], 0
        for token in tokens:
            try:
                seen.append(self.signer.read_impression(token))
            except BadToken as bad:
                refused += 1
                log.info("an impression is refused: %s", bad)
        outcomes = await self.charging.charge(seen) if seen else {}
        for each in seen:
            self.bidder.lessons.seen(each.event, self.cashier.now())
        counts = [outcomes[each.event] for each in seen]
        billed, house = counts.count("billed"), counts.count("house")
        return SeenOut(billed=billed, house=house, repeated=len(counts) - billed - house, refused=refused)

    async def click(self, told: Clicked) -> ClickOut:
        """Note a click; gives where it leads. An ad that was clicked was seen.

        Raises:
            BadToken: it is none of ours, or was changed.
        """
        seen = self.signer.read_impression(told.token)
        await self.charging.charge([seen])

        def taking(connection: Connection) -> tuple[str, str, bool, float]:
            now = database_now(connection)
            clicked, is_first = clicking.take_click(connection, seen, now)
            url = _url_of(connection, seen)
            return url, self.signer.click(clicked), is_first, clicked.at

        url, click, is_first, clicked_at = await self.write(taking)
        if clicking.is_too_quick(seen, clicked_at):
            self.bidder.lessons.drop(seen.event)
        else:
            self.bidder.lessons.clicked(seen.event, clicked_at)
        return ClickOut(url=clicking.with_click(url, click) if url else "", click=click, repeated=not is_first)

    # ---- learning

    async def _study(self) -> None:
        """Learn, and ask rank where people and campaigns are."""
        await asyncio.sleep(STUDY_EVERY_S)
        self.bidder.study()
        contents = self.bidder.contents()
        if contents and await self.bidder.vectors.fetch(contents):
            self.turns.rank_requests += 1.0
            self.bidder.use({id: self.turns.roster[id].campaign for id in self._bidding}, self.turns.showable)

    async def _study_variants(self) -> None:
        """Learn which variants who clicks; and take down those of which a fact has run out."""
        await asyncio.sleep(CHOOSE_EVERY_S)
        now = self.cashier.now()
        held = {id: tuple(each for each in self.turns.showable[id] if each.may_be_shown(now)) for id in self._bidding}
        if any(len(held[id]) < len(self.turns.showable[id]) for id in held):
            self.turns.showable = {**self.turns.showable, **held}
            self._plan(is_changed=True)
        if held:
            self.choosing.learn(held, await self.read(lambda connection: read_shown(connection, held)))

    def ask_model(self, campaign: str) -> None:
        """Have the language model write for a campaign, beside what is going on; what passes the gate is added."""
        if self.settings.writer == "templates":
            return
        task = asyncio.create_task(self._ask_model(campaign))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask_model(self, campaign: str) -> None:
        def reading(connection: Connection) -> tuple[Campaign, dict[str, str]]:
            found = shelf.read(connection, campaign, database_now(connection)).campaign
            return found, shelf.sources_of(connection, campaign)

        try:
            found, texts = await self.read(reading)
            sheet = await asyncio.to_thread(writing.sheet_of, texts)
            came = await writing.ask_model(writing.chat_of(self.context, self.settings, found), sheet, found)
            if came:
                written = await asyncio.to_thread(writing.write_if_possible, sheet, found, came)
                by_model = [each for each in written if each.written_by == "model"]
                await self.write(lambda c: library.put(c, campaign, by_model, found.approval, database_now(c)))
        except TenfoldError:
            log.exception("campaign %s has no more than templates", campaign)

    async def _look(self) -> None:
        await asyncio.sleep(LOOK_EVERY_S)
        await self.write(self.credit_invalid)

    def credit_invalid(self, connection: Connection) -> int:
        """Give back what programs have seen; gives how much."""
        now = database_now(connection)
        found = traffic.credit_invalid(connection, now - self.settings.bill_after_s - 2 * LOOK_EVERY_S, now)
        given_back = {
            person: -micro for person, micro in found.micro_by_person.items() if self.wants.may_be_personal(person)
        }
        earning.note_billed(connection, given_back, self.settings.holdout, now)
        if found.micro:
            log.info("%.6f USD of invalid traffic were given back", found.micro / MICROS)
        return found.micro

    async def _forget_old(self) -> None:
        await asyncio.sleep(FORGET_EVERY_S)
        keep_s = 86_400.0 * self.settings.keep_days
        await self.write(lambda connection: noting.forget_old(connection, database_now(connection) - keep_s))


def _url_of(connection: Connection, seen: Impression) -> str:
    query = sa.select(variants.c.body).where(variants.c.campaign == seen.campaign, variants.c.id == seen.variant)
    body = connection.execute(query).scalar()
    return str(body["url"]) if body else ""
