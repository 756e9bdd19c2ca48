"""A trained network as it answers: from a person's events to a list, on any surface.

Retrieval finds candidates among what filters and rules allow; the network judges them where a surface has weights on
what they would do; values, diversity and chance make a list of them. All of it runs in one process on one thread, and
``Recommender.recommend`` calls the same.

Shapes: I items, S surfaces, K candidates, P places of a list, D width, A actions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from tenfold.rank.contract import Filters
from tenfold.rank.diversity import Standing
from tenfold.rank.explain import because
from tenfold.rank.explore import Place, choose
from tenfold.rank.features import Embed, features_of
from tenfold.rank.person import Judgement, PersonState, Reader
from tenfold.rank.ranker import lifted, vectors_of
from tenfold.rank.retrieve import Retriever, Vectors, retriever
from tenfold.rank.rules import Rules
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.states import States
from tenfold.rank.stream import Events, Item, Mask, Rows
from tenfold.rank.surface import SurfaceSettings
from tenfold.rank.value import Valued, Values, needs_judgement, value

CANDIDATES = 60
"""Items that are judged, at least: so many that the best by value are among the best by score."""

USUAL = SurfaceSettings()
PLAIN = SurfaceSettings(diversity=0.0, author_decay=1.0)
"""The best by score: what is answered where no surface is named."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shall be.

    ``surface``: its name; none: any item, the best by score. ``only``, ``without``: item rows. ``explain``: tell terms
    and reasons.
    """

    k: int
    surface: str | None = None
    only: Rows | None = None
    without: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seen_again: bool = False
    filters: Filters | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """One item of a list.

    ``score``: a logit. ``propensity``: how likely it stood there, given those above. Where it was asked to explain:
    ``terms`` of its value, ``chances`` of each action, ``because``: places of events that weigh most, weightiest first.
    """

    row: int
    score: float
    value: float
    propensity: float
    terms: Mapping[str, float] = field(default_factory=dict)
    chances: Mapping[str, float] = field(default_factory=dict)
    because: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list, best first; how many items were left out because they were seen; and what was expected, (D,)."""

    picks: tuple[Pick, ...]
    seen_excluded: int
    query_D: Vectors


