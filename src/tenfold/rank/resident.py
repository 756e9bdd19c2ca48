"""The resident that ranks: network, items and states of people in memory, ``/v1/rank`` in front."""

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache

import torch
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tenfold.core.errors import AssetError
from tenfold.core.minilm import load_minilm
from tenfold.pool.answer import request_id
from tenfold.pool.api_error import error_body
from tenfold.pool.pace import Pace
from tenfold.pool.resident import Context, Counters, Resident
from tenfold.pool.work_clock import WorkClock
from tenfold.rank.contract import MOST_SAMPLE_USERS, BadRequest, RankRequest, SampleUsers, parse_request
from tenfold.rank.dataset import load_movielens
from tenfold.rank.desk import RankDesk
from tenfold.rank.features import Embed
from tenfold.rank.following import Following
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.train import mend
from tenfold.rank.workload import RankSettings

_WARM_UP_ROUNDS = 5
_WARM_UP_EVENTS = 50
_SAVED_S = 1.0
"""Where its slot has a size: the work of so long may come at once after a pause."""


def create(context: Context) -> Resident:
    """Make the resident of one slot; ``load`` reads its files."""
    return RankResident(context)


class RankResident:
    """Answers each request inline on the event loop.

    A request is one to three milliseconds of computing on one thread. Handing it to a thread pool would add a hop and
    let two requests share the slot's one core, which answers both later.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = WorkClock()
        self._ranked = 0
        self._settings = RankSettings.model_validate(context.settings)
        self._snapshots: Following | None = None
        self._taking: asyncio.Task[None] | None = None
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
        try:
            self._open()
        except AssetError:
            if not mend(self._context.cache):
                raise
            self._open()
        desk = self._following().desk(stale=False)
        numbers = tuple(item for item in desk.item_ids if isinstance(item, int))
        for _ in range(_WARM_UP_ROUNDS):
            for history in ((), numbers[:_WARM_UP_EVENTS]):
                desk.rank(RankRequest(history=history))

    def _open(self) -> None:
        data = load_movielens(self._context.cache)

        @lru_cache(maxsize=1)
        def texts() -> Embed:
            return load_minilm(self._context.cache, threads=self._context.threads).embed

        def open_desk(snapshot: Snapshot, version: str) -> RankDesk:
            return RankDesk(
                snapshot,
                version,
                data,
                self._settings.surfaces,
                texts,
                threads=self._context.threads,
                state_bytes=self._settings.state_mb << 20,
            )

        snapshots = Following(self._context.cache, self._context.home, open_desk)
        snapshots.load()
        self._snapshots = snapshots

    async def wake(self) -> None:
        """Nothing to load: everything is in memory. A snapshot that came meanwhile is taken soon."""
        if self._pace is not None:
            self._pace.begin()
        if self._snapshots is not None and self._taking is None:
            self._taking = asyncio.create_task(self._snapshots.follow())

    async def sleep(self, deadline_s: float) -> None:
        """Wait for the requests in work; the event loop is idle afterwards."""
        del deadline_s  # The pool enforces it by killing the process.
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        await self._clock.drained()

    def counters(self) -> Counters:
        """``units`` are ranked lists; ``requests`` also count those refused as wrong."""
        clock = self._clock
        return Counters(units=self._ranked, requests=clock.ended, busy_s=clock.busy_s, in_flight=clock.in_flight)

    def routes(self) -> Sequence[BaseRoute]:
        """Give ``POST /v1/rank``, and ``GET /v1/rank/users``, ``/v1/rank/items`` and ``/v1/rank/model``."""
        return [
            Route("/v1/rank", self._rank, methods=["POST"]),
            Route("/v1/rank/users", self._users, methods=["GET"]),
            Route("/v1/rank/items", self._items, methods=["GET"]),
            Route("/v1/rank/model", self._model, methods=["GET"]),
        ]

    def close(self) -> None:
        """Nothing to release."""

    def _following(self) -> Following:
        assert self._snapshots is not None, "load() comes first"
        return self._snapshots

    async def _rank(self, request: Request) -> Response:
        with self._clock.one_request():
            try:
                asked = parse_request(await request.body())
                await self._rest()
                answer = self._following().desk(asked.stale).rank(asked)
            except ClientDisconnect:
                return Response(status_code=400)
            except BadRequest as error:
                return _refuse(request, error)
            self._ranked += 1
            return Response(answer, media_type="application/json")

    async def _rest(self) -> None:
        """Wait until the slot may work again; those who wait go on one after another."""
        if self._pace is None:
            return
        async with self._turn:
            await asyncio.sleep(self._pace.rest_s())

    async def _users(self, request: Request) -> Response:
        with self._clock.one_request():
            text = request.query_params.get("limit", "10")
            # Its length first: Python reads no number of thousands of digits.
            if not (text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_SAMPLE_USERS):
                return _refuse(request, BadRequest(422, f"limit: must be 1 to {MOST_SAMPLE_USERS}, got {text!r:.80}"))
            users = SampleUsers(users=tuple(self._following().desk(stale=False).sample_users(int(text))))
            return Response(users.model_dump_json(), media_type="application/json")

    async def _items(self, _request: Request) -> Response:
        with self._clock.one_request():
            return Response(
                self._following().desk(stale=False).catalog().model_dump_json(), media_type="application/json"
            )

    async def _model(self, _request: Request) -> Response:
        with self._clock.one_request():
            return Response(
                self._following().desk(stale=False).model().model_dump_json(), media_type="application/json"
            )


def _refuse(request: Request, error: BadRequest) -> Response:
    body = error_body(error.status, str(error), request_id=request_id(request.scope))
    return Response(body, error.status, media_type="application/json")
