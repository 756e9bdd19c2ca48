"""Shopify's ``/products.json``."""

from collections.abc import Iterator, Mapping, Sequence

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.markup import plain_text
from tenfold.catalog.ingest.rows import FeedRow, items_of


def read_shopify(products: Sequence[object], where: str, currency: str = "USD", site: str = "") -> Gathered:
    """Read the list ``products``; ``site``: the shop's address, for links."""
    rows: list[FeedRow] = []
    skipped = []
    for number, product in enumerate(products, 1):
        place = f"{where}, product {number}"
        if isinstance(product, Mapping) and product.get("title") and isinstance(product.get("variants"), list):
            rows += _rows(product, place, site)
        else:
            skipped.append(Skipped(place, "it has no title or no variants, as Shopify's products have"))
    return Gathered(skipped=tuple(skipped)) + items_of(rows, currency)


def _rows(product: Mapping, place: str, site: str) -> Iterator[FeedRow]:
    names = [
        str(each.get("name", "")) if isinstance(each, Mapping) else str(each) for each in product.get("options") or ()
    ]
    images = [each for each in product.get("images") or () if isinstance(each, Mapping)]
    handle = _text(product, "handle")
    url = f"{site.rstrip('/')}/products/{handle}" if site and handle else ""
    tags = product.get("tags") or ()
    facts = {
        "tags": ", ".join(map(str, tags)) if isinstance(tags, Sequence) and not isinstance(tags, str) else str(tags)
    }
    for number, variant in enumerate(product["variants"], 1):
        if not isinstance(variant, Mapping):
            continue
        values = [_text(variant, f"option{index}") for index in range(1, 4)]
        options = {
            (names[index] if index < len(names) else "") or "option": value
            for index, value in enumerate(values)
            if value and value.casefold() != "default title"
        }
        was = _text(variant, "compare_at_price")
        price = _text(variant, "price")
        yield FeedRow(
            f"{place}, variant {number}",
            id=_text(variant, "id") or _text(variant, "sku"),
            title=_text(product, "title"),
            price=was if was not in ("", "0", "0.00") else price,
            group=_text(product, "id") or handle,
            sale_price=price,
            stock=_text(variant, "inventory_quantity"),
            availability="" if variant.get("available") is None else _text(variant, "available"),
            description=plain_text(_text(product, "body_html")),
            brand=_text(product, "vendor"),
            category=_text(product, "product_type"),
            url=url,
            image=_text(images[0], "src") if images else "",
            options=options,
            facts={name: value for name, value in facts.items() if value},
        )


def _text(table: Mapping, key: str) -> str:
    value = table.get(key)
    return "" if value is None else str(value).strip()
