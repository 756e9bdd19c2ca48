"""Questions that ask for what is there: prices, combinations, superlatives, bounds, comparisons, what is not wanted."""

from collections.abc import Iterator

from agent.shelf import FACTORS, SIZE, Line, Shelf, is_flag, line_of, said_of, size_of, where_of


def prices(shelf: Shelf) -> Iterator[Line]:
    row = shelf.rng.choice(shelf.own)
    names = [name for name in shelf.varied() if name in row.options]
    told = ", ".join(said_of(name, row.options[name]) for name in names)
    check = shelf.check("price", where_of(row, names))
    yield line_of(
        shelf.pick(
            f"How much is the {shelf.said} ({told})?",
            f"price of the {shelf.said}, {told}",
            f"what would a {shelf.said} cost me, {told}?",
            f"{shelf.said} {told} price?",
        ),
        check,
    )
    if names:
        name = shelf.rng.choice(names)
        yield line_of(
            f"what do you charge for the {shelf.said} {said_of(name, row.options[name])}?",
            shelf.check("price", where_of(row, [name])),
        )


def exist(shelf: Shelf) -> Iterator[Line]:
    names = shelf.varied()[:3]
    if names:
        chosen = {name: shelf.rng.choice(shelf.of(name)) for name in names}
        told = " and ".join(
            said_of(name, value) for name, value in sorted(chosen.items(), key=lambda each: is_flag(each[1]))
        )
        yield line_of(
            shelf.pick(
                f"Do you have the {shelf.said} in {told}?",
                f"is there a {shelf.said} with {told}?",
                f"can I get the {shelf.said}, {told}?",
            )
            .replace("with with", "with")
            .replace("with without", "without")
            .replace(" in with", " with"),
            shelf.check("have", {name: [value] for name, value in chosen.items()}),
        )


def foreign(shelf: Shelf) -> Iterator[Line]:
    """A value that another item has for an option, or no item at all."""
    for name in shelf.worded():
        has = {part for each in shelf.of(name) for part in each.casefold().split()}
        others = [v for row in shelf.rows for n, v in row.options.items() if n == name and row.title != shelf.title]
        others = [each for each in others if not has & set(each.casefold().split())]
        if others:
            value = shelf.rng.choice(others)
            yield line_of(
                shelf.pick(
                    f"how much is the {shelf.said} with {name} {value}?",
                    f"Do you have a {value} {shelf.said}?",
                    f"{shelf.said} in {value}?",
                ),
                {"check": "no"},
            )
            return
    for name in shelf.measured():
        sizes = [size_of(value) or 0 for value in shelf.of(name)]
        unit = SIZE.fullmatch(shelf.of(name)[-1])
        if unit and unit.group(2):
            value = f"{round(max(sizes) / FACTORS.get(unit.group(2), 1) * 1.7 + 1)} {unit.group(2)}"
            yield line_of(
                shelf.pick(
                    f"is there a {shelf.said} with {value} {name}?", f"do you sell the {shelf.said} in {value}?"
                ),
                {"check": "no"},
            )
            return


def cheapest(shelf: Shelf) -> Iterator[Line]:
    kind, word = shelf.rng.choice((("min", "cheapest"), ("max", "most expensive"), ("min", "least expensive")))
    yield line_of(
        shelf.pick(
            f"what's the {word} {shelf.said}?", f"{word} {shelf.said} please", f"Which {shelf.said} is the {word}?"
        ),
        shelf.check(kind, {}),
    )
    for name in shelf.worded()[:1]:
        value = shelf.rng.choice(shelf.of(name))
        yield line_of(f"which is the {word} {shelf.said} with {name} {value}?", shelf.check(kind, {name: [value]}))
        yield line_of(f"the {word} {shelf.said} that is not {value}?", shelf.check(kind, {f"{name}!=": [value]}))


