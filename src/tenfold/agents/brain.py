"""The agent's answer to a customer: retrieve, decide, write. Pure: the same question gives the same reply.

No language model understands the question, so nothing in a catalog, a text or a message can give the agent orders.
Prices and stock in the reply are slots; ``speak`` fills them when it is sent.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tenfold.agents.answer import Found, answer, asks_which, described, untold
from tenfold.agents.compare import compared
from tenfold.agents.currency import asked_back, readable
from tenfold.agents.greet import small_talk
from tenfold.agents.lookup import POLICY, quoted, similar, worth_quoting
from tenfold.agents.memory import Memory
from tenfold.agents.reading.acts import act_of, masked, wants_human
from tenfold.agents.reading.cues import COMPARES, NEVER_TOLD, SORTS, Amounts, Best
from tenfold.agents.reading.find import is_content, named
from tenfold.agents.reading.grievance import is_grievance
from tenfold.agents.reading.parts import asking_in, sides_of
from tenfold.agents.reading.question import Reading, read
from tenfold.agents.reading.token import plain, stem, stems_of, tokens_of
from tenfold.agents.reading.words import GENERIC
from tenfold.agents.shop import Shop
from tenfold.agents.tells import Signs, Telling, signs_of, tellings
from tenfold.agents.wording import Draft
from tenfold.catalog.item import Item
from tenfold.reply.fill import OfferChanged, fill
from tenfold.reply.reply import Answer, HandOff, Reply, Unknown
from tenfold.reply.write import Writer, text_of, write

REMEMBERED = 50
"""Items that a thread may be about."""
_RANGE = re.compile(
    r"\bwhat (do|does|can) (you|i|the shop) (sell|have|offer|carry|buy)|\byour (products|range|"
    r"catalog|assortment)\b"
)
TRIES = 5
"""Times that a reply is made again because an offer changed while it was made."""


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as it is sent, with what the thread is about now; ``refused``: what the gate kept back."""

    reply: Reply
    memory: Memory
    text: str
    refused: tuple[str, ...] = ()


async def speak(shop: Shop, question: str, memory: Memory, now: datetime, writer: Writer | None = None) -> Said:
    """Answer a customer, worded by ``writer`` where the gate lets it, with prices and stock of this moment.

    Raises:
        OfferChanged: offers changed while the reply was made, five times in a row.
    """
    for attempt in range(TRIES):
        reply, after = respond(shop, question, memory, now)
        if not isinstance(reply, Answer):
            return Said(reply, after, text_of(reply))
        written = await write(question, reply, writer if attempt == 0 else None)
        try:
            answered = fill(written.answer, shop.offer_of)
        except OfferChanged:
            continue
        return Said(answered, after, text_of(answered), written.refused)
    raise OfferChanged(question)


def respond(shop: Shop, question: str, memory: Memory, now: datetime) -> tuple[Reply, Memory]:
    """Answer a customer; prices and stock are slots. ``now``: the time of the question."""
    person = _for_a_person(shop, question)
    if person is not None:
        return person, memory
    talk = small_talk(shop, question)
    if talk is not None:
        return talk, memory
    said = read(shop, question, memory)
    reading = meant(said)
    versus = _versus(shop, reading)
    # Made once where it is needed, and kept no longer than the reply takes.
    embed = cache(lambda: shop.model.embed([question])[0])
    if versus is None and not _is_read(shop, reading) and is_grievance(embed(), question):
        return HandOff("policy", question, {"act": "complaint"}), memory
    told = _told(shop, question, embed, said, reading) if versus is None else []
    sure = sum(each.sureness for each in told)
    if sure >= SURE:
        quote = Found(quoted(told))
        is_of_things = reading.items and reading.how != "all"
        return quote.reply, _remembered(memory, reading, quote) if is_of_things else memory
    back = asked_back(shop, reading)
    if back is not None:
        # The amount that follows is in the shop's currency, and about the same things.
        return back, _remembered(memory, replace(reading, amounts=Amounts()), Found(back))
    reading = readable(shop, reading)
    found = versus or _found(shop, reading, question, is_told=sure >= LIKELY)
    reply = found.reply
    if isinstance(reply, Unknown) and sure >= NEAR:
        reply = replace(reply, nearest=quoted(told))
    return reply, _remembered(memory, reading, found)


def _for_a_person(shop: Shop, question: str) -> HandOff | None:
    """The hand-off where a person is asked for, or something is to be done."""
    if wants_human(shop, question):
        return HandOff("asked", question)
    act = act_of(shop, question)
    return HandOff("policy", question, {"act": act.name, **act.facts}) if act is not None else None


