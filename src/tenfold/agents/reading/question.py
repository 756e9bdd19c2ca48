"""A question about things for sale, read without a language model: which items, what they must be, what is asked."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from tenfold.agents.memory import Memory, Wish
from tenfold.agents.reading.cues import (
    FEWEST,
    Amounts,
    Asked,
    Best,
    amounts_of,
    asked_of,
    best_of,
    price_number,
    than_of,
)
from tenfold.agents.reading.denied import is_denied
from tenfold.agents.reading.find import NOTHING, Named, alike, by_modifier, is_color_or_material, is_content, named
from tenfold.agents.reading.lexicon import Value
from tenfold.agents.reading.mention import Mention, Scope
from tenfold.agents.reading.mentions import mentions_of
from tenfold.agents.reading.only import every_of, only_of
from tenfold.agents.reading.quantity import quantities_of
from tenfold.agents.reading.spelling import corrected
from tenfold.agents.reading.token import Token, plain, stems_of, tokens_of
from tenfold.agents.reading.unread import POINTS, Absent, How, unexplained_in, unread_in
from tenfold.agents.reading.words import ASKS, COMPARATIVES, GENERIC, INCIDENTAL, MEASURES, OPINION
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item

NO_AMOUNTS = Amounts()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question, or one side of a comparison, is understood to say.

    ``how``: the items were named, or named by another word, or are what the thread is about, or all. ``about``: names
    of attributes asked for. ``absent``: values that are not offered. ``puzzling``: words about the thing that nothing
    here explains; ``spare``: other such words; ``unread``: of both those that are not what it is wanted for. ``thing``:
    what was asked for, in the customer's words. ``is_told``: it asks who, when or how long, which an
    option tells. ``is_weak``: the items are named by words that only say what kind they are. ``is_eased``: nothing is
    all that was wished, and ``wishes`` are some of it. ``only``: the wishes of which it is asked, or taken for granted,
    that a thing comes in nothing else.
    """

    text: str
    tokens: tuple[Token, ...]
    items: tuple[Item, ...]
    how: How
    asked: Asked
    wishes: tuple[Wish, ...] = ()
    amounts: Amounts = NO_AMOUNTS
    best: Best | None = None
    than: Best | None = None
    about: tuple[str, ...] = ()
    absent: tuple[Absent, ...] = ()
    puzzling: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    thing: str = ""
    is_generic: bool = False
    is_told: bool = False
    is_weak: bool = False
    is_eased: bool = False
    only: tuple[Wish, ...] = ()
    pointed: tuple[str, ...] = ()
    count: int = 1


def read(shop: Shop, question: str, memory: Memory) -> Reading:
    """Read a question, or a part of one."""
    text = plain(question)
    tokens = corrected(shop, tokens_of(text))
    said = _respelt(text, tokens)
    amounts = amounts_of(said)
    # Amounts are found in the respelt text, whose places differ: found again by their numbers.
    money = frozenset(at for at, token in enumerate(tokens) if token.is_number and _is_amount(token, amounts))
    denied = frozenset(
        at
        for at, token in enumerate(tokens)
        if token.stem in shop.lexicon.items_by_stem and is_content(token) and is_denied(text, tokens, at)
    )
    found = named(shop, tokens, money, denied - money)
    found, how, items, pointed = _whose(shop, tokens, said, found, memory)
    scope = Scope.of(shop, items)
    mentions = mentions_of(text, tokens, scope, found.places | (money if amounts.currency else frozenset()))
    if not amounts.currency and any(money & each.places for each in mentions):
        # "At least 4 outlets" is no price.
        amounts, money = NO_AMOUNTS, frozenset()
    explained = found.places | money | frozenset(at for each in mentions for at in each.places)
    about = tuple(
        dict.fromkeys(name for each in mentions for name in each.names if not each.values and not each.absent)
    )
    absent, puzzling, spare = unexplained_in(shop, tokens, items, how, found, explained, text)
    odd = [
        each for each in quantities_of(text) if how in ("named", "alike") and each.dimension not in ("count", "time")
    ]
    spans = [(each.start, each.end) for each in odd]
    counts = re.compile(r"\d+ ?x\b")
    odd_spans = [
        (a, b)
        for a, b in spans
        if not counts.fullmatch(text[a:b]) and not any(a <= tokens[at].start < b for at in explained)
    ]
    puzzling = (*puzzling, *(text[a:b] for a, b in odd_spans))
    unread = unread_in(tokens, items, how, explained)
    measured, unmeasured = _measured(said, scope)
    puzzling = (*puzzling, *unmeasured, *_after_name(said, tokens, found, scope))
    count, part = _count(tokens, found, explained - found.places)
    puzzling = (*puzzling, *part, *_for_number(tokens, explained, how, scope))
    absent = (*(Absent(each.said, each.absent) for each in mentions if each.absent and not each.is_excluded), *absent)
    wishes = wishes_of(mentions, said)
    # "with mesh lining" says which lining, and asks for none.
    spoken = frozenset(name for wish in wishes for name in wish.attributes)
    about = tuple(
        name
        for each in mentions
        if not each.values and not each.absent and not spoken & set(each.names)
        for name in each.names
    )
    about = tuple(dict.fromkeys((*about, *measured)))
    best, than = (
        _named_after(tokens, mentions, _TOP) or best_of(said),
        than_of(said) or _named_after(tokens, mentions, _MORE),
    )
    if best and any(_is_value(each, tokens, best) for each in mentions):
        best = None
    graded = {each.adjective for each in (best, than) if each} | (set(MEASURES) if measured else set())
    unread, puzzling = (tuple(word for word in words if word not in graded) for words in (unread, puzzling))
    reading = Reading(
        text=said,
        tokens=tokens,
        items=items,
        how=how,
        asked=asked_of(said),
        wishes=wishes,
        amounts=amounts,
        best=best,
        than=than,
        about=about,
        absent=absent,
        puzzling=puzzling,
        spare=spare,
        unread=unread,
        thing=thing_of(tokens),
        only=only_of(said, wishes) or (every_of(said, tokens, found, mentions, wishes) if how == "named" else ()),
        is_generic=any(token.stem in GENERIC or token.text in GENERIC for token in tokens),
        is_weak=found.is_weak,
        is_told=bool(about) and _TELLS.match(said) is not None,
        pointed=pointed,
        count=count,
    )
    return _carried_on(reading, memory) if how == "thread" else reading


