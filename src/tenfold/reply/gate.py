"""The gate: a text goes out only if what it says is in the evidence that it cites.

A number, an amount, a date, a superlative, a name or any word with a meaning of its own must occur in the evidence, or
in the claim that the text rewords, which the templates made from that evidence. Prices and stock are slots: the text
has the slots of its claim and no amount beside them. What denies must go on denying.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from tenfold.catalog.item import Item, Variant
from tenfold.catalog.passage import Passage
from tenfold.reply.fill import SLOT, slots_of
from tenfold.reply.reply import Claim, Evidence

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
AMOUNT = re.compile(r"[$€£¥₹]|\b(?:usd|eur|gbp|dollars?|euros?|pounds?|cents?|bucks?)\b", re.IGNORECASE)
SUPERLATIVE = re.compile(
    r"\b(?:most|least|best|worst|only|always|never|guaranteed?|free|every|all|none|\w{3,}est)\b", re.IGNORECASE
)
_NUMBER_WORDS = """
one two three four five six seven eight nine ten eleven twelve dozen twenty thirty fifty hundred thousand million half
double twice first second third
"""
NUMBER_WORDS = frozenset(_NUMBER_WORDS.split())
DENIES = re.compile(
    r"\b(?:no|not|none|never|neither|nor|without|cannot|out of stock|unavailable|sold out|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
_PLAIN = """
a an and are as at be been but by can come comes cost costs currently do does for from get has have hello here hi
how i if in into is it its it's just let me may more no not now of off offered okay on or our out please price
priced prices right see so sorry stock such sure thanks thank that the their them then there these they this to
today too up us was we we're well what when which while who will with would yes you your also available below
between both each either great happy help know like looking offer option options other same say sell selling shows
some still tell want glad indeed course absolutely
"""
PLAIN = frozenset(_PLAIN.split())
"""Words that assert nothing by themselves."""


def faults(text: str, claim: Claim, evidence: Mapping[str, Evidence], *, is_template: bool = False) -> tuple[str, ...]:
    """What in ``text``, a rewording of ``claim``, has no support; none if it may go out.

    ``is_template``: the text is the claim itself, whose superlatives and counts were computed from the evidence.
    """
    cited = [evidence[each] for each in claim.evidence]
    support = " ".join([*map(text_of, cited), "" if is_template else claim.text])
    found = []
    if slots_of(text) != slots_of(claim.text):
        found.append(f"slots are {list(slots_of(text))}, not {list(slots_of(claim.text))}")
    bare, ground = _bare(text, claim), _plain(SLOT.sub(" ", support))
    found += _numbers(bare, ground, cited, is_template)
    if not is_template:
        found += _claims_words(bare, ground, _plain(SLOT.sub(" ", claim.text)))
        if len(DENIES.findall(bare)) != len(DENIES.findall(_bare(claim.text, claim))):
            found.append("it denies what the claim says, or says what it denies")
    found += _names(bare, ground, is_template)
    return tuple(found)


def text_of(evidence: Evidence) -> str:
    """All that a piece of evidence says in words; not what a variant costs, which only a slot can say."""
    source = evidence.source
    if isinstance(source, Passage):
        date = f"{source.published:%d %B %Y %Y-%m-%d}" if source.published else ""
        return f"{source.title} {source.text} {date}"
    if isinstance(source, Variant):
        return f"{source.id} {_pairs(source.options)}"
    options = " ".join(_pairs(variant.options) for variant in source.variants)
    named = f"{source.title} {source.brand} {source.category} {source.description}"
    return f"{source.id} {named} {_pairs(source.attributes)} {options}"


def counts_of(cited: Iterable[Evidence]) -> set[int]:
    """Counts that evidence bears out: of itself, of an item's variants, of the values of their options."""
    cited = list(cited)
    counts = {len(cited)}
    for each in cited:
        if isinstance(each.source, Item):
            variants = each.source.variants
            counts |= {len(variants), sum(1 for one in variants if one.offer.available and one.offer.stock != 0)}
            for name in {name for one in variants for name in one.options}:
                counts.add(len({one.options.get(name) for one in variants} - {None}))
        own = [one.source for one in cited if isinstance(one.source, Variant)]
        counts |= {len(own), sum(1 for variant in own if variant.offer.available and variant.offer.stock != 0)}
        counts.add(sum(1 for one in cited if isinstance(one.source, Item)))
    return counts


def _numbers(bare: str, ground: str, cited: list[Evidence], is_template: bool) -> list[str]:
    known = {_number(each) for each in NUMBER.findall(ground)}
    if is_template:
        known |= {str(each) for each in counts_of(cited)}
    found = [f"number {each!r}" for each in NUMBER.findall(bare) if _number(each) not in known]
    # Amounts stand in passages ("free over $50"); beside a slot or an item they are a price that a writer made.
    if AMOUNT.search(bare) and not AMOUNT.search(ground):
        found.append("an amount of money that is no slot")
    return found


def _claims_words(bare: str, ground: str, claim: str) -> list[str]:
    known, said = _stems(ground), _stems(claim)
    found = [f"superlative {each!r}" for each in SUPERLATIVE.findall(bare) if _stem(each) not in said]
    words = WORD.findall(bare)
    found += [f"word {word!r}" for word in words if word.casefold() not in PLAIN and _stem(word) not in known]
    return found


def _names(bare: str, ground: str, is_template: bool) -> list[str]:
    """Capitalised words inside a sentence that the evidence does not have."""
    known = _stems(ground)
    inside = re.finditer(r"(?<=[\w,;)] )[^\W\d_a-z][\w'\u2019-]+", bare)
    found = [each.group() for each in inside]
    if is_template:
        found = [word for word in found if word.casefold() not in PLAIN]
    return [f"name {word!r}" for word in found if not {_stem(part) for part in WORD.findall(word)} <= known]


def _bare(text: str, claim: Claim) -> str:
    """The text without slots, and without the customer's words that the claim itself quotes."""
    bare = SLOT.sub(" ", text)
    for quoted in re.findall(r"“[^”]*”", claim.text):
        bare = bare.replace(quoted, " ")
    return _plain(bare)


def _pairs(options: Mapping[str, str]) -> str:
    return " ".join(f"{name}: {value};" for name, value in options.items())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _number(text: str) -> str:
    return text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text) else text


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in WORD.findall(text)}


def _stem(word: str) -> str:
    word = word.casefold()
    if word in NUMBER_WORDS:
        return word
    for ending in ("'s", "\u2019s", "ies", "es", "s", "ing", "ed", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
