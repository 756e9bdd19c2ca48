"""The agent's answer to a customer: retrieve, decide, write. Pure: the same question gives the same reply.

No language model understands the question, so nothing in a catalog, a text or a message can give the agent orders.
Prices and stock in the reply are slots; ``speak`` fills them when it is sent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tenfold.agents.answer import Found, answer, compared, described, untold
from tenfold.agents.currency import asked_back, readable
from tenfold.agents.greet import small_talk
from tenfold.agents.lookup import passage_answer, similar, told_by_texts
from tenfold.agents.memory import Memory
from tenfold.agents.reading.acts import act_of, wants_human
from tenfold.agents.reading.cues import COMPARES, Amounts
from tenfold.agents.reading.find import is_content
from tenfold.agents.reading.parts import sides_of
from tenfold.agents.reading.question import Reading, read
from tenfold.agents.reading.token import stems_of
from tenfold.agents.shop import Shop
from tenfold.agents.wording import Draft
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
    if wants_human(shop, question):
        return HandOff("asked", question), memory
    act = act_of(shop, question)
    if act is not None:
        return HandOff("policy", question, {"act": act.name, **act.facts}), memory
    talk = small_talk(shop, question)
    if talk is not None:
        return talk, memory
    told = passage_answer(shop, question)
    if told is not None:
        return told, memory
    reading = read(shop, question, memory)
    back = asked_back(shop, reading)
    if back is not None:
        # The amount that follows is in the shop's currency, and about the same things.
        return back, _remembered(memory, replace(reading, amounts=Amounts()), Found(back))
    reading = readable(shop, reading)
    found = _found(shop, reading, question, memory)
    if isinstance(found.reply, Unknown):
        found = _by_text(shop, question) or found
    return found.reply, _remembered(memory, reading, found)


def _found(shop: Shop, reading: Reading, question: str, memory: Memory) -> Found:
    if COMPARES.search(reading.text) and not re.search(r"\bthan\s+[$€£]?\d", reading.text):
        sides = [read(shop, side, Memory()) for side in sides_of(reading.text)]
        sides = _completed(shop, sides)
        if len(sides) >= 2:
            found = compared(shop, sides, reading.than or reading.best, reading.text)
            if found is not None:
                return found
    several = _several(shop, reading) if reading.how == "named" else None
    if several is not None:
        return several
    if reading.how in ("named", "alike", "thread"):
        if reading.than is not None and reading.asked in _YES_NO:
            # Not compared after all, so neither yes nor no.
            reading = replace(reading, asked="price")
        return _beside(shop, question, reading) or answer(shop, reading)
    return _of_none(shop, reading, question)


def _of_none(shop: Shop, reading: Reading, question: str) -> Found:
    """The answer to a question that names nothing that is sold."""
    is_how = _asks_how(reading)
    told = told_by_texts(shop, question, is_how=is_how) if is_how or reading.how != "all" else None
    if told is None and reading.how == "all" and _is_about_goods(reading):
        return answer(shop, reading)
    if told is None and reading.how == "all" and shop.items and _RANGE.search(reading.text):
        return _range(shop)
    told = told or told_by_texts(shop, question, is_how=is_how)
    if told is not None:
        return Found(told)
    found = None if is_how else similar(shop, question, reading)
    return found or Found(Unknown(shop.as_of, ("the catalog",), reading.thing), ())


def _beside(shop: Shop, question: str, reading: Reading) -> Found | None:
    """What is asked about a thing beside its options, price and stock; none where it is these that are asked.

    "Is there a balcony in the twin room?" names what is sold, and asks something else: a description or a text tells
    it, or nothing does. That the room is there is no answer.
    """
    is_how = _asks_how(reading) and reading.asked not in _FACTS
    if is_how:
        told = told_by_texts(shop, question, is_how=True)
        if told is not None:
            return Found(told)
    if reading.asked in _FACTS or not (is_how or (reading.unread and not reading.absent)):
        return None
    told = described(reading, [shop.now(item) for item in reading.items])
    if told is not None:
        return told
    written = told_by_texts(shop, question)
    if written is not None:
        return Found(written)
    is_question = is_how or _QUESTION.match(reading.text) is not None
    return untold(shop, reading) if is_question and reading.asked in ("", *_YES_NO, "describe") else None


def _asks_how(reading: Reading) -> bool:
    """Whether it is asked how something is done, or who does it: what a price list tells is no answer."""
    # "Why is it free?", "why do you no longer have it in white?" take for granted what the catalog knows better.
    is_presumed = reading.amounts.exact is not None or reading.absent or reading.wishes
    return _HOW.match(reading.text) is not None and not (is_presumed and _WHY.match(reading.text))


_YES_NO = ("exists", "holds")
_FACTS = ("price", "total", "pieces", "stock", "options", "count", "compare")
"""What the catalog's columns tell."""
_HOW = re.compile(
    r"\W*(and |so |but |hi |hello |please )*(how (do|does|should|can|could|must|to|often)|who|why|when|where|"
    r"(what|when) (must|should|happens|do i|if)|may i|must i|should i|am i allowed)\b"
)
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


def _by_text(shop: Shop, question: str) -> Found | None:
    told = passage_answer(shop, question, is_sure=False)
    return Found(told, ()) if told is not None else None


def _is_about_goods(reading: Reading) -> bool:
    """Whether a question that names nothing is about all that is sold, as "anything in blue under $20?"."""
    bounds = (reading.amounts.least, reading.amounts.most)
    return bool(reading.wishes or reading.best or reading.is_generic or any(bounds)) and not reading.puzzling


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
