"""The tools by which other programs' agents use a business: what is sold, what it wrote, and carts and orders.

Named as in UCP, beside ``check_policy``, ``cancel_order`` and ``return_order``, which it does not have. What changes
something goes through ``deeds``: the first call is answered with what would be done, and the second, with
``meta.confirmation``, does it.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenfold.agents import identity, ucp
from tenfold.agents.deeds import Deed, NotDone, digest_of, propose, summary_of
from tenfold.agents.desk import Desk
from tenfold.agents.identity import NotProven
from tenfold.agents.orders import Ask, Cart, Line, Refusal, Tool
from tenfold.agents.shops import Held
from tenfold.agents.tables import Business
from tenfold.catalog.item import Item, Offer, Variant

Json = dict[str, object]
MOST_FOUND = 50


class Part(BaseModel):
    """Arguments of a tool; what UCP may add and this does not know is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Meta(Part):
    """What goes with a call. ``customer_token``: a token that the shop signed; ``confirmation``: the customer's yes."""

    idempotency_key: str = Field("", alias="idempotency-key", max_length=200)
    customer_token: str = Field("", alias="customer-token", max_length=4000)
    confirmation: str = Field("", max_length=200)


class Search(Part):
    """What ``search_catalog`` takes."""

    query: str = Field("", max_length=500, description="what is looked for, in words")
    limit: int = Field(10, ge=1, le=MOST_FOUND)
    only_available: bool = False


class Lookup(Part):
    """What ``lookup_catalog`` takes."""

    ids: list[str] = Field(min_length=1, max_length=MOST_FOUND, description="ids of products or variants")


class One(Part):
    """What a tool about one thing takes."""

    id: str = Field(min_length=1, max_length=200)
    meta: Meta = Meta()


class Question(Part):
    """What ``check_policy`` takes."""

    question: str = Field(min_length=1, max_length=500)


class ItemIn(Part):
    """What is put into a cart: a variant's id."""

    id: str = Field(min_length=1, max_length=200)


class LineIn(Part):
    """So many of it."""

    item: ItemIn
    quantity: int = Field(1, ge=1, le=999)


class CartBody(Part):
    """A cart's content."""

    line_items: list[LineIn] = Field(min_length=1, max_length=50)


class CartIn(Part):
    """What ``create_cart`` and ``update_cart`` take. ``id``: of the cart that is changed."""

    cart: CartBody
    id: str = Field("", max_length=200)
    meta: Meta = Meta()


