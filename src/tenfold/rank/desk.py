"""Turns a valid request into an answer: ids to rows, rows to a list, the list to JSON.

Shapes: E events, I items.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

import numpy as np
import orjson

from tenfold.rank.contract import (
    BadRequest,
    CatalogItem,
    CatalogItems,
    Content,
    HistoryEvent,
    LearnedEpoch,
    LearnedQuality,
    RankModel,
    RankRequest,
    SampleUser,
)
from tenfold.rank.dataset import AGE, MovieLens
from tenfold.rank.features import Embed
from tenfold.rank.served import Pick, Ranking, Served, Wanted
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.stream import Events, Id, Item, Rows
from tenfold.rank.surface import SurfaceSettings

log = logging.getLogger(__name__)

_GENRE = "genre:"
_MOST_COMBINATIONS = 1000
_COLUMNS = attrgetter("item", "surface", "actions", "watched", "at")


class RankDesk:
    """Answers from one snapshot.

    Args:
        snapshot: network and items.
        version: of the snapshot, which answers name.
        data: whose users can be asked for by their ids.
        settings: of surfaces, by their names.
        reader_of_texts: makes what embeds texts, when it is first needed.
        threads: that a search may use.
        state_bytes: that the states of people may take.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        version: str,
        data: MovieLens,
        settings: Mapping[str, SurfaceSettings],
        reader_of_texts: Callable[[], Embed],
        *,
        threads: int,
        state_bytes: int,
    ) -> None:
        meta = snapshot.meta
        self.version, self._meta, self._model = version, meta, meta.model
        self._served = Served(snapshot, settings, threads=threads, state_bytes=state_bytes)
        self._reader_of_texts = reader_of_texts
        self._row_of = snapshot.items.row_of()
        self._surface_I = snapshot.surface_I()
        self._surface_of = {name: index for index, name in enumerate(meta.surfaces)}
        self._bit_of = {name: 1 << index for index, name in enumerate(meta.actions)}
        self._bits_of: dict[tuple[str, ...], int] = {}
        self._told = [_told(item) for item in snapshot.items]
        self._users = _Users(data, self._row_of, self._surface_of, self._bit_of)
        self._draw = np.random.default_rng()

    @property
    def item_ids(self) -> list[Id]:
        """Ids of all items, by row."""
        return list(self._row_of)

    def rank(self, request: RankRequest) -> bytes:
        """Answer, as ``RankResponse`` tells it, in JSON.

        Raises:
            BadRequest: no such user or item.
        """
        events = self._events(request)
        wanted = Wanted(
            k=request.k,
            surface=request.surface,
            only=None if request.candidates is None else self._rows("candidates", request.candidates),
            without=self._rows("exclude", request.exclude),
            seen_again=not request.exclude_seen,
            filters=request.filters,
            explain=request.explain,
        )
        ranking = self._served.rank(request.person, events, wanted, self._draw, time.time())
        answer: dict[str, object] = {
            "model": self._model,
            "user": request.user,
            "items": [self._item(pick, wanted, events) for pick in ranking.picks],
            "seen_excluded": ranking.seen_excluded,
            "snapshot": self.version,
        }
        if request.embeddings:
            answer["embeddings"] = self._embeddings(ranking, request.contents)
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

    def sample_users(self, limit: int) -> list[SampleUser]:
        """Users spread evenly over the ids, each with the titles of their latest five events."""
        return self._users.sample(limit)

    def catalog(self) -> CatalogItems:
        """Give all items, each with how many people of the data had seen it."""
        viewers = self._users.viewers()
        return CatalogItems(
            items=tuple(
                CatalogItem(
                    item=item.id,
                    title=item.title,
                    genres=_genres(item),
                    viewers=viewers.get(item.id, 0),
                    surfaces=item.surfaces,
                    author=item.author,
                )
                for item in self._served.items
            )
        )

    def model(self) -> RankModel:
        """Tell what the model has learned."""
        meta = self._meta
        rows = () if meta.evaluation is None else meta.evaluation.table
        return RankModel(
            snapshot=self.version,
            model=meta.model,
            trained_at=meta.trained_at,
            latest_event_at=meta.latest_event_at,
            people=meta.data.people,
            items=len(self._served.items),
            events=meta.data.events,
            parameters=meta.parameters,
            surfaces=meta.surfaces,
            epochs=tuple(LearnedEpoch(loss=each.loss, validation=each.validation) for each in meta.epochs),
            quality=tuple(LearnedQuality(**row.model_dump(include=set(LearnedQuality.model_fields))) for row in rows),
        )

    def _item(self, pick: Pick, wanted: Wanted, events: Events) -> dict[str, object]:
        found = {**self._told[pick.row], "score": pick.score}
        if wanted.surface is not None:
            found |= {"value": pick.value, "propensity": pick.propensity}
        if wanted.explain:
            because = [self._told[int(events.row_E[place])]["item"] for place in pick.because]
            found |= {"terms": pick.terms, "chances": pick.chances, "because": because}
        return found

    def _embeddings(self, ranking: Ranking, contents: Sequence[Content]) -> dict[str, object]:
        found: dict[str, object] = {
            "person": ranking.query_D,
            "items": self._served.vector_ID[[pick.row for pick in ranking.picks]],
            "contents": [],
        }
        if contents:
            items = [Item("", each.title, each.text, each.attributes) for each in contents]
            embed = self._reader_of_texts() if self._served.reads_text else None
            found["contents"] = self._served.embed(items, embed)
        return found

    def _events(self, request: RankRequest) -> Events:
        if request.events is not None:
            return self._told_events(request.events)
        if request.history is not None:
            row_L = self._rows("history", request.history)
            return Events.of(np.zeros(len(row_L)), row_L, np.full(len(row_L), np.nan), surface=self._surface_I[row_L])
        assert request.user is not None, "RankRequest has one of user, history and events"
        return self._users.events_of(request.user)

    def _told_events(self, told: Sequence[HistoryEvent]) -> Events:
        """What the ranker knows of a history: an item that came since the snapshot was made is left out."""
        known = [event for event in told if event.item in self._row_of]
        if not known:
            return Events.none()
        item, surface, actions, watched, at = zip(*map(_COLUMNS, known), strict=True)
        row_E = np.array([self._row_of[each] for each in item], dtype=np.int64)
        surface_E = np.array([self._surface_of.get(each, -1) for each in surface], dtype=np.int64)
        return Events(
            np.zeros(len(known), dtype=np.int64),
            row_E,
            np.where(surface_E < 0, self._surface_I[row_E], surface_E),
            np.array([self._bits(each) for each in actions], dtype=np.int64),
            np.array(watched, dtype=np.float32),  # What is none becomes no number.
            np.array(at, dtype=np.float64),
        )

    def _bits(self, actions: tuple[str, ...]) -> int:
        """Bits of actions; one that came since the snapshot was made counts as the first that it knows."""
        bits = self._bits_of.get(actions)
        if bits is None:
            known = sum(self._bit_of.get(name, 0) for name in set(actions))
            bits = known or (1 if actions else 0)
            if len(self._bits_of) < _MOST_COMBINATIONS:
                self._bits_of[actions] = bits
        return bits

    def _rows(self, field: str, items: Sequence[Id]) -> Rows:
        rows = np.empty(len(items), dtype=np.int64)
        for index, item in enumerate(items):
            row = self._row_of.get(item)
            if row is None:
                numbers = [each for each in self._row_of if isinstance(each, int)]
                among = f"; ids are {min(numbers)} to {max(numbers)}" if numbers else ""
                raise BadRequest(422, f"{field}[{index}]: there is no item {item!s:.80}{among}")
            rows[index] = row
        return rows


