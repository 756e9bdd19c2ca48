"""A customer's yes, no or code: goes on with what was proposed in their thread.

A yes counts only as the answer to the proposal before it, and only for whom the thread's customer is proven to be.
"""

import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tenfold.agents import identity, tables
from tenfold.agents.acting import Kept, code_in, is_no, is_yes
from tenfold.agents.deeds import Deed, Deeds, NotDone, digest_of, read_deed
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.orders import Ask, Orders
from tenfold.agents.tables import Business, Message, Thread
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Claim, Clarify, Evidence, HandOff, Reply


@dataclass(frozen=True, slots=True)
class Settled:
    """What is replied, and what the thread keeps."""

    reply: Reply
    kept: Kept


Settle = Callable[[Thread, Message, Kept], Awaitable[Settled | None]]


class Settling:
    """Goes on with proposals.

    Args:
        deeds: does them.
        business_of: reads a business.
        orders_of: its carts and orders.
        summary_now: says what a tool of a business would do at the prices of now.
    """

    def __init__(
        self,
        deeds: Deeds,
        business_of: Callable[[str], Awaitable[Business | None]],
        orders_of: Callable[[Business], Orders],
        summary_now: Callable[[str], Callable[[Ask], str]],
    ) -> None:
        self._deeds = deeds
        self._business_of = business_of
        self._orders_of = orders_of
        self._summary_now = summary_now

    async def settle(self, thread: Thread, message: Message, kept: Kept) -> Settled | None:
        """Go on with what waits, if the message is about it."""
        if not kept.deed:
            return None
        business = await self._business_of(thread.business)
        if business is None:
            return None
        if is_no(message.text):
            await self._deeds.decline(thread.business, kept.deed, thread.id)
            return Settled(Clarify("All right, I leave it. What else can I do?"), kept.done())
        code = code_in(message.text) if kept.coded else ""
        if code:
            return await self._try_code(business, thread, kept, code)
        if is_yes(message.text):
            return await self._carry_out(business, thread, kept, thread.customer_at(time.time()))
        return None

    async def _try_code(self, business: Business, thread: Thread, kept: Kept, code: str) -> Settled:
        def trying(connection: Connection) -> Thread | None:
            identity.try_code(connection, business.id, thread.id, code, time.time())
            return tables.read_thread(connection, business.id, thread.id)

        after = await self._deeds.write(trying)
        customer = after.customer_at(time.time()) if after is not None else ""
        if not customer:
            return Settled(Clarify("That is not the code that was sent. Please look again, or say no."), kept)
        return await self._carry_out(business, thread, kept, customer)

    async def _carry_out(self, business: Business, thread: Thread, kept: Kept, customer: str) -> Settled:
        deed = await self._deeds.read(lambda connection: read_deed(connection, business.id, kept.deed))
        if deed is None:
            return Settled(Clarify("I no longer know what that was about. What can I do?"), kept.done())
        orders = self._orders_of(business)
        try:
            if not customer:
                return await self._prove(business, thread, kept, deed, orders)
            done = await self._deeds.carry_out(
                business.id,
                deed.id,
                orders=orders,
                customer=customer,
                confirmed=digest_of(deed.summary),
                summary_now=self._summary_now(business.id),
                thread=thread.id,
            )
        except NotDone as error:
            return Settled(Clarify(f"That was not done: {error}. What else can I do?"), kept.done())
        except OSError as error:
            return Settled(HandOff("failed", f"{deed.summary} {error}"), kept.done())
        cart = str(done.result.get("id", "")) if done.tool in ("create_cart", "update_cart") else None
        return Settled(told(done), kept.done("" if done.tool == "cancel_cart" else cart))

    async def _prove(self, business: Business, thread: Thread, kept: Kept, deed: Deed, orders: Orders) -> Settled:
        """Have a code sent to where the shop knows the customer, never to where the customer says."""
        contact = await orders.contact_of(deed.ask.id) if deed.tool in ("cancel_order", "return_order") else None
        if contact is None:
            return Settled(HandOff("policy", f"{deed.summary} It is not proven who asks for it."), kept.done())
        customer, email = contact

        def sending(connection: Connection) -> bool:
            now = time.time()
            code = identity.make_code(connection, business.id, thread.id, customer, now)
            if code is None:
                return False
            mail = {
                "subject": f"Your code for {business.name}: {code}",
                "text": f"The code is {code}. It was asked for in a chat with {business.name}, for this:\n\n"
                f"{deed.summary}\n\nIf that was not you, do nothing.\n",
            }
            DELIVERIES.send_later(connection, business.id, thread.id, "email", email, mail, now)
            return True

        if not await self._deeds.write(sending):
            return Settled(HandOff("policy", f"{deed.summary} Too many codes were asked for."), kept.done())
        text = "I have sent a code to the e-mail address that the shop has for this order. Please write it here."
        return Settled(Clarify(text), replace(kept, coded=True))


def told(deed: Deed) -> Answer:
    """Say what was done; the shop's own record is the evidence."""
    result = deed.result
    state = str(result.get("state", "")).replace("_", " ")
    name = "Cart" if "cart" in deed.tool or deed.tool == "create_checkout" else "Order"
    text = f"Done: {name.lower()} {result['id']} is {state}."
    url = str(result.get("url") or "")
    if url:
        text += f" You can pay here: {url}"
    fetched = dt.datetime.fromtimestamp(deed.at, dt.UTC)
    record = Passage(f"deed:{deed.id}", "orders", url, f"{name} {result['id']}", text, fetched)
    return Answer((Claim(text, (record.id,)),), {record.id: Evidence(record.id, record)})
