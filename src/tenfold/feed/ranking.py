"""What the feed asks ranking for, and what it makes of the answer."""

import hashlib
from collections.abc import Collection

from tenfold.feed.catalog import Catalog
from tenfold.feed.choose import Filters, Ranked
from tenfold.feed.contract import CHOICES
from tenfold.feed.item import Id
from tenfold.feed.people import Choice, Person
from tenfold.product.calls import Json

MOST_RANKED, MOST_EXCLUDED, MOST_CANDIDATES = 100, 10_000, 10_000
"""Items that ranking gives, leaves out, and chooses from, at most."""

_SPARE = 3
"""So many times the cards are asked for where some that are ranked may not be shown."""


def alias_of(person: str, since: float, surface: str = "") -> str:
    """What ranking may know a person by: it says nothing of who it is, and is another one after they were forgotten.

    Args:
        person: their name.
        since: when they did something first, Unix seconds.
        surface: whose history alone is told; empty: that of all.
    """
    return hashlib.blake2b(f"{since!r} {surface}\n{person}".encode(), digest_size=16).hexdigest()


def body_for(
    person: Person,
    hidden: Collection[Id],
    catalog: Catalog,
    *,
    k: int,
    allowed: frozenset[Id] | None,
    filters: Filters | None,
) -> dict[str, object]:
    """Ask for enough items for ``k`` cards.

    Ranking refuses what is not in its catalog, and leaves the history out itself.

    Args:
        person: whose history counts; only the part of it that ranking is to know.
        hidden: items that are not shown.
        catalog: all items.
        k: cards wanted.
        allowed: items of the surface; none: all.
        filters: of the request.
    """

    def ranked(item: Id) -> bool:
        found = catalog.get(item)
        return found is not None and found.ranked

    events = [_event(choice) for choice in person.choices if ranked(choice.item)]
    history = [choice.item for choice in person.choices]
    left_out = [item for item in frozenset(hidden).difference(history) if ranked(item)]
    more = max(0, len(left_out) - MOST_EXCLUDED)
    candidates = _candidates(catalog, allowed, filters)
    wanted = k * _SPARE if person.less or (candidates is None and (allowed is not None or filters)) else k
    body: dict[str, object] = {
        "events": events,
        "explain": True,
        "k": min(MOST_RANKED, wanted + more),
        "exclude": left_out[:MOST_EXCLUDED],
    }
    return body if candidates is None else body | {"candidates": candidates}


def ranked_from(answer: Json) -> list[Ranked]:
    """Read the items of ranking's answer, best first."""
    found = answer["items"]
    assert isinstance(found, list)
    return [Ranked(each["item"], tuple(each.get("because") or ()), _terms(each)) for each in found]


def _event(choice: Choice) -> dict[str, object]:
    done = [name for bit, name in enumerate(CHOICES) if choice.did >> bit & 1]
    return {
        "item": choice.item,
        "surface": choice.surface or None,
        "actions": done or ["opened"],
        "watched": choice.ratio,
        "at": choice.at,
    }


def _terms(found: Json) -> dict[str, float]:
    """What an item's place is made of: its value, the terms of that, and chances of actions."""
    told: dict[str, float] = {}
    for part in (found.get("chances"), found.get("terms"), {"value": found.get("value")}):
        if isinstance(part, dict):
            told |= {name: number for name, number in part.items() if isinstance(number, float)}
    return told


def _candidates(catalog: Catalog, allowed: frozenset[Id] | None, filters: Filters | None) -> list[Id] | None:
    """The items to choose from, where a surface or a request has not all and they are not too many to name."""
    if allowed is None and not filters:
        return None
    found = [
        item.item
        for item in catalog.items()
        if item.ranked and (allowed is None or item.item in allowed) and (not filters or filters.lets(item))
    ]
    return found if 0 < len(found) <= MOST_CANDIDATES else None
