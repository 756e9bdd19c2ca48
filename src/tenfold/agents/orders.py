"""Carts and orders of a shop: what an agent may have done there, in the shop's own system or in the one kept here.

Tools are named as in UCP, where it has them. Each takes a key, and the same key does the thing once and gives the same
result: what is asked again after a kill is not done again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Tool = Literal["create_cart", "update_cart", "cancel_cart", "create_checkout", "cancel_order", "return_order"]
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """So many of a variant."""

    variant: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Cart:
    """What a customer means to buy. ``url``: where they can pay for it."""

    id: str
    customer: str
    lines: tuple[Line, ...]
    state: Literal["open", "cancelled", "ordered"]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer has bought. ``state``: placed, shipped, delivered, cancelled, return_asked, or the shop's own."""

    id: str
    customer: str
    lines: tuple[Line, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What a tool is to do. ``id``: of the cart or order. ``lines``: of a cart, all of them."""

    tool: Tool
    id: str = ""
    lines: tuple[Line, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, object]:
        """As JSON."""
        lines = [{"variant": line.variant, "quantity": line.quantity} for line in self.lines]
        return {"tool": self.tool, "id": self.id, "lines": lines}


class Refusal(Exception):
    """The shop does not do it; says why, to the customer."""


class Orders(Protocol):
    """A shop's carts and orders. Everything is a customer's: another's is as if it were not there.

    The methods raise ``Refusal`` where the shop says no, and ``OSError`` where it cannot be reached.
    """

    async def do(self, ask: Ask, customer: str, key: str, thread: str) -> "Cart | Order":
        """Do a thing, once for each key, for a customer whose identity and wish are proven."""
        ...

    async def cart(self, cart: str, customer: str) -> Cart | None:
        """Read a cart."""
        ...

    async def order(self, order: str, customer: str) -> Order | None:
        """Read an order."""
        ...

    async def contact_of(self, order: str) -> tuple[str, str] | None:
        """Whose an order is, and the address that the shop has for them; none where there is no such order."""
        ...
