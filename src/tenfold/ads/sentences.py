"""Sentences of a shop's own texts as claims: which kind each is, and which may never be repeated in an ad.

A sentence with a number, a place or a superlative becomes a claim only as a whole, so that "free over 60 GBP" cannot
turn into "free". What orders a reader about, what other people wrote, and what is true only today are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenfold.ads.claim import Kind
from tenfold.catalog.words import sentences
from tenfold.reply.gate import AMOUNT, DENIES, NUMBER_WORDS, SUPERLATIVE

LONGEST = 130
"""Characters of a sentence that an ad has room for."""
SHORTEST_WORDS = 3

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("award", r"\b(?:awards?|awarded|winner|won|wins|prizes?|medals?|voted|certified)\b"),
        ("rating", r"\b(?:rated|ratings?|stars?|out of (?:5|10|five|ten))\b"),
        ("returns", r"\b(?:returns?|returned|returning|refund\w*|money back|sen[dt] back|exchange\w*)\b"),
        ("shipping", r"\b(?:shipping|ships?|shipped|deliver\w*|postage|parcels?|dispatch\w*|courier)\b"),
        ("warranty", r"\b(?:warrant\w+|guarantee\w*)\b"),
        ("place", r"\b(?:made|woven|sewn|grown|brewed|built|roasted|spun|knitted) (?:by hand )?in [A-Z]"),
        ("date", rf"\b(?:{_MONTH} \d|\d{{1,2}} {_MONTH}|{_DAY}|\d{{4}}-\d\d-\d\d|\d{{1,2}}:\d\d|until)\b"),
    )
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|previous|prior|above|rule|prompt|polic)"
    r"|\b(?:system|developer) prompt\b|\bas an ai\b|\byou are (?:now )?(?:an?|the) (?:ai|assistant|model|bot|writer)"
    r"|\b(?:ads?|copy|headline|variant|model|writer|assistant|llm|gpt)\b.{0,40}\b(?:must|should|shall|has to|always)\b"
    r"|\b(?:must|should|always)\b.{0,30}\b(?:say|write|claim|mention|advertise|output|respond|reply)\b"
    r"|\b(?:write|say|print|output|claim|tell (?:them|customers|people|users))\b.{0,20}\b(?:that|the following)\b"
    r"|<\||\[/?inst\]|^\s*(?:system|assistant|user|note to\b.{0,20}) ?:",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"https?:|www\.|\S@\S|\b[\w-]+\.(?:com|net|org|io|shop|store|example|co)\b|\b(?:call|phone|tel|ring|whatsapp)\b.{0,20}\d"
    r"|(?:\d[ ()/.-]?){7,}",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|this (?:week|month|weekend|season)|now only|limited|while \w+ last|hurry"
    r"|last chance|currently|at the moment|soon)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"(?:they|this|that|these|those|there|then|below|above|otherwise|however|but|and|or|also|both|such|instead|he|she|"
    r"him|her|in (?:this|that) case|for (?:this|that)|yes|no)\b",
    re.IGNORECASE,
)
_IT = re.compile(r"it(?:s|'s)?\b", re.IGNORECASE)
_TURNS = re.compile(
    r"\b(?:if|unless|when|whenever|where|except|without|until|once|only|up to|at (?:most|least)|"
    r"almost|nearly|partly|partially|semi|faux|fake|imitation|artificial|mock|synthetic|look|effect|style|like|optional|"
    r"optionally|sold separately|extra|compatible|replacement|replica|inspired|may|might|could|would|should|can be|"
    r"designed to|helps?|instead|rather|than|as .{1,30} as|other|another|used|refurbished|second-hand|for)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(rf"[0-9%]|\b(?:{'|'.join(sorted(NUMBER_WORDS))})\b", re.IGNORECASE)
_OTHERS_WROTE = re.compile(
    r"\b(?:reviews?|comments?|testimonials?|feedback|what (?:our )?(?:customers|people|others) (?:say|think|write)"
    r"|customers? say|ratings by|questions by|guest ?book)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<!\w)[\"“”„«»](?:[^\"“”„«»]*\s){2}[^\"“”„«»]*[\"“”«»]")
"""Three words between quotation marks are somebody's, and no name: a customer's praise, as pages show it. After a
digit the mark stands for inches."""
_CURES = re.compile(
    r"\b(?:cur(?:es?|ed|ing)|heal(?:s|ed|ing)?|treat(?:s|ed|ing|ments?)?|prevent(?:s|ed|ing|ion)?|remed(?:y|ies)|"
    r"relie(?:f|ve[sd]?|ving)) (?:[\w,-]+ ){0,5}?"
    r"(?:cancer|tumou?r|diabetes|covid\S*|hiv|aids|alzheimer\S*|dementia|depression|anxiety|arthritis|autism)s?\b",
    re.IGNORECASE,
)
_END = re.compile(
    rf"\b(?:until|till|through|ends?(?: on)?|by|before)\b[^.]{{0,30}}?"
    rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<month>{_MONTH}),? (?P<year>\d{{4}})"
    rf"|(?P<month2>{_MONTH}) (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year2>\d{{4}})"
    r"|(?P<iso>\d{4}-\d\d-\d\d))",
    re.IGNORECASE,
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text. ``start``, ``end``: its characters there. ``is_neutral``: parts of it stay true alone."""

    text: str
    start: int
    end: int
    kind: Kind
    is_neutral: bool
    until: datetime | None


