"""A question as it is read: what it is about, what kind of answer it wants, and of which days."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tenfold.assistant.times import DAYS, MONTHS, Span, read_span
from tenfold.assistant.words import STOPPED, has_digit, stem, words


class Wanted(StrEnum):
    """What kind of answer a question wants."""

    MONEY = "money"
    NUMBER = "number"
    TIME = "time"
    NAME = "name"
    REASON = "reason"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked.

    ``terms``: stems of what it is about, names and numbers left out. ``names``: each as its words that begin with a
    capital, in lower case, not stemmed. ``numbers``: words with digits that are no part of a date.
    ``span``: of which days, if it says.
    """

    text: str
    wanted: Wanted
    terms: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    numbers: tuple[str, ...]
    span: Span | None


_NUMBER = re.compile(
    r"\bhow (?:many|much|big|old|long|large|fast|high|strong|tall|heavy|far|often|deep|hot|cold|expensive)\b|"
    r"\b(?:what|which) (?:share|percentage|percent|proportion|fraction|number|amount|price|sum|score|age|level|"
    r"magnitude|rate|cost|size|version)\b|"
    r"\bwhat (?:is|was|will|would|did|does|do)\b.*\b(?:pay|paying|cost|charge|spend)\b|"
    r"\bby how\b|\bdeath toll\b|\bfor how\b|\bhow low\b",
    re.IGNORECASE,
)
_MONEY = re.compile(r"\bhow much\b|\b(?:pay|paying|paid|cost|costs|charge|price|spend|spent|worth)\b", re.IGNORECASE)
_TIME = re.compile(
    r"^(?:and |so )?(?:when|since when|until when|by when|from when)\b|\b(?:what|which) (?:date|day|month|year|time)\b|"
    r"\bhow (?:soon|recently|long ago)\b|\bby when\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\bwho(?:se|m)?\b|\bwhere\b|\b(?:which|what) (?:\w+ ){0,3}?(?:country|city|state|company|firm|team|club|person|"
    r"player|actor|actress|singer|band|film|movie|book|nation|town|airline|bank|party|politician|leader|president|"
    r"minister|author|director|island|river|airport|university|supplier|group|author|brand|name|code name)\b|"
    r"^which\b|\bcalled\?|\bname of\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"\bwhy\b|\bwhat (?:\w+ )?caused\b|\breason\b", re.IGNORECASE)
_CAPITAL = re.compile(r"[A-ZÀ-Þ][\w'\u2019]*(?:[-.][\w'\u2019]+)*|\b[a-z]+[A-Z]\w*")
_FIRST = """who what when where which why how is are was were did does do has have had will would can could should by to
in on at from for of after before besides tell and so since until whose whom according name give the a an"""
_BEGINNINGS = frozenset(_FIRST.split())


def read_question(text: str, now: date) -> Question:
    """Read a question that was asked on the day ``now``."""
    span = read_span(text, now)
    calendar = set(MONTHS) | set(DAYS)
    # A name of one letter or of a day tells nothing.
    named = [
        tuple(w for w in words(name) if w not in STOPPED and w not in calendar and len(w) > 1 and not has_digit(w))
        for name in _names(text)
    ]
    names = [name for name in dict.fromkeys(named) if name]
    flat = {word for name in _names(text) for word in words(name)}
    dates = _date_words(text)
    numbers = [word for word in words(text) if has_digit(word) and word not in dates]
    terms = [
        stem(word)
        for word in words(text)
        if word not in STOPPED and word not in flat and not has_digit(word) and word not in calendar
    ]
    return Question(text, _wanted(text), _once(terms), tuple(names), _once(numbers), span)


def _wanted(text: str) -> Wanted:
    for pattern, wanted in (
        (_NUMBER, Wanted.NUMBER), (_TIME, Wanted.TIME), (_REASON, Wanted.REASON), (_NAME, Wanted.NAME),
    ):  # fmt: skip
        if pattern.search(text):
            return Wanted.MONEY if wanted is Wanted.NUMBER and _MONEY.search(text) else wanted
    return Wanted.ANY


def _names(text: str) -> list[str]:
    """Words with a capital, those that follow one another as one; the first of a sentence only if it does not ask."""
    found: list[str] = []
    end = -1
    for match in _CAPITAL.finditer(text):
        before = text[: match.start()]
        is_first = not before.strip() or before.rstrip()[-1] in ".?!:\"'\u201c"
        word = re.sub(r"['\u2019]s$", "", match[0])
        if is_first and (word.lower() in _BEGINNINGS or not _goes_on(text, match.end())):
            continue
        if found and before[end:].isspace() and end >= 0 and not is_first:
            found[-1] += f" {word}"
        else:
            found.append(word)
        # What owns something does not go on: in "Orvania's Bank" are two names.
        end = match.end() if word == match[0] else -1
    return found


def _goes_on(text: str, end: int) -> bool:
    """Whether another word with a capital, or a genitive, follows: the first word of a sentence is a name then."""
    rest = text[end:].lstrip()
    return bool(rest) and (rest[0].isupper() or rest[0] in "'\u2019" or text[end - 2 : end] in ("'s", "\u2019s"))


def _date_words(text: str) -> set[str]:
    """Words of a text that write a date or a year."""
    months = "|".join(MONTHS)
    pattern = rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{months})(?:,? \d{{4}})?|"
    pattern += rf"\b(?:{months}) \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|\b(?:{months}) \d{{4}}\b|"
    pattern += r"(?<![\w.-])(?:19|20)\d\d\b(?![\w-]|\.\d)"
    return {word for match in re.finditer(pattern, text, re.IGNORECASE) for word in words(match[0])}


def _once(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
