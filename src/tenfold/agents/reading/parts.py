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


_STARTS = re.compile(
    r"\W*(?:and |so |but |then |hi |hello |please )*(?:is|are|was|were|does|do|did|can|could|may|might|must|should|"
    r"will|would|has|have|what|what's|which|who|whose|how|why|when|where|tell|show)\b"
)
_CLAUSE = re.compile(rf"(?<=[,;.!?:])\s+|\s+(?:and|but|so)\s+(?={_STARTS.pattern})")
_TELLS = re.compile(r"\W*(?:and |so |but |then |hi |hello |well )*(?:i|we|he|she|they|you|someone|somebody|my|our)\b")
_WISHES = re.compile(r"\b(want|need|like|wish|look|looking|plan|hope|going|would|could|can|will|if)\b|'(d|ll)\b")


def asking_in(text: str) -> str:
    """A question without what is only told beside: "I gave the blue mug to my mother, how much is the red one?"."""
    clauses = _CLAUSE.split(text)
    if not any(_STARTS.match(each) for each in clauses):
        return text
    # What somebody wants of a thing belongs to the question: "I'd like it engraved, how much is it?".
    return " ".join(each for each in clauses if not _TELLS.match(each) or _WISHES.search(each))
