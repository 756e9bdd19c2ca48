"""Plays a day against a running pool: an open-loop sender.

A request goes out when it is due, whatever became of those before it, and its latency counts from when it was due: a
slow pool is not given time to recover, as a closed loop would give it (Schroeder et al. 2006), and no wait is left out.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import numpy as np
from pydantic import ValidationError

from tenfold.core.errors import NotRunning, TenfoldError
from tenfold.core.paths import home_dir
from tenfold.pool.runfile import own_headers
from tenfold.pool.state import PoolState, WorkloadView
from tenfold.world.day import Day, draw_day
from tenfold.world.prompts import PROMPTS
from tenfold.world.report import CHAT, RANK, DayReport, Outcome, Record, overall_attainment, workload_report

RANK_PEAK_SLOTS = 0.75
"""Default ranking peak: what so many slots can do."""

CHAT_BURST_SLOTS = 2.5
"""Default chat burst: what so many slots can do."""

REPLY_TOKENS = 32
"""Longest reply asked for; the small model nearly always uses all of it."""

USERS = 943
_TOP = 10
_IN_FLIGHT_LIMIT = 512
_REPORT_EVERY_S = 0.25
_TICK_S = 0.004
_PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=5)
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a day has come; counts are of requests."""

    elapsed_s: float
    duration_s: float
    due: int
    in_flight: int
    answered: int
    shed: int
    failed: int

    @property
    def hour(self) -> float:
        """Hour of the played day, 0 to 24."""
        return min(24.0, 24 * self.elapsed_s / self.duration_s)


async def fetch_state(base_url: str) -> PoolState:
    """Read the state of the pool at ``base_url``.

    Raises:
        NotRunning: nothing answers there, or the pool has no state yet.
    """
    async with _session(base_url) as session:
        return await _fetch_state(session, base_url)


def day_for(
    state: PoolState,
    duration_s: float,
    *,
    rank_peak_per_s: float | None = None,
    chat_burst_per_s: float | None = None,
    visits: float = 0.0,
    seed: int = 0,
) -> Day:
    """Draw a day that fits the pool: its peaks are multiples of the measured capacity of a slot.

    Args:
        state: the pool's state, for the capacities.
        duration_s: seconds that the day is compressed to.
        rank_peak_per_s: ranking requests a second at the peak; default: ``RANK_PEAK_SLOTS`` slots' worth.
        chat_burst_per_s: chat requests a second in a burst; default: ``CHAT_BURST_SLOTS`` slots' worth.
        visits: to the feed, expected over the day.
        seed: draws the same day again.

    Raises:
        TenfoldError: a capacity is needed and the pool has not measured it.
    """
    if rank_peak_per_s is None:
        rank_peak_per_s = RANK_PEAK_SLOTS * _capacity(state, RANK)
    if chat_burst_per_s is None:
        chat_burst_per_s = CHAT_BURST_SLOTS * _capacity(state, CHAT) / REPLY_TOKENS
    return draw_day(
        duration_s, rank_peak_per_s=rank_peak_per_s, chat_burst_per_s=chat_burst_per_s, visits=visits, seed=seed
    )


async def run_day(
    base_url: str,
    day: Day,
    progress: Callable[[Progress], None],
    *,
    ended: Callable[[Record], None] | None = None,
    enough: asyncio.Event | None = None,
) -> DayReport:
    """Send the day's requests and wait for the last answer.

    Args:
        base_url: the gateway's address.
        day: what to send.
        progress: called about four times a second.
        ended: called with each request as it ends.
        enough: once set, no further request is sent; those in flight are waited for.

    Raises:
        NotRunning: nothing answers at ``base_url``.
    """
    cpu_began_s = time.process_time()
    async with _session(base_url) as session:
        before = await _fetch_state(session, base_url)
        sender = _Sender(session, day, await _model(session), time.monotonic(), ended, enough)
        await sender.send_all(progress)
        # At the day's end, not after the last answer: a pool that answers late must not be credited with more training.
        after = await _fetch_state(session, base_url)
        await sender.drain(progress)
    reports = tuple(workload_report(name, sender.records, _view(after, name).latency_target_s) for name in (CHAT, RANK))
    tokens = _view(after, "train").units_total - _view(before, "train").units_total
    return DayReport(
        duration_s=day.duration_s,
        wall_s=sender.elapsed_s(),
        seed=day.seed,
        workloads=reports,
        attainment=overall_attainment(reports),
        training_tokens=tokens,
        training_tokens_per_s=tokens / max(after.at - before.at, 1e-9),
        sender_cpu_s=time.process_time() - cpu_began_s,
    )


