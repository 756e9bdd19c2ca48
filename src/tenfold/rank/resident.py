"""The resident that ranks: the trained network and the catalog in memory, ``/v1/rank`` in front."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import torch
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tenfold.core.errors import AssetError
from tenfold.pool.answer import request_id
from tenfold.pool.api_error import error_body
from tenfold.pool.pace import Pace
from tenfold.pool.resident import Context, Counters, Resident
from tenfold.pool.work_clock import WorkClock
from tenfold.rank.contract import (
    MOST_SAMPLE_USERS,
    BadRequest,
    CatalogItem,
    CatalogItems,
    RankedItem,
    RankRequest,
    RankResponse,
    SampleUser,
    SampleUsers,
    parse_request,
)
from tenfold.rank.dataset import MovieLens, load_movielens
from tenfold.rank.ranker import Ranker, load_ranker
from tenfold.rank.stream import Events, Rows
from tenfold.rank.train import mend

_WARM_UP_ROUNDS = 5
_SAVED_S = 1.0
"""Where its slot has a size: the work of so long may come at once after a pause."""


def create(context: Context) -> Resident:
    """Make the resident of one slot; ``load`` reads its files."""
    return RankResident(context)


class RankResident:
    """Answers each request inline on the event loop.

    A request is 0.7 to 1.5 ms of computing on one thread. Handing it to a thread pool would add a hop and let two
    requests share the slot's one core, which answers both later.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = WorkClock()
        self._ranked = 0
        self._desk: RankDesk | None = None
        share = context.service_share
        self._pace = None if share is None else Pace(share, time.monotonic, time.process_time, _SAVED_S * share)
        self._turn = asyncio.Lock()

    def load(self) -> None:
        """Load tensors, catalog and histories, and rank a few times so that the first request is quick.

        What is damaged is set aside and made again first (25 CPU-s for the ranker), by one resident for all.

        Raises:
            AssetError: the ranker is not trained, or MovieLens-100K is missing or cannot be fetched again.
        """
        torch.set_num_threads(self._context.threads)
        cache = self._context.cache
        try:
            (ranker, meta), data = load_ranker(cache), load_movielens(cache)
        except AssetError:
            if not mend(cache):
                raise
            (ranker, meta), data = load_ranker(cache), load_movielens(cache)
        self._desk = RankDesk(ranker, meta.model, data)
        for _ in range(_WARM_UP_ROUNDS):
            for history in ((), tuple(self._desk.item_ids[: meta.recipe.length])):
                self._desk.rank(RankRequest(history=history))

    async def wake(self) -> None:
        """Nothing to load: everything is in memory."""
        if self._pace is not None:
            self._pace.begin()

    async def sleep(self, deadline_s: float) -> None:
        """Wait for the requests in work; the event loop is idle afterwards."""
        del deadline_s  # The pool enforces it by killing the process.
        await self._clock.drained()

    def counters(self) -> Counters:
        """``units`` are ranked lists; ``requests`` also count those refused as wrong."""
        clock = self._clock
        return Counters(units=self._ranked, requests=clock.ended, busy_s=clock.busy_s, in_flight=clock.in_flight)

    def routes(self) -> Sequence[BaseRoute]:
        """Give ``POST /v1/rank``, ``GET /v1/rank/users`` and ``GET /v1/rank/items``."""
        return [
            Route("/v1/rank", self._rank, methods=["POST"]),
            Route("/v1/rank/users", self._users, methods=["GET"]),
            Route("/v1/rank/items", self._items, methods=["GET"]),
        ]

    def close(self) -> None:
        """Nothing to release."""

    async def _rank(self, request: Request) -> Response:
        assert self._desk is not None, "load() comes first"
        with self._clock.one_request():
            try:
                asked = parse_request(await request.body())
                await self._rest()
                answer = self._desk.rank(asked)
            except ClientDisconnect:
                return Response(status_code=400)
            except BadRequest as error:
                return _refuse(request, error)
            self._ranked += 1
            return Response(answer.model_dump_json(), media_type="application/json")

    async def _rest(self) -> None:
        """Wait until the slot may work again; those who wait go on one after another."""
        if self._pace is None:
            return
        async with self._turn:
            await asyncio.sleep(self._pace.rest_s())

    async def _users(self, request: Request) -> Response:
        assert self._desk is not None, "load() comes first"
        with self._clock.one_request():
            text = request.query_params.get("limit", "10")
            # Its length first: Python reads no number of thousands of digits.
            if not (text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_SAMPLE_USERS):
                return _refuse(request, BadRequest(422, f"limit: must be 1 to {MOST_SAMPLE_USERS}, got {text!r:.80}"))
            users = SampleUsers(users=tuple(self._desk.sample_users(int(text))))
            return Response(users.model_dump_json(), media_type="application/json")

    async def _items(self, _request: Request) -> Response:
        assert self._desk is not None, "load() comes first"
        with self._clock.one_request():
            return Response(self._desk.catalog().model_dump_json(), media_type="application/json")


