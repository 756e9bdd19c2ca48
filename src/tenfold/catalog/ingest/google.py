"""Google Merchant feeds: RSS or Atom with ``g:`` elements, and their spreadsheets of tabs, which ``csv_feed`` reads."""

import xml.etree.ElementTree as ET
from collections import defaultdict

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.markup import plain_text
from tenfold.catalog.ingest.rows import FeedRow, items_of

_OPTIONS = {"color": "color", "size": "size", "material": "material", "pattern": "pattern", "gender": "gender"}
_OPTIONS["age_group"] = "age group"
_ENTITY = "<!ENTITY"


def read_google(text: str, where: str, currency: str = "USD") -> Gathered:
    """Read a feed's ``<item>`` or ``<entry>`` elements, each a variant, joined by ``g:item_group_id``."""
    if _ENTITY in text:
        return Gathered(
            skipped=(Skipped(where, "it declares entities of its own, which are not read; write them out"),)
        )
    try:
        root = ET.fromstring(text.lstrip("\ufeff \n"))
    except ET.ParseError as error:
        return Gathered(skipped=(Skipped(where, f"it is no XML: {error}"),))
    entries = [node for node in root.iter() if _local(node.tag) in ("item", "entry")]
    if not entries:
        return Gathered(skipped=(Skipped(where, "it has no <item> or <entry>, as a Google Merchant feed has"),))
    return items_of([_row(node, f"{where}, item {number}") for number, node in enumerate(entries, 1)], currency)


def _row(node: ET.Element, where: str) -> FeedRow:
    told: dict[str, list[str]] = defaultdict(list)
    for child in node:
        # Atom's link is an attribute.
        value = (child.text or "").strip() or child.attrib.get("href", "")
        if value:
            told[_local(child.tag)].append(value)

    def first(*names: str) -> str:
        return next((told[name][0] for name in names if told.get(name)), "")

    facts = {name: first(tag) for tag, name in _OPTIONS.items() if first(tag)}
    properties: dict[str, str] = {}
    for detail in node.iter():
        if _local(detail.tag) == "product_detail":
            parts = {_local(part.tag): (part.text or "").strip() for part in detail}
            if parts.get("attribute_name") and parts.get("attribute_value"):
                properties[parts["attribute_name"].casefold()] = parts["attribute_value"]
    if first("condition") not in ("", "new"):
        properties["condition"] = first("condition")
    return FeedRow(
        where,
        id=first("id", "guid"),
        title=plain_text(first("title")),
        price=first("price"),
        group=first("item_group_id"),
        sale_price=first("sale_price"),
        stock=first("quantity", "sell_on_google_quantity", "inventory"),
        availability=first("availability"),
        description=plain_text(first("description", "summary", "content")),
        brand=first("brand"),
        category=first("product_type", "google_product_category"),
        url=first("link"),
        image=first("image_link"),
        facts=facts | properties,
        properties=frozenset(properties),
    )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2].casefold()
