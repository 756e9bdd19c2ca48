"""When a question is about: the days that its words name, counted from now."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
DAYS = tuple(_DAYS.split())

_MONTH = "|".join(MONTHS)
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})(?:,? (\d{{4}}))?\b", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?", re.IGNORECASE)
_MONTH_YEAR = re.compile(rf"\b(?:in|since|during|of|last|this) ({_MONTH})(?:,? (\d{{4}}))?\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<![\w.-])(?:in|of|for|by|since|during|the)?\s*\b(19\d\d|20\d\d)\b(?![\w-]|\.\d)")
_BACK = re.compile(r"\b(?:past|last|previous) (\d+|few|couple of) (day|week|month)s?\b", re.IGNORECASE)

_MOST_BACK = 1_200
"""Months of a century: nothing that is read is older, and the calendar ends somewhere."""

_AGO = (
    (r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", 0, 0),
    (r"\b(?:yesterday|last night)\b", 1, 1),
    (rf"\bon (?:{'|'.join(DAYS)})\b", 10, 0),
    (r"\b(?:this|last|past|previous) (?:week|weekend)\b|\bthese days\b", 14, 0),
    (r"\b(?:this|last|past) month\b", 62, 0),
)
"""What counts back from today: days to the first and to the last day that is meant."""

LATER = timedelta(days=3)
"""Sources write of a day some days later, too."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days from ``first`` to ``last``.

    ``is_written``: the question wrote out a date, a month or a year, and did not count from now: sources of other days
    may name it, too.
    """

    first: date
    last: date
    is_written: bool = False

    @property
    def is_day(self) -> bool:
        """Whether it is one day that the question wrote out."""
        return self.is_written and self.first == self.last

    def covers(self, published: date) -> bool:
        """Whether a source of that day may tell of it."""
        return self.first <= published <= self.last + LATER


def read_span(question: str, now: date) -> Span | None:
    """Read the days that a question is about; none if it names none.

    A year that lies ahead, or a month ahead of now, is of the past unless it is written out.
    """
    return _named_day(question, now) or _relative(question.lower(), now) or _named_month(question, now)


def _named_day(question: str, now: date) -> Span | None:
    if found := _ISO.search(question):
        day = _date(int(found[1]), int(found[2]), int(found[3]))
        return Span(day, day, is_written=True) if day else None
    for pattern, day_at, month_at in ((_DAY_MONTH, 1, 2), (_MONTH_DAY, 2, 1)):
        if found := pattern.search(question):
            month, number = MONTHS[found[month_at].lower()], int(found[day_at])
            if found[3]:
                day = _date(int(found[3]), month, number)
            else:
                day = _date(now.year, month, number)
                if day is not None and day > now + timedelta(days=30):
                    day = _date(now.year - 1, month, number)
            return Span(day, day, is_written=True) if day else None
    return None


def _named_month(question: str, now: date) -> Span | None:
    if (found := _MONTH_YEAR.search(question)) is not None:
        month = MONTHS[found[1].lower()]
        year = int(found[2]) if found[2] else now.year - (month > now.month)
        first = date(year, month, 1)
        return Span(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1), is_written=True)
    if (found := _YEAR.search(question)) is not None:
        return Span(date(int(found[1]), 1, 1), date(int(found[1]), 12, 31), is_written=True)
    return None


def _relative(asked: str, now: date) -> Span | None:
    if found := _BACK.search(asked):
        count = min(int(found[1]), _MOST_BACK) if found[1].isdigit() else 3
        return Span(now - timedelta(days=count * {"day": 1, "week": 7, "month": 31}[found[2]] + 1), now)
    if re.search(r"\bthis (?:year|season|autumn|spring|summer|winter)\b", asked):
        return Span(date(now.year, 1, 1), now)
    if re.search(r"\b(?:last (?:year|season)|a year ago|year before)\b", asked):
        return Span(date(now.year - 1, 1, 1), date(now.year - 1, 12, 31))
    for pattern, first, last in _AGO:
        if re.search(pattern, asked):
            return Span(now - timedelta(days=first), now - timedelta(days=last))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def written(day: date) -> str:
    """Write a day as ``9 November 2026``."""
    return f"{day.day} {day:%B %Y}"


def says_date(day: date, text: str) -> bool:
    """Whether a text names a day, in any common way."""
    month = f"{day:%B}"[:3]
    patterns = (
        rf"\b{day.isoformat()}\b",
        rf"\b{day.day}(?:st|nd|rd|th)?(?: of)? {month}",
        rf"\b{month}\w*\.? {day.day}(?:st|nd|rd|th)?\b",
    )
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


def says_span(span: Span, text: str) -> bool:
    """Whether a text names the month or the year of a span."""
    if (span.first.month, span.last.month) == (1, 12):
        return str(span.first.year) in text.replace(",", "")
    month = f"{span.first:%B}"
    return f"{span.first:%Y-%m}" in text or re.search(rf"\b{month[:3]}(?:{month[3:]})?\b", text) is not None
