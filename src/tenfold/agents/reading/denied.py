"""What a question says that it does not want."""

import re
from collections.abc import Sequence

from tenfold.agents.reading.token import Token

DENY = frozenset(
    [
        "not",
        "no",
        "without",
        "except",
        "excluding",
        "non",
        "nor",
        "besides",
        "isn't",
        "aren't",
        "avoid",
        "hate",
        "dislike",
        "neither",
        "minus",
        "exclude",
    ]
)
"""Words that deny what follows."""
_SKIP = frozenset(
    [
        "in",
        "of",
        "made",
        "the",
        "a",
        "an",
        "any",
        "one",
        "ones",
        "too",
        "be",
        "it",
        "is",
        "or",
        "nor",
        "and",
        "color",
        "colour",
        "colored",
        "material",
        "size",
        "from",
        "with",
        "containing",
        "type",
        "anything",
        "with",
    ]
)
_DENY_PAIRS = frozenset(
    {("rather", "than"), ("anything", "but"), ("all", "but"), ("everything", "but"),
     ("instead", "of"), ("don't", "want"), ("don't", "like"), ("allergic", "to")}
)  # fmt: skip

_ELSE = frozenset(["other", "another", "different", "else"])
"""With "than": "another colour than black"."""


def is_denied(text: str, tokens: Sequence[Token], at: int) -> bool:
    """Whether the token at ``at`` is what is not wanted: "not wool", "anything but black", "no leather or suede"."""
    boundary = tokens[at].start
    for back in range(at - 1, max(at - 8, -1), -1):
        word, before = tokens[back].text, tokens[back - 1].text if back else ""
        between = text[tokens[back].end : boundary]
        if re.search(r"[;!?]|\.\s", between) or ("," in between and word not in DENY and before not in DENY):
            return False
        is_list = re.match(r"\W*(?:[\w-]+\W+){0,3}(?:or|nor|and)\b", text[boundary:]) is not None
        if "," in between and (word == "no" or not is_list):
            # "Without a lid, black": a comma ends what is not wanted, but for a list of it; "no, the red one" is none.
            return False
        is_else = word == "than" and not {token.text for token in tokens[max(back - 4, 0) : back]}.isdisjoint(_ELSE)
        if is_else or word in DENY or (before, word) in _DENY_PAIRS:
            # "Isn't the blue one in stock?" asks whether it is.
            is_asked = back == 0 and word in {"isn't", "aren't"}
            return word not in DENY or not (is_asked or _denies_stock(tokens, back))
        denied = back > 1 and tokens[back - 2].text in DENY
        if word in {"with", "in"} and before.endswith("ing") and denied:
            # "not coming in blue"
            return True
        if _begins_anew(word, before, tokens[back + 1].text, is_next=back + 1 == at):
            return False
        boundary = tokens[back].start
    return False


def _begins_anew(word: str, before: str, after: str, *, is_next: bool) -> bool:
    """Whether what follows a word is no longer part of what was denied before it."""
    if word == "and" and after in {"in", "with", "under", "for", "size"}:
        return True
    if word.endswith("ing") and before in DENY:
        return False
    if word in {"with", "in"} and before not in DENY | {"made", "or", "than", "but"}:
        return True
    return word not in _SKIP and (is_next or after not in {"or", "nor", "and"})


def _denies_stock(tokens: Sequence[Token], at: int) -> bool:
    following = [token.text for token in tokens[at + 1 : at + 3]]
    return bool(following) and following[0] in {"available", "sold", "sure", "only", "more", "less", "over", "just"}
