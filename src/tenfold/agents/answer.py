"""What is answered to a question about things for sale, once it is read: from offers, by templates."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tenfold.agents.choose import Choice, choices_of, costs, extreme, fits
from tenfold.agents.describe import sentence_about
from tenfold.agents.memory import Wish
from tenfold.agents.reading.cues import Amounts, Best, asks_what_lacks
from tenfold.agents.reading.lexicon import YES
from tenfold.agents.reading.question import Reading
from tenfold.agents.shop import Shop
from tenfold.agents.wording import (
    SHOWN,
    Draft,
    costs_line,
    label,
    listed,
    option_names,
    options_line,
    price,
    range_line,
    stock,
    values_of,
)
from tenfold.catalog.item import Item
from tenfold.catalog.money import MICROS
from tenfold.reply.reply import Answer, Evidence, Reply, Unknown

_WHICH = re.compile(r"\W*(what|which|how|show|list|give|tell|why|when|where|who)\b")
_WHICH_ARE = re.compile(r"\W*(and )?(what|which|show|list|(is|are) (there )?any(thing)?)\b")
_VERSIONS = re.compile(r"how many (different )?(versions|variants|variations|models|products|items)\b")
_YES_NO = ("exists", "stock")


@dataclass(frozen=True, slots=True)
class Found:
    """An answer with the variants that it names, in their order."""

    reply: Reply
    shown: tuple[Choice, ...] = ()


def answer(shop: Shop, reading: Reading) -> Found:
    """Answer a question whose items are known."""
    items = [shop.now(item) for item in reading.items]
    return with_evidence(_answered(shop, reading, items), items)


def with_evidence(found: Found, items: Sequence[Item]) -> Found:
    """With all that was weighed as evidence: where another has become the cheapest since, the reply is made again."""
    if not isinstance(found.reply, Answer):
        return found
    weighed = {f"item:{item.id}": Evidence(f"item:{item.id}", item) for item in items}
    return replace(found, reply=replace(found.reply, evidence={**weighed, **found.reply.evidence}))


def _answered(shop: Shop, reading: Reading, items: Sequence[Item]) -> Found:
    all_choices = choices_of(items)
    if reading.pointed:
        all_choices = [each for each in all_choices if each.variant.id in reading.pointed] or all_choices
    if reading.absent:
        return _not_offered(reading, all_choices)
    if reading.puzzling:
        return described(reading, items) or untold(shop, reading)
    wanted = [each for each in all_choices if fits(each, reading.wishes)]
    if not wanted and reading.how == "all" and not reading.is_generic and reading.amounts.exact is None:
        # Nothing is named, so that words may have been taken for options that they are not.
        reading = replace(reading, wishes=_eased(reading.wishes, all_choices), asked="list", is_eased=True)
        wanted = [each for each in all_choices if fits(each, reading.wishes)]
    if reading.only and wanted and set(reading.only) <= set(reading.wishes):
        return _not_only(reading, wanted, all_choices)
    if wanted and (told := _fitting(reading, wanted, all_choices)):
        return told
    return (
        untold(shop, replace(reading, puzzling=(reading.best.word,)))
        if reading.best and wanted
        else _no_such(reading, all_choices)
    )


def _eased(wishes: Sequence[Wish], choices: Sequence[Choice]) -> tuple[Wish, ...]:
    """The wishes without as few as it takes for something to fit; those in the most words are kept."""
    had = {tuple(at for at, wish in enumerate(wishes) if fits(choice, [wish])) for choice in choices}

    def worth(kept: tuple[int, ...]) -> tuple[int, int, list[int]]:
        return len(kept), sum(len(wishes[at].said.split()) for at in kept), [-at for at in kept]

    most = max(had, key=worth, default=())
    return tuple(wishes[at] for at in most) or tuple(wishes)


def _fitting(reading: Reading, wanted: Sequence[Choice], all_choices: Sequence[Choice]) -> Found | None:
    """Answer by the variants that are what was wished, whatever they cost; none where the largest cannot be told."""
    amounts = reading.amounts
    if amounts.exact is not None:
        return _is_price(reading, wanted)
    affordable = [each for each in wanted if costs(each, amounts, reading.count)]
    if not affordable:
        return _too_dear(reading, wanted)
    if reading.best is not None:
        return _superlative(reading, affordable, reading.best)
    if reading.asked in ("count", "pieces"):
        return _counted(reading, affordable) if reading.asked == "count" else _pieces(affordable)
    is_about = reading.about and reading.asked in ("options", "describe", "exists", "holds", "list", "")
    if is_about or reading.asked == "options":
        return _options(reading, affordable)
    return _told(reading, affordable, all_choices)


def asks_which(reading: Reading) -> bool:
    """Whether it is asked which can be had, or which are sold out."""
    return reading.asked == "stock" and _WHICH_ARE.match(reading.text) is not None


def _so_by_stock(reading: Reading, wanted: Sequence[Choice]) -> list[Choice]:
    """Those that are sold out, or can be had, where a question asks which are; else all."""
    if not asks_which(reading):
        return list(wanted)
    lacks = asks_what_lacks(reading.text)
    return [each for each in wanted if each.is_there != lacks]


def _told(reading: Reading, wanted: Sequence[Choice], all_choices: Sequence[Choice]) -> Found:
    """What fits: one by one where few do, in a range where many do; with yes or no where that was asked."""
    so = _so_by_stock(reading, wanted)
    wanted = so or wanted
    draft = Draft()
    there = [each for each in wanted if each.is_there]
    ordered = sorted(wanted, key=lambda each: (not each.is_there, each.price))
    shown = ordered[:SHOWN]
    titles = list(dict.fromkeys(each.item.title for each in ordered))
    if len(wanted) <= SHOWN:
        for each in ordered:
            draft.say(costs_line(each), each)
            if reading.count > 1:
                draft.say(f"{reading.count} of {label(each)}: {{total:{reading.count}:{each.variant.id}}}.", each)
    elif len(titles) == 1:
        item = ordered[0].item
        range_line(draft, wanted, f"{titles[0]}{_with(reading.wishes)} comes")
        draft.say(f"{item.title}: {options_line(wanted)}.", *([item] if len(wanted) == len(item.variants) else wanted))
        shown = _ends(wanted)
        for word, each in zip(("Cheapest", "Most expensive"), shown, strict=False):
            draft.say(f"{word}: {costs_line(each)}", each)
    else:
        by_item = {title: [each for each in ordered if each.item.title == title] for title in titles[:SHOWN]}
        shown = [group[0] for group in by_item.values()]
        fit = _with(reading.wishes) if reading.is_eased else " fit"
        fitting = {each.item.id: each.item for each in wanted}
        draft.say(f"{len(fitting)} products{fit}.", *fitting.values())
        for each in shown:
            draft.say(f"{label(each)} costs {price(each)} and is {stock(each)}.", each)
    is_yes_no = reading.asked in _YES_NO or (reading.asked == "holds" and reading.wishes)
    if (is_yes_no or reading.amounts != Amounts()) and not (reading.is_eased or _WHICH.match(reading.text)):
        draft.lead(_lead(reading, wanted, all_choices))
    elif not so:
        draft.lead("None. ")
    if not there and len(wanted) < len(all_choices) and reading.asked not in ("price", "total"):
        others = sorted(
            (each for each in all_choices if each.is_there and fits(each, reading.wishes[:1])),
            key=lambda each: each.price,
        )
        for each in others[:2]:
            draft.say(f"In stock is {label(each)} for {price(each)}.", each)
    return Found(draft.answer(), tuple(shown))


_EACH = re.compile(r"\b(?<!at )(all|every|each|always)\b(?!-)")
_OF_EACH = re.compile(r"\W*(is|are|do|does) (all|every|each)\b")


def _part_lead(reading: Reading) -> str:
    """No where all were asked of, and only some are so; nothing where "each" may say something else."""
    return "No. " if _OF_EACH.match(reading.text) else ""


def _lead(reading: Reading, wanted: Sequence[Choice], choices: Sequence[Choice]) -> str:
    """Yes or no to whether something can be had, so many of it, or whether it cannot."""
    there = [each for each in wanted if each.is_there]
    if reading.asked == "stock" and asks_what_lacks(reading.text):
        return "Yes. " if not there else "No. " if len(there) == len(wanted) else ""
    if reading.count > 1 and there:
        pieces = [each.variant.offer.stock for each in there]
        counted = [each for each in pieces if each is not None]
        if max(counted, default=0) >= reading.count:
            return "Yes. "
        # Where all kinds together are so many, it depends on whether they may be mixed.
        return "" if len(counted) < len(pieces) or sum(counted) >= reading.count else "No, not so many. "
    if there and _EACH.search(reading.text):
        so = there if reading.asked == "stock" else wanted
        if len(so) < sum(fits(each, reading.wishes) for each in choices):
            return _part_lead(reading)
    return "Yes. " if there or (reading.asked != "stock" and not _asks_now(reading)) else "No, not now. "


def _not_only(reading: Reading, wanted: Sequence[Choice], choices: Sequence[Choice]) -> Found:
    """Whether what stands beside "only" is all that there is of what else is wished; if not, what else."""
    draft, items = Draft(), {each.item.id: each.item for each in choices}
    named = listed(list(dict.fromkeys(item.title for item in items.values()))[:SHOWN])
    more: list[Choice] = []
    for wish in reading.only:
        others = [each for each in reading.wishes if each != wish]
        rivals = [each for each in choices if fits(each, others)]
        more += [each for each in rivals if not fits(each, [wish])]
        for name in sorted(wish.attributes):
            draft.say(
                f"{named}{_with(others)} comes in {name}: {', '.join(values_of(rivals, name))}.",
                *items.values(),
                *rivals,
            )
    draft.lead(_only_lead(reading, wanted, more))
    for each in sorted(wanted, key=lambda each: (not each.is_there, each.price))[:3]:
        draft.say(costs_line(each), each)
    return Found(draft.answer(), tuple(wanted[:3]))


_NOW = re.compile(r"\b(available|in stock|left)\b")


def _only_lead(reading: Reading, wanted: Sequence[Choice], more: Sequence[Choice]) -> str:
    """Whether there are ``more`` than what is wanted; neither where it depends on what is meant."""
    if not more:
        return "Yes, only that. "
    is_there, is_more = (any(each.is_there for each in some) for some in (wanted, more))
    if is_there and not is_more and _NOW.search(reading.text):
        return "In stock, only that. "
    return "No. " if len(reading.only) == 1 else ""


def _asks_now(reading: Reading) -> bool:
    return reading.asked == "exists" and not re.search(r"\b(comes?|exists?|made|offered)\b", reading.text)


def _with(wishes: Sequence[Wish]) -> str:
    said = [_wish_text(wish) for wish in wishes]
    return f" with {listed(said)}" if said else ""


def _wish_text(wish: Wish) -> str:
    values = dict.fromkeys(value for _, value in wish.pairs)
    names = dict.fromkeys(name for name, _ in wish.pairs)
    text = f"{' or '.join(names)}: {' or '.join(values)}"
    return f"no {text}" if wish.is_excluded else text


def _ends(wanted: Sequence[Choice]) -> list[Choice]:
    ordered = sorted(wanted, key=lambda each: (each.price, not each.is_there))
    return [ordered[0], ordered[-1]] if ordered[0].price != ordered[-1].price else ordered[:1]


def _not_offered(reading: Reading, choices: Sequence[Choice]) -> Found:
    """A value that the items do not come in: which they do come in, and what else was wanted of them."""
    draft = Draft()
    items = {each.item.id: each.item for each in choices}
    named = listed(dict.fromkeys(item.title for item in list(items.values())[:SHOWN]))
    for each in reading.absent:
        values = values_of(choices, each.attribute)
        draft.say(
            f"{named}: not offered in {each.attribute} “{each.said}”, only in {', '.join(values)}.", *items.values()
        )
    draft.lead("No. ")
    same = {each.attribute for each in reading.absent}
    wishes = [wish for wish in reading.wishes if wish.attributes <= same and not wish.is_excluded]
    shown: list[Choice] = []
    for wish in wishes:
        fitting = sorted((e for e in choices if fits(e, reading.wishes)), key=lambda e: (not e.is_there, e.price))[:3]
        shown += fitting
        if fitting:
            draft.say(f"Yes for {wish.said}: " + " ".join(costs_line(e) for e in fitting), *fitting)
    return Found(draft.answer(), tuple(shown))


def _no_such(reading: Reading, choices: Sequence[Choice]) -> Found:
    """Each value is there, and no variant has all of them: the closest ones."""
    draft = Draft()
    items = {each.item.id: each.item for each in choices}
    named = listed(dict.fromkeys(item.title for item in list(items.values())[:SHOWN]))
    wished = listed([_wish_text(wish) for wish in reading.wishes])
    if len(items) > 20:
        draft.say(f"Nothing with {wished}.", *list(items.values()))
    else:
        draft.say(f"No {named} with {wished}.", *items.values())
    if reading.asked in (*_YES_NO, "holds") or any(_is_yes(wish) for wish in reading.wishes):
        draft.lead("No. ")
    best = max(sum(fits(each, [wish]) for wish in reading.wishes) for each in choices)
    closest = [each for each in choices if best and sum(fits(each, [wish]) for wish in reading.wishes) == best]
    closest.sort(key=lambda each: (not each.is_there, each.price))
    for each in closest[:3]:
        draft.say(f"Closest: {costs_line(each)}", each)
    return Found(draft.answer(), tuple(closest[:3]))


def _is_yes(wish: Wish) -> bool:
    return wish.is_excluded or bool({value.casefold() for _, value in wish.pairs} & YES)


def _is_price(reading: Reading, wanted: Sequence[Choice]) -> Found:
    """Whether something costs what the customer says that it costs."""
    draft = Draft()
    said = round((reading.amounts.exact or 0) * MICROS)
    same = [each for each in wanted if each.price == said]
    is_part = 0 < len(same) < len(wanted) and _EACH.search(reading.text) is not None
    ordered = sorted(wanted if is_part else same or wanted, key=lambda each: (each.price, not each.is_there))
    if len(ordered) > SHOWN:
        item = ordered[0].item
        name = item.title if len({each.item.id for each in ordered}) == 1 else "What fits"
        range_line(draft, ordered, f"{name} comes")
    else:
        for each in ordered:
            draft.say(costs_line(each), each)
    draft.lead(_part_lead(reading) if is_part else "Yes. " if same else "No. ")
    return Found(draft.answer(), tuple(ordered[:SHOWN]))


def _too_dear(reading: Reading, wanted: Sequence[Choice]) -> Found:
    """Nothing that fits costs so little, or so much: the nearest price."""
    draft = Draft()
    ordered = sorted(wanted, key=lambda each: (each.price, not each.is_there))
    is_dear = reading.amounts.most is not None
    nearest = ordered[0] if is_dear else ordered[-1]
    if reading.count > 1:
        many = f"{{total:{reading.count}:{nearest.variant.id}}}"
        draft.say(
            f"No. {reading.count} of {label(nearest)}: {many}; one costs {price(nearest)}.", nearest, *ordered[:20]
        )
        return Found(draft.answer(), (nearest,))
    word = "cheapest" if is_dear else "most expensive"
    draft.say(f"No. The {word} that fits: {costs_line(nearest)}", nearest, *ordered[:20])
    return Found(draft.answer(), (nearest,))


def _superlative(reading: Reading, wanted: Sequence[Choice], best: Best) -> Found | None:
    """The cheapest, the largest, the one most in stock; and of those in stock, if it is not."""
    attribute, tops = extreme(wanted, best, reading.about)
    if not tops:
        return None
    draft = Draft()
    tops = sorted(tops, key=lambda each: (not each.is_there, each.price))
    which = f"{best.word} {attribute}" if best.of == "size" else best.word
    which += _with(reading.wishes)
    named = [label(each) for each in tops[:4]]
    if len(tops) > 4 and best.of == "size":
        values = listed(values_of(tops, attribute))
        low = min(tops, key=lambda each: each.price)
        draft.say(f"The {which} is {values}: {len(tops)} versions have it, from {price(low)}.", *tops)
        tops = [low]
    for each, name in zip(tops[:4], named, strict=False):
        draft.say(f"The {which} is {name}: it costs {price(each)} and is {stock(each)}.", each)
    there = [each for each in wanted if each.is_there]
    if not any(each.is_there for each in tops) and there and best.of != "stock":
        _, others = extreme(there, best, reading.about)
        for each in others[:2]:
            draft.say(
                f"Of those in stock, the {which} is {label(each)}: it costs {price(each)} and is {stock(each)}.", each
            )
    return Found(draft.answer(), tuple(tops[:4]))


def _counted(reading: Reading, wanted: Sequence[Choice]) -> Found:
    """How many values, versions or products there are."""
    draft = Draft()
    items = {each.item.id: each.item for each in wanted}
    whole = sum(len(item.variants) for item in items.values()) == len(wanted)
    sources = list(items.values()) if whole else list(wanted)
    if reading.about and not _VERSIONS.search(reading.text):
        for name in reading.about[:3]:
            values = values_of(wanted, name)
            titles = listed(list(dict.fromkeys(item.title for item in items.values()))[:SHOWN])
            number = f"{len(values)} for {name}" if len(values) != 1 else f"one {name} only"
            draft.say(f"{titles}{_with(reading.wishes)} comes in {number}: {', '.join(values)}.", *sources)
        return Found(draft.answer(), tuple(wanted[:SHOWN]))
    there = sum(1 for each in wanted if each.is_there)
    if asks_what_lacks(reading.text):
        out = [label(each) for each in wanted if not each.is_there]
        named = f": {'; '.join(out[:SHOWN])}" if out else ""
        draft.say(f"{len(out)} of {len(wanted)} versions are out of stock{named}.", *sources, *wanted)
        return Found(draft.answer(), tuple(wanted[:SHOWN]))
    if len(items) == 1:
        title = wanted[0].item.title
        number = (
            f"{len(wanted)} versions, {there} of them" if len(wanted) > 1 else f"one version, {'' if there else 'not '}"
        )
        draft.say(f"{title}{_with(reading.wishes)}: {number.rstrip()} in stock.", *sources, *wanted)
        if whole and wanted[0].known:
            draft.say(f"{title}: {options_line(wanted)}.", *sources)
    else:
        draft.say(f"{len(items)} products fit, in {len(wanted)} versions, {there} of them in stock.", *sources, *wanted)
        draft.say(
            f"Among them: {', '.join(dict.fromkeys(i.title for i in list(items.values())[:20]))}.", *items.values()
        )
    return Found(draft.answer(), tuple(wanted[:SHOWN]))


def _pieces(wanted: Sequence[Choice]) -> Found:
    """How many pieces are in stock."""
    draft = Draft()
    counted = [each for each in wanted if each.variant.offer.stock is not None]
    if len(wanted) > 1 and counted:
        ids = "|".join(each.variant.id for each in counted)
        titles = listed(list(dict.fromkeys(each.item.title for each in wanted))[:SHOWN])
        there = sum(1 for each in counted if each.is_there)
        told = f"{{pieces:{ids}}} pieces in stock in all, in {there} of {len(counted)} versions"
        draft.say(f"{titles}: {told}.", *counted)
    ordered = sorted(wanted, key=lambda each: (not each.is_there, each.price))
    for each in ordered[:SHOWN]:
        draft.say(f"{label(each)} is {stock(each)} and costs {price(each)}.", each)
    return Found(draft.answer(), tuple(ordered[:SHOWN]))


def _options(reading: Reading, wanted: Sequence[Choice]) -> Found:
    """Which values of an option there are."""
    draft = Draft()
    items = {each.item.id: each.item for each in wanted}
    names = [name for name in reading.about if values_of(wanted, name)] or option_names(wanted)
    whole = sum(len(item.variants) for item in items.values()) == len(wanted)
    for item in list(items.values())[:SHOWN]:
        own = [each for each in wanted if each.item.id == item.id]
        told = [f"{name}: {', '.join(values)}" for name in names if (values := values_of(own, name))]
        if told:
            draft.say(f"{item.title}{_with(reading.wishes)} comes in {'; '.join(told)}.", *([item] if whole else own))
        out = [each for each in own if not each.is_there]
        if out and len(out) <= 4 and len(own) > 1:
            draft.say(f"Out of stock now: {'; '.join(label(each) for each in out)}.", *out)
        if len(own) == 1:
            draft.say(costs_line(own[0]), own[0])
    if not draft.claims:
        return _told(reading, wanted, wanted)
    return Found(draft.answer(), tuple(wanted[:SHOWN]))


def described(reading: Reading, items: Sequence[Item]) -> Found | None:
    """What a description tells of something that options do not; none where it tells nothing of it."""
    for item in items[:3]:
        words = [word for word in (*reading.puzzling, *reading.spare) if not word.startswith("how ")]
        told = sentence_about(item, words, [token.stem for token in reading.tokens]) if words else ""
        if told:
            draft = Draft()
            draft.say(f"{item.title}: “{told}”", item)
            shown = sorted(choices_of([item]), key=lambda e: e.price)
            shown = [each for each in shown if fits(each, reading.wishes)] or shown
            for each in shown[: 1 if len(shown) > SHOWN else SHOWN]:
                draft.say(costs_line(each), each)
            return Found(draft.answer(), tuple(shown[:SHOWN]))
    return None


def untold(shop: Shop, reading: Reading) -> Found:
    """That nothing here tells what is asked about a thing that is sold."""
    words = " ".join(reading.puzzling or reading.unread)
    about = f"{words} ({reading.items[0].title})" if words else reading.items[0].title
    return Found(Unknown(shop.as_of, ("the catalog",), about), ())
