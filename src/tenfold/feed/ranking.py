"""What the feed asks ranking for, and what it makes of the answer."""

from collections.abc import Collection

from tenfold.feed.catalog import Catalog
from tenfold.feed.choose import Filters, Ranked
from tenfold.feed.item import Id
from tenfold.feed.people import Person
from tenfold.product.calls import Json

MOST_RANKED, MOST_EXCLUDED, MOST_CANDIDATES = 100, 10_000, 10_000
"""Items that ranking gives, leaves out, and chooses from, at most."""

_SPARE = 3
"""So many times the cards are asked for where some that are ranked may not be shown."""


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

    history = [item for item in person.history if ranked(item)]
    left_out = [item for item in frozenset(hidden).difference(history) if ranked(item)]
    more = max(0, len(left_out) - MOST_EXCLUDED)
    candidates = _candidates(catalog, allowed, filters)
    wanted = k * _SPARE if person.less or (candidates is None and (allowed is not None or filters)) else k
    body: dict[str, object] = {
        "history": history,
        "k": min(MOST_RANKED, wanted + more),
        "exclude": left_out[:MOST_EXCLUDED],
    }
    return body if candidates is None else body | {"candidates": candidates}


def ranked_from(answer: Json) -> list[Ranked]:
    """Read the items of ranking's answer, best first."""
    found = answer["items"]
    assert isinstance(found, list)
    return [Ranked(each["item"], tuple(each.get("because") or ()), each.get("terms")) for each in found]


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