def claims_in(text: str, *, about_item: bool) -> Iterator[Sentence | tuple[str, str]]:
    """Give a text's sentences that may be claims, and the others with the reason why not.

    Args:
        text: of a passage or a description.
        about_item: it describes one item, so that its price is told by the offer, and "it" is the item.
    """
    at = 0
    for sentence in sentences(text):
        start = text.find(sentence, at)
        at = start + len(sentence)
        said = sentence.lstrip("-*+• ").rstrip(" .!,;:")
        start += sentence.find(said)
        why = unfit(said, about_item=about_item)
        if why:
            yield said, why
            continue
        kind = kind_of(said)
        neutral = kind == "detail" and not _TURNS.search(said)
        yield Sentence(said, start, start + len(said), kind, neutral, end_of(said))


def unfit(said: str, *, about_item: bool) -> str:
    """Why a sentence cannot be repeated in an ad; empty if it can."""
    checks = (
        (is_order(said), "it gives orders; ads repeat facts only"),
        (bool(_CONTACT.search(said)), "addresses and phone numbers stay out of ads"),
        (len(said) > LONGEST, f"it is longer than {LONGEST} characters"),
        (len(said.split()) < SHORTEST_WORDS, "it is no sentence"),
        (said.endswith("?"), "it is a question"),
        (_is_heading(said), "it is a heading"),
        (bool(_QUOTED.search(said)), "it quotes somebody"),
        (bool(_CURES.search(said)), "ads claim no cure of an illness"),
        (bool(DENIES.search(said)), "it denies something"),
        (bool(_PASSING.search(said)), "it is true for a while only, and does not say until when"),
        (bool(_POINTS_BACK.match(said)) or (not about_item and bool(_IT.match(said))), "it points to what was before"),
        (about_item and bool(AMOUNT.search(said)), "prices of items are told by their offers"),
        (":" in said and bool(_NUMBER.search(said)) and not re.search(r"\d:\d\d", said), "its number needs its table"),
    )
    return next((why for is_so, why in checks if is_so), "")


def is_order(text: str) -> bool:
    """Whether a text speaks to whoever writes ads of it, as an injected prompt does."""
    return bool(_ORDERS.search(text))


def is_by_others(title: str) -> bool:
    """Whether a heading says that customers wrote what is below it."""
    return bool(_OTHERS_WROTE.search(title))


def _is_heading(said: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]+", said) if len(word) > 2]
    return len(words) > 1 and all(word[0].isupper() for word in words) and not re.search(r"\d", said)


def kind_of(said: str) -> Kind:
    """What a sentence claims; ``detail`` where it has no number, amount, date or superlative."""
    for kind, pattern in _KINDS:
        if pattern.search(said):
            return kind
    if AMOUNT.search(said):
        return "price"
    if SUPERLATIVE.search(said):
        return "superlative"
    if _NUMBER.search(said):
        return "quantity"
    return "detail"


def end_of(said: str) -> datetime | None:
    """The end of the day until which a sentence says that it holds; none if it names none with its year."""
    found = _END.search(said)
    if found is None:
        return None
    part = found.groupdict()
    try:
        if part["iso"]:
            last = datetime.fromisoformat(part["iso"]).replace(tzinfo=UTC)
        else:
            month = _MONTHS.index((part["month"] or part["month2"])[:3].casefold()) + 1
            last = datetime(int(part["year"] or part["year2"]), month, int(part["day"] or part["day2"]), tzinfo=UTC)
    except ValueError:
        return None
    return last + timedelta(days=1)
