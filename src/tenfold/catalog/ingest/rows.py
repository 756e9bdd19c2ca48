"""From rows of a feed to items: which rows are variants of one item, what are options, what is wrong with a row.

Every feed that comes in rows (CSV, Google Merchant) is brought to these first. A row is one variant.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.price import Mark, decimal_mark, read_price, read_stock
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.words import fold

OPTION_NAMES = ("color", "size", "material", "pattern", "gender", "age group", "style", "flavor", "scent", "capacity")
"""Facts that are options where an item's variants differ in them."""
_INTERNAL = re.compile(
    r"\b(ean|gtin|mpn|sku|isbn|asin|upc|barcode|code|id|supplier|vendor|wholesale|margin)s?(\b|[ -]?\d)|"
    r"\b(number|ref|reference|no\.?|nr\.?)$|"
    r"\b(packed|packing|packaged|package|packaging|shipping|parcel|carton) "
    r"(weight|dimensions?|length|width|height|depth|volume)\b"
)
"""Properties by which a shop, and no customer, knows its articles."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ENDS = (".", "!", "?")


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One variant as a feed tells it, everything as text; empty where it says nothing.

    ``where``: as ``products.csv, row 3``. ``group``: what the rows of one item have in common. ``options``: what sets
    the variant apart; ``facts``: whatever else is told; ``properties``: names of those facts that the shop gives as
    properties of the variant, which are options where variants differ in them.
    """

    where: str
    id: str
    title: str
    price: str
    group: str = ""
    sale_price: str = ""
    currency: str = ""
    stock: str = ""
    availability: str = ""
    description: str = ""
    brand: str = ""
    category: str = ""
    url: str = ""
    image: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    properties: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Read:
    row: FeedRow
    offer: Offer


def items_of(rows: Sequence[FeedRow], currency: str) -> Gathered:
    """Make items of rows; a row that cannot be sold by is left out, and said why.

    Args:
        rows: in the feed's order.
        currency: of prices that name none.
    """
    mark = decimal_mark(text for row in rows for text in (row.price, row.sale_price))
    skipped: list[Skipped] = []
    groups: dict[str, list[_Read]] = defaultdict(list)
    for row in rows:
        try:
            group, read = _group(row), _Read(row, _offer(row, currency, mark))
            groups[group].append(read)
        except ValueError as error:
            skipped.append(Skipped(row.where, str(error)))
    taken: set[str] = set()
    items = []
    for group in groups.values():
        item, twice = _item(group, taken)
        skipped += twice
        if item is not None:
            items.append(item)
    return Gathered(tuple(items), (), tuple(skipped))


def read_options(text: str) -> dict[str, str]:
    """Read ``"color: blue; size: M"``; a part without a name is called ``option``."""
    options: dict[str, str] = {}
    for part in re.split(r"[;|\n]", text):
        name, colon, value = part.partition(":")
        if not colon:
            name, colon, value = part.partition("=")
        name, value = (name.strip(), value.strip()) if colon else ("option", part.strip())
        if name and value:
            options[name] = value
    return options


def _group(row: FeedRow) -> str:
    if not row.title:
        raise ValueError("it has no title, and a title is needed to sell it by")
    return f"g {row.group}" if row.group else f"t {fold(row.title).strip()}"


def _offer(row: FeedRow, currency: str, mark: Mark | None) -> Offer:
    if not row.price and not row.sale_price:
        raise ValueError("it has no price, as '19.99'")
    own = row.currency.strip().upper() or currency
    price = read_price(row.price or row.sale_price, own, mark)
    available, stock = read_stock(row.stock)
    if row.availability:
        # There 1 and 0 are yes and no, and not pieces.
        said, counted = read_stock({"1": "yes", "0": "no"}.get(row.availability, row.availability))
        # Of a count and a word the one that says no is believed.
        available, stock = available and said, counted if stock is None else stock
    reduced = read_price(row.sale_price, own, mark) if row.sale_price else price
    if reduced.currency == price.currency and reduced.micros < price.micros:
        return Offer(reduced, available, stock, price)
    return Offer(price, available, stock)


