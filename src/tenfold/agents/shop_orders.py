"""Carts and orders in the shop's own system, over HTTP.

Each call is ``POST URL/TOOL`` with a JSON body, an ``Idempotency-Key`` where it changes something, and in
``X-Tenfold-Signature`` the HMAC-SHA256 of the raw body by the business's secret, as ``sha256=HEX``. The shop answers
200 with a cart or an order, 404 where this customer has none, or 409 with ``{"message": ...}`` where it refuses.
"""

import hashlib
import hmac
from typing import Literal, TypeVar

import aiohttp
import orjson
from pydantic import Field, ValidationError

from tenfold.agents.orders import Ask, Cart, Line, Order, Refusal
from tenfold.agents.tables import Business
from tenfold.core.frozen import Frozen

Given = TypeVar("Given", bound=Frozen)

PATIENCE = aiohttp.ClientTimeout(total=10)
SIGNATURE_HEADER = "x-tenfold-signature"


class LineIn(Frozen, extra="ignore"):
    """A line of a cart or order, as the shop has it."""

    variant: str
    quantity: int = Field(ge=1)


class CartIn(Frozen, extra="ignore"):
    """A cart, as the shop has it."""

    id: str
    customer: str
    lines: tuple[LineIn, ...]
    state: Literal["open", "cancelled", "ordered"] = "open"
    url: str = ""


class OrderIn(Frozen, extra="ignore"):
    """An order, as the shop has it."""

    id: str
    customer: str
    lines: tuple[LineIn, ...] = ()
    state: str


class ContactIn(Frozen, extra="ignore"):
    """Whose an order is."""

    customer: str
    email: str = ""


class ShopOrders:
    """The carts and orders of a business that are kept in its own system at ``url``."""

    def __init__(self, business: Business, url: str, session: aiohttp.ClientSession) -> None:
        self._business = business
        self._url = url.rstrip("/")
        self._session = session

    async def do(self, ask: Ask, customer: str, key: str, thread: str) -> Cart | Order:
        """Have a thing done; the shop does it once for each key."""
        body = {**ask.to_json(), "customer": customer, "thread": thread}
        found = await self._ask(ask.tool, body, key)
        if found is None:
            raise Refusal(f"There is no {'order' if ask.tool.endswith('order') else 'cart'} {ask.id!r} of yours.")
        return (
            self._cart(found, customer)
            if "cart" in ask.tool or "checkout" in ask.tool
            else self._order(found, customer)
        )

    async def cart(self, cart: str, customer: str) -> Cart | None:
        """Read a cart of a customer."""
        found = await self._ask("get_cart", {"id": cart, "customer": customer})
        return None if found is None else self._cart(found, customer)

    async def order(self, order: str, customer: str) -> Order | None:
        """Read an order of a customer."""
        found = await self._ask("get_order", {"id": order, "customer": customer})
        return None if found is None else self._order(found, customer)

    async def contact_of(self, order: str) -> tuple[str, str] | None:
        """Whose an order is, and the address that the shop has for them."""
        found = await self._ask("get_contact", {"id": order})
        if found is None:
            return None
        contact = self._valid(ContactIn, found)
        return (contact.customer, contact.email) if contact.email else None

    async def _ask(self, tool: str, body: dict[str, object], key: str = "") -> bytes | None:
        data = orjson.dumps({**body, "business": self._business.id})
        signature = hmac.new(self._business.secret.encode(), data, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", SIGNATURE_HEADER: f"sha256={signature}"}
        if key:
            headers["idempotency-key"] = key
        try:
            async with self._session.post(
                f"{self._url}/{tool}", data=data, headers=headers, timeout=PATIENCE
            ) as answer:
                found = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(f"the shop's orders at {self._url} do not answer: {error or type(error).__name__}") from error
        if answer.status == 404:
            return None
        if answer.status == 409:
            raise Refusal(_message(found))
        if answer.status != 200:
            raise OSError(f"the shop's orders at {self._url} answered {answer.status}: {found[:200]!r}")
        return found

    def _cart(self, found: bytes, customer: str) -> Cart:
        cart = self._valid(CartIn, found)
        self._require_own(cart.customer, customer)
        return Cart(cart.id, cart.customer, _lines(cart.lines), cart.state, cart.url)

    def _order(self, found: bytes, customer: str) -> Order:
        order = self._valid(OrderIn, found)
        self._require_own(order.customer, customer)
        return Order(order.id, order.customer, _lines(order.lines), order.state)

    def _require_own(self, found: str, asked: str) -> None:
        # One mistake of the shop's must not show a customer somebody else's order.
        if found != asked:
            raise OSError(f"the shop's orders at {self._url} gave what is another customer's")

    def _valid(self, kind: type[Given], found: bytes) -> Given:
        try:
            return kind.model_validate_json(found)
        except ValidationError as error:
            raise OSError(f"the shop's orders at {self._url} answered what is no {kind.__name__}: {error}") from error


def _lines(lines: tuple[LineIn, ...]) -> tuple[Line, ...]:
    return tuple(Line(line.variant, line.quantity) for line in lines)


def _message(found: bytes) -> str:
    try:
        told = orjson.loads(found)
    except orjson.JSONDecodeError:
        told = {}
    return str(told["message"])[:500] if isinstance(told, dict) and "message" in told else "The shop does not do that."