def wishes_of(mentions: Sequence[Mention], text: str) -> tuple[Wish, ...]:
    """What is wanted: values of one attribute, or joined by "or", are alternatives; all else must hold at once."""
    wishes: list[Wish] = []
    for each in mentions:
        if not each.values:
            continue
        wish = Wish(tuple(value.pair for value in each.values), each.said, each.is_excluded)
        for at, other in enumerate(wishes):
            both = wish.attributes & other.attributes
            is_or = f"{other.said} or " in text or f"or {each.said}" in text
            same = wish.attributes == other.attributes or (both and is_or)
            if same and wish.is_excluded == other.is_excluded:
                pairs = dict.fromkeys((*other.pairs, *wish.pairs))
                wishes[at] = Wish(tuple(pairs), f"{other.said} or {wish.said}", wish.is_excluded)
                break
        else:
            wishes.append(wish)
    return tuple(wishes)


def thing_of(tokens: Sequence[Token]) -> str:
    """The longest run of words that name something, in the customer's spelling as corrected."""
    runs: list[list[Token]] = [[]]
    for token in tokens:
        if is_content(token) and token.stem not in OPINION:
            runs[-1].append(token)
        else:
            runs.append([])
    best = max(runs, key=len)
    return " ".join(token.text for token in best)


_ALL = re.compile(
    r"\b(thing|things|product|products|item|items|anything|everything|what|all)\b.* you (sell|have|carry|offer|stock)\b"
)
_ONE = re.compile(r"\b(it|its|it's|that one|this one)\b")
_THREAD = re.compile(
    r"\b(it|its|it's|that|this|these|those|them|they|one|ones|same|other|others|another)\b|^(and|or|but|"
    r"what about|how about|"
    r"also|in|with|ok|okay|what if)\b"
)


Whose = tuple[Named, How, tuple[Item, ...], tuple[str, ...]]


def _whose(shop: Shop, tokens: tuple[Token, ...], text: str, found: Named, memory: Memory) -> Whose:
    """Whose options are spoken of: items named here, those of the thread, or all; and variants that are pointed at."""
    if found.items and _is_of_options(shop, tokens, found, memory):
        found = NOTHING
    if found.items and not _is_purpose(text, tokens, found):
        return found, "named", found.items, ()
    if found.items:
        return NOTHING, "none", (), ()
    ahead = [token for token in tokens if is_content(token) and token.stem not in OPINION]
    unknown = [token for token in ahead if not _is_option(shop, token)]
    if not (_ALL.search(text) and not unknown):
        items, pointed = _of_thread(shop, tokens, text, unknown, memory)
        if items:
            return NOTHING, "thread", items, pointed
    if not unknown:
        return NOTHING, "all", tuple(shop.items.values()), ()
    items = alike(shop, " ".join(token.text for token in unknown[:3]))
    if not items:
        weak = by_modifier(shop, tokens, frozenset())
        return (weak, "named", weak.items, ()) if weak.items else (NOTHING, "none", (), ())
    places = frozenset(at for at, token in enumerate(tokens) if token in unknown[:3])
    return Named(items, places), "alike", items, ()


