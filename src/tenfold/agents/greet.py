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
_THANKS = re.compile(
    r"^\W*(ok(ay)?\W+|great\W+|perfect\W+|cool\W+|no\W+)*(thanks?( you)?( so much| a lot| very much| again)?|"
    r"thx|ty|cheers|"
    r"danke( sch[öo]n)?|gracias|merci|grazie|obrigad[oa]|that('s| is) all|(good)?bye|see you|have a (nice|good|"
    r"great) day|"
    r"got it|ok(ay)?|great|perfect|cool|awesome|never ?mind)((\W|\bfor\b|\byour\b|\bhelp\b|\bthe\b|\ball\b|\bbye\b)*)$"
)
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
    if _THANKS.match(text):
        return Clarify("You're welcome. Is there anything else?")
    if _WHO.search(text):
        return Clarify(
            f"I am the automatic agent of {shop.business}: I answer from its catalog and texts, and hand over to a "
            "person whenever you ask. What can I find for you?"
        )
    return None