SURE = 0.72
"""Sureness of all that is quoted from which it is the answer."""
LIKELY, NEAR = 0.3, 0.2
"""From which nothing that is sold is offered in its place, and from which it is quoted as what comes nearest."""
_SOMETHING = re.compile(r"\b(something|anything) (\w+ ){0,3}?(to|for|that|which|when)\b|\b(gift|present) for\b")


def of_texts(shop: Shop, question: str, said: Reading, reading: Reading) -> tuple[Signs, tuple[Item, ...]] | None:
    """Signs of a question to texts, and items whose descriptions may tell it too; none where the catalog knows better.

    ``said``: the question, as it was read; ``reading``: what is meant by it.
    """
    is_policy = POLICY.search(masked(shop, plain(question))) is not None
    is_read = _is_read(shop, reading)
    if not is_policy and (is_read or (shop.items and _SOMETHING.search(said.text))):
        return None
    is_of_thing = said.how in ("named", "alike", "thread")
    signs = signs_of(said, is_policy=is_policy, is_read=is_read, is_how=_asks_how(reading))
    return signs, said.items if is_of_thing and not is_read else ()


def _told(
    shop: Shop, question: str, embed: Callable[[], NDArray[np.floating]], said: Reading, reading: Reading
) -> list[Telling]:
    """What texts may tell of it."""
    asked = of_texts(shop, question, said, reading)
    if asked is None:
        return []
    signs, items = asked
    told = tellings(shop, question, embed, signs, items)
    return worth_quoting([each for each in told if signs["policy"] or _is_of_it(shop, said, each)])


def _is_of_it(shop: Shop, said: Reading, told: Telling) -> bool:
    """Whether a text is about what is spoken of.

    "Is the folding knife dishwasher safe?": what is written of the skillet tells nothing of the knife, nor does it
    where the knife was named in the question before.
    """
    if isinstance(told.passage, Item) or said.how in ("all", "none"):
        return True
    others = {item.id for item in named(shop, tokens_of(f"{told.passage.title}. {told.window}")).items}
    return not others or any(item.id in others for item in said.items)


def meant(reading: Reading) -> Reading:
    """The reading; without the things that only a word beside their name points at, where it says more than that."""
    if not reading.is_weak:
        return reading
    if reading.puzzling or (reading.unread and reading.asked not in ("price", "total")) or not reading.wishes:
        return replace(reading, items=(), how="none", wishes=(), about=(), absent=(), puzzling=(), unread=())
    # It may be something else that is asked for, so neither yes nor no.
    return replace(reading, asked="list" if reading.asked in _YES_NO else reading.asked)


def _is_read(shop: Shop, reading: Reading) -> bool:
    """Whether the catalog explains all that a question says: what texts tell beside is then not asked."""
    if reading.how == "all":
        return _is_about_goods(reading) and not _asks_how(reading)
    if reading.how == "none" or _asks_how(reading) or _asks_included(reading) or _counts_else(shop, reading):
        return False
    return not (reading.unread or reading.puzzling)


def _asks_included(reading: Reading) -> bool:
    """Whether it is asked what comes with a thing, which no option tells."""
    return _INCLUDED.search(reading.text) is not None and not (reading.wishes or reading.absent or reading.about)


_INCLUDED = re.compile(r"\b(is|are|does|do|will)\b.*\b(included|includes?|inclusive|comes? with)\b")


def _versus(shop: Shop, reading: Reading) -> Found | None:
    """Sides of a comparison held against one another; none where a question compares nothing that is sold."""
    if not COMPARES.search(reading.text) or re.search(r"\bthan\s+[$€£]?\d", reading.text):
        return None
    sides = _completed(shop, [read(shop, side, Memory()) for side in sides_of(reading.text)])
    return compared(shop, sides, reading.than or reading.best, reading) if len(sides) >= 2 else None


def _found(shop: Shop, reading: Reading, question: str, *, is_told: bool) -> Found:
    several = _several(shop, reading) if reading.how == "named" else None
    if several is not None:
        return several
    if reading.how in ("named", "alike", "thread"):
        if reading.than is not None and reading.best is None and _WHICH_OF.match(reading.text):
            # "Which is the dearer atlas?"
            word = "most expensive" if reading.than.is_most else "cheapest"
            best = Best("price", reading.than.is_most, word) if reading.than.of == "price" else reading.than
            return answer(shop, replace(reading, best=best))
        if reading.than is not None and reading.asked in _YES_NO:
            # Not compared after all, so neither yes nor no.
            reading = replace(reading, asked="price")
        if never := NEVER_TOLD.search(asking_in(reading.text)):
            told = described(reading, [shop.now(item) for item in reading.items])
            return told or untold(shop, replace(reading, puzzling=(never.group(),)))
        return _beside(shop, reading) or answer(shop, reading)
    return _of_none(shop, reading, question, is_told=is_told)