def largest(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.measured()[:2]:
        is_most = shelf.rng.random() < 0.5
        words = ("largest", "highest", "maximum", "greatest") if is_most else ("smallest", "lowest", "minimum")
        best = (max if is_most else min)(shelf.of(name), key=lambda value: size_of(value) or 0)
        yield line_of(
            shelf.pick(
                f"Which {shelf.said} has the {shelf.rng.choice(words)} {name}?",
                f"I want the {shelf.said} with the {shelf.rng.choice(words)} {name}",
                f"what is the {shelf.rng.choice(words)} {name} you have for the {shelf.said}?",
            ),
            shelf.check("any", {name: [best]}),
        )
        if name in shelf.counted():
            yield line_of(
                f"Which {shelf.said} has the {'most' if is_most else 'fewest'} {name}?",
                shelf.check("any", {name: [best]}),
            )


def bounds(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.measured()[:2]:
        values = sorted(shelf.of(name), key=lambda value: size_of(value) or 0)
        at = shelf.rng.randrange(len(values))
        is_least = shelf.rng.random() < 0.5
        kept = values[at:] if is_least else values[: at + 1]
        word = shelf.rng.choice(("at least", "minimum") if is_least else ("at most", "up to", "no more than"))
        yield line_of(
            shelf.pick(
                f"is there a {shelf.said} with {word} {values[at]} {name}?",
                f"{shelf.said}, {name} {word} {values[at]}",
                f"I need a {shelf.said} with a {name} of {word} {values[at]}",
            ),
            shelf.check("have", {name: kept}),
        )
        if len(values) > 1:
            more = values[1:]
            yield line_of(f"any {shelf.said} with more than {values[0]} {name}?", shelf.check("have", {name: more}))


def compared(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.worded()[:1]:
        first, second = shelf.rng.sample(shelf.of(name), 2)
        lows = [min(row.price for row in shelf.own if row.options.get(name) == each) for each in (first, second)]
        if lows[0] == lows[1]:
            return
        told = [{"check": "has", "text": f"{low:,.2f}"} for low in lows]
        yield line_of(f"which {shelf.said} is cheaper, {said_of(name, first)} or {said_of(name, second)}?", *told)
        is_one = all(sum(row.options.get(name) == each for row in shelf.own) == 1 for each in (first, second))
        if is_one:
            yield line_of(
                f"Is the {said_of(name, first)} {shelf.said} cheaper than the {said_of(name, second)} one?",
                {"check": "yes" if lows[0] < lows[1] else "no"},
            )
            yield line_of(
                f"how much more is the {shelf.said} in {first} than in {second}?",
                {"check": "has", "text": f"{abs(lows[0] - lows[1]):,.2f}"},
            )
    others = [row for row in shelf.rows if row.title != shelf.title]
    if others:
        other = shelf.rng.choice(others).title
        lows = [min(row.price for row in shelf.rows if row.title == title) for title in (shelf.title, other)]
        yield line_of(
            shelf.pick(
                f"what costs less, the {shelf.said} or the {other.lower()}?",
                f"compare {shelf.said} and {other}",
                f"is the {shelf.said} or the {other} cheaper?",
            ),
            *({"check": "has", "text": f"{low:,.2f}"} for low in lows),
        )


def denied(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.worded()[:2]:
        value = shelf.rng.choice(shelf.of(name))
        yield line_of(
            shelf.pick(
                f"{shelf.said}, not {value}",
                f"which {shelf.said} do you have that isn't {value}?",
                f"I'd like a {shelf.said}, anything but {value}",
                f"do you have a {shelf.said} other than {value}?",
                f"{shelf.said} except {value}",
            ),
            shelf.check("fit", {f"{name}!=": [value]}),
        )
        if len(shelf.of(name)) > 2:
            two = shelf.rng.sample(shelf.of(name), 2)
            yield line_of(
                f"a {shelf.said} that is neither {two[0]} nor {two[1]}", shelf.check("fit", {f"{name}!=": two})
            )


def joined(shelf: Shelf) -> Iterator[Line]:
    names = shelf.worded()
    if len(names) > 1 and len(shelf.of(names[0])) > 2:
        first, second = names[:2]
        two, barred = shelf.rng.sample(shelf.of(first), 2), shelf.rng.choice(shelf.of(second))
        where: dict[str, object] = {first: two, f"{second}!=": [barred]}
        yield line_of(f"I want a {shelf.said} in {two[0]} or {two[1]}, but not {barred}", shelf.check("fit", where))
        bound = sorted(row.price for row in shelf.own)[len(shelf.own) // 2]
        yield line_of(
            f"{shelf.said} in {two[0]} or {two[1]} for under {bound}",
            shelf.check("have", {first: two, "price<": float(bound)}),
        )
    flags = [name for name in shelf.varied() if all(map(is_flag, shelf.of(name)))]
    for name in flags[:1]:
        wanted = shelf.rng.choice(("yes", "no"))
        yield line_of(
            shelf.pick(f"do you have a {shelf.said} {said_of(name, wanted)}?", f"{shelf.said} {said_of(name, wanted)}"),
            shelf.check("have", {name: [wanted]}),
        )
