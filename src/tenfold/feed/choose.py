"""From what was ranked, or is popular, to the cards of a feed; with a reason for each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tenfold.feed.catalog import Catalog
from tenfold.feed.contract import Because, Card
from tenfold.feed.item import Id, Item
from tenfold.feed.people import Person

_LATEST = 20
"""A reason names something that the person remembers."""

COLD_PLACE, COLD_EVERY = 4, 10
"""The fifth of each ten places is for an item that ranking does not know yet."""

LIKE = 0.5
"""An item is like another of whose like a person wants less: same author, or this part of their attributes shared."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One item as ranking gave it: the events that weigh most for it (items), and the terms of its value.

    ``is_cold``: ranking does not know it, and did not choose it.
    """

    item: Id
    because: tuple[Id, ...] = ()
    terms: Mapping[str, float] | None = None
    is_cold: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """What a request lets be shown: items with one of ``only`` (if any are given), and with none of ``without``."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def lets(self, item: Item) -> bool:
        """Whether an item may be shown."""
        return (not self.only or not self.only.isdisjoint(item.genres)) and self.without.isdisjoint(item.genres)

    def __bool__(self) -> bool:
        return bool(self.only or self.without)


def cards_for(
    items: Iterable[Id | Ranked],
    catalog: Catalog,
    *,
    k: int,
    without: Collection[Id],
    person: Person | None = None,
    viewers: Mapping[Id, int] | None = None,
    allowed: Collection[Id] | None = None,
    filters: Filters | None = None,
) -> tuple[Card, ...]:
    """Make at most ``k`` cards of ``items``, best first; those that the person wants less of come last.

    Args:
        items: what may be shown, best first; what the catalog does not know is left out.
        catalog: titles and genres.
        k: cards wanted.
        without: items that are not shown whatever their place: blocked ones, and those seen.
        person: for whom, for the reasons of a ranked list, and for what they want less of.
        viewers: people who opened each item, for the reasons of a popular list.
        allowed: items of the surface; none: all.
        filters: of the request.
    """
    unwanted = [found for each in sorted(person.less, key=str) if (found := catalog.get(each))] if person else []
    chosen: list[Card] = []
    last: list[tuple[Ranked, Item]] = []
    for each in items:
        ranked = each if isinstance(each, Ranked) else Ranked(each)
        item = catalog.get(ranked.item)
        if item is None or ranked.item in without or (allowed is not None and ranked.item not in allowed):
            continue
        if filters is not None and not filters.lets(item):
            continue
        if any(is_like(item, other) for other in unwanted):
            if len(last) < k:
                last.append((ranked, item))
            continue
        chosen.append(_card(ranked, item, catalog, person, viewers))
        if len(chosen) == k:
            return tuple(chosen)
    rest = last[: k - len(chosen)]
    return tuple(chosen + [_card(ranked, item, catalog, person, viewers) for ranked, item in rest])


def with_cold(ranked: Sequence[Ranked], cold: Sequence[Item]) -> list[Ranked]:
    """Put items that ranking does not know yet among those that it chose, so that somebody may see them.

    Args:
        ranked: best first.
        cold: what may be shown, the newest first; the fifth place of each ten is for one, or the end of a shorter list.
    """
    found = list(ranked)
    known = {each.item for each in found}
    for number, item in enumerate(each for each in cold if each.item not in known):
        place = COLD_PLACE + COLD_EVERY * number
        is_beyond = place >= len(found)
        found.insert(min(place, len(found)), Ranked(item.item, is_cold=True))
        if is_beyond:
            break
    return found


def is_like(item: Item | Card, other: Item | Card) -> bool:
    """Whether an item is like another: by the same author, or with half of the attributes of both."""
    if item.author and item.author == other.author:
        return True
    return _likeness(item, other) >= LIKE


def card_of(item: Item, reason: str) -> Card:
    """Make the card of one item."""
    return Card(
        item=item.item,
        title=item.title,
        genres=item.genres,
        reason=reason,
        poster=item.image or f"/v1/feed/posters/{quote(str(item.item), safe='')}.svg",
        author=item.author,
    )


def ranked_reason(film: Item, history: Sequence[Id], catalog: Catalog) -> str:
    """Say which item of the latest is most like this one: it shares the largest part of all their attributes."""
    best: Item | None = None
    most = 0.0
    for item in reversed(history[-_LATEST:]):
        seen = catalog.get(item)
        if seen is not None and (likeness := _likeness(seen, film)) > most:
            best, most = seen, likeness
    if best is not None:
        return f"{_shared(best, film)}, like {best.title} that you watched"
    return "Chosen by what people with your history watched next" if history else "What most people begin with"


def popular_reason(viewers: int) -> str:
    """Say how many people chose it."""
    return f"Opened by {viewers:,} {'person' if viewers == 1 else 'people'}" if viewers else "Not yet opened by anybody"


def plain(attribute: str) -> str:
    """An attribute as people read it: ``genre:Comedy`` is Comedy."""
    return attribute.rpartition(":")[2] or attribute


def _card(
    ranked: Ranked, item: Item, catalog: Catalog, person: Person | None, viewers: Mapping[Id, int] | None
) -> Card:
    if viewers is not None:
        return card_of(item, popular_reason(viewers.get(item.item, 0)))
    if ranked.is_cold:
        return card_of(item, "New here")
    history = person.history if person is not None else ()
    weighty = [found for each in ranked.because if (found := catalog.get(each)) is not None]
    where = {choice.item: choice.surface for choice in person.choices} if person is not None and weighty else {}
    because = tuple(Because(item=each.item, title=each.title, surface=where.get(each.item, "")) for each in weighty)
    reason = _because_reason(item, weighty) if weighty else ranked_reason(item, history, catalog)
    return card_of(item, reason).model_copy(update={"because": because, "terms": dict(ranked.terms or {})})


def _because_reason(item: Item, weighty: Sequence[Item]) -> str:
    first = weighty[0]
    shared = _shared(first, item)
    titles = " and ".join(each.title for each in weighty[:2])
    return f"{shared}, like {titles} that you watched" if shared else f"Because you watched {titles}"


def _shared(one: Item, other: Item) -> str:
    return ", ".join(sorted(plain(each) for each in frozenset(one.genres) & frozenset(other.genres)))


def _likeness(one: Item | Card, other: Item | Card) -> float:
    both, either = {*one.genres} & {*other.genres}, {*one.genres, *other.genres}
    return len(both) / max(1, len(either))