class Tools:
    """All tools of all businesses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.known: dict[str, tuple[type[Part], str, Callable[[Business, Part], Awaitable[Json]]]] = {
            "search_catalog": (Search, "Find products by words, best first.", self._search),
            "lookup_catalog": (Lookup, "Give products by ids of products or variants.", self._lookup),
            "get_product": (One, "Give one product with all its variants.", self._product),
            "check_policy": (Question, "Find what the business wrote about a question, with sources.", self._policy),
            "create_cart": (CartIn, f"Put variants into a new cart. {_CONFIRM}", self._change("create_cart")),
            "get_cart": (One, "Give a cart of the customer, with prices of now.", self._cart),
            "update_cart": (CartIn, f"Replace what is in a cart. {_CONFIRM}", self._change("update_cart")),
            "cancel_cart": (One, f"Give a cart up. {_CONFIRM}", self._change("cancel_cart")),
            "create_checkout": (One, f"Get the link to pay for a cart. {_CONFIRM}", self._change("create_checkout")),
            "get_order": (One, "Give an order of the customer.", self._order),
            "cancel_order": (One, f"Cancel an order of the customer. {_CONFIRM}", self._change("cancel_order")),
            "return_order": (One, f"Ask to return an order. {_CONFIRM}", self._change("return_order")),
        }

    async def call(self, business: Business, name: str, arguments: Mapping[str, object]) -> tuple[Json, bool]:
        """Call a tool; gives its answer, and whether it did what was asked."""
        try:
            if name not in self.known:
                raise NotDone("unknown_tool", f"there is no tool {name!r}; there are: {', '.join(self.known)}")
            kind, _, work = self.known[name]
            return await work(business, kind.model_validate(arguments)), True
        except ValidationError as error:
            told = error.errors()[0]
            where = ".".join(map(str, told["loc"]))
            failure = ucp.failed("invalid_arguments", f"{where}: {told['msg']}")
        except NotProven as error:
            failure = ucp.failed("identity_required", str(error), review=True)
        except NotDone as error:
            failure = ucp.failed(error.code, str(error), review=error.code == "confirmation_required")
        except Refusal as error:
            failure = ucp.failed("refused", str(error))
        except OSError as error:
            failure = ucp.failed("unavailable", f"{error}; try again in a moment")
        return failure, False

    async def _search(self, business: Business, given: Part) -> Json:
        assert isinstance(given, Search)
        held = await self._held(business)

        def find() -> list[Item]:
            if not given.query:
                return list(held.shop.items.values())[: given.limit]
            return [found.what for found in held.shop.item_index.search(given.query, MOST_FOUND)]

        items = await self._desk.in_thread(find)
        if given.only_available:
            items = [item for item in items if any(held.offers(each.id).available for each in item.variants)]
        return ucp.found_products(items[: given.limit], held.offers)

    async def _lookup(self, business: Business, given: Part) -> Json:
        assert isinstance(given, Lookup)
        held = await self._held(business)
        found = {each: named for each in given.ids if (named := _named(held, each)) is not None}
        return ucp.looked_up(found, [each for each in given.ids if each not in found], held.offers)

    async def _product(self, business: Business, given: Part) -> Json:
        assert isinstance(given, One)
        held = await self._held(business)
        named = _named(held, given.id)
        if named is None:
            raise NotDone("not_found", f"{given.id!r} is not sold here")
        return ucp.one_product(*named, held.offers)

    async def _policy(self, business: Business, given: Part) -> Json:
        assert isinstance(given, Question)
        held = await self._held(business)
        found = await self._desk.in_thread(lambda: held.shop.passage_index.search(given.question, 5))
        passages = [
            {
                "title": each.what.title,
                "text": each.what.text,
                "url": each.what.url,
                "published": each.what.published.isoformat() if each.what.published else None,
                "fetched": each.what.fetched.isoformat(),
            }
            for each in found
        ]
        return {"as_of": held.shop.as_of.isoformat(), "passages": passages}

    async def _cart(self, business: Business, given: Part) -> Json:
        assert isinstance(given, One)
        cart = await self._desk.orders_of(business).cart(given.id, self._customer(business, given.meta))
        if cart is None:
            raise NotDone("not_found", f"there is no cart {given.id!r} of this customer")
        return await self._cart_out(business, cart)

    async def _order(self, business: Business, given: Part) -> Json:
        assert isinstance(given, One)
        order = await self._desk.orders_of(business).order(given.id, self._customer(business, given.meta))
        if order is None:
            raise NotDone("not_found", f"there is no order {given.id!r} of this customer")
        lines = [{"variant": line.variant, "quantity": line.quantity} for line in order.lines]
        return {"id": order.id, "state": order.state, "lines": lines}

    def _change(self, tool: Tool) -> Callable[[Business, Part], Awaitable[Json]]:
        async def change(business: Business, given: Part) -> Json:
            assert isinstance(given, One | CartIn)
            lines = (
                tuple(Line(row.item.id, row.quantity) for row in given.cart.line_items)
                if isinstance(given, CartIn)
                else ()
            )
            deed = await self._deed(business, Ask(tool, given.id, lines), given.meta)
            return await self._done(business, deed)

        return change

    async def _deed(self, business: Business, ask: Ask, meta: Meta) -> Deed:
        """Propose, or do what was confirmed.

        Raises:
            NotProven: it is not proven who the customer is.
            NotDone: there is no key, or no confirmation yet.
        """
        customer = self._customer(business, meta)
        if not meta.idempotency_key:
            raise NotDone("idempotency_key_required", "give meta.idempotency-key: the same key does it once")
        held = await self._held(business)
        offers = await self._offers(business, ask.lines)
        summary = summary_of(ask, held.title_of, offers)
        # Keys are each customer's own: nobody can block or learn of another's.
        key = f"mcp/{customer}/{meta.idempotency_key}"
        deed = await self._desk.conversations.write(
            lambda connection: propose(connection, business.id, "", ask, key, summary, time.time())
        )
        if deed.state == "proposed" and not meta.confirmation:
            told = f"{deed.summary} Once the customer has said yes to this, call again with meta.confirmation"
            raise NotDone("confirmation_required", f"{told} {digest_of(deed.summary)!r}")
        return await self._desk.deeds.carry_out(
            business.id,
            deed.id,
            orders=self._desk.orders_of(business),
            customer=customer,
            confirmed=meta.confirmation,
            summary_now=self._desk.summary_now(business.id),
        )

    async def _done(self, business: Business, deed: Deed) -> Json:
        if deed.tool.endswith("_order"):
            return {"id": deed.result["id"], "state": deed.result["state"]}
        cart = await self._desk.orders_of(business).cart(str(deed.result["id"]), deed.customer)
        if cart is None:
            raise NotDone("not_found", f"there is no cart {deed.result['id']!r} of this customer any more")
        return await self._cart_out(business, cart)

    async def _cart_out(self, business: Business, cart: Cart) -> Json:
        held = await self._held(business)
        offers = await self._offers(business, cart.lines)
        return ucp.cart_of(cart, {line.variant: held.title_of(line.variant) for line in cart.lines}, offers)

    async def _offers(self, business: Business, lines: Sequence[Line]) -> dict[str, Offer]:
        variants = [line.variant for line in lines]
        return await self._desk.in_thread(lambda: self._desk.shelf.offers(business.id, variants))

    def _customer(self, business: Business, meta: Meta) -> str:
        if not meta.customer_token:
            raise NotProven("give meta.customer-token: a token by which the shop says who the customer is")
        return identity.customer_of(meta.customer_token, business, time.time())

    async def _held(self, business: Business) -> Held:
        held = await self._desk.in_thread(lambda: self._desk.shops.get(business.id))
        if held is None:
            raise NotDone("not_found", f"there is no business {business.id!r} any more")
        return held


_CONFIRM = "Needs meta.customer-token, meta.idempotency-key, and after a first call meta.confirmation."


def _named(held: Held, identity: str) -> tuple[Item, Variant | None] | None:
    """What an id stands for."""
    if identity in held.shop.items:
        return held.shop.items[identity], None
    variant = held.shop.variants.get(identity)
    return None if variant is None else (held.shop.items[variant.item], variant)
