"""One recommender for every surface, as a library.

from tenfold.rank.recommender import Recommender

recommender = Recommender().fit("data/")          # or a Stream, or records
recommender.recommend("ann", surface="shop", k=5)
recommender.observe({"person": "ann", "item": "p7", "surface": "shop", "at": 1764000000})
recommender.evaluate(split="time")
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from tenfold.core.errors import UsageError
from tenfold.rank.artifact import Evaluation
from tenfold.rank.contract import Filters
from tenfold.rank.features import Embed
from tenfold.rank.judging import evaluation_of, learn_validated
from tenfold.rank.learn import Learning
from tenfold.rank.more import learn_more
from tenfold.rank.read.folder import read_folder
from tenfold.rank.read.frame import Frame, stream_of
from tenfold.rank.recipe import Recipe
from tenfold.rank.served import Served, Wanted
from tenfold.rank.snapshot import Snapshot, load_snapshot, save_snapshot
from tenfold.rank.stream import Events, Id, Items, Stream, joined
from tenfold.rank.surface import SurfaceSettings

Record = Mapping[str, object]
Source = Stream | str | Path | Sequence[Record]
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Recommended:
    """One item of a list, whose values are comparable within the list only.

    ``score``: a logit of its being next. ``value``: by the objective; what the list is ordered by. Where it was asked
    to explain: ``terms`` of the value, ``chances`` of each action, and ``because``, items of the history that weigh
    most.
    """

    item: Id
    title: str
    score: float
    value: float
    terms: Mapping[str, float]
    chances: Mapping[str, float]
    because: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class _Terms:
    """What rows, surfaces and actions of events mean."""

    items: Items
    surfaces: tuple[str, ...]
    actions: tuple[str, ...]


class Recommender:
    """Learns from events on all surfaces, and ranks for anyone on any of them.

    Args:
        surfaces: the only ones whose events count; by default all that the events name.
        actions: the only ones that count; by default all that the events name.
        objective: worth of each action, below 0 for what harms, beside the score, for what is shown on a surface. By
            default the score is the value.
        recipe: sizes and training numbers.
        embed: how titles and descriptions are read, as ``MiniLM.embed``; by default they are not.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        surfaces: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
        objective: Mapping[str, float] | None = None,
        *,
        recipe: Recipe | None = None,
        embed: Embed | None = None,
        seed: int = 0,
        name: str = "ranker",
    ) -> None:
        self._wanted, self._actions, self._objective = surfaces, actions, dict(objective or {})
        self._how = Learning(recipe or Recipe(), seed, embed, name)
        self._stream: Stream | None = None
        self._snapshot: Snapshot | None = None
        self._served: Served | None = None
        self._draw = np.random.default_rng(seed)
        self._histories: dict[Id, Events] = {}
        self._terms: _Terms | None = None
        """Of the histories."""

    @property
    def stream(self) -> Stream:
        """What it was given to learn from.

        Raises:
            UsageError: nothing yet.
        """
        if self._stream is None:
            raise UsageError("the recommender has no events yet", next_step="call fit(events) or give(events) first")
        return self._stream

    @property
    def snapshot(self) -> Snapshot:
        """What it learned.

        Raises:
            UsageError: it has not learned yet.
        """
        if self._snapshot is None:
            raise UsageError("the recommender has not learned yet", next_step="call fit(events) or load(folder) first")
        return self._snapshot

    def give(self, events: Source, items: Sequence[Record] | None = None) -> "Recommender":
        """Take events, without learning from them; people's histories are known from then on.

        Args:
            events: a stream; a folder or file, see ``read_folder``; or records with person and item and, where known,
                at, surface, action, rating, watched.
            items: records with id and, where known, title, text, author, surfaces and whatever else describes them.

        Raises:
            UsageError: rows cannot be used; names them.
        """
        self._stream = stream = self._of_actions(self._on_surfaces(_read(events, items)))
        self._histories = {
            stream.people[person]: stream.events.select(part) for person, part in stream.events.by_person()
        }
        self._terms = _Terms(stream.items, stream.surfaces, stream.actions)
        return self

    def fit(
        self,
        events: Source | None = None,
        items: Sequence[Record] | None = None,
        *,
        progress: Told = lambda _: None,
        keep: Path | None = None,
    ) -> "Recommender":
        """Learn from events (by default those given before); arguments as for ``give``.

        The last event of up to 2,000 people is left out of training, and chooses the epoch.

        Args:
            events: see ``give``.
            items: see ``give``.
            progress: told the share of the work done.
            keep: file from which a run that was stopped goes on.
        """
        if events is not None:
            self.give(events, items)
        self._serve(learn_validated(self.stream, self.stream.events, self._how, progress, keep=keep))
        return self

    def go_on(self, events: Source | None = None, *, progress: Told = lambda _: None) -> "Recommender":
        """Learn what happened since the snapshot, and as many old events, without learning everything again.

        Args:
            events: new and old ones, as for ``give``; by default those given before.
            progress: told the share of the work done.

        Raises:
            UsageError: nothing is new.
        """
        if events is not None:
            self.give(events)
        recipe = self.snapshot.meta.recipe
        self._serve(learn_more(self.snapshot, self.stream, replace(self._how, recipe=recipe), progress))
        return self

    def observe(self, event: Record) -> None:
        """Count one more event of a person in what is recommended to them from now on.

        Args:
            event: person and item and, where known, at, surface, action, watched.

        Raises:
            UsageError: a field is missing or names an item or surface that is not known.
        """
        meta, row_of = self.snapshot.meta, self.snapshot.items.row_of()
        if "person" not in event or event.get("item") not in row_of:
            message = f"an event names a person and a known item, got {dict(event)!r:.200}"
            raise UsageError(message, next_step="give person and item as the data spell them")
        person, row = event["person"], row_of[event["item"]]  # pyrefly: ignore
        surface = event.get("surface", meta.surfaces[int(self.snapshot.surface_I()[row])])
        action = event.get("action", meta.actions[0])
        bits = 1 << meta.actions.index(action) if action in meta.actions else 0  # pyrefly: ignore
        before = self._history(person)  # pyrefly: ignore
        at = event.get("at", before.at_E[-1] if len(before) else 0.0)
        index = before.person_E[0] if len(before) else len(self._histories)
        new = Events.of([index], [row], [at], surface=self._surface(surface), actions=bits)  # pyrefly: ignore
        self._histories[person] = joined([before, new])  # pyrefly: ignore

    def recommend(
        self,
        person: Id,
        surface: str | None = None,
        k: int = 10,
        *,
        filters: Filters | None = None,
        explain: bool = False,
        without: Sequence[Id] = (),
    ) -> list[Recommended]:
        """The ``k`` best items for a person, best first; what they have seen is left out unless people come back.

        Args:
            person: anyone; of whom nothing is known gets what people begin with.
            surface: where it will be shown, for which the objective counts; by default anywhere, the best by score.
            k: how many.
            filters: what may be shown, as over HTTP.
            explain: give terms, chances and reasons.
            without: item ids to leave out.
        """
        snapshot, history = self.snapshot, self._history(person)
        assert self._served is not None, "a snapshot is served"
        names = snapshot.meta.surfaces
        surface = names[0] if surface is None and len(names) == 1 else surface
        if surface is not None:
            self._surface(surface)
        row_of = snapshot.items.row_of()
        left_out = np.array([row_of[item] for item in without if item in row_of], dtype=np.int64)
        wanted = Wanted(
            k=k,
            surface=surface,
            without=left_out,
            seen_again=snapshot.meta.seen_again,
            filters=filters,
            explain=explain,
        )
        ranking = self._served.rank(str(person), history, wanted, self._draw, time.time())
        return [
            Recommended(
                snapshot.items[pick.row].id,
                snapshot.items[pick.row].title,
                pick.score,
                pick.value,
                pick.terms,
                pick.chances,
                tuple(snapshot.items[int(history.row_E[place])].id for place in pick.because),
            )
            for pick in ranking.picks
        ]

    def evaluate(self, split: Literal["time", "last"] = "time", *, progress: Told = lambda _: None) -> Evaluation:
        """How good it is on events that it does not learn from, beside popularity, item-kNN and EASE.

        A network of its own is trained for this: ``time`` on what lies before one cut for all, ``last`` on all but
        each person's last event (for events without times, and for comparison with published tables).

        Raises:
            UsageError: ``time``, but the events have no times.
        """
        if split == "time" and not self.stream.timed:
            raise UsageError(
                "these events have no times, so no cut in time can be made",
                next_step='judge by each person\'s last event: split "last"',
            )
        return evaluation_of(self.stream, self._how, split, progress)

    def person(self, text: str) -> Id:
        """The person that somebody has typed.

        Raises:
            UsageError: no event is theirs.
        """
        known = {str(person): person for person in self.stream.people}
        if text not in known:
            some = ", ".join(list(known)[:5])
            raise UsageError(f"there are no events of {text!r:.80}", next_step=f"give one of those who have, as {some}")
        return known[text]

    def save(self, folder: Path) -> None:
        """Write what it learned as a snapshot, which serving takes; people's histories are not in it."""
        save_snapshot(folder, self.snapshot)

    def load(self, folder: Path) -> "Recommender":
        """Take a snapshot in place of learning.

        Raises:
            AssetError: there is none, or it is damaged.
        """
        self._serve(load_snapshot(folder))
        return self

    def _serve(self, snapshot: Snapshot) -> None:
        unknown = [name for name in self._objective if name not in snapshot.meta.actions]
        if unknown:
            known = ", ".join(snapshot.meta.actions)
            raise UsageError(f"there is no action {unknown[0]!r:.80}", next_step=f"actions are {known}")
        # By score and objective alone; spreading a list over authors and subjects is for those who configure surfaces.
        settings = SurfaceSettings(actions=self._objective, diversity=0.0, author_decay=1.0)
        self._snapshot = snapshot
        self._served = Served(snapshot, dict.fromkeys(snapshot.meta.surfaces, settings), state_bytes=_STATE_BYTES)

    def _history(self, person: Id) -> Events:
        """What a person did, in the snapshot's terms; events that were given after it learned came in others."""
        snapshot, was = self.snapshot, self._terms
        terms = _Terms(snapshot.items, snapshot.meta.surfaces, snapshot.meta.actions)
        if was is not None and was != terms:
            self._histories = _told_in(snapshot, terms, was, self._histories)
        self._terms = terms
        return self._histories.get(person, Events.none())

    def _surface(self, name: object) -> int:
        names = self.snapshot.meta.surfaces
        if name not in names:
            raise UsageError(f"there is no surface {name!r:.80}", next_step=f"surfaces are {', '.join(names)}")
        return names.index(str(name))

    def _of_actions(self, stream: Stream) -> Stream:
        if self._actions is None:
            return stream
        unknown = [name for name in self._actions if name not in stream.actions]
        if unknown:
            raise UsageError(f"no event is {unknown[0]!r}", next_step=f"actions are {', '.join(stream.actions)}")
        old = stream.events
        bits_E = np.zeros(len(old), dtype=np.int64)
        for index, name in enumerate(self._actions):
            bits_E |= ((old.actions_E >> stream.actions.index(name)) & 1) << index
        # What is left of an event without them is that the item was shown.
        events = Events(old.person_E, old.row_E, old.surface_E, bits_E, old.watched_E, old.at_E)
        return replace(stream, actions=tuple(self._actions), events=events)

    def _on_surfaces(self, stream: Stream) -> Stream:
        if self._wanted is None:
            return stream
        unknown = [name for name in self._wanted if name not in stream.surfaces]
        if unknown:
            raise UsageError(f"no event is on {unknown[0]!r}", next_step=f"surfaces are {', '.join(stream.surfaces)}")
        kept = [stream.surfaces.index(name) for name in self._wanted]
        events = stream.events.select(np.isin(stream.events.surface_E, kept))
        renamed = np.argsort(kept)[np.searchsorted(np.sort(kept), events.surface_E)]
        columns = Events(events.person_E, events.row_E, renamed, events.actions_E, events.watched_E, events.at_E)
        return Stream(tuple(self._wanted), stream.actions, stream.people, stream.items, columns, stream.timed)


