"""What pages say of themselves in JSON-LD by schema.org: Product, ProductGroup, FAQPage."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tenfold.catalog.gathered import Skipped
from tenfold.catalog.ingest.markup import plain_text
from tenfold.catalog.ingest.rows import FeedRow
from tenfold.catalog.words import fold


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer, as a FAQPage has them."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Said:
    """What one page says of itself."""

    rows: tuple[FeedRow, ...]
    questions: tuple[Question, ...]
    skipped: tuple[Skipped, ...]


def read_json_ld(blocks: Iterable[str], where: str) -> Said:
    """Read the JSON-LD blocks of one page; ``where``: its address."""
    rows: list[FeedRow] = []
    questions: list[Question] = []
    skipped: list[Skipped] = []
    for block in blocks:
        try:
            nodes = list(_nodes(json.loads(block, strict=False)))
        except (ValueError, RecursionError) as error:
            skipped.append(Skipped(where, f"its JSON-LD is no JSON: {error}"))
            continue
        grouped = {id(each) for node in nodes if _is(node, "ProductGroup") for each in _list(node.get("hasVariant"))}
        for node in nodes:
            if _is(node, "ProductGroup"):
                for variant in _list(node.get("hasVariant")):
                    if isinstance(variant, Mapping):
                        rows += _rows(variant, node, where)
            elif _is(node, "Product") and id(node) not in grouped:
                rows += _rows(node, {}, where)
            elif _is(node, "Question"):
                answers = [each for each in _list(node.get("acceptedAnswer")) if isinstance(each, Mapping)]
                asked, told = _text(node.get("name")), plain_text(_text(answers[0].get("text"))) if answers else ""
                if asked and told:
                    questions.append(Question(asked, told))
    return Said(tuple(rows), tuple(questions), tuple(skipped))


def _nodes(value: object) -> Iterator[Mapping]:
    """Every object in the block, whatever it lies in; what a variant is a variant of is not one more thing for sale."""
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each)
    elif isinstance(value, Mapping):
        yield value
        for key, each in value.items():
            if key not in ("isVariantOf", "isRelatedTo", "isSimilarTo", "itemReviewed", "isAccessoryOrSparePartFor"):
                yield from _nodes(each)


def _properties(of: object) -> dict[str, str]:
    """Properties that schema.org has no name of its own for."""
    told = [each for each in _list(of) if isinstance(each, Mapping)]
    named = {fold(_text(each.get("name"))): _text(each.get("value")) for each in told}
    return {name: value for name, value in named.items() if name and value}


def _rows(product: Mapping, group: Mapping, where: str) -> Iterator[FeedRow]:
    shared = product.get("isVariantOf")
    parent = group or (shared if isinstance(shared, Mapping) else {})

    def told(key: str) -> object:
        return product.get(key) or parent.get(key)

    facts: dict[str, str] = {}
    for name in ("color", "size", "material", "pattern"):
        if value := _text(told(name)):
            facts[name] = value
    properties = _properties(told("additionalProperty"))
    named = _text(product.get("sku")) or _text(product.get("productID")) or _text(product.get("gtin13"))
    offers = [each for each in _list(told("offers")) if isinstance(each, Mapping)]
    offers = [each for offer in offers for each in (_list(offer.get("offers")) or [offer]) if isinstance(each, Mapping)]
    for number, offer in enumerate(offers[:1] if named else offers, 1):
        specification = next((each for each in _list(offer.get("priceSpecification")) if isinstance(each, Mapping)), {})
        yield FeedRow(
            f"{where}, product {_text(told('name')) or number!r}",
            id=named or _text(offer.get("sku")),
            title=_text(parent.get("name")) or _text(product.get("name")),
            price=_price(offer, specification),
            group=_text(parent.get("productGroupID")) or _text(product.get("inProductGroupWithID")),
            currency=_text(offer.get("priceCurrency")) or _text(specification.get("priceCurrency")),
            stock=_text(_of(offer.get("inventoryLevel"), "value")),
            availability=_text(offer.get("availability")),
            description=plain_text(_text(told("description"))),
            brand=_text(_of(told("brand"), "name")),
            category=_text(_of(told("category"), "name")),
            url=_text(offer.get("url")) or _text(told("url")) or where,
            image=_text(_of(next(iter(_list(told("image"))), ""), "url")),
            facts=facts | properties,
            properties=frozenset(properties),
        )


def _price(offer: Mapping, specification: Mapping) -> str:
    low, high = _text(offer.get("lowPrice")), _text(offer.get("highPrice"))
    if low or high:
        return low if low == high or not high else f"{low or '?'} to {high}"
    return _text(offer.get("price")) or _text(specification.get("price"))


def _is(node: Mapping, kind: str) -> bool:
    return any(str(each).rpartition("/")[2] == kind for each in _list(node.get("@type")))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _of(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, Mapping) else value


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return "" if value is None or isinstance(value, bool | Mapping) else str(value).strip()
