"""A business for other programs' agents: its profile, products and carts, in the words of UCP.

UCP is the Universal Commerce Protocol. Everything is built by the models of ``ucp-sdk``, which check what they build.
"""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel
from ucp_sdk.models.schemas.common.types.error_response import ErrorResponse
from ucp_sdk.models.schemas.profile import BusinessSchema
from ucp_sdk.models.schemas.shopping.cart import Cart as UcpCart
from ucp_sdk.models.schemas.shopping.catalog_lookup import GetProductResponse, LookupResponse
from ucp_sdk.models.schemas.shopping.catalog_search import SearchResponse

from tenfold.agents.orders import Cart, Line
from tenfold.agents.tables import Business
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import MICROS, Money
from tenfold.reply.fill import OfferOf, is_there

VERSION = "2026-04-08"
Json = dict[str, object]

SEARCH = "dev.ucp.shopping.catalog.search"
LOOKUP = "dev.ucp.shopping.catalog.lookup"
CART = "dev.ucp.shopping.cart"
_SCHEMAS = {SEARCH: "catalog_search", LOOKUP: "catalog_lookup", CART: "cart"}
_NO_DECIMALS: str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: str = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS: dict[str, int] = {
    **{currency: 0 for currency in _NO_DECIMALS.split()},
    **{currency: 3 for currency in _THREE_DECIMALS.split()},
}
"""Decimals of a currency's minor unit (ISO 4217) where they are not two."""


