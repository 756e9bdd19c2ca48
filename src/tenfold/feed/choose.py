"""From what was ranked, or is popular, to the cards of a feed; with a reason for each."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tenfold.feed.catalog import Catalog, Film
from tenfold.feed.contract import Card

_LATEST = 20
"""A reason names something that the person remembers."""


def cards_for(
    items: Iterable[int],
    catalog: Catalog,
    *,
    k: int,
    without: Collection[int],
    history: Sequence[int] = (),
    viewers: Mapping[int, int] | None = None,
) -> tuple[Card, ...]:
    """Make at most ``k`` cards of ``items``, best first.

    Args:
        items: what may be shown, best first; what the catalog does not know is left out.
        catalog: titles and genres.
        k: cards wanted.
        without: items that are not shown whatever their place: blocked ones, and those seen.
        history: items that the person watched, the latest last, for the reasons of a ranked list.
        viewers: people who opened each item, for the reasons of a popular list.
    """
    chosen: list[Card] = []
    for item in items:
        film = catalog.get(item)
        if film is None or item in without:
            continue
        reason = ranked_reason(film, history, catalog) if viewers is None else popular_reason(viewers.get(item, 0))
        chosen.append(card_of(film, reason))
        if len(chosen) == k:
            break
    return tuple(chosen)


def card_of(film: Film, reason: str) -> Card:
    """Make the card of one film."""
    return Card(
        item=film.item, title=film.title, genres=film.genres, reason=reason, poster=f"/v1/feed/posters/{film.item}.svg"
    )


def ranked_reason(film: Film, history: Sequence[int], catalog: Catalog) -> str:
    """Say which film of the latest is most like this one: it shares the largest part of all their genres."""
    best, shared = None, frozenset[str]()
    most = 0.0
    for item in reversed(history[-_LATEST:]):
        seen = catalog.get(item)
        if seen is None:
            continue
        both = frozenset(seen.genres) & frozenset(film.genres)
        likeness = len(both) / max(1, len({*seen.genres, *film.genres}))
        if likeness > most:
            best, shared, most = seen, both, likeness
    if best is not None:
        return f"{', '.join(sorted(shared))}, like {best.title} that you watched"
    return "Chosen by what people with your history watched next" if history else "What most people begin with"


def popular_reason(viewers: int) -> str:
    """Say how many people chose it."""
    return f"Opened by {viewers:,} {'person' if viewers == 1 else 'people'}" if viewers else "Not yet opened by anybody"
