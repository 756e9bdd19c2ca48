"""The honest load: a day of ranking and chat that plays in a thread, and what became of each request by fault."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.core.errors import NotRunning
from tenfold.world.client import Progress, run_day
from tenfold.world.day import Day, draw_day
from tenfold.world.report import Record

RANK_PEAK_PER_S = 15.0
CHAT_BURST_PER_S = 0.4
"""Well below what four slots of a small machine can do, so that nothing need be shed."""

LONGEST_S = 7200.0

ENDS_TOLD = 4
"""So many failed requests are told one by one."""

BREAKS_WITHIN_S = 2.0
"""A client hears within this time that the process at the other end of its connection has died."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, by this process's monotonic clock, seconds."""

    due_at: float
    ended_at: float
    record: Record

    @property
    def was_answering(self) -> bool:
        """Whether its answer had begun."""
        return self.record.status == 200


class Load:
    """Days of requests, one after the other, sent in a thread until ``stop``.

    Args:
        url: the pool's address.
        day_s: seconds that a day takes.
        seed: of the arrivals.
    """

    def __init__(self, url: str, day_s: float, seed: int) -> None:
        self._url, self._day_s, self._seed = url, day_s, seed
        self.requests: list[Request] = []
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._enough = asyncio.Event()
        self._task = self._loop.create_task(self._play())
        self._in_flight = 0
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float) -> int:
        """Send nothing more, and wait for the last answers; returns how many did not come within ``patience_s``.

        Raises:
            RuntimeError: the load broke off, so what was counted says nothing.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._enough.set)
        self._thread.join(patience_s)
        unanswered = 0
        if self._thread.is_alive():
            unanswered = self._in_flight
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()
        if self._error is not None:
            raise RuntimeError("the load broke off") from self._error
        return unanswered

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            # By `stop`, which has counted who was left.
            return
        except Exception as error:
            self._error = error
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left))
            self._loop.close()

    async def _play(self) -> None:
        day = days(self._day_s, LONGEST_S, self._seed)
        try:
            await run_day(self._url, day, self._follow, ended=self._note, enough=self._enough)
        except NotRunning:
            # At the end the state is read once more; a pool that did not get over a fault has none to tell.
            if not self._enough.is_set():
                raise

    def _follow(self, progress: Progress) -> None:
        self._in_flight = progress.in_flight

    def _note(self, record: Record) -> None:
        now = time.monotonic()
        self.requests.append(Request(now - record.total_s, now, record))


def days(day_s: float, total_s: float, seed: int) -> Day:
    """Draw as many days, one after the other, as fill a time."""
    drawn = [
        draw_day(day_s, rank_peak_per_s=RANK_PEAK_PER_S, chat_burst_per_s=CHAT_BURST_PER_S, seed=seed + turn)
        for turn in range(int(np.ceil(total_s / day_s)))
    ]
    starts = [turn * day_s for turn in range(len(drawn))]
    return Day(
        duration_s=day_s * len(drawn),
        rank_at_s=np.concatenate([day.rank_at_s + start for day, start in zip(drawn, starts, strict=True)]),
        chat_at_s=np.concatenate([day.chat_at_s + start for day, start in zip(drawn, starts, strict=True)]),
        bursts_s=np.concatenate([day.bursts_s + start for day, start in zip(drawn, starts, strict=True)]),
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of one fault's time.

    ``cut``: failed while what died was streaming their answer. ``in_hand``: failed with the process that held their
    connection, before a byte of an answer. ``failed``: all others that failed. ``ends``: how those ended that failed,
    for who looks for the cause: seconds are from the death of what died, or else from the fault's begin, and status 0
    is a broken connection, or none.
    """

    answered: int = 0
    shed: int = 0
    cut: int = 0
    in_hand: int = 0
    failed: int = 0
    ends: str = ""


def tally(
    requests: Sequence[Request],
    began_at: float,
    next_at: float,
    streams: int,
    hands: int = 0,
    died_at: float | None = None,
) -> Tally:
    """Count the requests of one fault's time, from its begin to the next fault's.

    A request belongs to the time in which it was due; one whose connection broke, to the time in which it broke.

    Args:
        requests: all that have ended.
        began_at: when the fault began, seconds.
        next_at: when the next one began.
        streams: how many answers what died may have been streaming; as many that broke in mid-answer are ``cut``.
        hands: how many clients' connections it may have held besides; as many that broke with it are ``in_hand``.
        died_at: when it was seen dead.
    """
    mine = [request for request in requests if began_at <= _moment(request) < next_at]
    failed = [request for request in mine if request.record.outcome == "failed"]
    broken = sum(request.was_answering for request in failed)
    cut = min(broken, streams)
    in_hand = 0 if died_at is None else min(sum(_broke_with(request, died_at) for request in failed), hands)
    return Tally(
        answered=sum(request.record.outcome == "answered" for request in mine),
        shed=sum(request.record.outcome == "shed" for request in mine),
        cut=cut,
        in_hand=in_hand,
        failed=len(failed) - cut - in_hand,
        ends=_ends(failed, began_at if died_at is None else died_at),
    )


def _broke_with(request: Request, died_at: float) -> bool:
    """Whether a request was sent to a process that lived, and its connection broke as that died."""
    return request.record.status == 0 and request.due_at <= died_at and request.ended_at <= died_at + BREAKS_WITHIN_S


def _ends(failed: Sequence[Request], since: float) -> str:
    told = [
        f"{request.record.workload} {request.record.status}, due {request.due_at - since:+.2f} s, "
        f"ended {request.ended_at - since:+.2f} s"
        for request in failed
    ]
    more = len(told) - ENDS_TOLD
    return "; ".join(told[:ENDS_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _moment(request: Request) -> float:
    broke = request.record.outcome == "failed" and request.record.status in (0, 200)
    return request.ended_at if broke else request.due_at
