"""Claims that a thing comes in nothing but what is named: "only in blue", "are all the mugs blue?"."""

import re
from collections.abc import Sequence

from tenfold.agents.memory import Wish
from tenfold.agents.reading.find import Named
from tenfold.agents.reading.mention import Mention
from tenfold.agents.reading.token import Token

_ONLY = re.compile(
    r"\b(available|comes?|have|has|sell|sells|sold|offer|offered|carry|stock|there|it's|is|are|so|got)\b.*"
    r"\b(only|just|solely|exclusively|nothing but)\b|\bonly (available|comes?|have|sells?|sold|offered|got)\b"
)
_WANTS_ONLY = re.compile(
    r"\b(want|need|like|show|give|list|looking|find|cost|costs|price|much|interested)\b|"
    r"\bhave (only|just) [$€£]?\d|\bjust an?\b"
)


def only_of(text: str, wishes: Sequence[Wish]) -> tuple[Wish, ...]:
    """The wishes that stand beside "only", where a question has it that a thing comes in nothing but those."""
    if not _ONLY.search(text) or _WANTS_ONLY.search(text):
        return ()
    gap, only = r"(?:[\w-]+ ){0,5}", r"(?:only|just|solely|exclusively|nothing but)"
    said = [(wish, re.escape(wish.said)) for wish in wishes if not wish.is_excluded]
    return tuple(wish for wish, each in said if re.search(rf"\b{only} {gap}{each}\b|\b{each},? {only}\b", text))


_EVERY = re.compile(r"\W*(?:is|are|do|does) (?:(?:all|every|each) (?:of )?|.* always )")
_LINKS = frozenset(
    ["in", "of", "made", "only", "just", "from", "for", "a", "an", "the", "with", "have", "has", "or", "always"]
)
_COMES_WITH = re.compile(r"\bcomes? with\b")


def every_of(
    text: str, tokens: Sequence[Token], found: Named, mentions: Sequence[Mention], wishes: Sequence[Wish]
) -> tuple[Wish, ...]:
    """The one wish of a claim of all that is named: "are all the mugs blue?", "does every lamp have LED?"."""
    if not _EVERY.match(text) or len(wishes) != 1 or wishes[0].is_excluded or not found.places or found.is_weak:
        return ()
    places = frozenset(at for each in mentions for at in each.places)
    if min(places) < max(found.places) or max(places) != len(tokens) - 1:
        # "Are all the blue mugs in stock?" claims something else of them.
        return ()
    links = _LINKS | {"come", "comes"} if _COMES_WITH.search(text) else _LINKS
    between = (tokens[at] for at in range(max(found.places) + 1, len(tokens)) if at not in places)
    before = [tokens[at].text for at in range(min(found.places))]
    return tuple(wishes) if all(each.text in links for each in between) and len(before) <= _MOST_BEFORE else ()


_MOST_BEFORE = 4
"""Words before the name in "are all of the mugs"."""
