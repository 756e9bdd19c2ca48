"""Text as search sees it: words without case and accents, their stems, and sentences."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache

import snowballstemmer

_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:'\w+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])[\"')\]]*\s+(?=[A-Z0-9\"'(\[])|\n+")
_CLITIC = re.compile(r"'(?:s|re|ve|ll|d|m|t)$")
_LETTERS = str.maketrans(
    {"\u2019": "'", "ß": "ss", "ø": "o", "Ø": "o", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ł": "l", "Ł": "l"}
)
"""Letters that no accent can be taken off."""
_own = threading.local()
"""A stemmer keeps the word that it works on in itself, so each thread has its own."""

_STOPS = """a about after again all am an and any are as at be because been being both but by can could did do does
doing don down during each else for from further get gets getting got had has have having he her here hers him his how
i if in into is isn it its itself just let like me more most much many my need no nor not of off on once only or other
our ours out over own please she should so some such than thank thanks that the their theirs them then there these they
this those through to too under until up us very want wants was wasn we were what when where which while who whom why
will with would yes you your yours hi hello tell know aren won doesn didn hasn haven shouldn wouldn couldn im ive id
dont doesnt cant"""

STOP_WORDS = frozenset(_STOPS.split())
"""English words that say nothing of what is asked about."""


def fold(text: str) -> str:
    """Lower case, without accents, with straight quotes: ``Größe`` is ``grosse``."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def words(text: str) -> list[str]:
    """Give the words of a text in order, folded; numbers as they are written, ``1,299.00``."""
    return [_CLITIC.sub("", word) for word in _WORD.findall(fold(text))]


@cache
def stem(word: str) -> str:
    """Give an English word without its ending: ``shipping``, ``ships`` and ``shipped`` are ``ship``."""
    return str(stemmer().stemWord(word))


def stemmer() -> snowballstemmer.EnglishStemmer:
    """Give this thread's English stemmer."""
    if not hasattr(_own, "stemmer"):
        _own.stemmer = snowballstemmer.stemmer("english")
    return _own.stemmer


def terms(text: str) -> list[str]:
    """Give the stems of the words that say something, in order."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def sentences(text: str) -> list[str]:
    """Split a text at ends of sentences and of lines; empty ones are left out."""
    return list(_sentences(text))


def _sentences(text: str) -> Iterator[str]:
    for part in _SENTENCE_END.split(text):
        if stripped := part.strip():
            yield stripped