def _is_of_options(shop: Shop, tokens: Sequence[Token], found: Named, memory: Memory) -> bool:
    """Whether all that names something else is an option of what the thread is about: "with needle size 2 mm"."""
    names = {each for item in memory.items for value in shop.lexicon.values.get(item, ()) for each in _runs(value)}
    said = [token.stem for token in tokens]
    runs = [
        range(at, at + len(run)) for run in names for at in range(len(said)) if tuple(said[at : at + len(run)]) == run
    ]
    return bool(names) and found.places <= {at for run in runs for at in run} and any(len(run) > 1 for run in runs)


def _runs(value: Value) -> set[tuple[str, ...]]:
    return {each for each in (stems_of(value.attribute), *value.said) if len(each) > 1}


_WHAT = (
    r"what(?! [\w-]+ (?:options?|choices?|variants?|versions?|values?|are|is|do|does)\b)"
    r"(?!(?:'s| is| are) (?!good|best|useful|right)| (?:do|does|would|will) (?:you|it|that|this|the)\b)"
)
_PURPOSE = re.compile(
    rf"\b(?:something|anything|{_WHAT}|stuff|way|place|tool|device|game|thing)\b.{{0,24}}?\b(?:to|for|that|when|so)\b|"
    r"^(?:my|the) \w+ (?:is|are|hurts?|gets?|\w+s)\b|^(?:i|we) (?:can't|cannot|am|are|feel|get)\b"
)


def _is_purpose(text: str, tokens: Sequence[Token], found: Named) -> bool:
    """Whether a thing is named only in what something else is wanted for: "something to start my car"."""
    purpose = _PURPOSE.search(text)
    return purpose is not None and all(tokens[at].start >= purpose.end() for at in found.places)


def _of_thread(
    shop: Shop, tokens: tuple[Token, ...], text: str, unknown: Sequence[Token], memory: Memory
) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """Items that the thread is about, where the question goes on about them, and the variants that it points at."""
    known = tuple(shop.items[each] for each in memory.items if each in shop.items)
    pointed = _pointed(text, memory)
    if len(memory.shown) == 1 and memory.shown[0] in shop.item_of and _ONE.search(text):
        # "Is it in stock?" is about the one that was named last; "is it there in red?" about the like of it.
        known = (shop.item_of[memory.shown[0]],)
        pointed = pointed or (() if any(_is_option(shop, token) for token in tokens) else memory.shown)
    goes_on = _THREAD.search(text) is not None
    if unknown:
        goes_on = goes_on and not re.search(r"\b(have|sell|carry|need|want|find) an?\b", text)
    else:
        goes_on = goes_on or len(tokens) < 12
    return (known, pointed) if goes_on else ((), ())


def _pointed(text: str, memory: Memory) -> tuple[str, ...]:
    """The variant that "the second one" points at among those shown."""
    match = re.search(
        r"\bthe (first|1st|second|2nd|third|3rd|fourth|4th|fifth|5th|last|latter|former)\b"
        r"(?! (?:time|cheapest|most|least|best|\w+est)\b)",
        text,
    )
    if not match or not memory.shown:
        return ()
    at = {"last": -1, "latter": -1, "former": 0}.get(match.group(1), POINTS.get(match.group(1), 0))
    return (memory.shown[at],) if at < len(memory.shown) else ()


def _is_option(shop: Shop, token: Token) -> bool:
    return is_color_or_material(token.stem) or token.stem in shop.option_stems


def _count(tokens: Sequence[Token], found: Named, explained: frozenset[int]) -> tuple[int, tuple[str, ...]]:
    """How many are wanted: the number before what they are, and what they are like; or a part of it, as "week 3"."""
    at = start = min(found.places, default=0) - 1
    while at >= 0 and (at in explained or tokens[at].text in _OF):
        at -= 1
    if at < 0 or not re.fullmatch(r"\d{1,3}", tokens[at].text):
        return 1, ()
    is_of = any(tokens[each].text == "of" for each in range(at + 1, start + 1))
    if is_of and at > 0 and (is_content(tokens[at - 1]) or tokens[at - 1].text in INCIDENTAL | _PARTS):
        return 1, (f"{tokens[at - 1].text} {tokens[at].text}",)
    return max(1, int(tokens[at].text)), ()


_OF = frozenset(["of", "the", "your", "x", "these", "those"])
_PARTS = frozenset(["day", "week", "part", "unit", "number"])


def _for_number(tokens: Sequence[Token], explained: frozenset[int], how: How, scope: Scope) -> tuple[str, ...]:
    """A number at the end which no option explains, of what has options with numbers: "a phone case for 7?"."""
    at = len(tokens) - 1
    is_open = how == "named" and at > 0 and tokens[at].is_number and at not in explained
    is_numbered = any(value.text[:1].isdigit() for value in scope.values)
    return (tokens[at].text,) if is_open and is_numbered and tokens[at - 1].text == "for" else ()


