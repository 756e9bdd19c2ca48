"""Reads an ad that goes out and says what in it no fact bears out; shares no code with the gate that let it out.

It knows the shop as it was read: items with their offers, and texts. It looks for digits of any script, amounts,
percents, number words, superlatives, promises and names, and asks where the shop has them, in the same role.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tenfold.catalog.gathered import Gathered
from tenfold.catalog.item import Item


def _words(text: str) -> list[str]:
    return text.split()


_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP"}
_AMOUNT = re.compile(r"(?:([$€£])\s?(\d[\d,]*(?:\.\d+)?))|(?:(\d[\d,]*(?:\.\d+)?)\s?([A-Z]{3})\b)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?%")
_NUMBER = re.compile(r"\d[\d.,:/]*\d|\d")
_COUNTS = _words(
    """
one two three four five six seven eight nine ten eleven twelve dozen twenty thirty forty fifty sixty seventy
eighty ninety hundred thousand million half halves third thirds quarter double triple twice once first percent
"""
)
_TOPS = _words(
    """
best worst most least cheapest lowest highest finest greatest biggest fastest strongest only always never
every all guaranteed guarantee guarantees free unbeatable unrivalled unmatched ultimate perfect number-one
no.1 leading top award-winning winner winning prize exclusive certified proven official
"""
)
_NO_TOPS = frozenset(
    [
        "rest",
        "test",
        "west",
        "forest",
        "guest",
        "chest",
        "vest",
        "nest",
        "harvest",
        "interest",
        "honest",
        "request",
        "priest",
        "quest",
        "east",
    ]
)
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")


@dataclass(frozen=True)
class Truth:
    """What is so of one item or page of a shop."""

    shop: Gathered
    item: Item | None

    @cached_property
    def own(self) -> str:
        """All that the shop says of it and of itself, in one spelling; no prices of its offers."""
        parts: list[str] = []
        if self.item is not None:
            parts += [self.item.title, self.item.brand, self.item.category, self.item.description]
            parts += [f"{name}: {value}" for name, value in self.item.attributes.items()]
            parts += [f"{name}: {value}" for each in self.item.variants for name, value in each.options.items()]
        for passage in self.shop.passages:
            parts += [passage.title, passage.text]
        return folded("\n".join(parts))

    @cached_property
    def amounts(self) -> set[tuple[str, Decimal]]:
        """Amounts that its offers bear out: prices, what they were, and what is saved."""
        found = set()
        for each in self.item.variants if self.item is not None else ():
            price, before = each.offer.price, each.offer.list_price
            found.add((price.currency, price.amount))
            if before is not None:
                found |= {(before.currency, before.amount), (before.currency, before.amount - price.amount)}
        return found

    @cached_property
    def percents(self) -> set[int]:
        """Whole percents that are saved, rounded down."""
        found = set()
        for each in self.item.variants if self.item is not None else ():
            if each.offer.list_price is not None and each.offer.list_price.micros:
                saved = each.offer.list_price.micros - each.offer.price.micros
                found.add(saved * 100 // each.offer.list_price.micros)
        return found


def ungrounded(text: str, truth: Truth) -> list[str]:
    """What in an ad nothing bears out."""
    plain = spelled(text)
    found = list(_odd(text))
    rest = plain
    for match in _AMOUNT.finditer(plain):
        currency = _SIGNS[match.group(1)] if match.group(1) else match.group(4)
        amount = Decimal((match.group(2) or match.group(3)).replace(",", ""))
        if currency in ("USD", "EUR", "GBP") or match.group(1):
            if (currency, amount) not in truth.amounts and not _quoted(plain, match.start(), match.end(), truth):
                found.append(f"amount {match.group()!r}")
            rest = rest.replace(match.group(), " ", 1)
    for match in _PERCENT.finditer(rest):
        if Decimal(match.group(1)) not in truth.percents and folded(match.group()) not in truth.own:
            found.append(f"percent {match.group()!r}")
        rest = rest.replace(match.group(), " ", 1)
    known = set(_NUMBER.findall(truth.own))
    found += [f"number {each!r}" for each in _NUMBER.findall(rest) if each not in known]
    known_words = set(_WORD.findall(truth.own))
    for word in _WORD.findall(folded(plain)):
        is_top = word in _TOPS or (word.endswith("est") and len(word) > 4 and word not in _NO_TOPS)
        if (is_top or word in _COUNTS) and word not in known_words:
            found.append(f"word {word!r}")
    for match in re.finditer(r"(?<=[\w,;] )[A-Z][\w'-]+", plain):
        # Codes of currencies are looked at with their amounts.
        if folded(match.group()) not in truth.own and match.group() not in _SIGNS.values():
            found.append(f"name {match.group()!r}")
    if re.search(r"https?:|www\.|\S@\S|(?:\d[ -]?){8,}", plain):
        found.append("an address or a phone number")
    return found


def _quoted(text: str, start: int, end: int, truth: Truth) -> bool:
    """Whether a text of the shop has the amount, and the three words before or after it, as here."""
    words = folded(text[:start]).split()[-3:]
    after = folded(text[end:]).split()[:3]
    amount = folded(text[start:end])
    return " ".join([*words, amount]) in _joined(truth.own) or " ".join([amount, *after]) in _joined(truth.own)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _odd(text: str) -> Iterator[str]:
    """Letters and digits that look like others."""
    for letter in unicodedata.normalize("NFC", text):
        category = unicodedata.category(letter)
        if category in ("Cf", "Cc", "Co"):
            yield f"hidden U+{ord(letter):04X}"
        elif category in ("Nd", "No", "Nl") and not letter.isascii():
            yield f"digit {letter!r}"
        elif category[0] == "L" and not letter.isascii() and "LATIN" not in unicodedata.name(letter, ""):
            yield f"letter {letter!r}"


def spelled(text: str) -> str:
    """Each digit as 0 to 9, each letter in its plain form."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(each)) if each.isdigit() else each for each in plain)


def folded(text: str) -> str:
    """Without case, with straight marks."""
    plain = spelled(text).replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", "-")
    return plain.casefold()


def planted_is_there(text: str, planted: Sequence[str]) -> bool:
    """Whether any of what was planted stands in a text that goes out."""
    plain = folded(text)
    return any(folded(each) in plain for each in planted)
