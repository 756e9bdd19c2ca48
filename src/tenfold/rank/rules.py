"""What may be shown: filters of a request, and rules of a surface, as masks over all items, before anything is found.

Shapes: I items, K candidates.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tenfold.rank.contract import Filters
from tenfold.rank.stream import Items, Mask, Rows
from tenfold.rank.surface import SurfaceSettings
from tenfold.rank.value import Values

_DAY_S = 86400.0
_NOTHING = np.zeros(0, dtype=np.int64)


class Rules:
    """The items by what rules ask for: attributes, authors and age.

    Args:
        items: all of them.
    """

    def __init__(self, items: Items) -> None:
        self._count = len(items)
        self._row_of = items.row_of()
        self._with_attribute = _rows_by((row, word) for row, item in enumerate(items) for word in item.attributes)
        self._by_author = _rows_by((row, item.author) for row, item in enumerate(items) if item.author)
        self._born_I = np.array([np.nan if item.born_at is None else item.born_at for item in items])
        authors = {author: index for index, author in enumerate(self._by_author)}
        self.author_I = np.array([authors.get(item.author, -1) for item in items], dtype=np.int64)
        """Number of each item's author; -1: unknown."""
        self.length_s_I = np.array([np.nan if item.length_s is None else item.length_s for item in items])

    def forbid(self, allowed_I: Mask, filters: Filters | None, settings: SurfaceSettings, now: float) -> None:
        """Take out of ``allowed_I`` what does not pass the filters of a request and the rules of its surface.

        Args:
            allowed_I: what may be shown; changed.
            filters: of the request.
            settings: of the surface.
            now: Unix seconds.
        """
        self._drop(allowed_I, self._with_attribute, settings.without)
        if settings.newest_days is not None:
            allowed_I &= ~(self._born_I < now - settings.newest_days * _DAY_S)
        if filters is not None:
            self._keep(allowed_I, self._with_attribute, filters.attributes)
            self._keep(allowed_I, self._by_author, filters.authors)
            self._drop(allowed_I, self._with_attribute, filters.without_attributes)
            self._drop(allowed_I, self._by_author, filters.without_authors)
            # An item that is not known is not shown anyway.
            allowed_I[[self._row_of[item] for item in filters.without if item in self._row_of]] = False
            if filters.born_after is not None:
                allowed_I &= ~(self._born_I < filters.born_after)

    def boosts(self, row_K: Rows, settings: SurfaceSettings) -> Values:
        """What the surface adds to the value of each candidate, (K,)."""
        boost_K = np.zeros(len(row_K))
        for attribute, boost in settings.boosts.items():
            boost_K += boost * np.isin(row_K, self._with_attribute.get(attribute, _NOTHING))
        return boost_K

    def _keep(self, allowed_I: Mask, rows_of: Mapping[str, Rows], names: Sequence[str]) -> None:
        if names:
            kept_I = np.zeros(self._count, dtype=np.bool_)
            for name in names:
                kept_I[rows_of.get(name, _NOTHING)] = True
            allowed_I &= kept_I

    @staticmethod
    def _drop(allowed_I: Mask, rows_of: Mapping[str, Rows], names: Sequence[str]) -> None:
        for name in names:
            allowed_I[rows_of.get(name, _NOTHING)] = False


def _rows_by(pairs: Iterable[tuple[int, str]]) -> dict[str, Rows]:
    found: dict[str, list[int]] = {}
    for row, name in pairs:
        found.setdefault(name, []).append(row)
    return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}