class _Sender:
    """The requests of one day that are due, in flight and done."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        day: Day,
        model: str,
        began_s: float,
        ended: Callable[[Record], None] | None,
        enough: asyncio.Event | None,
    ) -> None:
        self._session = session
        self._ended = ended
        self._enough = enough
        self._day = day
        self._began_s = began_s
        self._in_flight: set[asyncio.Task[None]] = set()
        self._counts: dict[Outcome, int] = {"answered": 0, "shed": 0, "failed": 0}
        self._reported_s = -1.0
        self.records: list[Record] = []
        random = np.random.default_rng([day.seed, 3])
        self._rank_bodies = [json.dumps({"user": user, "k": _TOP}).encode() for user in range(1, USERS + 1)]
        self._users = random.integers(0, USERS, day.rank_at_s.size).tolist()
        self._chat_bodies = [_chat_body(model, prompt) for prompt in PROMPTS]
        self._prompts = random.integers(0, len(PROMPTS), day.chat_at_s.size).tolist()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    async def send_all(self, progress: Callable[[Progress], None]) -> None:
        """Send each request when it is due; return at the day's end, or when it is enough."""
        schedule = sorted(
            [(at_s, RANK, i) for i, at_s in enumerate(self._day.rank_at_s.tolist())]
            + [(at_s, CHAT, i) for i, at_s in enumerate(self._day.chat_at_s.tolist())]
        )
        for at_s, workload, index in schedule:
            if self._is_enough():
                return
            while (wait_s := at_s - self.elapsed_s()) > 0:
                self._report(progress)
                # Due times are met to a few milliseconds: one wake-up of the loop for all that fall into a tick.
                await asyncio.sleep(min(max(wait_s, _TICK_S), _REPORT_EVERY_S))
            self._send(at_s, workload, index)
        while self.elapsed_s() < self._day.duration_s and not self._is_enough():
            self._report(progress)
            await asyncio.sleep(min(_REPORT_EVERY_S, max(0.0, self._day.duration_s - self.elapsed_s())))

    def _is_enough(self) -> bool:
        return self._enough is not None and self._enough.is_set()

    async def drain(self, progress: Callable[[Progress], None]) -> None:
        """Wait for all answers; each request has a timeout of its own."""
        while self._in_flight:
            self._report(progress)
            await asyncio.wait(self._in_flight, timeout=_REPORT_EVERY_S)
        self._reported_s = -1.0
        self._report(progress)

    def _send(self, at_s: float, workload: str, index: int) -> None:
        if len(self._in_flight) >= _IN_FLIGHT_LIMIT:
            self._note(workload, at_s, "failed", 0)
            return
        answer = self._rank(at_s, self._users[index]) if workload == RANK else self._chat(at_s, self._prompts[index])
        task = asyncio.create_task(answer)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _rank(self, at_s: float, user: int) -> None:
        status = 0
        try:
            async with self._session.post("/v1/rank", data=self._rank_bodies[user], headers=_JSON) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self._note(RANK, at_s, "failed", status)
            return
        self._note(RANK, at_s, _outcome(status), status, self.elapsed_s() - at_s)

    async def _chat(self, at_s: float, prompt: int) -> None:
        status, tokens, first_s, is_whole = 0, 0, 0.0, False
        try:
            async with self._session.post(
                "/v1/chat/completions", data=self._chat_bodies[prompt], headers=_JSON
            ) as response:
                status = response.status
                async for line in response.content:
                    if status != 200 or not line.startswith(b"data:"):
                        continue
                    event = line[5:].strip()
                    if event == b"[DONE]":
                        is_whole = True
                    elif _has_words(event):
                        first_s = first_s or self.elapsed_s() - at_s
                        tokens += 1
        except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
            self._note(CHAT, at_s, "failed", status, first_s, tokens)
            return
        outcome = "failed" if status == 200 and not (is_whole and tokens) else _outcome(status)
        self._note(CHAT, at_s, outcome, status, first_s, tokens)

    def _note(
        self, workload: str, at_s: float, outcome: Outcome, status: int, latency_s: float = 0.0, tokens: int = 0
    ) -> None:
        self._counts[outcome] += 1
        record = Record(workload, at_s, outcome, status, latency_s, self.elapsed_s() - at_s, tokens)
        self.records.append(record)
        if self._ended is not None:
            self._ended(record)

    def _report(self, progress: Callable[[Progress], None]) -> None:
        elapsed_s = self.elapsed_s()
        if elapsed_s - self._reported_s < _REPORT_EVERY_S and self._reported_s >= 0:
            return
        self._reported_s = elapsed_s
        progress(
            Progress(
                elapsed_s=elapsed_s,
                duration_s=self._day.duration_s,
                due=len(self.records) + len(self._in_flight),
                in_flight=len(self._in_flight),
                answered=self._counts["answered"],
                shed=self._counts["shed"],
                failed=self._counts["failed"],
            )
        )