def _item(group: Sequence[_Read], taken: set[str]) -> tuple[Item | None, list[Skipped]]:
    """One item of its rows, and those of them that tell of a variant that is there already."""
    group, skipped = _without_repeats(group)
    differing = _differing([read.row for read in group])
    first = group[0].row
    item_id = _unused(first.group or (first.id if len(group) == 1 else "") or _slug(first.title), taken)
    many_share = Counter(read.row.id for read in group)
    variants: dict[str, Variant] = {}
    kept: list[tuple[_Read, str]] = []
    for read in group:
        row = read.row
        options = {**dict(row.options), **{name: row.facts[name] for name in sorted(differing & row.facts.keys())}}
        name = row.id if row.id and many_share[row.id] == 1 else _slug(row.id or item_id, *options.values())
        if name in variants or (name in taken and name != item_id):
            skipped.append(Skipped(row.where, f"there is a variant {name!r} already; give each row an id of its own"))
            continue
        variants[name] = Variant(name, item_id, options, read.offer, row.url)
        kept.append((read, name))
    if not variants:
        return None, skipped
    taken |= {item_id, *variants}
    shared = {name: value for name, value in _shared(group) if name not in differing}
    item = Item(
        item_id,
        first.title,
        tuple(variants.values()),
        _description([(read.row, variants[name].options) for read, name in kept]),
        first.brand,
        first.category,
        shared,
        first.url,
        next((read.row.image for read in group if read.row.image), ""),
    )
    return item, skipped


def _without_repeats(group: Sequence[_Read]) -> tuple[list[_Read], list[Skipped]]:
    """The rows without those whose id and options came before, so that the first keeps its id; and those left out."""
    first: dict[object, _Read] = {}
    skipped = []
    for number, read in enumerate(group):
        row = read.row
        told = row.id, tuple(sorted(row.options.items())), tuple(sorted(row.facts.items()))
        before = first.setdefault(told if row.id else number, read)
        if before is not read:
            other = "" if read.offer == before.offer else ", with another price or stock"
            why = f"it is {row.id!r} of {before.row.where} again{other}; the first row counts"
            skipped.append(Skipped(row.where, why))
    return list(first.values()), skipped


def _differing(rows: Sequence[FeedRow]) -> set[str]:
    """Facts that are options of an item: customers choose by what they see, not by its numbers at a supplier."""
    told = {name: [row.facts.get(name, "") for row in rows] for name in {name for row in rows for name in row.facts}}
    told = {name: values for name, values in told.items() if len(set(values)) > 1}
    usual = {name for name in told if name in OPTION_NAMES}
    chosen = Counter(
        (*sorted(row.options.items()), *(row.facts.get(name, "") for name in sorted(usual))) for row in rows
    )
    is_apart = max(chosen.values()) == 1
    properties = {name for row in rows for name in row.properties if name in told and not _INTERNAL.search(name)}
    return usual | {name for name in properties if not (is_apart and _is_numbering(told[name]))}


def _is_numbering(values: Sequence[str]) -> bool:
    """Whether each row has a number of its own: an article's, or what it weighs to the gram."""
    return len(set(values)) == len(values) and all(re.search(r"\d", value) for value in values)


def _description(told: Sequence[tuple[FeedRow, Mapping[str, str]]]) -> str:
    """What the rows of an item tell of it; a sentence of some of its variants only begins with what sets them apart.

    Some exports describe an item in the first row of its group only: then that is told of all. Where no option tells
    variants apart, a sentence of some of them is left out, since nobody could say of which it is true.
    """
    described = [row for row, _ in told if row.description]
    if len({row.description for row in described}) <= 1 and (
        len(described) in (0, len(told)) or (told[0][0].group and told[0][0].description)
    ):
        return described[0].description if described else ""
    sentences: dict[str, list[Mapping[str, str]]] = {}
    for row, options in told:
        for sentence in dict.fromkeys(filter(None, _SENTENCE_END.split(row.description))):
            sentences.setdefault(sentence, []).append(options)
    everyone = [options for _, options in told]
    said = []
    for sentence, of in sentences.items():
        if len(of) == len(told):
            said.append(sentence)
        elif apart := _apart(of, everyone):
            said.append(f"{apart}: {sentence if sentence.endswith(_ENDS) else f'{sentence}.'}")
    return " ".join(said)


def _apart(some: Sequence[Mapping[str, str]], everyone: Sequence[Mapping[str, str]]) -> str:
    """Which variants these are, by an option that the others have otherwise: ``room: kitchen, bath``; else nothing."""
    others = [each for each in everyone if each not in some]
    for name in dict.fromkeys(name for each in some for name in each):
        values = list(dict.fromkeys(each.get(name, "") for each in some))
        if all(values) and all(each.get(name, "") not in values for each in others):
            return f"{name}: {', '.join(values)}"
    if len(some) == 1 and len(some[0]) > 1 and some[0] not in others:
        return ", ".join(f"{name}: {value}" for name, value in some[0].items())
    return ""


def _shared(group: Sequence[_Read]) -> Iterator[tuple[str, str]]:
    """Facts that all rows tell alike."""
    for name, value in group[0].row.facts.items():
        if value and all(read.row.facts.get(name) == value for read in group):
            yield name, value


def _slug(*parts: str) -> str:
    return "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", fold(part)).strip("-") for part in parts))) or "item"


def _unused(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(each for number in range(2, len(taken) + 3) if (each := f"{name}-{number}") not in taken)
