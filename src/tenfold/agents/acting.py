"""What a customer wants done, found in a conversation: proposed first, done after a yes, and only for whom it is.

It is found by rules over what the customer wrote, never by a language model; what may be done is checked in ``deeds``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tenfold.agents.orders import Ask, Line
from tenfold.reply.reply import Answer, HandOff, Reply

_INTO_CART = re.compile(
    r"\b(add|put)\b.{0,60}\b(cart|basket|bag)\b|\b(i'?ll|i will|i'd like to|i want to|let me|can i)\s+"
    r"(take|buy|order|get)\s+(it|this|that|one|two|three|\d+|the)\b",
    re.IGNORECASE,
)
_CHECKOUT = re.compile(
    r"\b(check ?out|pay (now|for it|for them|for my cart)|payment link|complete my (order|purchase))\b", re.I
)
_YES = re.compile(
    r"^\W*(yes|yep|yeah|ok|okay|sure|confirm(ed)?|do it|go ahead|please do|ja|oui|s[ií])\b[^?]{0,30}$", re.I
)
_NO = re.compile(r"^\W*(no|nope|don't|do not|stop|never ?mind|cancel that|nein|non)\b[^?]{0,30}$", re.IGNORECASE)
_THANKS = re.compile(
    r"^\W*((ok(ay)?|great|perfect|super|wow)\W+)?(many )?"
    r"(thanks|thank you|thx|danke|merci|gracias|grazie|obrigad[oa])\b[^?]{0,40}$",
    re.IGNORECASE,
)
_CODE = re.compile(r"^\W*(\d{6})\W*$")
_COUNT = re.compile(
    r"\b(two|three|four|five|six)\b|\b([1-9]\d?)\s*(?:x|pieces|of (?:it|them|these|those))\b", re.IGNORECASE
)
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_BY_ACT = {"cancel": "cancel_order", "return": "return_order"}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a thread keeps beside the brain's memory.

    ``deed``: id of what waits for a yes. ``coded``: a code was sent, and proves who the customer is. ``cart``: the
    thread's open cart.
    """

    deed: str = ""
    coded: bool = False
    cart: str = ""

    @classmethod
    def of(cls, memory: Mapping[str, object]) -> "Kept":
        """Read it from a thread's memory."""
        return cls(str(memory.get("deed", "")), bool(memory.get("coded")), str(memory.get("cart", "")))

    def to_json(self) -> dict[str, object]:
        """As JSON."""
        return {"deed": self.deed, "coded": self.coded, "cart": self.cart}

    def done(self, cart: str | None = None) -> "Kept":
        """Nothing waits any more."""
        return replace(self, deed="", coded=False, cart=self.cart if cart is None else cart)


def is_yes(text: str) -> bool:
    """Whether a message is a yes and nothing else."""
    return bool(_YES.match(text)) and not _NO.match(text)


def is_no(text: str) -> bool:
    """Whether a message is a no."""
    return bool(_NO.match(text))


def is_thanks(text: str) -> bool:
    """Whether a message says thanks and asks nothing: the customer's word that they were helped."""
    return bool(_THANKS.match(text))


def code_in(text: str) -> str:
    """Give the code of six digits that a message is; empty if it is none."""
    found = _CODE.match(text)
    return found[1] if found else ""


def wish_of(text: str, reply: Reply, shown: tuple[str, ...], kept: Kept, *, is_proven: bool) -> Ask | None:
    """Find what a message asks to be done; none where it asks for nothing that can be done here.

    Args:
        text: what the customer wrote.
        reply: what the brain says to it.
        shown: variants that the reply names, or the one before.
        kept: of the thread.
        is_proven: whether it is known who the customer is; without that no cart is begun.
    """
    if isinstance(reply, HandOff):
        tool = _BY_ACT.get(reply.facts.get("act", ""))
        order = reply.facts.get("order", "")
        if tool == "cancel_order" and order:
            return Ask("cancel_order", order)
        return Ask("return_order", order) if tool == "return_order" and order else None
    if not is_proven:
        return None
    if kept.cart and _CHECKOUT.search(text):
        return Ask("create_checkout", kept.cart)
    if isinstance(reply, Answer) and _INTO_CART.search(text) and len(shown) == 1:
        return Ask("create_cart", lines=(Line(shown[0], _count(text)),))
    return None


def _count(text: str) -> int:
    found = _COUNT.search(text)
    if found is None:
        return 1
    return _NUMBERS[found[1].lower()] if found[1] else int(found[2])
