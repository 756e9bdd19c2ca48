"""What a message to the assistant asks for."""

import re
from dataclasses import dataclass
from typing import Literal

from tenfold.assistant.planning import is_new_plan

Wish = Literal["ask", "remember", "recall", "forget", "plan", "show_plan", "drop_plan", "draw", "help"]

_CALLED = re.compile(r"@assistant\b[,:]?\s*", re.IGNORECASE)
_REMEMBER = re.compile(
    r"^(?:please )?(?:remember|note|keep in mind)(?: that|:)?\s+(?P<what>.+)$", re.IGNORECASE | re.DOTALL
)
_RECALL = re.compile(
    r"^what (?:do|did) you (?:remember|know about us|note)|^(?:list|show) (?:what you remember|your memory|memory)",
    re.IGNORECASE,
)
_FORGET = re.compile(r"^(?:please )?forget (?P<what>.+)$", re.IGNORECASE | re.DOTALL)
_SHOW_PLAN = re.compile(
    r"^(?:show|what is|what's|read)(?: me| us)? (?:the|our) (?:plan|schedule)\b|^(?:the )?plan\??$", re.IGNORECASE
)
_DROP_PLAN = re.compile(r"^(?:please )?(?:drop|delete|discard|cancel) (?:the|our) (?:whole )?plan\b", re.IGNORECASE)
_DRAW = re.compile(
    r"^(?:please )?(?:draw|paint|sketch|imagine|"
    r"(?:make|create|generate)(?: me| us)? (?:an? )?(?:image|picture|drawing|photo)s?(?: of)?)\b\s*(?P<what>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_HELP = re.compile(r"^(?:hi|hello|hey|help|what can you do|who are you)\b[\s?!.]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is wished, and of what."""

    wish: Wish
    what: str = ""


def is_called(text: str) -> bool:
    """Whether a message is to the assistant."""
    return _CALLED.search(text) is not None


def read_intent(text: str) -> Intent:
    """Read what a message asks for; a change of a plan reads as ``ask`` and is tried first, see ``answering.py``."""
    asked = _CALLED.sub("", text).strip()
    for pattern, wish in ((_RECALL, "recall"), (_SHOW_PLAN, "show_plan"), (_DROP_PLAN, "drop_plan"), (_HELP, "help")):
        if pattern.search(asked):
            return Intent(wish)
    if is_new_plan(asked):
        return Intent("plan", asked)
    for pattern, wish in ((_REMEMBER, "remember"), (_FORGET, "forget"), (_DRAW, "draw")):
        if found := pattern.match(asked):
            return Intent(wish, found["what"].strip())
    return Intent("ask", asked) if asked else Intent("help")