def _of_none(shop: Shop, reading: Reading, question: str, *, is_told: bool) -> Found:
    """The answer to a question that names nothing that is sold; ``is_told``: a text probably tells what it asks."""
    is_how = _asks_how(reading)
    if reading.how == "all" and _is_about_goods(reading) and not is_how:
        return answer(shop, reading)
    if reading.how == "all" and shop.items and _RANGE.search(reading.text):
        return _range(shop)
    found = None if is_how or is_told else similar(shop, question, reading)
    return found or Found(Unknown(shop.as_of, ("the catalog",), reading.thing), ())


def _beside(shop: Shop, reading: Reading) -> Found | None:
    """What is asked about a thing beside its options, price and stock; none where it is these that are asked.

    "Is there a balcony in the twin room?" names what is sold, and asks something else: a description tells it, or
    nothing does. That the room is there is no answer, nor is its price one to "how much do you keep if I cancel it?".
    """
    is_how = _asks_how(reading) or _asks_included(reading)
    is_else = _counts_else(shop, reading)
    is_fact = reading.asked in _FACTS and not is_else
    said = {token.text for token in tokens_of(asking_in(reading.text))}
    # What is told beside asks nothing: "she loved the blue one, how much is the red one?".
    unread = [each for each in reading.unread if not is_fact or each in said]
    is_beside = unread and not reading.absent and not (is_fact and reading.amounts.exact is not None)
    if not ((is_how and not is_fact) or is_else or is_beside):
        return None
    told = described(reading, [shop.now(item) for item in reading.items])
    if told is not None:
        return told
    is_question = is_fact or is_how or is_else or _QUESTION.match(reading.text) or _ASKS_LAST.search(reading.text)
    return untold(shop, reading) if is_question and reading.asked in ("", *_YES_NO, *_FACTS, "describe") else None


def _counts_else(shop: Shop, reading: Reading) -> bool:
    """Whether what is counted is nothing that a catalog counts: "how many calories has a croissant?"."""
    counted = _COUNTED.search(reading.text) if reading.asked == "count" else None
    if counted is None or SORTS.search(counted.group()):
        return False
    titles = {each for item in reading.items for each in shop.lexicon.titles[item.id].stems}
    values = [value for item in reading.items for value in shop.lexicon.values[item.id]]
    options = {each for value in values for text in (value.attribute, value.text) for each in stems_of(text)}
    word = stem(counted.group(1))
    return counted.group(1) not in _VERBS and word not in titles | options | GENERIC


_COUNTED = re.compile(r"\bhow many (?:different |other |of )?(?:the |your |these |those )?(\w+)")
_VERBS = frozenset(
    [
        "do",
        "does",
        "are",
        "is",
        "have",
        "can",
        "of",
        "in",
        "left",
        "it",
        "that",
        "there",
        "will",
        "would",
        "them",
        "those",
        "items",
        "products",
    ]
)


def _asks_how(reading: Reading) -> bool:
    """Whether it is asked how something is done, or who does it: what a price list tells is no answer."""
    # "Why is it free?", "why do you no longer have it in white?" take for granted what the catalog knows better.
    is_presumed = reading.amounts.exact is not None or reading.absent or reading.wishes
    if reading.is_told:
        return False
    return _HOW.match(reading.text) is not None and not (is_presumed and _WHY.match(reading.text))


_WHICH_OF = re.compile(r"\W*(and )?(which|what)('s| is| are)? (one is )?(the )?")
_YES_NO = ("exists", "holds")
_FACTS = ("price", "total", "pieces", "stock", "options", "count", "compare")
"""What the catalog's columns tell."""
_HOW = re.compile(
    r"\W*(and |so |but |hi |hello |please )*(how (do|does|should|can|could|must|to|often)|who|why|when|where|"
    r"(what|when) (must|should(?! i know)|happens|do i|if)|what (do|does) .{1,30} mean|"
    r"may i|must i|should i|am i allowed)\b"
)
_ASKS_LAST = re.compile(r"[,;.!]\s*(and |so |but )?(do|does|can|could|may|must|should|will|am|is|are|what|how) ")
_WHY = re.compile(r"\W*why\b")
_QUESTION = re.compile(
    r"\W*(and |so |but |hi |hello |please )*(is|are|was|were|does|do|did|can|could|may|might|must|should|will|would|"
    r"has|have|what|which|who|whose|how|why|when|where|until|till|am)\b"
)


