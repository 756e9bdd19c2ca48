"""Text as tokens: words and numbers with their stems and places."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from tenfold.catalog.words import fold, stemmer

_TOKEN = re.compile(r"[^\W_]+(?:[.,]\d+)*(?:['\u2019][a-z]{1,2}\b)?|%|\+")
_QUOTES = str.maketrans("\u2018\u2019\u2013\u2014", "''--")
_COUNTS = {
    word: str(count)
    for count, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"), 2)
} | {"twelve": "12"}
_COUNTED = re.compile(rf"\b({'|'.join(_COUNTS)})\b")
_ONE = re.compile(r"(?<!of )\ban? (kilo(?:gram)?|lit(?:er|re)|gallon|pound|hour|met(?:er|re))\b")
_HALF = re.compile(r"\bhalf an? (lit(?:er|re)|kilo(?:gram)?|gallon|hour|inch|pound)\b")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or number of a text, in small letters; ``start`` and ``end`` are its place in the text."""

    text: str
    stem: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether it is digits."""
        return self.text[0].isdigit()


def plain(text: str) -> str:
    """The text in small letters and one form of each character, counts in digits."""
    folded = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    small = "".join(each.lower() if len(each.lower()) == 1 else each for each in folded)
    return _COUNTED.sub(lambda found: _COUNTS[found.group(1)], _ONE.sub(r"1 \1", _HALF.sub(r"0.5 \1", small)))


def tokens_of(text: str) -> tuple[Token, ...]:
    """Tokens of a text; a hyphen parts words, and a number from its unit ("16gb" is two)."""
    found = []
    for match in _TOKEN.finditer(plain(text)):
        start = match.start()
        for part in _parts(match.group()):
            found.append(Token(part, stem(part), start, start + len(part)))
            start += len(part)
    return tuple(found)


def stems_of(text: str) -> tuple[str, ...]:
    """Stems of a text's tokens, in order."""
    return tuple(token.stem for token in tokens_of(text))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The word without its ending and accents: "shoes" and "shoe" are one, and so are "sjö" and "sjo"."""
    word = word if word.isascii() else fold(word)
    word = word.split("'", maxsplit=1)[0] if word.endswith(("'s", "'")) else word
    if len(word) < 3 or not word.isalpha():
        return word
    if word.endswith("s") and not set(word) & set("aeiouy"):
        return word[:-1]
    if word in _SAME:
        return _SAME[word]
    # Twice, as "lens" loses its s too and must be what "lenses" becomes.
    english = stemmer()
    return str(english.stemWord(english.stemWord(word)))


_SAME = {
    "grey": "gray", "colour": "color", "colours": "color", "colored": "color", "coloured": "color", "colors": "color",
    "litre": "liter", "litres": "liter", "metre": "meter", "metres": "meter", "aluminium": "aluminum", "women": "woman",
    "men": "man", "kids": "kid", "children": "kid", "child": "kid", "feet": "foot", "mice": "mouse", "knives": "knife",
    "shelves": "shelf", "scarves": "scarf", "organisation": "organ",
}  # fmt: skip


def _parts(word: str) -> list[str]:
    """A number and the letters that follow it are two tokens; "4k" and "i5" stay one, as they are names."""
    match = re.fullmatch(r"(\d+(?:[.,]\d+)*)([a-z]{2,}|[lgmw])", word)
    if match is None or match.group(2) in {"st", "nd", "rd", "th"}:
        return [word]
    return [match.group(1), match.group(2)]
