"""Carts and orders in the agents' own database: for a shop that has no system to ask, or before it is joined."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.agents.orders import Ask, Cart, Line, Order, Refusal
from tenfold.agents.tables import metadata
from tenfold.catalog.item import Offer

Made = TypeVar("Made")
Run = Callable[[Callable[[Connection], Made]], Awaitable[Made]]
OffersOf = Callable[[Sequence[str]], Mapping[str, Offer]]

MOST_LINES = 50
MOST_PIECES = 999

carts = sa.Table(
    "carts",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("thread", sa.String, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("email", sa.String, nullable=False),
    sa.Column("cart", sa.String, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
done = sa.Table(
    "done",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("result", sa.JSON, nullable=False),
)
_MAY_CANCEL = ("placed",)
_MAY_RETURN = ("shipped", "delivered")


class OwnOrders:
    """The carts and orders of one business.

    Args:
        business: whose.
        read: runs work in a reading transaction, outside of the loop.
        write: the same, in a writing one.
        offers_of: offers of variants as they are now.
        checkout_url: where a cart can be paid, with ``{cart}`` in it; empty if nowhere.
    """

    def __init__(self, business: str, read: Run, write: Run, offers_of: OffersOf, checkout_url: str) -> None:
        self._business = business
        self._read = read
        self._write = write
        self._offers_of = offers_of
        self._checkout_url = checkout_url

    async def do(self, ask: Ask, customer: str, key: str, thread: str) -> Cart | Order:
        """Do a thing once for each key; see ``Orders.do``."""

        def doing(connection: Connection) -> Cart | Order:
            mine = (done.c.business == self._business) & (done.c.key == key)
            before = connection.execute(sa.select(done.c.result).where(mine)).scalar_one_or_none()
            if before is not None:
                return self._found(connection, str(before["kind"]), str(before["id"]), customer)
            result = self._do(connection, ask, customer, thread)
            kind = "cart" if isinstance(result, Cart) else "order"
            row = {"business": self._business, "key": key, "result": {"kind": kind, "id": result.id}}
            connection.execute(sa.insert(done).values(row))
            return result

        return await self._write(doing)

    async def cart(self, cart: str, customer: str) -> Cart | None:
        """Read a cart of a customer."""
        return await self._read(lambda connection: self._cart(connection, cart, customer))

    async def order(self, order: str, customer: str) -> Order | None:
        """Read an order of a customer."""
        return await self._read(lambda connection: self._order(connection, order, customer))

    async def contact_of(self, order: str) -> tuple[str, str] | None:
        """Whose an order is, and their e-mail address."""
        query = sa.select(orders.c.customer, orders.c.email).where(_is(orders, self._business, order))
        row = await self._read(lambda connection: connection.execute(query).first())
        return (row.customer, row.email) if row is not None and row.email else None

    def _do(self, connection: Connection, ask: Ask, customer: str, thread: str) -> Cart | Order:
        if ask.tool == "create_cart":
            self._check_lines(ask.lines)
            made = secrets.token_hex(8)
            row = {"business": self._business, "id": made, "customer": customer, "thread": thread, "state": "open"}
            connection.execute(sa.insert(carts).values(**row, lines=_rows(ask.lines), at=time.time()))
            return self._found(connection, "cart", made, customer)
        if ask.tool in ("update_cart", "cancel_cart", "create_checkout"):
            cart = self._cart(connection, ask.id, customer)
            if cart is None or cart.state != "open":
                raise Refusal(f"There is no open cart {ask.id!r} of yours.")
            if ask.tool == "update_cart":
                self._check_lines(ask.lines)
                self._change(connection, carts, ask.id, lines=_rows(ask.lines))
            elif ask.tool == "cancel_cart":
                self._change(connection, carts, ask.id, state="cancelled")
            else:
                self._check_lines(cart.lines)
                if not cart.url:
                    raise Refusal("This shop takes no orders here; its page tells how to order.")
            return self._found(connection, "cart", ask.id, customer)
        order = self._order(connection, ask.id, customer)
        if order is None:
            raise Refusal(f"There is no order {ask.id!r} of yours.")
        wanted, allowed = ("cancelled", _MAY_CANCEL) if ask.tool == "cancel_order" else ("return_asked", _MAY_RETURN)
        if order.state not in allowed:
            can = "cancelled" if ask.tool == "cancel_order" else "returned"
            raise Refusal(f"Order {order.id} is {order.state.replace('_', ' ')}, so it cannot be {can} here.")
        self._change(connection, orders, ask.id, state=wanted)
        return self._found(connection, "order", ask.id, customer)

    def _check_lines(self, lines: Sequence[Line]) -> None:
        """See that all can be had.

        Raises:
            Refusal: one cannot; says which.
        """
        if not 1 <= len(lines) <= MOST_LINES:
            raise Refusal(f"A cart has 1 to {MOST_LINES} lines.")
        offers = self._offers_of([line.variant for line in lines])
        for line in lines:
            offer = offers.get(line.variant)
            if offer is None:
                raise Refusal(f"{line.variant!r} is not sold here.")
            if not 1 <= line.quantity <= MOST_PIECES:
                raise Refusal(f"{line.quantity} pieces of {line.variant} cannot be ordered at once.")
            if not offer.available or (offer.stock is not None and offer.stock < line.quantity):
                left = 0 if not offer.available else offer.stock
                raise Refusal(f"Of {line.variant} there are {left} left.")

    def _found(self, connection: Connection, kind: str, identity: str, customer: str) -> Cart | Order:
        read = self._cart if kind == "cart" else self._order
        found = read(connection, identity, customer)
        if found is None:
            raise Refusal(f"There is no {kind} {identity!r} of yours.")
        return found

    def _cart(self, connection: Connection, identity: str, customer: str) -> Cart | None:
        row = connection.execute(sa.select(carts).where(_is(carts, self._business, identity))).first()
        if row is None or row.customer != customer:
            return None
        url = self._checkout_url.replace("{cart}", identity) if row.state == "open" else ""
        return Cart(row.id, row.customer, _lines(row.lines), row.state, url)

    def _order(self, connection: Connection, identity: str, customer: str) -> Order | None:
        row = connection.execute(sa.select(orders).where(_is(orders, self._business, identity))).first()
        if row is None or row.customer != customer:
            return None
        return Order(row.id, row.customer, _lines(row.lines), row.state)

    def _change(self, connection: Connection, table: sa.Table, identity: str, **values: object) -> None:
        connection.execute(sa.update(table).where(_is(table, self._business, identity)).values(**values))


def note_order(
    connection: Connection, business: str, order: Order, *, email: str = "", cart: str = "", now: float
) -> str | None:
    """Write an order of the shop down, new or changed; gives the thread whose cart it came from, once.

    Args:
        connection: in a transaction that may write.
        business: whose shop.
        order: as it is now.
        email: where the shop can reach the customer; codes that prove identity go there.
        cart: that it came from, if it came from one of ours.
        now: Unix seconds.
    """
    known = connection.execute(sa.select(orders).where(_is(orders, business, order.id))).first()
    values = {"customer": order.customer, "email": email, "lines": _rows(order.lines), "state": order.state}
    if known is not None:
        connection.execute(sa.update(orders).where(_is(orders, business, order.id)).values(values))
        return None
    connection.execute(sa.insert(orders).values(**values, business=business, id=order.id, cart=cart, at=now))
    found = connection.execute(sa.select(carts).where(_is(carts, business, cart))).first() if cart else None
    if found is None or found.state == "ordered":
        return None
    connection.execute(sa.update(carts).where(_is(carts, business, cart)).values(state="ordered"))
    return str(found.thread)


def _is(table: sa.Table, business: str, identity: str) -> sa.ColumnElement[bool]:
    return (table.c.business == business) & (table.c.id == identity)


def _rows(lines: Sequence[Line]) -> list[dict[str, object]]:
    return [{"variant": line.variant, "quantity": line.quantity} for line in lines]


def _lines(rows: Sequence[Mapping[str, object]]) -> tuple[Line, ...]:
    return tuple(Line(str(row["variant"]), int(str(row["quantity"]))) for row in rows)