def _told_in(snapshot: Snapshot, terms: _Terms, was: _Terms, histories: Mapping[Id, Events]) -> dict[Id, Events]:
    """Histories told in the snapshot's terms: without items that it does not know.

    A surface that is not known is the item's first, as it is to the pool's ranking.
    """
    row_of, place_of = terms.items.row_of(), {name: place for place, name in enumerate(terms.surfaces)}
    row_I = np.array([row_of.get(item.id, -1) for item in was.items], dtype=np.int64)
    surface_S = np.array([place_of.get(name, -1) for name in was.surfaces], dtype=np.int64)
    first_I = snapshot.surface_I()
    bits = [(bit, terms.actions.index(name)) for bit, name in enumerate(was.actions) if name in terms.actions]
    told = {}
    for person, history in histories.items():
        known = history.select(row_I[history.row_E] >= 0)
        row_E, surface_E = row_I[known.row_E], surface_S[known.surface_E]
        surface_E = np.where(surface_E >= 0, surface_E, first_I[row_E])
        actions_E = np.zeros(len(known), dtype=np.int64)
        for bit, place in bits:
            actions_E |= ((known.actions_E >> bit) & 1) << place
        told[person] = Events(known.person_E, row_E, surface_E, actions_E, known.watched_E, known.at_E)
    return told


_STATE_BYTES = 64 << 20
"""For states of people, so that an event that is observed is appended to what was read."""


def _read(events: Source, items: Sequence[Record] | None) -> Stream:
    if isinstance(events, Stream):
        return events
    if isinstance(events, str | Path):
        return read_folder(Path(events))[0]
    return stream_of(_frame("events", events), _frame("items", items) if items else None, skip_bad_rows=False)[0]


def _frame(what: str, records: Sequence[Record]) -> Frame:
    table = pl.from_dicts([dict(record) for record in records], infer_schema_length=None)
    return Frame(what, table.select(pl.all().cast(pl.String, strict=False)), 0, "record")
