"""Everything that ads do behind their HTTP API: the money's turns, what was seen and clicked, what is told of it."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads import campaigns as shelf
from tenfold.ads import clicks as clicking
from tenfold.ads import earning, library, noting, traffic, writing
from tenfold.ads.bidder import Bidder, Page, Sold
from tenfold.ads.campaign import MICROS, Campaign, Status
from tenfold.ads.candidates import MOST_BID_MICRO
from tenfold.ads.choosing import Choosing, read_shown
from tenfold.ads.contract import Clicked, ClickOut, SeenOut, VariantOut
from tenfold.ads.money import charge
from tenfold.ads.money import lease as leasing
from tenfold.ads.money.cashier import Cashier, Running, Turned
from tenfold.ads.money.moment import database_now
from tenfold.ads.money.purse import Wish as MoneyWish
from tenfold.ads.selling import Seller
from tenfold.ads.settings import AdsSettings
from tenfold.ads.tables import variants
from tenfold.ads.tracking import BadToken, Signer, read_keys
from tenfold.ads.vectors import WIDTH, Vectors
from tenfold.core.errors import TenfoldError
from tenfold.pool.alive import place_here
from tenfold.pool.loops import for_ever
from tenfold.product.context import Context
from tenfold.product.transactions import Transactions

log = logging.getLogger(__name__)

Made = TypeVar("Made")

MOST_TOGETHER = 1_000
"""Impressions that are charged in one transaction, unless a single request has more."""

STUDY_EVERY_S = 2.0
CHOOSE_EVERY_S = 15.0
LOOK_EVERY_S = 30.0
FORGET_EVERY_S = 3_600.0


class _Told(NamedTuple):
    """Impressions of one request, and who waits until they are on disk."""

    seen: Sequence[charge.Impression]
    done: asyncio.Future[dict[str, charge.Outcome]]


Roster = tuple[dict[str, shelf.Kept], dict[str, tuple[VariantOut, ...]]]
"""Campaigns that are not over, and what of each may be shown."""


class _Turned(NamedTuple):
    """What a turn found; ``roster``: only where any campaign has changed."""

    money: Turned
    shown: noting.Shown
    wants: noting.Wants
    edition: tuple[int, int]
    roster: Roster | None


class Desk:
    """Ads without their HTTP. Its database calls run in threads, so the event loop never waits for a disk."""

    def __init__(self, context: Context) -> None:
        assert isinstance(context.settings, AdsSettings)
        self.settings = context.settings
        self.context = context
        self.transactions = Transactions(context.store)
        self._low = asyncio.Event()
        self.cashier = Cashier(
            dead_after_s=self.settings.dead_after_s,
            settle_s=self.settings.seen_within_s + 60.0,
            place=place_here(),
            on_low=self._low.set,
        )
        self.roster: dict[str, shelf.Kept] = {}
        self.showable: dict[str, tuple[VariantOut, ...]] = {}
        self.no_personal: set[str] = set()
        self.personal: set[str] = set()
        self._stopped: dict[str, set[str]] = {}
        self.rank_requests = 0.0
        self._people: set[str] = set()
        self._counted: set[str] = set()
        self._edition = (-1, -1)
        self._bidding: set[str] = set()
        self._told: deque[_Told] = deque()
        self._came = asyncio.Event()
        self._turning = asyncio.Lock()
        self._last_shown = 0
        self.choosing = Choosing(np.random.default_rng(), WIDTH)
        self._asking: set[asyncio.Task[None]] = set()
        self.signer: Signer
        self.seller: Seller
        self.bidder: Bidder

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
        await self.turn()
        tasks = [
            asyncio.create_task(for_ever(what, work, self.context.say))
            for what, work in (
                ("charging", self._charge_what_came),
                ("the turn at the database of money", self._turns),
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
            await self._leave()
            self.transactions.close()

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that reads."""
        return await self.transactions.read(work)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that may write; it is on disk when this returns."""
        return await self.transactions.write(work)

    def may_be_personal(self, person: str) -> bool:
        """Whether ads for somebody may be chosen by what they did."""
        return person not in self.no_personal if self.settings.personal else person in self.personal

    def note_person(self, person: str) -> None:
        """Count somebody who is asked for ads in their arm, at the next turn."""
        if person not in self._counted and self.may_be_personal(person):
            self._people.add(person)

    # ---- selling

    def sell(self, page: Page) -> list[Sold]:
        """Decide a page, and sell what has won; the dearest first."""
        self.note_person(page.person)
        by_rank = not earning.is_without_rank(page.person, self.settings.holdout)
        page = replace(page, personal=self.may_be_personal(page.person), by_rank=by_rank)
        return self.bidder.answer(page, self._stopped.get(page.person, ()))

    def _remaining_micro(self, campaign: str) -> float:
        """What may still be sold of a campaign, by all processes."""
        kept = self.roster[campaign]
        return self.cashier.remaining_micro(campaign, kept.budget.free_micro)

    def note_converted(self, events: Sequence[str]) -> None:
        """Learn of ads whose clicks have led to conversions."""
        for event in events:
            self.bidder.lessons.converted(event, self.cashier.now())

    def stop(self, person: str, what: str) -> None:
        """Show somebody a campaign or an account no more, before the next turn reads it."""
        self._stopped.setdefault(person, set()).add(what)

    def note_consent(self, person: str, personal: bool) -> None:
        """Do as a person says from now on, before the next turn reads it."""
        (self.personal if personal else self.no_personal).add(person)
        (self.no_personal if personal else self.personal).discard(person)

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
        outcomes = await self._charge(seen) if seen else {}
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
        await self._charge([seen])

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

    async def _charge(self, seen: Sequence[charge.Impression]) -> dict[str, charge.Outcome]:
        """Charge impressions; on disk when this returns, also if whoever told them has left by then."""
        told = _Told(seen, asyncio.get_running_loop().create_future())
        self._told.append(told)
        self._came.set()
        return await told.done

    async def _charge_what_came(self) -> None:
        """Charge what all have told by now in one transaction: the disk is waited for once."""
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
            outcomes = await self.write(lambda connection: self._take(connection, every))
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

    def _take(self, connection: Connection, seen: Sequence[charge.Impression]) -> dict[str, charge.Outcome]:
        now = database_now(connection)
        outcomes = charge.take(connection, seen, now)
        by_person: dict[str, int] = {}
        for each in {each.event: each for each in seen}.values():
            if outcomes[each.event] == "billed" and self.may_be_personal(each.person):
                by_person[each.person] = by_person.get(each.person, 0) + each.price_micro
        earning.note_billed(connection, by_person, self.settings.holdout, now)
        return outcomes

    # ---- turns

    async def turn(self) -> None:
        """Take one turn at the database: money, campaigns, and what selling has noted."""
        # Whoever waits for it may leave: a turn that has begun ends.
        await asyncio.shield(asyncio.create_task(self._one_turn()))

    async def _one_turn(self) -> None:
        async with self._turning:
            edition = self._edition
            await self._take_turn(self.cashier.wishes(self._running()))
            if self._edition != edition:
                # What has changed is acted upon at once: a campaign that was paused gives its money back.
                await self._take_turn(self.cashier.wishes(self._running()))

    def _running(self) -> list[Running]:
        now = self.cashier.now()
        return [
            Running(each.id, MOST_BID_MICRO, each.is_running(now), each.ends_at - now)
            for each in (kept.campaign for kept in self.roster.values())
        ]

    async def _take_turn(self, wishes: Sequence[MoneyWish]) -> None:
        draws, ticks = self.seller.take_draws(), self.seller.take_ticks()
        new_people = list(self._people)
        untold, self.rank_requests = self.rank_requests, 0.0

        def turning(connection: Connection) -> _Turned:
            now = database_now(connection)
            money = self.cashier.turn(connection, wishes)
            noting.note_draws(connection, draws)
            noting.note_ticks(connection, money.worker, *ticks)
            earning.count_people(connection, new_people, self.settings.holdout, now)
            earned = earning.take_untold(connection)
            if earned is not None or untold:
                self.context.earned(connection, "rank", earned or 0.0, untold, "ads")
            shelf.end_those_over(connection, now)
            edition = shelf.edition_of_all(connection)
            return _Turned(
                money=money,
                shown=noting.shown_since(connection, self._last_shown, money.worker),
                wants=noting.read_wants(connection),
                edition=edition,
                roster=None if edition == self._edition else _read_roster(connection, now),
            )

        try:
            found = await self.write(turning)
        except BaseException:
            self.rank_requests += untold
            raise
        self.cashier.apply(found.money)
        self.seller.keep_draws(draws)
        self._people.difference_update(new_people)
        self._counted.update(new_people)
        self._last_shown = found.shown.last
        self.seller.note_shown(found.shown.of_others)
        wants = found.wants
        self.no_personal, self.personal, self._stopped = wants.no_personal, wants.personal, wants.stopped
        if found.roster is not None:
            self._edition = found.edition
            self.roster, self.showable = found.roster
        self._plan(is_changed=found.roster is not None)

    def _plan(self, is_changed: bool) -> None:
        """Have the bidder plan with what was found; take up campaigns that have changed, begun or ended."""
        now = self.cashier.now()
        running = {id: kept.campaign for id, kept in self.roster.items() if kept.campaign.is_running(now)}
        if is_changed or running.keys() != self._bidding:
            self._bidding = set(running)
            self.bidder.use(running, self.showable)
        self.bidder.turn()

    async def _study(self) -> None:
        """Learn, and ask rank where people and campaigns are."""
        await asyncio.sleep(STUDY_EVERY_S)
        self.bidder.study()
        contents = self.bidder.contents()
        if contents and await self.bidder.vectors.fetch(contents):
            self.rank_requests += 1.0
            self.bidder.use({id: self.roster[id].campaign for id in self._bidding}, self.showable)

    async def _study_variants(self) -> None:
        """Learn which variants who clicks; and take down those of which a fact has run out."""
        await asyncio.sleep(CHOOSE_EVERY_S)
        now = self.cashier.now()
        held = {id: tuple(each for each in self.showable[id] if each.may_be_shown(now)) for id in self._bidding}
        if any(len(held[id]) < len(self.showable[id]) for id in held):
            self.showable = {**self.showable, **held}
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

    async def _turns(self) -> None:
        """Take a turn once in a while, and before money runs out."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._low.wait(), self.settings.turn_s)
        self._low.clear()
        await self.turn()

    async def _leave(self) -> None:
        """Give back what can be given back, and count as gone at once; what was sold may still be seen."""
        wishes = self.cashier.wishes([Running(id, MOST_BID_MICRO, False) for id in self.roster])
        await self._take_turn(wishes)
        worker = self.cashier.worker
        assert worker is not None
        settle_s = self.cashier.settle_s
        await self.write(lambda connection: leasing.orphan(connection, [worker], database_now(connection) + settle_s))

    async def _look(self) -> None:
        await asyncio.sleep(LOOK_EVERY_S)
        await self.write(self.credit_invalid)

    def credit_invalid(self, connection: Connection) -> int:
        """Give back what programs have seen; gives how much."""
        now = database_now(connection)
        found = traffic.credit_invalid(connection, now - self.settings.bill_after_s - 2 * LOOK_EVERY_S, now)
        given_back = {person: -micro for person, micro in found.micro_by_person.items() if self.may_be_personal(person)}
        earning.note_billed(connection, given_back, self.settings.holdout, now)
        if found.micro:
            log.info("%.6f USD of invalid traffic were given back", found.micro / MICROS)
        return found.micro

    async def _forget_old(self) -> None:
        await asyncio.sleep(FORGET_EVERY_S)
        keep_s = 86_400.0 * self.settings.keep_days
        await self.write(lambda connection: noting.forget_old(connection, database_now(connection) - keep_s))


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


def _url_of(connection: Connection, seen: charge.Impression) -> str:
    query = sa.select(variants.c.body).where(variants.c.campaign == seen.campaign, variants.c.id == seen.variant)
    body = connection.execute(query).scalar()
    return str(body["url"]) if body else ""
