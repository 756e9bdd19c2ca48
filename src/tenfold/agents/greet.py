"""Greetings and thanks: what asks nothing is answered with what can be asked."""

import re

from tenfold.agents.reading.token import plain
from tenfold.agents.shop import Shop
from tenfold.reply.reply import Clarify

_HELLO = re.compile(
    r"^\W*(hi|hello|hey|hiya|howdy|greetings|good (morning|afternoon|evening|day)|hallo|hola|bonjour|salut|"
    r"ciao|guten tag|"
    r"buenos d[ií]as|ol[áa]|yo|hi there|hello there|hey there)(\W+(there|everyone|team|all))?\W*$"
)
_THANKED = """
thanks thank thx ty cheers danke gracias merci grazie obrigado obrigada bye goodbye great perfect cool awesome ok okay
nevermind
"""
_KIND = """
you so much a lot very again that's that is all got it no have nice good day see for your the help never mind this was
helpful schön sehr then will do
"""
_THANKS = frozenset(_THANKED.split())
_POLITE = _THANKS | frozenset(_KIND.split())
_WHO = re.compile(
    r"\b(who are you|are you (a |an )?(bot|robot|human|ai|real|machine|person)|what can you do|how can you help)\b"
)


def small_talk(shop: Shop, question: str) -> Clarify | None:
    """What to say to a message that asks nothing of the shop; none where it asks something."""
    text = plain(question)
    if not re.search(r"\w", text):
        return Clarify("What can I find for you?")
    if _HELLO.match(text):
        return Clarify(f"Hello! I answer for {shop.business}. What can I find for you?")
    words = re.findall(r"[\w']+", text)
    if set(words) <= _POLITE and (set(words) & _THANKS or {"that's", "all"} <= set(words)):
        return Clarify("You're welcome. Is there anything else?")
    if _WHO.search(text):
        return Clarify(
            f"I am the automatic agent of {shop.business}: I answer from its catalog and texts, and hand over to a "
            "person whenever you ask. What can I find for you?"
        )
    return None
