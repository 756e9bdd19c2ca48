"""What an agent does for a customer: proposed, confirmed, done once. Nothing here asks a model.

A deed is proposed with all that it will do, in words with prices of that moment. It is done when three things hold: the
customer's identity is proven, they have confirmed this very proposal while it was fresh and its prices still hold, and
its key was not used for another. Whoever writes replies can propose at most.
"""

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.agents.orders import Ask, Cart, Line, Order, Orders, Refusal, Tool
from tenfold.agents.tables import metadata
from tenfold.catalog.item import Offer
from tenfold.catalog.money import Money

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Run = Callable[[Callable[[Connection], Made]], Awaitable[Made]]
State = Literal["proposed", "doing", "done", "refused", "declined"]
Result = Mapping[str, object]

FRESH_S = 900.0
"""How long a proposal can be confirmed."""

deeds = sa.Table(
    "deeds",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("thread", sa.String, nullable=False),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("tool", sa.String, nullable=False),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to be done. ``customer``: for whom, once it is; ``summary``: what was shown and is confirmed."""

    business: str
    id: str
    thread: str
    customer: str
    tool: Tool
    arguments: Mapping[str, object]
    summary: str
    key: str
    state: State
    result: Result
    at: float

    @property
    def ask(self) -> Ask:
        """What the shop is asked to do."""
        rows = self.arguments["lines"]
        assert isinstance(rows, Sequence)
        lines = tuple(Line(str(row["variant"]), int(row["quantity"])) for row in rows)
        return Ask(self.tool, str(self.arguments["id"]), lines)


class NotDone(Exception):
    """A deed was not done; ``code`` says why in a word for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def propose(
    connection: Connection,
    business: str,
    thread: str,
    ask: Ask,
    key: str,
    summary: str,
    now: float,
) -> Deed:
    """Write a proposal down; the same key again gives the same one.

    Raises:
        NotDone: the key was used for something else.
    """
    row = connection.execute(sa.select(deeds).where(deeds.c.business == business, deeds.c.key == key)).first()
    if row is not None:
        known = Deed(*row)
        if known.ask != ask or known.thread != thread:
            raise NotDone("key_reused", "this idempotency key was used for something else: take a new one")
        return known
    made = Deed(
        business, secrets.token_urlsafe(12), thread, "", ask.tool, ask.to_json(), summary, key, "proposed", {}, now
    )
    connection.execute(
        sa.insert(deeds).values(
            business=made.business,
            id=made.id,
            thread=made.thread,
            customer="",
            tool=made.tool,
            arguments=dict(made.arguments),
            summary=made.summary,
            key=made.key,
            state=made.state,
            result={},
            at=made.at,
        )
    )
    return made


def read_deed(connection: Connection, business: str, identity: str) -> Deed | None:
    """Read a deed; none if there is none of this id."""
    row = connection.execute(sa.select(deeds).where(_is(business, identity))).first()
    return None if row is None else Deed(*row)


def summary_of(ask: Ask, titles: Callable[[str], str], offers: Mapping[str, Offer]) -> str:
    """Say what a tool would do, with the prices of this moment.

    Raises:
        NotDone: a line names what is not sold.
    """
    if ask.tool in ("create_cart", "update_cart"):
        missing = [line.variant for line in ask.lines if line.variant not in offers]
        if missing:
            raise NotDone("not_sold", f"{missing[0]!r} is not sold here")
        lines = [
            f"{line.quantity} x {titles(line.variant)} at {offers[line.variant].price}, "
            f"together {_times(offers[line.variant].price, line.quantity)}"
            for line in ask.lines
        ]
        verb = "Put into a cart" if ask.tool == "create_cart" else f"Change cart {ask.id} to"
        return f"{verb}: {'; '.join(lines)}."
    what = {
        "cancel_cart": "Give up cart",
        "create_checkout": "Get the link to pay for cart",
        "cancel_order": "Cancel order",
        "return_order": "Ask to return order",
    }[ask.tool]
    return f"{what} {ask.id}."


def digest_of(summary: str) -> str:
    """What a confirmation quotes of what was shown."""
    return hashlib.sha256(summary.encode()).hexdigest()[:16]


class Deeds:
    """Does what was proposed.

    Args:
        read: runs work in a reading transaction, outside of the loop.
        write: the same, in a writing one.
        clock: Unix seconds.
    """

    def __init__(self, read: Run, write: Run, clock: Callable[[], float] = time.time) -> None:
        self.read = read
        self.write = write
        self._clock = clock

    async def carry_out(
        self,
        business: str,
        identity: str,
        *,
        orders: Orders,
        customer: str,
        confirmed: str,
        summary_now: Callable[[Ask], str],
        thread: str = "",
    ) -> Deed:
        """Do a proposal that was confirmed; one that is done already is given as it is.

        Args:
            business: whose customer asks.
            identity: the proposal's.
            orders: where it is done.
            customer: who it is for, proven; empty where nothing is proven.
            confirmed: ``digest_of`` the summary that the customer saw and said yes to.
            summary_now: says what a tool would do at the prices of now.
            thread: that it must have been proposed in.

        Raises:
            NotDone: something of what is needed is missing; nothing was done.
            OSError: the shop cannot be reached; the same call may be made again.
        """
        deed = await self.read(lambda connection: read_deed(connection, business, identity))
        if deed is None or deed.thread != thread:
            raise NotDone("unknown", "there is no such proposal")
        if not customer:
            raise NotDone("identity_required", "it must be proven who you are before this is done")
        if deed.state in ("doing", "done") and deed.customer != customer:
            raise NotDone("unknown", "there is no such proposal")
        if deed.state == "done":
            return deed
        if deed.state in ("refused", "declined"):
            raise NotDone(deed.state, str(deed.result.get("message", "this was declined")))
        if deed.state == "proposed":
            await self._require_confirmed(deed, confirmed, summary_now)
            await self._begin(deed, customer)
        return await self._do(deed, orders, customer)

    async def resume(self, orders_of: Callable[[str], Awaitable[Orders | None]]) -> None:
        """Go on with what was confirmed and begun in a life before; the shop does it once, by its key."""
        begun = sa.select(deeds).where(deeds.c.state == "doing")
        for deed in await self.read(lambda connection: [Deed(*row) for row in connection.execute(begun)]):
            orders = await orders_of(deed.business)
            if orders is None:
                continue
            try:
                await self._do(deed, orders, deed.customer)
            except NotDone as error:
                log.info("deed %s of %s: %s", deed.id, deed.business, error)
            except OSError as error:
                log.warning("deed %s of %s is not done yet: %s", deed.id, deed.business, error)

    async def decline(self, business: str, identity: str, thread: str = "") -> None:
        """Take a proposal back; one that was done stays done."""
        mine = _is(business, identity) & (deeds.c.thread == thread) & (deeds.c.state == "proposed")
        await self.write(lambda connection: connection.execute(sa.update(deeds).where(mine).values(state="declined")))

    async def _require_confirmed(self, deed: Deed, confirmed: str, summary_now: Callable[[Ask], str]) -> None:
        if not confirmed:
            raise NotDone("confirmation_required", deed.summary)
        if confirmed != digest_of(deed.summary):
            raise NotDone("confirmation_required", f"what was confirmed is not this: {deed.summary}")
        if self._clock() > deed.at + FRESH_S:
            raise NotDone("expired", "this proposal is too old to be confirmed: ask for it again")
        now = await asyncio.to_thread(summary_now, deed.ask)
        if now != deed.summary:
            raise NotDone("changed", f"this has changed since it was shown; it would be: {now}")

    async def _begin(self, deed: Deed, customer: str) -> None:
        """Note that it is being done, and for whom: from here on it is gone on with, and never for another."""

        def beginning(connection: Connection) -> bool:
            waits = _is(deed.business, deed.id) & (deeds.c.state == "proposed")
            values = {"state": "doing", "customer": customer}
            return bool(connection.execute(sa.update(deeds).where(waits).values(values)).rowcount)

        if not await self.write(beginning):
            now = await self.read(lambda connection: read_deed(connection, deed.business, deed.id))
            if now is None or now.customer != customer or now.state not in ("doing", "done"):
                raise NotDone("unknown", "there is no such proposal any more")

    async def _do(self, deed: Deed, orders: Orders, customer: str) -> Deed:
        # Not by the proposer's key: two businesses' or two adapters' keys must not meet in the shop's system.
        key = f"{deed.business}/{deed.id}"
        try:
            found = await orders.do(deed.ask, customer, key, deed.thread)
        except Refusal as refusal:
            await self._end(deed, "refused", {"message": str(refusal)})
            raise NotDone("refused", str(refusal)) from refusal
        await self._end(deed, "done", _result_of(found))
        ended = await self.read(lambda connection: read_deed(connection, deed.business, deed.id))
        assert ended is not None
        return ended

    async def _end(self, deed: Deed, state: State, result: Result) -> None:
        values = {"state": state, "result": json.loads(json.dumps(result))}
        mine = _is(deed.business, deed.id)
        await self.write(lambda connection: connection.execute(sa.update(deeds).where(mine).values(values)))


def _result_of(found: Cart | Order) -> Result:
    lines = [{"variant": line.variant, "quantity": line.quantity} for line in found.lines]
    told: dict[str, object] = {"id": found.id, "state": found.state, "lines": lines}
    return told | ({"url": found.url} if isinstance(found, Cart) else {})


def _times(price: Money, count: int) -> Money:
    return Money(price.currency, price.micros * count)


def _is(business: str, identity: str) -> sa.ColumnElement[bool]:
    return (deeds.c.business == business) & (deeds.c.id == identity)
