"""What an item's description says of something, one sentence of it; never a price, and never an order to the agent."""

import re
from collections.abc import Sequence

from tenfold.agents.reading.token import stems_of
from tenfold.catalog.item import Item
from tenfold.reply.gate import AMOUNT

_ORDERS = re.compile(
    r"\b(ignore|disregard|forget|instructions?|system|prompt|assistant|agent|ai|chatbot|customers? that|"
    r"you must|respond|"
    r"reply with|answer with|say that|tell (the|all|every)|free|discount|refund|password|secret)\b",
    re.IGNORECASE,
)


def sentences_of(text: str) -> list[str]:
    """Sentences of a text."""
    return [
        each.strip()
        for each in re.split(r"(?<!max\.)(?<!min\.)(?<!incl\.)(?<!approx\.)(?<!e\.g\.)(?<=[.!?])\s+|\n+", text)
        if each.strip()
    ]


def sayable(text: str) -> list[str]:
    """Sentences of a description that may be quoted: none with a price, and none that orders something."""
    return [each for each in sentences_of(text) if not AMOUNT.search(each) and not _ORDERS.search(each)]


def sentence_about(item: Item, words: Sequence[str], question: Sequence[str]) -> str:
    """The sentence of the description that tells of the words; empty where there is none.

    Args:
        item: with the description.
        words: of which the sentence has at least half.
        question: its stems; of several sentences the one that has most of them is taken.
    """
    wanted = {each for word in words for each in stems_of(word)}
    # "Does the camp stove include gas?": every sentence may say stove, one says what is included.
    told = set(question) - set(stems_of(item.title))
    found = []
    for sentence in sayable(item.description):
        has = set(stems_of(sentence))
        if 2 * len(wanted & has) >= max(1, len(wanted)):
            found.append((len(told & has), sentence))
    return max(found, key=lambda each: each[0])[1] if found else ""