def _session(base_url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    # No cookies: a jar costs as much as the request itself.
    return aiohttp.ClientSession(
        base_url,
        connector=connector,
        timeout=_PATIENCE,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=own_headers(home_dir()),
    )


async def _fetch_state(session: aiohttp.ClientSession, base_url: str) -> PoolState:
    advice = "start a pool with `tenfold up`, or give its address"
    try:
        async with session.get("/api/state") as response:
            body = await response.read()
            if response.status != 200:
                raise NotRunning(
                    f"the pool at {base_url} is not ready ({response.status})", next_step="wait, and retry"
                )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NotRunning(f"no pool answers at {base_url}: {error}", next_step=advice) from error
    try:
        return PoolState.model_validate_json(body)
    except ValidationError as error:
        raise NotRunning(
            f"what answers at {base_url} is not a pool of this version: {error}", next_step=advice
        ) from error


async def _model(session: aiohttp.ClientSession) -> str:
    async with session.get("/v1/models") as response:
        response.raise_for_status()
        return str((await response.json())["data"][0]["id"])


def _chat_body(model: str, prompt: str) -> bytes:
    messages = [{"role": "user", "content": prompt}]
    return json.dumps({"model": model, "messages": messages, "stream": True, "max_tokens": REPLY_TOKENS}).encode()


def _has_words(event: bytes) -> bool:
    choices = json.loads(event).get("choices")
    return bool(choices and choices[0].get("delta", {}).get("content"))


def _outcome(status: int) -> Outcome:
    return "answered" if status == 200 else "shed" if status == 429 else "failed"


def _view(state: PoolState, workload: str) -> WorkloadView:
    for view in state.workloads:
        if view.workload == workload:
            return view
    have = ", ".join(view.workload for view in state.workloads) or "none"
    raise TenfoldError(f"the pool has no workload {workload!r}; it has: {have}", next_step="see `tenfold status`")


def _capacity(state: PoolState, workload: str) -> float:
    capacity = _view(state, workload).capacity_per_slot
    if capacity <= 0:
        raise TenfoldError(
            f"the pool has not measured what a slot of {workload!r} does", next_step="give the rate, or wait a minute"
        )
    return capacity
