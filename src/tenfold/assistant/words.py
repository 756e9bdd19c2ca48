"""Words of a text: cut, stemmed, and compared."""

import re

from tenfold.catalog import words as catalog_words

_TOKEN = re.compile(r"[^\W_]+(?:[.,:'\u2019/+-][^\W_]+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")

_UNIT = re.compile(r"(\d+(?:\.\d+)?)(?:m|bn|tn|k|km|kg|g|cm|mm|ft|mph|kmh|pc|am|pm|th|st|nd|rd|s)")

_STOPPED = """a about after again all also am an and any are as at be been before being both but by can could did do
does doing down during each few for from further had has have having he her here hers him his how i if in into is it its
itself just me more most my no nor not now of off on once only or other our out over own same she should so some such t
than that the their them then there these they this those through to too under until up very was we were what when where
which while who whom whose why will with would you your according tell say said says know happened happen many much new
latest recent recently called name named currently still yet ever get got last next week year month day today yesterday
one two people come came comes become became take took taken place go goes went make made give gave begin began"""
STOPPED = frozenset(_STOPPED.split())
"""Words that tell nothing of what a question is about."""

_COUNTED = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty"""
NUMBER_WORDS = {word: value for value, word in enumerate(_COUNTED.split())} | {
    "dozen": 12,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "hundred": 100,
    "thousand": 1000,
}

ALIASES = (
    ("us", "usa", "america", "american", "united states"),
    ("uk", "britain", "british", "united kingdom"),
    ("eu", "european union"),
    ("un", "united nations"),
    ("france", "french"),
    ("germany", "german"),
    ("spain", "spanish"),
    ("netherlands", "dutch"),
    ("switzerland", "swiss"),
    ("denmark", "danish"),
    ("poland", "polish"),
    ("greece", "greek"),
    ("ireland", "irish"),
    ("ukraine", "kyiv"),
    ("turkey", "turkish", "turkiye"),
    ("philippines", "filipino"),
)
"""Names of one thing; beside what begins alike, as Norway and Norwegian do."""

_BY_NAME = {name: frozenset(group) for group in ALIASES for name in group}


def words(text: str) -> list[str]:
    """Cut a text into words, lower case; ``5.2.19`` is one, ``CVE-2026-1`` is one and its parts too."""
    found: list[str] = []
    for match in _TOKEN.finditer(_THOUSANDS.sub("", text)):
        word = match[0].lower().replace("\u2019", "'")
        word = word.removesuffix("'s").replace("'", "")
        parts = re.split(r"[-/+,:]", word)
        if len(parts) == 1:
            found.append(word)
        elif any(each.isdigit() for each in parts):
            found += [word, *parts]
        else:
            found += parts
    return [part for word in found for part in _dotted(word)]


def _dotted(word: str) -> list[str]:
    """Node.js is two words and 5.2 is one; 15bn is also 15."""
    if unit := _UNIT.fullmatch(word):
        return [word, unit[1]]
    return [word] if "." not in word or has_digit(word) else [part for part in word.split(".") if part]


def stem(word: str) -> str:
    """Give a word's stem; numbers are written in digits."""
    if word in NUMBER_WORDS:
        return str(NUMBER_WORDS[word])
    return catalog_words.stem(word) if word.isalpha() else word


def stems(text: str) -> list[str]:
    """Stems of a text's words, in order."""
    return [stem(word) for word in words(text)]


def has_digit(word: str) -> bool:
    """Whether a digit is in it."""
    return any(char.isdigit() for char in word)


def is_same_name(asked: str, found: str) -> bool:
    """Whether two words name the same: equal, or one begins like the other, as Orvania and Orvanian do."""
    if asked == found:
        return True
    if has_digit(asked) or has_digit(found):
        # 5.2 is the line of 5.2.19.
        return "." in asked and found.startswith(f"{asked}.")
    shorter = min(len(asked), len(found))
    return shorter >= 5 and abs(len(asked) - len(found)) <= 3 and asked[: shorter - 1] == found[: shorter - 1]


def aliases(name: str) -> frozenset[str]:
    """Other names of the same thing, in lower case."""
    return _BY_NAME.get(name, frozenset())
