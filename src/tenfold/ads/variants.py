"""Variants of an ad: what is written about one subject from several angles, all of it behind the gate.

Templates put facts into slots, so there is always something true to show. What a language model writes takes their
place where the gate lets it through.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rapidfuzz.fuzz import token_sort_ratio
from rapidfuzz.utils import default_process

from tenfold.ads.campaign import Objective
from tenfold.ads.claim import Claim, FactSheet, Kind, Subject
from tenfold.ads.copy_gate import BODY_LENGTH, HEADLINE_LENGTH, CopyGate, plain

Angle = Literal["price", "saving", "detail", "material", "service", "proof", "dates", "name"]
"""What an ad speaks of: its price, what is saved, what it does, what it is made of, delivery and returns, prizes and
ratings, when, or its name alone."""
ANGLES: tuple[Angle, ...] = ("saving", "price", "detail", "proof", "service", "dates", "material", "name")
Writer = Literal["template", "model", "advertiser"]
CALL_OF = {
    Objective.REACH: "Learn more",
    Objective.TRAFFIC: "See details",
    Objective.LEADS: "Find out more",
    Objective.SALES: "Shop now",
}
MOST_OF_ANGLE = 3
"""Templates of one angle, at most."""
_WELCOME = re.compile(r"\bfree\b|\bwithin \d+|\bwarranty of\b|\b\d+ (?:days|months|years)\b", re.IGNORECASE)
ALIKE = 90.0
"""Two texts with this ratio of equal words (0 to 100, whatever their order) are one."""
_OF_ANGLE: dict[Kind, Angle] = {
    **{"shipping": "service", "returns": "service", "warranty": "service", "award": "proof", "rating": "proof"},
    **{"superlative": "proof", "place": "proof", "date": "dates", "quantity": "detail", "detail": "detail"},
    **{"attribute": "material", "material": "material", "price": "price"},
}
KINDS_OF: dict[Angle, frozenset[Kind]] = {
    **{angle: frozenset(kind for kind, of in _OF_ANGLE.items() if of == angle) for angle in ANGLES},
    "saving": frozenset({"discount", "was"}),
}
"""Facts that an ad from an angle speaks of."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An ad as somebody wrote it, before the gate."""

    angle: Angle
    headline: str
    body: str
    call: str
    writer: Writer


@dataclass(frozen=True, slots=True)
class Variant:
    """An ad that passed the gate. ``claims``: ids of all facts in it. ``image``: the advertiser's own, or none."""

    id: str
    subject: str
    angle: Angle
    headline: str
    body: str
    call: str
    claims: tuple[str, ...]
    writer: Writer
    image: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A draft that does not go out, and why."""

    draft: Draft
    faults: tuple[str, ...]


def admit(
    drafts: Sequence[Draft], sheet: FactSheet, subject: Subject, now: datetime
) -> tuple[list[Variant], list[Refused]]:
    """Put drafts about one subject through the gate, and drop those that nearly repeat one before them."""
    gate = CopyGate(sheet, subject.id, now)
    kept: list[Variant] = []
    refused: list[Refused] = []
    for draft in drafts:
        faults = gate.faults(draft.headline, draft.body, draft.call)
        alike = None if faults else next((each for each in kept if is_alike(each, draft)), None)
        if alike is not None:
            faults = (f"it nearly repeats {alike.headline!r}, {alike.body!r}",)
        if faults:
            refused.append(Refused(draft, faults))
        else:
            kept.append(_variant(draft, gate, subject))
    return kept, refused


def written(
    drafts: Sequence[Draft], sheet: FactSheet, subject: Subject, objective: Objective, now: datetime, most: int
) -> tuple[list[Variant], list[Refused]]:
    """Give at most ``most`` variants about a subject: of the drafts what the gate lets through, then of templates.

    Each angle comes once before any comes twice.
    """
    slots = list(from_templates(sheet, subject, objective, now))
    kept, refused = admit([*drafts, *slots], sheet, subject, now)
    refused = [each for each in refused if each.draft.writer != "template"]
    return _by_angle(kept)[:most], refused


def from_templates(sheet: FactSheet, subject: Subject, objective: Objective, now: datetime) -> Iterator[Draft]:
    """Write an ad for each fact that an ad can be made of, the best ones of each angle first."""
    claims = sheet.about(subject.id, now)
    name, call = subject.name, CALL_OF[objective]
    first = {claim.kind: claim for claim in reversed(claims)}
    price, was, discount = (first.get(kind) for kind in ("price", "was", "discount"))
    is_item = price is not None and price.id == f"price:{subject.id}"
    priced = ""
    if is_item and price is not None:
        priced = f"{name}, {price.says[0]}." if price.says[0].startswith("from ") else f"{name} for {price.says[0]}."
        if was is not None and discount is not None:
            saving = next((says for says in discount.says if "%" in says), discount.says[0])
            yield Draft(
                "saving", _fitting(f"{name}, {saving}", name), f"{priced[:-1]}, {was.says[0]}.", call, "template"
            )
        yield Draft("price", name, priced, call, "template")
    told: Counter[Angle] = Counter()
    for claim in _most_telling_first(claims):
        angle = _OF_ANGLE.get(claim.kind)
        if angle is None or (angle == "price" and priced) or told[angle] == MOST_OF_ANGLE:
            continue
        told[angle] += 1
        said = _sentence(claim)
        if angle == "material" and claim.kind == "material":
            yield Draft(
                angle, _fitting(f"{name} in {claim.says[0]}", name), f"Take a look at {name}. {said}", call, "template"
            )
            continue
        with_price = f"{said} {priced}" if priced else said
        body = next((each for each in (with_price, said) if len(each) <= BODY_LENGTH), said)
        yield Draft(angle, name, body, call, "template")
    yield Draft("name", name, f"Take a look at {name}.", call, "template")


def is_alike(one: Variant | Draft, other: Variant | Draft) -> bool:
    """Whether two ads say nearly the same."""
    first, second = (plain(f"{each.headline} {each.body}") for each in (one, other))
    return token_sort_ratio(first, second, processor=default_process) >= ALIKE


def _variant(draft: Draft, gate: CopyGate, subject: Subject) -> Variant:
    head, body = gate.check(draft.headline, is_headline=True), gate.check(draft.body)
    claims = tuple(dict.fromkeys(use.claim for use in (*head.uses, *body.uses)))
    told = "\n".join((subject.id, head.text, body.text, draft.call))
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Variant(
        *(name, subject.id, draft.angle, head.text, body.text, draft.call, claims, draft.writer),
        *(subject.image, subject.url),
    )


def _by_angle(kept: Sequence[Variant]) -> list[Variant]:
    place: dict[str, int] = {}
    turns = []
    for each in kept:
        place[each.angle] = place.get(each.angle, -1) + 1
        turns.append((place[each.angle], each.writer == "template", ANGLES.index(each.angle)))
    return [each for _, each in sorted(zip(turns, kept, strict=True), key=lambda pair: pair[0])]


def _most_telling_first(claims: Sequence[Claim]) -> list[Claim]:
    """What is its own before what the shop says of all it sells, and of that what speaks for buying first."""
    return sorted(
        claims, key=lambda claim: (not claim.subject, not _WELCOME.search(claim.says[0]) and not claim.subject)
    )


def _sentence(claim: Claim) -> str:
    said = claim.says[-1] if claim.kind == "material" else claim.says[0]
    return f"{said[0].upper()}{said[1:]}."


def _fitting(long: str, short: str) -> str:
    return long if len(long) <= HEADLINE_LENGTH else short