def _after_name(text: str, tokens: Sequence[Token], found: Named, scope: Scope) -> tuple[str, ...]:
    """A comparative that ends the name of something else: "mug warmer", "paint thinner"."""
    names = {stem for words in scope.names for stem in words}
    return tuple(
        token.text
        for at, token in enumerate(tokens)
        if token.text in COMPARATIVES
        and at not in found.places
        and at - 1 in found.places
        and (at + 1 == len(tokens) or not is_content(tokens[at + 1]))
        and not _COMPARED.search(text)
        and not MEASURES[COMPARATIVES[token.text]] & names
    )


_COMPARED = re.compile(r"\b(than|which|what|how)\b")
_HOW = re.compile(rf"\bhow ({'|'.join(MEASURES)})\b(?! is (the )?(delivery|shipping))")


def _measured(text: str, scope: Scope) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options that tell "how heavy" a thing is; or the word itself, where none does."""
    found = _HOW.search(text)
    if found is None:
        first = _FIRST.match(text)
        asks = ASKS[first.group(1)] if first else frozenset()
        return tuple(
            dict.fromkeys(name for words, names in scope.names.items() for name in names if asks & set(words))
        ), ()
    names = [name for words, names in scope.names.items() for name in names if MEASURES[found.group(1)] & set(words)]
    return tuple(dict.fromkeys(names)), () if names else (f"how {found.group(1)}",)


def _named_after(tokens: Sequence[Token], mentions: Sequence[Mention], words: Set[str]) -> Best | None:
    """More or less of an option that is named after the word: "the most outlets", "fewer cores"."""
    for each in mentions:
        at = min(each.places) - 1
        is_bound = at > 0 and tokens[at - 1].text == "at"
        if each.names and not each.values and at >= 0 and tokens[at].text in words and not is_bound:
            return Best("size", tokens[at].text not in FEWEST, tokens[at].text)
    return None


_TOP, _MORE = frozenset(["most", "fewest", "least"]), frozenset(["more", "less", "fewer"])


_NOT_I = r"(?! (?:can|do|did|should|must|may|could|will|would) (?:i|we|you))"
_FIRST = re.compile(rf"\W*(?:and |so |but )?(?:on |at |in )?(who|when|where)\b{_NOT_I}")
_TELLS = re.compile(
    rf"\W*(?:and |so |but )?(?:(?:on |at |in )?(?:who|when|where|which|what)|how (?:{'|'.join(MEASURES)}))\b{_NOT_I}"
)


def _is_value(mention: Mention, tokens: Sequence[Token], best: Best) -> bool:
    """Whether the word of a superlative is a value of an option, as "high" is."""
    said = " ".join(tokens[at].text for at in sorted(mention.places))
    return bool(mention.values) and said == best.word


def _is_amount(token: Token, amounts: Amounts) -> bool:
    number = price_number(token.text) if re.fullmatch(r"[\d.,]+", token.text) else None
    return number is not None and number in (amounts.least, amounts.most, amounts.exact)


def _respelt(text: str, tokens: Sequence[Token]) -> str:
    """The text with misspelt words put right."""
    parts, at = [], 0
    for token in tokens:
        if token.start < at:
            continue
        parts += [text[at : token.start], token.text if token.text.isalpha() else text[token.start : token.end]]
        at = token.end
    return "".join([*parts, text[at:]])


_OF_ALL = re.compile(r"\b(all of (them|those|these|it)|of all|overall|any of them)\b")
_OPEN = re.compile(r"\W*(and |but |so )?(who|why|when|where|how)\b")


def _carried_on(reading: Reading, memory: Memory) -> Reading:
    """A follow-up: what it does not say is as in the question before."""
    fresh = frozenset(name for wish in reading.wishes for name in wish.attributes)
    fresh |= frozenset(each.attribute for each in reading.absent)
    kept = tuple(wish for wish in memory.wishes if not wish.attributes & fresh)
    if (reading.than and memory.shown) or _OF_ALL.search(reading.text):
        kept = ()
    kept = tuple(wish for wish in kept if wish.attributes.isdisjoint(reading.about))
    amounts = reading.amounts
    if amounts == NO_AMOUNTS and (memory.most is not None or memory.least is not None):
        amounts = Amounts(memory.least and memory.least / 1e6, memory.most and memory.most / 1e6)
    carried = "" if _OPEN.match(reading.text) else memory.asked
    asked = reading.asked or (carried if not reading.about else "options")
    return replace(reading, wishes=(*kept, *reading.wishes), amounts=amounts, asked=asked)  # type: ignore[arg-type]
