"""Product feeds in CSV: the plain ``id,title,options,price,stock``, and what shops export under other names."""

import csv
import io
import re
from collections.abc import Mapping

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.markup import plain_text
from tenfold.catalog.ingest.rows import FeedRow, items_of, read_options
from tenfold.catalog.words import fold

_NAMES = {
    "id": "id sku variantid variantsku productid itemid itemno code partnumber mpn articleno artnr ean gtin upc asin",
    "group": "group itemgroupid groupid parentid parent parentsku handle masterid",
    "title": "title name productname product producttitle itemname item bezeichnung titel nom nombre label",
    "options": "options variant variants option attributes",
    "price": "price regularprice variantprice unitprice listprice preis prix precio",
    "sale_price": "saleprice specialprice discountedprice discountprice currentprice salesprice",
    "was_price": "compareatprice variantcompareatprice wasprice originalprice oldprice rrp msrp strikeprice",
    "currency": "currency currencycode",
    "stock": "stock quantity qty inventory variantinventoryqty stockquantity stocklevel stockqty inventoryquantity",
    "availability": "availability available instock stockstatus status isinstock",
    "description": "description body bodyhtml longdescription shortdescription details beschreibung summary text",
    "brand": "brand vendor manufacturer marke",
    "category": "category categories producttype productcategory googleproductcategory collection department type",
    "url": "url link producturl permalink href",
    "image": "image imagelink imageurl images imagesrc picture photo img",
}
_KNOWN = {alias: (place, name) for name, aliases in _NAMES.items() for place, alias in enumerate(aliases.split())}
LONGEST_FACT = 80
"""Characters of a cell that tells a property, as ``oak``; a longer text, or one of several lines, describes."""
_NO_TEXT = re.compile(r"https?://|[\[{]")
"""Begins what programs read: addresses, JSON."""
_OPTION = re.compile(r"(?:option|attribute)\s*(\d+)\s*(name|value)s?(?:\(s\))?")
_CODES = (
    "usd eur gbp cad aud chf jpy sek nok dkk isk pln czk huf ron bgn try uah nzd hkd sgd inr cny krw twd thb idr myr "
    "php vnd brl mxn ars clp cop zar ils aed sar egp ngn kes"
)
_IN_NAME = re.compile(rf"(?<![a-z])({'|'.join(_CODES.split())})(?![a-z])|([€$£])")
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
_SPELLINGS = {"colour": "color", "farbe": "color", "groesse": "size", "grosse": "size", "flavour": "flavor"}
_UNTOLD = frozenset({"", "-", "n/a", "none", "null", "nan"})


def read_csv(text: str, where: str, currency: str = "USD") -> Gathered:
    """Read a feed in CSV, with any of ``,;|`` and tabs between cells.

    Args:
        text: the file.
        where: what it is called in reports.
        currency: of prices that name none.
    """
    table = csv.reader(io.StringIO(text), delimiter=_delimiter(text), skipinitialspace=True)
    rows: list[FeedRow] = []
    skipped: list[Skipped] = []
    try:
        head = next((cells for cells in table if any(cell.strip() for cell in cells)), [])
        columns = _columns(head)
        if "title" not in columns.values() or not {"price", "sale_price", "was_price"} & set(columns.values()):
            named = ", ".join(repr(cell.strip()) for cell in head) or "nothing"
            why = f"its first row names no title or no price, as 'id,title,options,price,stock'; it names {named}"
            return Gathered(skipped=(Skipped(where, why),))
        before: dict[str, str] = {}
        for number, cells in enumerate(table, 2):
            place = f"{where}, row {number}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(head):
                why = f"it has {len(cells)} cells under {len(head)} names; quote a cell that holds the separator"
                skipped.append(Skipped(place, why))
                continue
            told = {name.strip(): _told(cell) for name, cell in zip(head, cells, strict=False)}
            row = _row(place, told, columns, before)
            rows.append(row)
            before = {"group": row.group, "title": row.title}
    except csv.Error as error:
        skipped.append(Skipped(f"{where}, line {table.line_num}", f"it is no CSV from there on: {error}"))
    return Gathered(skipped=tuple(skipped)) + items_of(rows, currency)


def _delimiter(text: str) -> str:
    head = text.lstrip("\n").partition("\n")[0]
    return max(",;\t|", key=head.count)


def _columns(head: list[str]) -> dict[str, str]:
    """What the columns tell, by their names; of several of one kind the one with the plainest name."""
    found: dict[str, tuple[int, str]] = {}
    for cell in head:
        plain = re.sub(r"[^a-z0-9]", "", fold(cell))
        known = _KNOWN.get(plain) or _KNOWN.get(re.sub(r"[^a-z0-9]", "", _IN_NAME.sub("", fold(cell))))
        if known is not None:
            place, name = known
            if name not in found or place < found[name][0]:
                found[name] = place, cell.strip()
    return {column: name for name, (_, column) in found.items()}


def _row(place: str, told: Mapping[str, str], columns: Mapping[str, str], before: Mapping[str, str]) -> FeedRow:
    known = {name: told.get(column, "") for column, name in columns.items()}
    numbered: dict[str, dict[str, str]] = {}
    facts: dict[str, str] = {}
    texts: list[str] = []
    for column, value in told.items():
        option = _OPTION.fullmatch(fold(column))
        if option is not None:
            numbered.setdefault(option.group(1), {})[option.group(2)] = value
        elif column not in columns and _is_text(value):
            texts.append(plain_text(value))
        elif column not in columns and column and value:
            name = fold(column).replace("_", " ").strip()
            facts[_SPELLINGS.get(name, name)] = value
    options = read_options(known.get("options", ""))
    for each in numbered.values():
        if each.get("value") and each["value"].casefold() != "default title":
            options[each.get("name") or "option"] = each["value"]
    group = known.get("group", "")
    # Shopify's export names an item in the first of its rows only.
    title = " ".join(plain_text(known.get("title", "")).split()) or (
        before.get("title", "") if group and group == before.get("group") else ""
    )
    price, sale, was = (known.get(name, "") for name in ("price", "sale_price", "was_price"))
    if was and not sale:
        price, sale = was, price
    return FeedRow(
        place,
        id=known.get("id", ""),
        title=title,
        price=price,
        group=group,
        sale_price=sale,
        currency=known.get("currency", "") or _currency_of(columns),
        stock=known.get("stock", ""),
        availability=known.get("availability", ""),
        description="\n".join(filter(None, (plain_text(known.get("description", "")), *texts))),
        brand=known.get("brand", ""),
        category=known.get("category", ""),
        url=known.get("url", ""),
        image=known.get("image", ""),
        options=options,
        facts=facts,
    )


def _is_text(value: str) -> bool:
    return ("\n" in value or len(value) > LONGEST_FACT) and not _NO_TEXT.match(value)


def _currency_of(columns: Mapping[str, str]) -> str:
    """A currency that the name of the price's column tells, as ``Price (EUR)``."""
    for column, name in columns.items():
        found = _IN_NAME.search(fold(column)) if name in ("price", "sale_price") else None
        if found is not None:
            return _SIGNS.get(found.group(2) or "", "") or (found.group(1) or "").upper()
    return ""


def _told(cell: str) -> str:
    plain = cell.strip()
    return "" if plain.casefold() in _UNTOLD else plain
