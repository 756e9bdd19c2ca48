"""What is asked, told by words: a price, stock, which values, how many, the cheapest, a comparison, an amount."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from tenfold.agents.reading.words import COMPARATIVES, LESS, SUPERLATIVES
from tenfold.catalog.ingest.price import read_price
from tenfold.catalog.money import MICROS

Asked = Literal[
    "price", "total", "pieces", "stock", "options", "count", "compare", "exists", "holds", "describe", "list", ""
]

_ASKED: tuple[tuple[Asked, str], ...] = (
    ("pieces", r"how many\b.*\b(left|in stock|on hand|on stock|in (the )?(warehouse|inventory)|remain\w*)\b"),
    ("pieces", r"\b(stock (level|count|quantity)|how much stock|quantity (in stock|available)|units (left|"
    r"available))\b"),
    ("pieces", r"\bhow many (pieces|units)\b|\bhow many of (it|that|this|them|those|these)\b"),
    ("count", r"\b(how many|number of)\b"),
    ("options", r"\b(what|which)( \w+){0,2} (options|variants|variations|versions|choices|selection)\b"),
    ("price", r"\b(how much (?!stock)|price|prices|priced|pricing|cost|costs|costing|how expensive|pricey)\b"),
    ("price", r"\b(what('s| is| are| would| does| do|'d)( \w+){1,6} (set me back|go for|sell for|run me)|"
    r"charge for)\b"),
    ("price", r"\b(kostet|kosten|preis|cuesta|cuestan|precio|co[uû]te|co[uû]tent|prix|costa|costano|prezzo|"
    r"custa|pre[çc]o)\b"),
    ("stock", r"\b(auf lager|verfügbar|disponible|disponibile|dispon[ií]vel)\b"),
    ("options", r"\b(welche|qu[eé]|quels?|quelles?|quali|quais) (farben|größen|colores|tallas|couleurs|tailles|"
    r"colori|taglie|cores)\b"),
    ("exists", r"\b(haben sie|habt ihr|gibt es|tienen|tiene|hay|avez[- ]vous|avete|c'è|t[eê]m)\b"),
    ("stock", r"\b(in stock|out of stock|sold out|(are|is|been|run) (you )?(\w+ )?out of|"
     r"available|availability|on stock|unavailable|any left|still have)\b"),
    ("exists", r"\b(do|does|did|would|don't|doesn't) (you|it|they|the shop|your (shop|store))( guys| also| even| still|"
               r" really| actually| currently)* (have|sell|carry|offer|stock|come|make|got)\b"),
    ("exists", r"\b(is|are|isn't|aren't) there\b|\b(have you got|got any|you got|can i (get|buy|order|have)|"
    r"any chance)\b"),
    ("exists", r"\bcomes? in\b|\bdoes\b.*\b(have|come|support|include|offer)\b"),
    ("describe", r"\b(tell me (more )?about|(should|do|must|need to) i? ?(need to )?know about|"
     r"describe|details|specs?|specifications?|more info\w*|what features)\b"),
    ("holds", r"^(is|are|was|were|isn't|aren't|can|could|does|do|will) "),
    ("list", r"\b(looking for|i('d| would)? (want|need|like)|show me|find me|searching for|list|"
    r"what\b.*\b(have|sell|carry)|"
             r"recommend|suggest|give me)\b"),
)  # fmt: skip
_ASKED_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _ASKED)

_NUMBER = r"\d+(?:[.,]\d+)*"
_WORDS = (
    r"(?:dollars?|usd|euros?|eur|€|bucks|pounds|gbp|quid|£|\$|francs?|chf|yen|jpy|cad|aud|nzd|kron(?:or|er|a|e)|kr\b|sek|nok|dkk|"
    r"rupees?|inr|zloty|pln)"
)
_MONEY = rf"(?:[$€£]\s?{_NUMBER}|{_NUMBER}\s?{_WORDS})"
_UNITS = (
    r"(?:\"|%|[a-z]*(?:inch|mah|gb|tb|ml|lit|hour|cm|mm|lb|kg|oz|watt|mp|bar|ft|feet|foot|piece|degree|cup|min|"
    r"day|week|"
    r"month|year|person|people|pack|lumen|l\b|w\b|g\b|m\b))"
)
_BARE = rf"{_NUMBER}(?![\w.,]*\d)(?!\s*-?\s*{_UNITS})(?! of\b)"
_BELOW = (
    r"(?:under|below|less than|cheaper than|up to|at most|no more than|not more than|max(?:imum)?(?: of)?|within|"
    r"budget (?:is|of)|for less than|lower than|beneath|not over|spend|afford|(?:get|buy|have) for|only have|have only)"
)
_ABOVE = (
    r"(?:over|above|more than|at least|more expensive than|starting at|upwards of|minimum(?: of)?|no less than|"
    r"exceeding|"
    r"higher than)"
)
_RANGE = re.compile(
    rf"(?:between|from)\s+[$€£]?\s?{_NUMBER}\s*(?:and|to|-)\s*{_MONEY}|"
    rf"between\s+[$€£]{_NUMBER}\s*(?:and|to|-)\s*[$€£]?\s?{_NUMBER}"
)
_MOST = re.compile(
    rf"{_BELOW}\s+(?:about |around )?(?:{_MONEY}|{_BARE})|"
    rf"{_MONEY}\s*(?:or less|or under|max\b|budget|or cheaper|tops)"
)
_LEAST = re.compile(
    rf"{_ABOVE}\s+(?:about |around )?(?:{_MONEY}|{_BARE})|{_MONEY}\s*(?:or more|or over|and up|minimum)"
)
_NEAR = re.compile(rf"(?:around|about|roughly|approximately|near)\s+{_MONEY}")
_EXACT = re.compile(_MONEY)
_FREE = re.compile(
    r"\b(?:is|are|be|it's|was|get) (?:[\w-]+ ){0,4}?(?:free|for free|gratis)\b(?! shipping| delivery| return)|"
    r"\bfree of charge\b"
)
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "dollar": "USD", "dollars": "USD", "usd": "USD", "euro": "EUR",
          "euros": "EUR", "eur": "EUR", "pounds": "GBP", "gbp": "GBP", "bucks": "USD", "quid": "GBP", "franc": "CHF",
          "chf": "CHF", "yen": "JPY", "jpy": "JPY", "cad": "CAD", "aud": "AUD", "nzd": "NZD", "kronor": "SEK",
          "sek": "SEK", "kroner": "NOK", "nok": "NOK", "dkk": "DKK", "rupee": "INR", "inr": "INR", "zloty": "PLN",
          "pln": "PLN", "kr": "SEK"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amounts:
    """Bounds of a price that a question names, in whole units; ``exact``: what it says that something costs.

    ``currency``: named, if any. ``spans``: where the amounts stand. ``is_strict``: the most is too much;
    ``is_over``: the least is too little.
    """

    least: float | None = None
    most: float | None = None
    exact: float | None = None
    currency: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    is_strict: bool = False
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Best:
    """A superlative or comparative: ``of`` is price, stock, or an attribute's size; ``is_most``: the largest.

    ``adjective``: of the size, if one is said that tells what is measured, as "heavy". ``rank``: 2 for the second.
    """

    of: Literal["price", "stock", "size"]
    is_most: bool
    word: str
    adjective: str = ""
    rank: int = 1


_BEST: tuple[tuple[str, Best], ...] = (
    (r"\b(günstigste[rsn]?|billigste[rsn]?|más barat[oa]|moins ch[eè]re?|meno car[oa]|mais barat[oa]|cheapest|"
    r"least expensive|lowest[- ]priced?|lowest (price|cost)|most affordable|least costly|minimum price|"
     r"most inexpensive|best price)\b", Best("price", False, "cheapest")),
    (r"\b(teuerste[rsn]?|más car[oa]|plus ch[eè]re?|più car[oa]|mais car[oa]|most expensive|priciest|"
    r"highest[- ]priced?|highest (price|cost)|dearest|most costly|maximum price|"
    r"costliest)\b",
     Best("price", True, "most expensive")),
    (r"\b(most (in )?stock|highest (stock|inventory|quantity)|best stocked|most (units|pieces)|largest stock|"
     r"most available|in stock the most|(stock|have) the most( of)?)\b", Best("stock", True, "most in stock")),
    (r"\b(least (in )?stock|lowest (stock|inventory|quantity)|fewest (units|pieces|left|in stock)|fewest in stock|"
     r"least units)\b", Best("stock", False, "fewest in stock")),
)  # fmt: skip
_BEST_PATTERNS = tuple((re.compile(pattern), best) for pattern, best in _BEST)
_THAN: tuple[tuple[str, Best], ...] = (
    (r"\b(cheaper|less expensive|costs? less|lower price|more affordable)\b", Best("price", False, "cheaper")),
    (r"\b(more expensive|pricier|costs? more|higher price|dearer)\b", Best("price", True, "more expensive")),
)  # fmt: skip
_THAN_PATTERNS = tuple((re.compile(pattern), best) for pattern, best in _THAN)
_SIZE_BEST = re.compile(
    rf"(?<!at )\b({'|'.join(SUPERLATIVES)}|maximum|minimum|least|most (?:storage|memory|ram|pieces|capacity|battery))\b"
    r"(?! (?:of )?\d)"
)
_SIZE_THAN = re.compile(rf"\b({'|'.join(COMPARATIVES)}|more (?:storage|memory|ram|pieces))\b")
COMPARES = re.compile(
    r"\b(vs|versus|compared?|comparison|difference|differ|between)\b|\bwhich (one )?(of|is|has|are|costs?)\b|"
    rf"\b(cheaper|pricier|more expensive|less expensive|costs? (more|less)|{'|'.join(COMPARATIVES)})\b|"
    r"\bhow much (more|less|extra)\b"
)
SORTS = re.compile(
    r"\b(versions?|variants?|variations?|options?|models?|kinds?|types?|configurations?|sorts?|different)\b"
)


NEVER_TOLD = re.compile(
    r"\b(last|previous|past) (year|month|week|season|summer|winter|time)\b|\b(ago|yesterday|used to|average)\b|"
    r"\b(did|have) you (\w+ )?(sell|sold)\b(?! out)|\bhow (well|often) .*\bsell|"
    r"\bworth\b(?! [$€£]?\d)|"
    r"\b(will|going to|when|soon)\b.*\b(get|be|become|go) (\w+ )?(cheaper|dearer|down|up|reduced|on sale)\b"
)
"""Asks of another time, or for an opinion, of which no catalog tells."""
_OUT = r"(?:out of stock|sold out|unavailable|run out|out of)\b"
_LACKS = re.compile(rf"\b{_OUT}")
_DENIES = re.compile(
    rf"(?:\bnot|\bno longer|\b(?:is|are)n'?t) (?:(?:yet|now|all|currently) )?(?:{_OUT}|(?:in stock|available)\b)"
)


def asks_what_lacks(text: str) -> bool:
    """Whether a question asks what cannot be had: "sold out", "not in stock", and not "not sold out"."""
    return (_LACKS.search(text) is not None) != (_DENIES.search(text) is not None)


def asked_of(text: str) -> Asked:
    """What kind of thing a question asks."""
    return next((kind for kind, pattern in _ASKED_PATTERNS if pattern.search(text)), "")


def best_of(text: str) -> Best | None:
    """The superlative of a question: only where a word says it."""
    for pattern, best in _BEST_PATTERNS:
        if found := pattern.search(text):
            return _ranked(best, text[: found.start()])
    if found := _SIZE_BEST.search(text):
        adjective = SUPERLATIVES.get(found.group(1), "")
        is_most = adjective not in LESS and found.group(1) not in FEWEST
        return _ranked(Best("size", is_most, found.group(1), adjective), text[: found.start()])
    return None


RANKS = {"second": 2, "2nd": 2, "next": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5}


def _ranked(best: Best, before: str) -> Best:
    """The second, if the word before a superlative says so."""
    word = before.replace("-", " ").split()[-1:]
    rank = RANKS.get(word[0], 1) if word else 1
    return replace(best, rank=rank, word=f"{word[0]} {best.word}") if rank > 1 else best


def than_of(text: str) -> Best | None:
    """The comparative of a question."""
    known = next((best for pattern, best in _THAN_PATTERNS if pattern.search(text)), None)
    if known is None and (found := _SIZE_THAN.search(text)):
        adjective = COMPARATIVES.get(found.group(1), "")
        return Best("size", adjective not in LESS, found.group(1), adjective)
    return known


FEWEST = frozenset(["minimum", "least", "fewest", "less", "fewer"])
"""Words that mean less of the option that is named after them."""


def amounts_of(text: str) -> Amounts:
    """Amounts of money that a question names."""
    if found := _RANGE.search(text):
        numbers = [price_number(each) for each in re.findall(r"\d+(?:[.,]\d+)*", found.group())]
        if len(numbers) == 2 and None not in numbers:
            low, high = sorted(float(each) for each in numbers if each is not None)
            return Amounts(low, high, None, _currency(found.group()), (found.span(),))
    most, least, near = _MOST.search(text), _LEAST.search(text), _NEAR.search(text)
    if most or least:
        spans = tuple(each.span() for each in (most, least) if each)
        strict = bool(most and re.match(r"under|below|less|cheaper|for less|lower|beneath", most.group()))
        named = _currency((most.group() if most else "") + (least.group() if least else ""))
        is_over = bool(least and re.match(r"over|above|more|exceed|higher", least.group()))
        return Amounts(_amount(least), _amount(most), None, named, spans, strict, is_over)
    if near:
        about = _amount(near) or 0.0
        return Amounts(about * 0.8, about * 1.2, None, _currency(near.group()), (near.span(),))
    if exact := _EXACT.search(text):
        return Amounts(None, None, _amount(exact), _currency(exact.group()), (exact.span(),))
    if free := _FREE.search(text):
        return Amounts(exact=0.0, spans=(free.span(),))
    return Amounts()


def _amount(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    numbers = re.findall(r"\d+(?:[.,]\d+)*", match.group())
    return price_number(numbers[-1]) if numbers else None


def price_number(text: str) -> float | None:
    """A number as prices are written: "1,299.00" and "1.299,00", and "1.300" is more than a thousand."""
    try:
        return read_price(text, "USD").micros / MICROS
    except ValueError:
        return None


def _currency(text: str) -> str:
    return next((code for sign, code in _SIGNS.items() if sign in text), "")
