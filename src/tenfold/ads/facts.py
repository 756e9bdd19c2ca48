"""The fact sheet of an advertiser, from what ``catalog`` reads of a page, a site, a feed or documents.

Prices, stock and options come from offers; everything else is a sentence, a title or an attribute as it is written,
with the place where it is written. Nothing is inferred.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from tenfold.ads.categories import banned, regulated
from tenfold.ads.claim import SHOP_WIDE, Claim, FactSheet, Kind, Span, Subject
from tenfold.ads.sentences import claims_in, is_by_others, is_order
from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import MICROS, Money
from tenfold.catalog.passage import Passage
from tenfold.reply.fill import is_there
from tenfold.reply.gate import AMOUNT, NUMBER_WORDS

LONGEST_NAME = 60
LONGEST_VALUE = 40
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
_OFFERS = re.compile(
    r"%|\b(?:free (?:shipping|delivery|gift|postage)|half[- ]price|discount\w*|sale|cheapest|lowest|best price|"
    r"guarantee\w*|no\.? ?1|number one|buy one|two for one|three for two|clearance)\b|#\s?1\b",
    re.IGNORECASE,
)
_REDUCED = re.compile(r"%|\b(?:off|discount\w*|reduced|sale|cheaper)\b", re.IGNORECASE)
_KEEPS_HEAD = re.compile(
    r"\b(?:for|with|without|of|from|in|like|style|and|or|to|by|not|no|non|faux|look|mini|toy)\b", re.I
)
_VALUE_ALONE = frozenset({"material", "fabric", "color", "colour", "pattern", "style", "flavor", "flavour", "scent"})
_ORIGIN = frozenset({"made in", "origin", "country of origin"})
_YES, _NO = frozenset({"yes", "true", "y"}), frozenset({"no", "false", "n", "none"})


def fact_sheet(gathered: Gathered) -> FactSheet:
    """Make the fact sheet of all that was read of an advertiser."""
    left_out = list(gathered.skipped)
    subjects: list[Subject] = []
    claims: list[Claim] = []
    for item in gathered.items:
        why = _unfit_item(item)
        if why:
            left_out.append(Skipped(item.title or item.id, why))
            continue
        subjects.append(Subject(item.id, item.title, item.url, item.image, regulated(_words_of(item))))
        claims += _item_claims(item, left_out)
    of_page = {item.url: item.id for item in gathered.items if item.url}
    claims += _passage_claims(gathered.passages, of_page, subjects, left_out, by_item=bool(gathered.items))
    return FactSheet(tuple(subjects), tuple(claims), tuple(left_out))


def _unfit_item(item: Item) -> str:
    """Why nothing may be said of an item; empty if it may be advertised."""
    category = banned(_words_of(item))
    checks = (
        (bool(category), f"{category} may not be advertised"),
        (is_order(item.title), "its title gives orders; a title is a name"),
        (bool(_OFFERS.search(item.title) or AMOUNT.search(item.title)), "its title makes an offer; a title is a name"),
        (len(item.title) > LONGEST_NAME, f"its title is longer than the {LONGEST_NAME} characters of a headline"),
        (not any(is_there(variant.offer) for variant in item.variants), "it is out of stock"),
    )
    return next((why for is_so, why in checks if is_so), "")


def _words_of(item: Item) -> str:
    return f"{item.title} {item.category} {item.description} {' '.join(item.attributes.values())}"


def _item_claims(item: Item, left_out: list[Skipped]) -> Iterator[Claim]:
    def whole(kind: Kind, place: str, text: str, says: Sequence[str], number: str = "") -> Claim:
        span = Span(item.url or item.id, place, 0, len(text), text)
        return Claim(f"{kind}:{item.id}{number}", kind, item.id, tuple(says), (span,))

    yield whole("name", "title", item.title, tuple(_names(item.title)))
    if item.brand and _is_plain_value(item.brand):
        yield whole("brand", "brand", item.brand, [item.brand])
    category = item.category.rpartition(">")[2].strip()
    if category and _is_plain_value(category):
        yield whole("category", "category", item.category, [category])
    there = [variant for variant in item.variants if is_there(variant.offer)]
    yield from _price_claims(item, there)
    for place, (name, value) in enumerate(item.attributes.items()):
        kind, says = _attribute(name, value)
        if says:
            yield whole(kind, name, value, says, f"/{place}")
    for place, value in enumerate(_option_values(there)):
        yield whole("option", "options", value, [value], f"/{place}")
    yield from _sentences(item.description, "description", item.url or item.id, item.id, True, left_out)


def _names(title: str) -> Iterator[str]:
    """A title, and the shorter names in it: of a "Ridge Rain Jacket", "Rain Jacket" and "Jacket"."""
    yield title
    words = title.split()
    if re.fullmatch(r"[A-Za-z' -]+", title) and not _KEEPS_HEAD.search(title) and len(words) <= 4:
        for start in range(1, len(words)):
            yield " ".join(words[start:])


def _price_claims(item: Item, there: Sequence[Variant]) -> Iterator[Claim]:
    offers = [variant.offer for variant in there]
    least = min(offers, key=lambda offer: offer.price.micros)
    if {offer.price.currency for offer in offers} != {least.price.currency}:
        return
    source = item.url or item.id

    def claim(kind: Kind, place: str, text: str, says: Sequence[str]) -> Claim:
        variant = next(each for each in there if each.offer == least)
        span = Span(source, f"{place} of {variant.id}", 0, len(text), text)
        return Claim(f"{kind}:{item.id}", kind, item.id, tuple(says), (span,))

    is_same = all(offer == least or offer.price == least.price for offer in offers)
    written = _amounts(least.price)
    yield claim("price", "price", str(least.price), written if is_same else [f"from {each}" for each in written])
    before = least.list_price
    if not is_same or before is None or before.micros <= least.price.micros or not _alike(offers):
        return
    told = f"{before} before, {least.price} now"
    says = [f"{word} {each}" for each in _amounts(before) for word in ("was", "instead of")]
    yield claim("was", "price before", told, says)
    saved = Money(before.currency, before.micros - least.price.micros)
    percent = saved.micros * 100 // before.micros
    says = [says for each in _amounts(saved) for says in (f"save {each}", f"{each} off")]
    says += [f"{percent}% off", f"save {percent}%"] if percent else []
    yield claim("discount", "price before", told, says)


def _alike(offers: Sequence[Offer]) -> bool:
    return len({(offer.price, offer.list_price) for offer in offers}) == 1


def _amounts(money: Money) -> list[str]:
    """The ways in which an amount is written: ``129.00 EUR``, ``€129.00``, ``129 EUR``, ``€129``."""
    full = f"{money.amount:,.2f}" if money.micros % (MICROS // 100) == 0 else f"{money.amount:,f}"
    numbers = [full, *([full.removesuffix(".00")] if full.endswith(".00") else [])]
    numbers += [number.replace(",", "") for number in numbers if "," in number]
    sign = _SIGNS.get(money.currency)
    written = [f"{number} {money.currency}" for number in numbers]
    return written + ([f"{sign}{number}" for number in numbers] if sign else [])


def _attribute(name: str, value: str) -> tuple[Kind, list[str]]:
    """What an attribute claims, and in which words; none where it says nothing that an ad may repeat."""
    plain, said = name.casefold(), value.casefold()
    kind: Kind = "attribute"
    says = [f"{name}: {value}"]
    if not _is_told(value) or not _is_told(name) or said in _NO or plain in ("tags", "condition", "country"):
        says = []
    elif plain in _ORIGIN:
        kind, says = "place", [f"made in {value}"]
    elif plain == "rating":
        kind, says = "rating", [f"rated {value}"]
    elif said in _YES:
        says = [name]
    elif plain in _VALUE_ALONE and _is_plain_value(value):
        kind, says = ("material" if plain in ("material", "fabric") else "option"), [value, *says]
    return kind, says


def _option_values(there: Sequence[Variant]) -> list[str]:
    values = (value for variant in there for value in variant.options.values())
    return [value for value in dict.fromkeys(values) if len(value) > 2 and _is_plain_value(value)]


def _is_told(text: str) -> bool:
    return (
        bool(text)
        and len(text) <= LONGEST_VALUE
        and not is_order(text)
        and not AMOUNT.search(text)
        and not _OFFERS.search(text)
    )


def _is_plain_value(text: str) -> bool:
    """Whether a value is words without a number, which may stand in the middle of a sentence."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return _is_told(text) and not re.search(r"\d", text) and not NUMBER_WORDS & set(words) and len(words) <= 4


