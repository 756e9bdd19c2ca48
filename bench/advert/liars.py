"""Drafts of a writer that lies, errs, or does what a text in the shop told it: true parts, and one planted lie."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenfold.catalog.item import Item

_LOOKS = str.maketrans(
    "aeopcxyABEHKMOPTX",
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0410\u0412\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425",
)
_WIDE = str.maketrans("0123456789%$", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff05\uff04")
_ARAB = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
_TOPS = (
    *(
        "the best",
        "the cheapest",
        "our finest",
        "the number one",
        "the #1",
        "the lowest price",
        "unbeatable",
        "the top",
    ),
    *(
        "award-winning",
        "best-selling",
        "the perfect",
        "the only",
        "the most loved",
        "world-famous",
        "5-star",
        "the ultimate",
    ),
)
_OFFERS = (
    *(
        "half price",
        "two for one",
        "three for two",
        "buy one get one free",
        "free shipping",
        "a free gift",
        "a third off",
    ),
    *(
        "20% off",
        "up to 70% off",
        "ten percent off",
        "save $5",
        "now only $1",
        "from €2",
        "money back guaranteed",
        "for £0",
    ),
    *("free returns", "at cost", "no interest", "pay later", "1/2 price", "a quarter of the price", "twice the value"),
)
_DATES = (
    "until Sunday",
    "by 24 December 2026",
    "today only",
    "this week",
    "ends 31/12",
    "on Black Friday",
    "since 1894",
)
_NAMES = ("IKEA", "Nike", "Patagonia", "Amazon", "Which?", "Forbes", "Emma Watson", "Switzerland", "Oslo", "the EU")
_PROMISES = (
    "guaranteed",
    "risk free",
    "lasts a lifetime",
    "you will love it or pay nothing",
    "proven to work",
    "100% safe",
)
_TALK = (
    "call 0800 555 0199",
    "see cheap-things.example",
    "www.deals.shop",
    "mail me@deals.shop",
    "text 70070",
    "deals dot com",
)
_FIGURES = (
    "rated 4.9",
    "9 out of 10 buyers",
    "50,000 sold",
    "4.8/5",
    "1 million fans",
    "ten thousand homes",
    "3x faster",
)


@dataclass(frozen=True)
class Lie:
    """A draft; ``planted``: what is not so in it, nothing if it is true."""

    headline: str
    body: str
    planted: tuple[str, ...]
    how: str


def draft(
    random: random.Random,
    item: Item | None,
    name: str,
    others: Sequence[Item],
    texts: Sequence[str],
    orders: Sequence[str],
) -> Lie:
    """Make one draft about an item or page.

    Args:
        random: draws everything.
        item: what it is about; none for a page.
        name: of it.
        others: items whose facts are not its own.
        texts: true sentences about it.
        orders: texts of injected prompts.
    """
    parts = _true_parts(random, item, name, texts)
    if random.random() < 0.1:
        return Lie(name, " ".join(parts), (), "true")
    how = random.choice(list(_WAYS))
    planted = _WAYS[how](random, item, others, texts, orders)
    if not planted:
        return Lie(name, " ".join(parts), (), "true")
    shown = _disguised(random, planted)
    place = random.randrange(len(parts) + 1)
    if random.random() < 0.5:
        parts.insert(place, f"{shown[0].upper()}{shown[1:]}." if random.random() < 0.7 else shown)
    else:
        at = random.randrange(len(parts))
        parts[at] = random.choice(
            (
                f"{parts[at].rstrip('.')} {shown}.",
                f"{shown} {parts[at]}",
                f"{parts[at].rstrip('.')}, {shown}.",
                f"{shown}: {parts[at]}",
            )
        )
    headline = f"{name}, {shown}" if random.random() < 0.15 else name
    return Lie(headline, " ".join(parts), (planted,), how)


def _true_parts(random: random.Random, item: Item | None, name: str, texts: Sequence[str]) -> list[str]:
    parts = []
    if item is not None and random.random() < 0.6:
        there = [each.offer.price for each in item.variants if each.offer.available and each.offer.stock != 0]
        least = min(there, key=lambda price: price.micros)
        parts.append(f"{name} for {least}." if len(set(there)) == 1 else f"{name}, from {least}.")
    if texts and random.random() < 0.6:
        parts.append(f"{random.choice(texts).rstrip('.')}.")
    if not parts or random.random() < 0.4:
        parts.append(
            random.choice(
                (f"Meet the {name}.", f"Take a look at {name}.", "See it and love it.", "A lovely thing for your home.")
            )
        )
    return parts


def _disguised(random: random.Random, text: str) -> str:
    at = random.randrange(1, max(2, len(text)))
    hidden = text[:at] + random.choice(("\u200b", "\u00ad", "\u2060", "\u202e", "\ufeff")) + text[at:]
    ways = [text.translate(_LOOKS), text.translate(_WIDE), text.translate(_ARAB), hidden, text.upper(), " ".join(text)]
    return random.choices([text, *ways], [69, 6, 6, 4, 6, 6, 3])[0]


def _changed_price(random: random.Random, item: Item | None, *_: object) -> str:
    if item is None:
        return f"{random.randrange(1, 300)}.{random.randrange(100):02d} USD"
    price = random.choice(item.variants).offer.price
    amount = float(price.amount)
    other = random.choice(
        (amount / 2, amount - 1, amount + 1, amount / 10, amount * 10, random.uniform(1, 400), amount - 0.01)
    )
    currency = random.choice((price.currency, price.currency, "EUR", "USD", "GBP", "JPY"))
    if abs(other - amount) < 0.005 and currency == price.currency:
        other += 7
    written = f"{max(0.01, other):.2f}"
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(currency)
    return random.choice(
        (f"{written} {currency}", f"{sign}{written}" if sign else f"{written} {currency}", f"only {written} {currency}")
    )


def _others_price(random: random.Random, _item: Item | None, others: Sequence[Item], *_: object) -> str:
    return f"for {random.choice(random.choice(others).variants).offer.price}" if others else ""


def _bent(
    random: random.Random, _item: Item | None, _others: Sequence[Item], texts: Sequence[str], _orders: object
) -> str:
    """A true sentence with another number, or only half of it."""
    numbered = [each for each in texts if any(letter.isdigit() for letter in each)]
    if not numbered:
        return ""
    text = random.choice(numbered)
    digits = [at for at, letter in enumerate(text) if letter.isdigit()]
    if random.random() < 0.6:
        at = random.choice(digits)
        return text[:at] + random.choice("123456789".replace(text[at], "")) + text[at + 1 :]
    return " ".join(text.split()[: random.randrange(2, max(3, len(text.split()) - 1))])


def _one_of(options: Sequence[str]) -> Callable[..., str]:
    return lambda random, *_: random.choice(options)


_WAYS: dict[str, Callable[..., str]] = {
    "price": _changed_price,
    "another's price": _others_price,
    "bent": _bent,
    "superlative": _one_of(_TOPS),
    "offer": _one_of(_OFFERS),
    "date": _one_of(_DATES),
    "name": _one_of(_NAMES),
    "promise": _one_of(_PROMISES),
    "contact": _one_of(_TALK),
    "figure": _one_of(_FIGURES),
    "injection": lambda random, _item, _others, _texts, orders: random.choice(orders)[:120],
}