def _several(shop: Shop, reading: Reading) -> Found | None:
    """Things named side by side ("the football and the basketball?"), each answered; none if it names one."""
    sides = [read(shop, side, Memory()) for side in sides_of(reading.text)]
    sides = [side for side in sides if side.how == "named" and not (side.puzzling or side.absent)]
    items = [frozenset(item.id for item in side.items) for side in sides]
    if any(_is_option_of(shop, one, other) for one in sides for other in sides if one is not other):
        return None
    if len(sides) < 2 or frozenset.intersection(*items) or any(one < other for one in items for other in items):
        return None
    found = [answer(shop, replace(side, asked=reading.asked, amounts=reading.amounts)) for side in sides]
    answers = [each.reply for each in found if isinstance(each.reply, Answer)]
    if len(answers) < len(found):
        return None
    evidence = {key: value for each in answers for key, value in each.evidence.items()}
    claims = tuple(claim for each in answers for claim in each.claims)
    return Found(Answer(claims, evidence), tuple(choice for each in found for choice in each.shown))


def _is_option_of(shop: Shop, one: Reading, other: Reading) -> bool:
    """Whether what names one thing is an option of the other: "a laptop with a 15 inch screen and 16GB of RAM"."""
    names = {each for item in one.items for each in shop.lexicon.titles[item.id].stems}
    said = {token.stem for token in one.tokens} & names
    values = [value for item in other.items for value in shop.lexicon.values[item.id]]
    options = {each for value in values for words in (*value.said, stems_of(value.attribute)) for each in words}
    return said <= options


def _range(shop: Shop) -> Found:
    """What is sold, by titles."""
    draft, items = Draft(), list(shop.items.values())
    named = ", ".join(dict.fromkeys(item.title for item in items[:30]))
    draft.say(f"{len(items)} products; among them {named}.", *items)
    return Found(draft.answer(), ())


def _is_about_goods(reading: Reading) -> bool:
    """Whether a question that names nothing is about all that is sold, as "anything in blue under $20?"."""
    bounds = (reading.amounts.least, reading.amounts.most)
    is_which = bool(reading.items) and asks_which(reading) and not reading.about
    return (
        bool(reading.wishes or reading.best or reading.is_generic or any(bounds) or is_which) and not reading.puzzling
    )


def _completed(shop: Shop, sides: Sequence[Reading]) -> list[Reading]:
    """Sides of a comparison; one that names only values, or part of a title, is of the thing that another names."""
    named = [side for side in sides if side.how in ("named", "alike")]
    full: list[Reading] = []
    for side in sides:
        if side.how in ("named", "alike"):
            full.append(side)
        elif named and (again := _by_title(shop, named, side) or _in_options(named, side)) is not None:
            full.append(again)
    if len(full) > 2:
        # "Which suite costs less, the attic or the harbour one?": the first part says of what both are.
        ids = [{item.id for item in side.items} for side in full]
        full = [side for side, own in zip(full, ids, strict=True) if not any(other < own for other in ids)]
    distinct = {(tuple(item.id for item in side.items), side.wishes) for side in full}
    return full if len(distinct) == len(full) else []


def _by_title(shop: Shop, named: Sequence[Reading], side: Reading) -> Reading | None:
    """A side that says only what sets a title apart from its like, as "the attic" of suites."""
    said = {token.stem for token in side.tokens if is_content(token)}
    items = tuple(item for item in named[0].items if said and said <= set(shop.lexicon.titles[item.id].stems))
    return replace(side, items=items, how="named", wishes=()) if 0 < len(items) < len(named[0].items) else None


def _in_options(named: Sequence[Reading], side: Reading) -> Reading | None:
    """A side without a thing of its own, in the options of the thing that another side names."""
    items = named[-1].items
    wishes = tuple(wish for wish in side.wishes if wish.pairs)
    return replace(side, items=items, how="named", wishes=wishes) if wishes else None


def _remembered(memory: Memory, reading: Reading, found: Found) -> Memory:
    if isinstance(found.reply, Unknown) and not reading.items:
        return memory
    amounts = reading.amounts
    # "The cheapest one?" narrows what is shown, and "only in blue" goes back to all that was spoken of.
    named = reading.items if reading.how != "all" and len(reading.items) <= REMEMBERED else ()
    items = tuple(item.id for item in named) or tuple(dict.fromkeys(each.item.id for each in found.shown))
    return Memory(
        items=items,
        wishes=reading.wishes,
        most=round(amounts.most * 1e6) if amounts.most is not None else None,
        least=round(amounts.least * 1e6) if amounts.least is not None else None,
        shown=tuple(each.variant.id for each in found.shown) or memory.shown,
        asked=reading.asked or memory.asked,
    )