def _sentences(
    text: str, place: str, source: str, subject: str, about_item: bool, left_out: list[Skipped]
) -> Iterator[Claim]:
    for number, said in enumerate(claims_in(text, about_item=about_item)):
        if isinstance(said, tuple):
            left_out.append(Skipped(f"{source}, {place}: {said[0][:60]!r}", said[1]))
            continue
        category = banned(said.text)
        if category:
            left_out.append(Skipped(f"{source}, {place}: {said.text[:60]!r}", f"{category} may not be advertised"))
            continue
        if not about_item and said.kind in SHOP_WIDE and _REDUCED.search(said.text):
            left_out.append(
                Skipped(f"{source}, {place}: {said.text[:60]!r}", "beside an item it would reduce its price")
            )
            continue
        span = Span(source, place, said.start, said.end, said.text)
        about = subject if about_item or said.kind not in SHOP_WIDE else ""
        yield Claim(f"{said.kind}:{source}/{place}/{number}", said.kind, about, (said.text,), (span,), said.until)


def _passage_claims(
    passages: Sequence[Passage],
    of_page: Mapping[str, str],
    subjects: list[Subject],
    left_out: list[Skipped],
    *,
    by_item: bool,
) -> Iterator[Claim]:
    """Claims of texts. A page that is no item's is a subject where the advertiser sells nothing by items."""
    known = {subject.id for subject in subjects}
    for passage in passages:
        where = f"{passage.document}: {passage.title[:60]!r}"
        if is_by_others(passage.title):
            left_out.append(Skipped(where, "other people wrote it"))
            continue
        item = of_page.get(passage.url, "")
        subject = item or passage.document
        if not by_item and subject not in known:
            name = _page_name(passage)
            if not name:
                left_out.append(Skipped(where, "its page has no title that is a name"))
                continue
            known.add(subject)
            subjects.append(Subject(subject, name, passage.url, "", regulated(f"{name} {passage.text}")))
            span = Span(passage.url or passage.document, "title", 0, len(name), name)
            yield Claim(f"name:{subject}", "name", subject, (name,), (span,))
        if by_item and item and item not in known:
            continue
        source = passage.url or passage.document
        for claim in _sentences(passage.text, passage.title, source, subject, False, left_out):
            # An item's offer tells its price; what else a page says of it is its own.
            if by_item and (claim.kind == "price" or (not item and claim.subject)):
                continue
            yield claim


def _page_name(passage: Passage) -> str:
    name = passage.title.partition(" - ")[0].partition(" | ")[0].strip()
    is_unfit = is_order(name) or _OFFERS.search(name) or AMOUNT.search(name) or banned(f"{name} {passage.text}")
    return "" if is_unfit or len(name) > LONGEST_NAME else name