class Served:
    """One snapshot.

    Args:
        snapshot: network and items.
        settings: of surfaces, by their names.
        threads: that a search may use.
        state_bytes: that the states of people may take.
    """

    def __init__(
        self, snapshot: Snapshot, settings: Mapping[str, SurfaceSettings], *, threads: int = 1, state_bytes: int = 0
    ) -> None:
        meta = snapshot.meta
        self.items, self.surfaces, self.actions = snapshot.items, meta.surfaces, meta.actions
        self.vector_ID = vectors_of(snapshot.network)
        self._network, self._meta = snapshot.network, meta
        self._scale = np.float32(1.0 / meta.recipe.temperature)
        self._reader = Reader(snapshot.network, meta.recipe.length)
        self.states = States(self._reader, self.vector_ID, state_bytes)
        self._settings = settings
        self._surface = {name: index for index, name in enumerate(meta.surfaces)}
        self._rules = Rules(snapshot.items)
        self._allowed_SI = snapshot.items.allowed_SI(meta.surfaces)
        self._retrievers = self._make_retrievers(threads)

    def rank(
        self, person: str | None, events: Events, wanted: Wanted, draw: np.random.Generator, now: float
    ) -> Ranking:
        """Make a list for a person's events, all of one person and oldest first.

        Args:
            person: name under which the state may be kept; none: it is not.
            events: oldest first; may be empty: then the list is what people begin with.
            wanted: what the list shall be.
            draw: of what is shown by chance.
            now: Unix seconds.
        """
        state = self.states.state(person, events)
        # A surface that has come since the snapshot was made is any surface to it.
        on = None if wanted.surface is None else self._surface.get(wanted.surface)
        settings = PLAIN if wanted.surface is None else self._settings.get(wanted.surface, USUAL)
        query_D = self._reader.query(state, on)
        allowed_I, seen_excluded = self._allowed(events, wanted, on, settings, now)
        count = wanted.k if settings is PLAIN else max(CANDIDATES, 2 * wanted.k)
        found = self._retrievers[on].best(query_D, count, allowed_I)
        vector_KD = self.vector_ID[found.rows]
        asks = len(found.rows) > 0 and (wanted.explain or needs_judgement(settings))
        # What is done with an item is known of surfaces only, so anywhere is where the person was last.
        there = on if on is not None else int(events.surface_E[-1]) if len(events) else 0
        judgement = self._reader.judge(state, there, vector_KD) if asks else None
        valued = value(
            settings,
            self.actions,
            self._scale * found.scores,
            judgement,
            self._rules.length_s_I[found.rows],
            self._rules.boosts(found.rows, settings),
        )
        if settings is PLAIN:
            places = [Place(place, 1.0) for place in range(len(found.rows))]
        else:
            standing = Standing(valued.value_K, vector_KD, self._rules.author_I[found.rows], settings)
            places = choose(standing, wanted.k, settings.explore, draw)
        chosen = [place.candidate for place in places]
        picks = _picks(found.rows[chosen], self._scale * found.scores[chosen], valued.value_K[chosen], places)
        if wanted.explain:
            reasons = self._reasons(state, on, query_D, vector_KD[chosen], len(events))
            picks = [self._explained(*each, valued, judgement) for each in zip(picks, chosen, reasons, strict=True)]
        return Ranking(tuple(picks), seen_excluded, query_D)

    def embed(self, items: Sequence[Item], embed: Embed | None) -> Vectors:
        """Vectors of items that it has never seen, from their content, (N, D).

        Args:
            items: that are embedded.
            embed: reads texts; needed where ``reads_text``.
        """
        content = self._meta.shape.content
        features = features_of(items, self._meta.attributes, content, embed)
        with torch.inference_mode():
            return self._network.embed(features).numpy()

    @property
    def reads_text(self) -> bool:
        """Whether it knows items by their titles and descriptions."""
        return self._meta.shape.content > 0

    def _allowed(
        self, events: Events, wanted: Wanted, on: int | None, settings: SurfaceSettings, now: float
    ) -> tuple[Mask, int]:
        if wanted.only is None:
            allowed_I = np.ones(len(self.items), dtype=np.bool_) if on is None else self._allowed_SI[on].copy()
        else:
            allowed_I = np.zeros(len(self.items), dtype=np.bool_)
            allowed_I[wanted.only] = True
            if on is not None:
                allowed_I &= self._allowed_SI[on]
        self._rules.forbid(allowed_I, wanted.filters, settings, now)
        allowed_I[wanted.without] = False
        if wanted.seen_again:
            return allowed_I, 0
        seen = np.unique(events.row_E)
        excluded = int(np.count_nonzero(allowed_I[seen]))
        allowed_I[seen] = False
        return allowed_I, excluded

    def _make_retrievers(self, threads: int) -> dict[int | None, Retriever]:
        """Of each surface, and of all items; those that have all items share one."""
        compared_ID = lifted(self._network, self.vector_ID)
        everything = retriever(compared_ID, np.arange(len(self.items)), threads)
        found: dict[int | None, Retriever] = {None: everything}
        for surface, allowed_I in enumerate(self._allowed_SI):
            row_N = np.flatnonzero(allowed_I)
            whole = len(row_N) == len(self.items)
            found[surface] = everything if whole else retriever(compared_ID, row_N, threads)
        return found

    def _reasons(
        self, state: PersonState, on: int | None, query_D: Vectors, vector_KD: Vectors, events: int
    ) -> list[tuple[int, ...]]:
        """Places of events, among all that were given, that weigh most for each item."""
        if not len(state):
            return [()] * len(vector_KD)
        first = events - len(state)
        found = because(query_D, self._reader.without_each(state, on), vector_KD)
        return [tuple((first + places).tolist()) for places in found]

    def _explained(
        self, pick: Pick, candidate: int, reasons: tuple[int, ...], valued: Valued, judgement: Judgement | None
    ) -> Pick:
        chances: dict[str, float] = {}
        if judgement is not None and judgement.actions_KA.shape[1]:
            chances = dict(zip(self.actions, judgement.actions_KA[candidate].tolist(), strict=True))
        terms = {name: float(term_K[candidate]) for name, term_K in valued.terms.items()}
        return replace(pick, terms=terms, chances=chances, because=reasons)


def _picks(row_P: Rows, score_P: Vectors, value_P: Values, places: Sequence[Place]) -> list[Pick]:
    columns = zip(row_P.tolist(), score_P.tolist(), value_P.tolist(), places, strict=True)
    return [Pick(row, score, worth, place.propensity) for row, score, worth, place in columns]
