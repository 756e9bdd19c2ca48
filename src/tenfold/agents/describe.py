"""What an item's description says of something, one sentence of it; never a price, and never an order to the agent."""

import re
from collections.abc import Sequence

from tenfold.agents.reading.token import stem, stems_of
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
    return [each.strip() for each in re.split(r"(?<=[.!?])\s+|\n+", text) if each.strip()]


def sentence_about(item: Item, words: Sequence[str]) -> str:
    """The sentence of the description that has all of the words; empty where there is none."""
    wanted = {stem(word) for word in words}
    for sentence in sentences_of(item.description):
        if wanted <= set(stems_of(sentence)) and not AMOUNT.search(sentence) and not _ORDERS.search(sentence):
            return sentence
    return ""