class _Users:
    """People of the data set, as the snapshot's items, surfaces and actions tell their events."""

    def __init__(
        self, data: MovieLens, row_of: Mapping[Id, int], surface_of: Mapping[str, int], bit_of: Mapping[str, int]
    ) -> None:
        self._data = data
        stream = data.stream()
        self._row_I = np.array([row_of.get(item.id, -1) for item in stream.items], dtype=np.int64)
        self._surface_S = np.array([surface_of.get(name, 0) for name in stream.surfaces], dtype=np.int64)
        self._bit_A = [bit_of.get(name, 0) for name in stream.actions]

    def events_of(self, user: int) -> Events:
        """Events of a user, oldest first.

        Raises:
            BadRequest: there is no such user.
        """
        found = self._data.events_of(user)
        if found is None:
            first, last = self._data.users[0], self._data.users[-1]
            raise BadRequest(422, f"user: there is no user {user!s:.80}; ids are {first} to {last}")
        actions_E = np.zeros(len(found), dtype=np.int64)
        for index, bit in enumerate(self._bit_A):
            actions_E += ((found.actions_E >> index) & 1) * bit
        row_E, surface_E = self._row_I[found.row_E], self._surface_S[found.surface_E]
        here = Events(found.person_E, row_E, surface_E, actions_E, found.watched_E, found.at_E)
        return here.select(row_E >= 0)

    def viewers(self) -> dict[Id, int]:
        """How many people have an event with each film."""
        count_I = np.bincount(self._data.events.row_E, minlength=len(self._data.catalog))
        return {film.item: int(count) for film, count in zip(self._data.catalog.items, count_I, strict=True)}

    def sample(self, limit: int) -> list[SampleUser]:
        """Users spread evenly over the ids, each with the titles of their latest five events."""
        films, users = self._data.catalog.items, self._data.users
        picked = [users[index * len(users) // limit] for index in range(min(limit, len(users)))]
        found = []
        for user in picked:
            events = self._data.events_of(user)
            assert events is not None, "a user of the data has events"
            found.append(SampleUser(user=user, last_titles=tuple(films[row].title for row in events.row_E[-5:])))
        return found


def _told(item: Item) -> dict[str, object]:
    """What an answer tells of an item."""
    return {"item": item.id, "title": item.title, "genres": _genres(item)}


def _genres(item: Item) -> tuple[str, ...]:
    return tuple(word.removeprefix(_GENRE) for word in item.attributes if not word.startswith(AGE))
