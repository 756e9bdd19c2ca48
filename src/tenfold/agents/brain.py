"""The agent's answer to a customer: retrieve, decide, write. Pure: the same question gives the same reply.

No language model understands the question, so nothing in a catalog, a text or a message can give the agent orders.
Prices and stock in the reply are slots; ``speak`` fills them when it is sent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tenfold.agents.answer import Found, answer, compared
from tenfold.agents.greet import small_talk
from tenfold.agents.lookup import passage_answer, similar
from tenfold.agents.memory import Memory
from tenfold.agents.reading.acts import act_of, wants_human
from tenfold.agents.reading.cues import COMPARES
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
    if wants_human(question):
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
    found = _found(shop, reading, question, memory)
    if isinstance(found.reply, Unknown):
        found = _by_text(shop, question) or found
    return found.reply, _remembered(memory, reading, found)


def _found(shop: Shop, reading: Reading, question: str, memory: Memory) -> Found:
    if COMPARES.search(reading.text) and not re.search(r"\bthan\s+[$€£]?\d", reading.text):
        sides = [read(shop, side, Memory()) for side in sides_of(reading.text)]
        sides = _completed(sides, reading)
        if len(sides) >= 2:
            found = compared(shop, sides, reading.than or reading.best, reading.text)
            if found is not None:
                return found
    several = _several(shop, reading) if reading.how == "named" else None
    if several is not None:
        return several
    if reading.how in ("named", "alike", "thread"):
        # "How do I wash the sweater?" asks for no fact of the catalog.
        told = _by_text(shop, question) if reading.spare and reading.asked == "" else None
        return told or answer(shop, reading)
    if reading.how == "all" and _is_about_goods(reading):
        return answer(shop, reading)
    if reading.how == "all" and shop.items and _RANGE.search(reading.text):
        return _range(shop)
    found = similar(shop, question, reading)
    return found or Found(Unknown(shop.as_of, ("the catalog",), reading.thing), ())


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


def _completed(sides: Sequence[Reading], whole: Reading) -> list[Reading]:
    """Sides of a comparison; one that names only values is of the thing that another names."""
    named = [side for side in sides if side.how in ("named", "alike")]
    full: list[Reading] = []
    for side in sides:
        if side.how in ("named", "alike"):
            full.append(side)
        elif named and (side.wishes or side.how == "all"):
            again = read_in(whole, named, side)
            if again is not None:
                full.append(again)
    distinct = {(tuple(item.id for item in side.items), side.wishes) for side in full}
    return full if len(distinct) == len(full) else []


def read_in(whole: Reading, named: Sequence[Reading], side: Reading) -> Reading | None:
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