class RankDesk:
    """Turns a valid request into an answer: ids to rows, rows to scores, scores to titles."""

    def __init__(self, ranker: Ranker, model: str, data: MovieLens) -> None:
        self._ranker = ranker
        self._model = model
        self._data = data
        self._items = data.catalog.items
        self._histories = data.histories()
        self._row_of = {item.item: row for row, item in enumerate(self._items)}
        self.item_ids = list(self._row_of)

    def rank(self, request: RankRequest) -> RankResponse:
        """Rank for a user's or a given history.

        Raises:
            BadRequest: no such user or item.
        """
        if request.history is not None:
            history = self._ranker.of_rows(self._rows("history", request.history))
        else:
            assert request.user is not None, "RankRequest has one of user and history"
            history = self._history_of(request.user)
        candidates = None if request.candidates is None else self._rows("candidates", request.candidates)
        exclude = self._rows("exclude", request.exclude)
        ranked = self._ranker.rank(
            history, request.k, exclude_seen=request.exclude_seen, candidates=candidates, exclude=exclude
        )
        chosen = zip((self._items[row] for row in ranked.rows), ranked.scores.tolist(), strict=True)
        return RankResponse(
            model=self._model,
            user=request.user,
            items=tuple(
                RankedItem(item=item.item, title=item.title, genres=item.genres, score=score) for item, score in chosen
            ),
            seen_excluded=ranked.seen_excluded,
        )

    def sample_users(self, limit: int) -> list[SampleUser]:
        """Users spread evenly over the ids, each with the titles of their latest five events."""
        users = sorted(self._histories)
        picked = [users[index * len(users) // limit] for index in range(min(limit, len(users)))]
        return [
            SampleUser(user=user, last_titles=tuple(self._items[row].title for row in self._histories[user][-5:]))
            for user in picked
        ]

    def catalog(self) -> CatalogItems:
        """Give all items, each with how many people had seen it."""
        viewers = np.bincount(np.concatenate(list(self._histories.values())), minlength=len(self._items))
        return CatalogItems(
            items=tuple(
                CatalogItem(item=item.item, title=item.title, genres=item.genres, viewers=int(count))
                for item, count in zip(self._items, viewers, strict=True)
            )
        )

    def _history_of(self, user: int) -> Events:
        history = self._data.events_of(user)
        if history is None:
            first, last = min(self._histories), max(self._histories)
            raise BadRequest(422, f"user: there is no user {user!s:.80}; ids are {first} to {last}")
        return history

    def _rows(self, field: str, items: Sequence[int]) -> Rows:
        rows = np.empty(len(items), dtype=np.int64)
        for index, item in enumerate(items):
            row = self._row_of.get(item)
            if row is None:
                first, last = self.item_ids[0], self.item_ids[-1]
                raise BadRequest(422, f"{field}[{index}]: there is no item {item!s:.80}; ids are {first} to {last}")
            rows[index] = row
        return rows


def _refuse(request: Request, error: BadRequest) -> Response:
    body = error_body(error.status, str(error), request_id=request_id(request.scope))
    return Response(body, error.status, media_type="application/json")