def minor(money: Money) -> int:
    """An amount in minor units of its currency, rounded up where it is finer."""
    decimals = _DECIMALS.get(money.currency, 2)
    return -(-money.micros * 10**decimals // MICROS)


def profile(business: Business, mcp_url: str) -> Json:
    """What a business publishes at ``/.well-known/ucp``: only what it can do here."""
    capabilities = {name: [{"version": VERSION, "schema": _schema(name)}] for name in _SCHEMAS}
    service = {
        "version": VERSION,
        "transport": "mcp",
        "endpoint": mcp_url,
        "schema": f"https://ucp.dev/{VERSION}/services/shopping/mcp.openrpc.json",
    }
    found = {
        "ucp": {
            "version": VERSION,
            "services": {"dev.ucp.shopping": [service]},
            "capabilities": capabilities,
            "payment_handlers": {},
        },
        "name": business.name,
    }
    return dumped(BusinessSchema.model_validate(found))


def found_products(items: Iterable[Item], offer_of: OfferOf) -> Json:
    """Give what a search found, as ``search_catalog`` does."""
    products = [_product(item, offer_of) for item in items]
    return dumped(SearchResponse.model_validate({"ucp": _envelope(SEARCH), "products": products}))


def looked_up(found: Mapping[str, tuple[Item, Variant | None]], missing: Sequence[str], offer_of: OfferOf) -> Json:
    """Give what ids stand for, as ``lookup_catalog`` does; an item's id stands for its first variant."""
    products = []
    for item, named in _by_item(found):
        product = _product(item, offer_of, [variant for variant, _ in named])
        rows = product["variants"]
        assert isinstance(rows, list)
        for row, (_, inputs) in zip(rows, named, strict=True):
            row["inputs"] = inputs
        products.append(product)
    messages = [
        {"type": "error", "code": "not_found", "content": f"{each!r} is not sold here", "severity": "recoverable"}
        for each in missing
    ]
    answer: Json = {"ucp": _envelope(LOOKUP), "products": products}
    return dumped(LookupResponse.model_validate(answer | ({"messages": messages} if messages else {})))


def one_product(item: Item, first: Variant | None, offer_of: OfferOf) -> Json:
    """Give all of an item, as ``get_product`` does; ``first``: the variant that was asked for."""
    variants = [first, *(each for each in item.variants if each != first)] if first else list(item.variants)
    product = _product(item, offer_of, variants)
    chosen = first or item.variants[0]
    product["options"] = [
        {"name": name, "values": [{"label": value, "available": True, "exists": True} for value in values]}
        for name, values in _options(item).items()
    ]
    product["selected"] = [{"name": name, "label": value} for name, value in chosen.options.items()]
    return dumped(GetProductResponse.model_validate({"ucp": _envelope(LOOKUP), "product": product}))


def cart_of(cart: Cart, named: Mapping[str, str], offers: Mapping[str, Offer]) -> Json:
    """Give a cart with the prices of this moment; what is no longer sold is left out and said."""
    lines = [line for line in cart.lines if line.variant in offers]
    total = sum(_amount(line, offers) for line in lines)
    currency = next((offers[line.variant].price.currency for line in lines), "USD")
    gone = [line.variant for line in cart.lines if line.variant not in offers]
    found: Json = {
        "ucp": _envelope(CART),
        "id": cart.id,
        "currency": currency,
        "line_items": [
            {
                "id": str(place),
                "item": {
                    "id": line.variant,
                    "title": named[line.variant],
                    "price": minor(offers[line.variant].price),
                },
                "quantity": line.quantity,
                "totals": _totals(_amount(line, offers)),
            }
            for place, line in enumerate(lines, 1)
        ],
        "totals": _totals(total),
    }
    if cart.url:
        found["continue_url"] = cart.url
    if gone:
        found["messages"] = [
            {
                "type": "error",
                "code": "item_unavailable",
                "content": f"{each!r} is no longer sold",
                "severity": "recoverable",
            }
            for each in gone
        ]
    return dumped(UcpCart.model_validate(found))


def failed(code: str, message: str, *, review: bool = False) -> Json:
    """Say why something was not done."""
    severity = "requires_buyer_review" if review else "recoverable"
    told = {"type": "error", "code": code, "content": message, "severity": severity}
    return dumped(ErrorResponse.model_validate({"ucp": {**_envelope(), "status": "error"}, "messages": [told]}))


def dumped(model: BaseModel) -> Json:
    """A model as JSON, without what is not set."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _schema(capability: str) -> str:
    return f"https://ucp.dev/{VERSION}/schemas/shopping/{_SCHEMAS[capability]}.json"


def _envelope(*capabilities: str) -> Json:
    return {"version": VERSION, "capabilities": {name: [{"version": VERSION}] for name in capabilities}}


def _product(item: Item, offer_of: OfferOf, variants: Sequence[Variant] | None = None) -> Json:
    offers = [offer_of(variant.id) for variant in item.variants]
    prices = sorted((offer.price for offer in offers), key=lambda price: price.micros)
    rows = [_variant(item, variant, offer_of(variant.id)) for variant in (variants or item.variants)]
    found: Json = {
        "id": item.id,
        "title": item.title,
        "description": {"plain": item.description or item.title},
        "price_range": {"min": _price(prices[0]), "max": _price(prices[-1])},
        "variants": rows,
    }
    if item.url.startswith(("http://", "https://")):
        found["url"] = item.url
    if item.category:
        found["categories"] = [{"value": item.category, "taxonomy": "merchant"}]
    if item.image.startswith(("http://", "https://")):
        found["media"] = [{"type": "image", "url": item.image, "alt_text": item.title}]
    options = _options(item)
    if options:
        found["options"] = [
            {"name": name, "values": [{"label": value} for value in values]} for name, values in options.items()
        ]
    return found


def _variant(item: Item, variant: Variant, offer: Offer) -> Json:
    title = " / ".join(variant.options.values()) or item.title
    found: Json = {
        "id": variant.id,
        "title": title,
        "description": {"plain": item.description or item.title},
        "price": _price(offer.price),
        "availability": {
            "available": is_there(offer),
            "status": "in_stock" if is_there(offer) else "out_of_stock",
        },
        "options": [{"name": name, "label": value} for name, value in variant.options.items()],
    }
    if offer.list_price is not None:
        found["list_price"] = _price(offer.list_price)
    return found


def _options(item: Item) -> dict[str, list[str]]:
    names = dict.fromkeys(name for variant in item.variants for name in variant.options)
    return {
        name: list(dict.fromkeys(each.options[name] for each in item.variants if name in each.options))
        for name in names
    }


def _by_item(
    found: Mapping[str, tuple[Item, Variant | None]],
) -> list[tuple[Item, list[tuple[Variant, list[Json]]]]]:
    rows: dict[str, tuple[Item, dict[str, tuple[Variant, list[Json]]]]] = {}
    for asked, (item, variant) in found.items():
        chosen = variant or item.variants[0]
        _, variants = rows.setdefault(item.id, (item, {}))
        _, inputs = variants.setdefault(chosen.id, (chosen, []))
        inputs.append({"id": asked, "match": "exact" if variant is not None else "featured"})
    return [(item, list(variants.values())) for item, variants in rows.values()]


def _price(money: Money) -> Json:
    return {"amount": minor(money), "currency": money.currency}


def _amount(line: Line, offers: Mapping[str, Offer]) -> int:
    return minor(offers[line.variant].price) * line.quantity


def _totals(amount: int) -> list[Json]:
    return [{"type": "subtotal", "amount": amount}, {"type": "total", "amount": amount}]
