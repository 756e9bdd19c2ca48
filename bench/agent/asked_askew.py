"""Questions that take something wrong for granted, ask it the other way round, go on, or ask what no table tells."""

from collections.abc import Iterator

from agent.shelf import Line, Shelf, line_of, said_of, where_of


def supposed(shelf: Shelf) -> Iterator[Line]:
    """What is wrongly taken for granted."""
    row = shelf.rng.choice(shelf.own)
    wrong = float(max(each.price for each in shelf.own)) + shelf.rng.choice((3, 10.5, 40))
    yield line_of(
        shelf.pick(
            f"I read that the {shelf.said} costs {wrong:.2f} USD. Is that right?",
            f"the {shelf.said} is ${wrong:.2f}, correct?",
            f"Why does the {shelf.said} cost ${wrong:.2f}?",
        ),
        {"check": "no"},
    )
    for name in shelf.worded()[:1]:
        value = row.options[name]
        every = {"check": "values", "title": shelf.title, "where": {}, "attribute": name}
        yield line_of(
            shelf.pick(
                f"Why is the {shelf.said} only available in {value}?",
                f"the {shelf.said} comes in {value} only, right?",
                f"So there's just the {value} {shelf.said}?",
            ),
            {"check": "either", "of": [{"check": "no"}, every, {"check": "abstains"}]},
        )
    there = [each for each in shelf.own if each.stock]
    if there and shelf.varied():
        row = shelf.rng.choice(there)
        told = ", ".join(said_of(name, row.options[name]) for name in shelf.varied())
        yield line_of(
            f"when will the {shelf.said} ({told}) be back in stock?",
            {"check": "either", "of": [shelf.check("have", where_of(row, shelf.varied())), {"check": "abstains"}]},
        )


