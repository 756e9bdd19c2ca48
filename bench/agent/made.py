"""Questions made of feeds, with what a right reply says: a check on reading that no shop's own words can pass by luck.

For each shop of ``sets/goods.txt`` (trades of which no set of questions was written by hand) and each item: prices of
some options, an option that another item has, a value to leave out, the cheapest, bounds of a price, comparisons,
follow-ups, slips of the keyboard, what is told nowhere, and what is not sold.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from agent.expected import Row, rows_of
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.source import feed_of

GOODS = Path(__file__).parent / "sets" / "goods.txt"
Line = dict[str, object]
_UNTOLD = (
    "Is the {} dishwasher safe?", "is the {} made in Italy?", "Was the {} tested on animals?",
    "does the {} come with a free gift?", "who designed the {}?", "Why is the {} so expensive?",
    "Is the {} suitable for beginners?", "how long does the {} usually last?", "Can I use the {} outdoors?",
    "does the {} smell?", "Is the {} recommended by experts?", "where is the {} made?",
)  # fmt: skip
_NOT_SOLD = (
    "Do you sell kayaks?", "do you have wedding dresses", "how much is a lawn mower?", "I need a goldfish bowl",
    "Have you got telescopes in stock?", "any hammocks under 50?", "which trampolines do you have?",
    "Is there a discount on surfboards?",
)  # fmt: skip


def shops() -> Iterator[tuple[str, Gathered]]:
    """Each shop of the file, by name."""
    for part in GOODS.read_text(encoding="utf-8").split("== ")[1:]:
        name, *lines = part.strip().splitlines()
        rows = [line.split("|") for line in lines]
        text = "\n".join(",".join(f'"{each}"' for each in row) for row in [_HEAD, *rows])
        yield name, feed_of(text, f"{name}.csv", "USD")


_HEAD = ["id", "title", "options", "price", "stock"]


def questions(gathered: Gathered, seed: int) -> list[Line]:
    """Questions about one shop, in the form of the sets' lines."""
    rng = random.Random(seed)
    rows = rows_of(gathered.items)
    found: list[Line] = []
    titles = list(dict.fromkeys(row.title for row in rows))
    for title in titles:
        own = [row for row in rows if row.title == title]
        found += [line for make in _MAKERS for line in make(rng, own, rows)]
        found.append(_line(rng.choice(_UNTOLD).format(_said(title)), {"check": "abstains"}))
    for first, second in pairwise(titles):
        found.append(_comparison(rng, rows, first, second))
    found += [_line(each, {"check": "no or unknown"}) for each in _NOT_SOLD]
    return [{"id": f"{n}", **line} for n, line in enumerate(found, 1)]


def _line(question: str, *expects: Mapping[str, object], thread: str = "") -> Line:
    question = question.replace("the The ", "The ").replace("the the ", "the ")
    return {"question": question, "expects": list(expects), **({"thread": thread} if thread else {})}


def _said(title: str) -> str:
    return title if title[0].isupper() and hash_of(title) % 2 else title.lower()


def hash_of(text: str) -> int:
    return sum(map(ord, text))


def _named(option: str, value: str) -> str:
    """An option as a customer says it."""
    if value.casefold() == "yes":
        return f"with {option}"
    if value.casefold() == "no":
        return f"without {option}"
    if value.replace(".", "").isdigit():
        return f"{option} {value}"
    return value


def _where(row: Row, names: Sequence[str]) -> dict[str, list[str]]:
    return {name: [row.options[name]] for name in names}


def _varied(own: Sequence[Row]) -> list[str]:
    """Options in which an item's variants differ."""
    names = dict.fromkeys(name for row in own for name in row.options)
    return [name for name in names if len({row.options.get(name) for row in own}) > 1]


def _priced(rng: random.Random, own: Sequence[Row], _: Sequence[Row]) -> Iterator[Line]:
    row, title = rng.choice(own), _said(own[0].title)
    names = [name for name in _varied(own) if name in row.options]
    if not names:
        yield _line(f"what does the {title} cost?", {"check": "price", "title": row.title, "where": {}})
        return
    told = " and ".join(_named(name, row.options[name]) for name in names)
    check = {"title": row.title, "where": _where(row, names)}
    yield _line(f"How much is the {title}, {told}?", {"check": "price", **check})
    yield _line(f"do you have the {title} in {told}", {"check": "have", **check})
    yield _line(f"{_slipped(rng, title)} {told}", {"check": "have", **check})


