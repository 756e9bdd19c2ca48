"""Sides of a comparison: a question split at its conjunctions before each side is read."""

import re

_SPLIT = re.compile(
    r"\s+(?:or|and|vs\.?|versus|than|against|compared (?:to|with)|from)\s+(?:(?:the|a|an|your) )?|,\s*(?:or |and )?"
)


def sides_of(text: str) -> list[str]:
    """Parts of a question between conjunctions."""
    if re.match(r"\W*(compare|what's the difference|difference)\b", text):
        text = text.replace(" with ", " and ")
    return [part.strip(" ?.!") for part in _SPLIT.split(text) if part.strip(" ?.!")]