def counted(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.worded()[:1]:
        yield line_of(
            shelf.pick(
                f"how many different {name}s does the {shelf.said} come in?",
                f"how many {name} options are there for the {shelf.said}?",
            ),
            shelf.check("nvalues", {}, attribute=name),
        )
        yield line_of(
            shelf.pick(
                f"which {name} does the {shelf.said} come in?",
                f"What {name} options are there for the {shelf.said}?",
                f"list the {name}s of the {shelf.said}",
                f"{shelf.said}: what's the {name}?",
            ),
            shelf.check("values", {}, attribute=name),
        )
    names = shelf.varied()
    row = shelf.rng.choice(shelf.own)
    told = ", ".join(said_of(name, row.options[name]) for name in names if name in row.options)
    yield line_of(
        shelf.pick(f"how many of the {shelf.said} ({told}) do you have left?", f"stock of {shelf.said}, {told}?"),
        shelf.check("stock", where_of(row, names)),
    )


def told_of(shelf: Shelf) -> Iterator[Line]:
    """An option's value of what is told apart by another; and yes or no to it."""
    names = shelf.worded()
    if len(names) > 1:
        known, asked = shelf.rng.sample(names, 2)
        value = shelf.rng.choice(shelf.of(known))
        yield line_of(
            f"what {asked} does the {said_of(known, value)} {shelf.said} come in?",
            shelf.check("values", {known: [value]}, attribute=asked),
        )
        other = shelf.rng.choice(shelf.of(asked))
        has = any(row.options.get(known) == value and row.options.get(asked) == other for row in shelf.own)
        yield line_of(
            f"does the {said_of(known, value)} {shelf.said} come with {asked} {other}?",
            {"check": "no"} if not has else shelf.check("have", {known: [value], asked: [other]}),
        )


def across(shelf: Shelf) -> Iterator[Line]:
    """What is asked of all that is sold."""
    if shelf.title != shelf.rows[0].title:
        return
    everything = {"title": "~", "where": {}}
    yield line_of("what's the cheapest thing you sell?", {"check": "min", **everything})
    yield line_of("what is your most expensive product?", {"check": "max", **everything})
    low, high = sorted(row.price for row in shelf.rows)[2], max(row.price for row in shelf.rows)
    yield line_of(
        f"anything for less than {low}?", {"check": "anyof", "of": [{"title": "~", "where": {"price<": float(low)}}]}
    )
    yield line_of(f"do you have something over {high + 5} USD?", {"check": "no"})
    names = [name for row in shelf.rows for name, value in row.options.items() if value == "yes"]
    if names:
        name = shelf.rng.choice(names)
        yield line_of(
            f"which products come with {name}?", {"check": "anyof", "of": [{"title": "~", "where": {name: ["yes"]}}]}
        )


_UNTOLD = (
    "Is the {} dishwasher safe?",
    "is the {} made in Italy?",
    "does the {} come with a free gift?",
    "who designed the {}?",
    "Is the {} suitable for beginners?",
    "how long does the {} usually last?",
    "does the {} smell?",
    "where is the {} made?",
    "What's the warranty on the {}?",
    "is the {} insured?",
    "can I return the {} after use?",
    "Has the {} won any awards?",
    "how much does the {} weigh?",
    "Do students get a discount on the {}?",
    "what do other customers say about the {}?",
    "is the {} better than what your competitors have?",
    "Is the {} vegan?",
    "can you deliver the {} by Friday?",
)


def untold(shelf: Shelf) -> Iterator[Line]:
    for text in shelf.rng.sample(_UNTOLD, 2):
        options = {word for row in shelf.own for name in row.options for word in name.split()}
        if not options & set(text.split()) and not ("weigh" in text and "weight" in options):
            yield line_of(text.format(shelf.said), {"check": "abstains"})
    other = shelf.rng.choice(shelf.elsewhere).lower()
    yield line_of(
        shelf.pick(
            f"Do you sell a {other}?", f"how much is a {other}?", f"I'm looking for a {other}", f"{other} in stock?"
        ),
        {"check": "no or unknown"},
    )


def slipped(shelf: Shelf) -> Iterator[Line]:
    word = max(shelf.title.split(), key=len)
    at = shelf.rng.randrange(1, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    doubled = word[:at] + word[at] + word[at:]
    typed = shelf.title.replace(word, shelf.rng.choice((swapped, doubled, word[:at] + word[at + 1 :]))).lower()
    names = shelf.worded()[:1]
    value = shelf.rng.choice(shelf.of(names[0])) if names else ""
    yield line_of(
        f"do u have {typed} {said_of(names[0], value) if names else ''}".strip(),
        shelf.check("have", {names[0]: [value]} if names else {}),
    )


def followed(shelf: Shelf) -> Iterator[Line]:
    for name in shelf.worded()[:1]:
        first, second = shelf.rng.sample(shelf.of(name), 2)
        thread, check = f"{shelf.own[0].id}-{name}", {"title": shelf.title, "where": {name: [second]}}
        yield line_of(f"Do you have the {shelf.said} in {first}?", shelf.check("have", {name: [first]}), thread=thread)
        yield line_of(
            shelf.pick(f"and in {second}?", f"what about {second}?"), {"check": "have", **check}, thread=thread
        )
        yield line_of(shelf.pick("how much is that?", "what does it cost?"), {"check": "price", **check}, thread=thread)
        yield line_of("which is the cheapest of those?", {"check": "min", **check}, thread=thread)


def sold_out(shelf: Shelf) -> Iterator[Line]:
    """Stock asked for the other way round, and by how many are wanted."""
    row = shelf.rng.choice(shelf.own)
    names = [name for name in shelf.varied() if name in row.options]
    told = f"({', '.join(said_of(name, row.options[name]) for name in names)})" if names else ""
    is_one = len([each for each in shelf.own if all(each.options.get(n) == row.options[n] for n in names)]) == 1
    if not is_one:
        return
    is_out = not row.stock
    yes_no = {"check": "yes" if is_out else "no"}
    truth = {"check": "has", "text": "out of stock" if is_out else "is in stock"}
    yield line_of(
        shelf.pick(
            f"Is the {shelf.said} {told} sold out?",
            f"are you out of the {shelf.said} {told}?",
            f"is the {shelf.said} {told} out of stock",
        ),
        yes_no,
        truth,
    )
    wanted = shelf.rng.choice((2, 5, 12))
    yield line_of(
        shelf.pick(
            f"Can I buy {wanted} of the {shelf.said} {told}?",
            f"do you have at least {wanted} of the {shelf.said} {told} in stock?",
            f"have you got {wanted} {shelf.said} {told} on stock?",
        ),
        {"check": "yes" if (row.stock or 0) >= wanted else "no"},
    )
    total = row.price * wanted
    yield line_of(
        shelf.pick(
            f"how much would {wanted} of the {shelf.said} {told} be altogether?",
            f"total for {wanted} x {shelf.said} {told}?",
        ),
        {"check": "has", "text": f"{total:,.2f}"},
    )
    there = [each for each in shelf.own if each.stock]
    if there:
        yield line_of(
            f"cheapest {shelf.said} that is in stock",
            {"check": "has", "text": f"{min(each.price for each in there):,.2f}"},
        )
    yield line_of(
        f"how many versions of the {shelf.said} are sold out?",
        {"check": "either", "of": [{"check": "has", "text": f"{len(shelf.own) - len(there)} "}, {"check": "abstains"}]},
    )


def of_all(shelf: Shelf) -> Iterator[Line]:
    """Whether all, both or none are something."""
    for name in shelf.worded()[:1]:
        value = shelf.rng.choice(shelf.of(name))
        yield line_of(
            shelf.pick(
                f"Does every {shelf.said} come with {name} {value}?",
                f"are all the {shelf.said} {value}?",
                f"is the {shelf.said} always {value}?",
            ),
            {"check": "either", "of": [{"check": "no"}, {"check": "abstains"}]},
        )
        yield line_of(
            shelf.pick(
                f"Does the {shelf.said} come in any {name} other than {value}?",
                f"do you have the {shelf.said} with another {name} than {value}?",
            ),
            {
                "check": "either",
                "of": [
                    shelf.check("have", {f"{name}!=": [value]}),
                    shelf.check("values", {f"{name}!=": [value]}, attribute=name),
                ],
            },
            *([{"check": "not no"}] if any(row.stock for row in shelf.own if row.options.get(name) != value) else []),
        )
        first, second = shelf.rng.sample(shelf.of(name), 2)
        yield line_of(
            f"do you have the {shelf.said} in both {first} and {second}?", shelf.check("have", {name: [first, second]})
        )
        yield line_of(
            f"what's the price difference between the {first} and the {second} {shelf.said}?",
            *(
                {"check": "has", "text": f"{min(row.price for row in shelf.own if row.options.get(name) == each):,.2f}"}
                for each in (first, second)
            ),
        )
        alone = [row for row in shelf.own if row.price and sum(other.price == row.price for other in shelf.own) == 1]
        if alone:
            row = shelf.rng.choice(alone)
            yield line_of(
                f"the {shelf.said} that costs {row.price}: what {name} is it?",
                {"check": "has", "text": row.options[name]},
            )


def priced(shelf: Shelf) -> Iterator[Line]:
    """Bounds of a price as yes or no, with a superlative, and what is never told."""
    prices = sorted({row.price for row in shelf.own})
    low, high = prices[0], prices[-1]
    yield line_of(
        shelf.pick(
            f"Does the {shelf.said} cost less than {low}?",
            f"is there a {shelf.said} below {low} dollars?",
            f"is any {shelf.said} cheaper than {low} USD?",
        ),
        {"check": "no"},
    )
    yield line_of(
        shelf.pick(f"is there a {shelf.said} that costs more than {high}?", f"any {shelf.said} over {high}?"),
        {"check": "no"},
    )
    yield line_of(f"what {shelf.said} do you have between {low} and {high} USD?", shelf.check("have", {}))
    if len(prices) > 2:
        yield line_of(f"most expensive {shelf.said} under {high} USD", {"check": "has", "text": f"{prices[-2]:,.2f}"})
        yield line_of(f"the cheapest {shelf.said} over {low} dollars?", {"check": "has", "text": f"{prices[1]:,.2f}"})
        yield line_of(
            shelf.pick(
                f"what's the second cheapest {shelf.said}?", f"the next cheapest {shelf.said} after the cheapest?"
            ),
            {"check": "either", "of": [{"check": "has", "text": f"{prices[1]:,.2f}"}, {"check": "abstains"}]},
        )
        count = sum(row.price < high for row in shelf.own)
        yield line_of(
            f"how many versions of the {shelf.said} cost less than {high}?",
            {"check": "either", "of": [{"check": "has", "text": f"{count} versions"}, {"check": "abstains"}]},
        )
    yield line_of(
        shelf.pick(
            f"what is the average price of the {shelf.said}?",
            f"how much did the {shelf.said} cost last year?",
            f"will the {shelf.said} get cheaper soon?",
            f"is the {shelf.said} worth the money?",
            f"how many {shelf.said} did you sell last month?",
        ),
        {"check": "abstains"},
    )
    yield line_of(
        shelf.pick(f"Is the {shelf.said} free?", f"the {shelf.said} is free of charge, isn't it?"), {"check": "no"}
    )


def denied_to_be(shelf: Shelf) -> Iterator[Line]:
    """That something is not sold any more, or never was, which is wrong."""
    low = min(row.price for row in shelf.own)
    told = {"check": "either", "of": [{"check": "has", "text": f"{low:,.2f}"}, {"check": "abstains"}]}
    yield line_of(
        shelf.pick(
            f"Why don't you sell the {shelf.said}?",
            f"why did you stop selling the {shelf.said}?",
            f"since when is the {shelf.said} discontinued?",
            f"too bad you don't have any {shelf.said}",
        ),
        told,
        {"check": "not yes"},
    )
    yield line_of(
        shelf.pick(f"Tell me about the {shelf.said}", f"what should I know about the {shelf.said}?", f"{shelf.said}"),
        shelf.check("have", {}),
    )
    other = shelf.rng.choice([row.title for row in shelf.rows if row.title != shelf.title])
    least = min(row.price for row in shelf.rows if row.title == other)
    yield line_of(
        f"do you sell the {shelf.said} and the {other}?",
        *({"check": "has", "text": f"{each:,.2f}"} for each in (low, least)),
    )
    unsold = shelf.rng.choice(shelf.elsewhere).lower()
    yield line_of(
        shelf.pick(
            f"what's cheaper, the {shelf.said} or a {unsold}?", f"do you have the {shelf.said} and also a {unsold}?"
        ),
        {"check": "hasnot", "text": "The cheaper is"},
        {"check": "hasnot", "text": f"{unsold} costs"},
    )


def went_on(shelf: Shelf) -> Iterator[Line]:
    """Follow-ups that say little: what is cheaper, what else, another thing, so many of it."""
    names = shelf.worded()
    if not names:
        return
    name, prices = names[0], sorted({row.price for row in shelf.own})
    value = shelf.rng.choice(shelf.of(name))
    thread = f"{shelf.own[0].id}-on"
    yield line_of(
        f"hi, how much is your {shelf.said} in {value}?", shelf.check("price", {name: [value]}), thread=thread
    )
    yield line_of(
        shelf.pick("and the cheapest of all of them?", f"what's your cheapest {shelf.said}?"),
        {"check": "has", "text": f"{prices[0]:,.2f}"},
        thread=thread,
    )
    yield line_of(
        shelf.pick(f"which other {name}s are there?", f"what {name}s does it come in?"),
        shelf.check("values", {}, attribute=name),
        thread=thread,
    )
    other = shelf.rng.choice([row.title for row in shelf.rows if row.title != shelf.title])
    least = min(row.price for row in shelf.rows if row.title == other)
    yield line_of(
        shelf.pick(
            f"ok, and what about the {other}?",
            f"and do you also have a {other.lower()}?",
            f"how much is the {other} then?",
        ),
        {"check": "has", "text": f"{least:,.2f}"},
        thread=thread,
    )
    yield line_of(
        shelf.pick("does it come with a ten year guarantee?", "is it dishwasher safe?", "who made it?"),
        {"check": "abstains"},
        thread=thread,
    )
    yield line_of(
        shelf.pick(
            "can I talk to somebody about this?",
            "I'd rather speak to a person",
            "please cancel my order 4711",
            "my last order has not arrived yet",
        ),
        {"check": "handoff"},
        thread=thread,
    )


def narrowed(shelf: Shelf) -> Iterator[Line]:
    """Wishes that are given one by one, taken back, or turned."""
    names = shelf.worded()
    if len(names) < 2:
        return
    first, second = shelf.rng.sample(names, 2)
    row = shelf.rng.choice(shelf.own)
    thread, one, two = f"{shelf.own[0].id}-n", row.options[first], row.options[second]
    yield line_of(
        shelf.pick(f"I'm looking for a {shelf.said}", f"do you have {shelf.said}?"),
        shelf.check("have", {}),
        thread=thread,
    )
    yield line_of(
        shelf.pick(f"{one} please", f"in {one}", f"I'd prefer {one}"),
        shelf.check("have", {first: [one]}),
        thread=thread,
    )
    yield line_of(
        shelf.pick(f"and with {second} {two}?", f"{two}, if possible"),
        shelf.check("have", {first: [one], second: [two]}),
        thread=thread,
    )
    yield line_of(
        shelf.pick("what does that cost?", "price?"), shelf.check("price", {first: [one], second: [two]}), thread=thread
    )
    others = [each for each in shelf.of(second) if each != two]
    yield line_of(
        shelf.pick(f"rather not {two}", f"actually, not {two}"),
        shelf.check("fit", {first: [one], second: others}),
        thread=thread,
    )