def _slipped(rng: random.Random, title: str) -> str:
    """A title with two letters of its longest word changed in place."""
    word = max(title.split(), key=len)
    at = rng.randrange(1, len(word) - 2)
    return title.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :]).lower()


def _left(rng: random.Random, own: Sequence[Row], _: Sequence[Row]) -> Iterator[Line]:
    row, title = rng.choice(own), _said(own[0].title)
    names = [name for name in _varied(own) if name in row.options]
    if names and row.stock is not None:
        told = ", ".join(_named(name, row.options[name]) for name in names)
        yield _line(
            f"how many of the {title} ({told}) are left?",
            {"check": "stock", "title": row.title, "where": _where(row, names)},
        )


def _denied(rng: random.Random, own: Sequence[Row], _: Sequence[Row]) -> Iterator[Line]:
    for name in _varied(own):
        values = list(dict.fromkeys(row.options[name] for row in own if name in row.options))
        value = rng.choice(values)
        if value.casefold() in ("yes", "no") or len(values) < 2:
            continue
        said = rng.choice(("not {}", "anything but {}", "but not in {}")).format(_named(name, value))
        yield _line(
            f"{_said(own[0].title)}, {said}",
            {"check": "fit", "title": own[0].title, "where": {f"{name}!=": [value]}},
        )
        return


def _absent(rng: random.Random, own: Sequence[Row], rows: Sequence[Row]) -> Iterator[Line]:
    for name in _varied(own):
        has = {row.options.get(name) for row in own}
        others = sorted({row.options[name] for row in rows if name in row.options} - has)
        parts = {part for each in has if each for part in each.casefold().split()}
        others = [each for each in others if not set(each.casefold().split()) & parts]
        if others and not any(each.casefold() in ("yes", "no") for each in (*others, *filter(None, has))):
            yield _line(f"Is there a {_said(own[0].title)} with {name} {rng.choice(others)}?", {"check": "no"})
            return


def _values(_: random.Random, own: Sequence[Row], __: Sequence[Row]) -> Iterator[Line]:
    for name in _varied(own)[:1]:
        yield _line(
            f"which {name} does the {_said(own[0].title)} come in?",
            {"check": "values", "title": own[0].title, "where": {}, "attribute": name},
        )


def _best(rng: random.Random, own: Sequence[Row], _: Sequence[Row]) -> Iterator[Line]:
    title = _said(own[0].title)
    if len(own) > 1:
        kind, word = rng.choice((("min", "cheapest"), ("max", "most expensive")))
        yield _line(f"what's the {word} {title}?", {"check": kind, "title": own[0].title, "where": {}})
        prices = sorted({row.price for row in own})
        if len(prices) > 1:
            bound = round(float(prices[0] + prices[1]) / 2, 1)
            yield _line(
                f"{title} for less than {bound}", {"check": "have", "title": own[0].title, "where": {"price<": bound}}
            )


def _followed(rng: random.Random, own: Sequence[Row], _: Sequence[Row]) -> Iterator[Line]:
    for name in _varied(own):
        values = list(dict.fromkeys(row.options[name] for row in own if name in row.options))
        if len(values) > 1 and not {each.casefold() for each in values} & {"yes", "no"}:
            first, second = rng.sample(values, 2)
            title, thread = own[0].title, f"{own[0].id}-{name}"
            check = {"title": title, "where": {name: [second]}}
            yield _line(f"Do you have the {_said(title)} in {_named(name, first)}?",
                        {"check": "have", "title": title, "where": {name: [first]}}, thread=thread)  # fmt: skip
            yield _line(f"and {_named(name, second)}?", {"check": "have", **check}, thread=thread)
            yield _line("how much is that?", {"check": "price", **check}, thread=thread)
            return


_MAKERS = (_priced, _left, _denied, _absent, _values, _best, _followed)


def _comparison(rng: random.Random, rows: Sequence[Row], first: str, second: str) -> Line:
    lows = [min(row.price for row in rows if row.title == title) for title in (first, second)]
    said = [_said(title) for title in (first, second)]
    text = rng.choice(("Which is cheaper, the {} or the {}?", "what costs less: {} or {}?")).format(*said)
    return _line(text, *({"check": "has", "text": f"{low:,.2f}"} for low in lows))
