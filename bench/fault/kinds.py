"""What is done to a pool's processes: killed or stopped. And what every fault is."""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from fault.pool import NotHappened, Pool, wait_for

DEATH_S = 5.0

RESIDENT_STREAMS = 4
"""Answers that one resident streams at once: ``serve.parallel``."""

ANY_STREAMS = 10_000
"""What all answers pass through, or what all residents die with."""

FRONT_HANDS = 16
"""Requests without a byte of answer that the front may hold: what comes within a second of the day's peak."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that is over.

    ``unhealed``: says what of it is left, or nothing. ``failed``: honest requests of its own that failed. ``died_at``:
    when what it killed was seen dead, by the monotonic clock.
    """

    unhealed: Callable[[], str] = lambda: ""
    failed: int = 0
    died_at: float | None = None


Strike = Callable[[Pool], Struck]
"""Does the fault, and proves that it happened; returns when it is over.

Raises:
    NotHappened: it did not.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong.

    ``streams``: how many answers what dies of it may be streaming. ``hands``: how many clients' connections it may hold
    on which no byte of an answer has gone out. The kernel closes them with it, so nobody else can answer there.
    """

    name: str
    text: str
    strike: Strike
    streams: int = 0
    hands: int = 0


def kill(role: str) -> Strike:
    """Give the strike that kills who has a role, by SIGKILL."""

    def strike(pool: Pool) -> Struck:
        pid = pool.pid(role)
        kill_process(pid)
        return Struck(lambda: not_replaced(pool, role, pid), died_at=time.monotonic())

    return strike


def stop(role: str) -> Strike:
    """Give the strike that stops who has a role, by SIGSTOP; nobody but the pool lets it go on, or replaces it."""

    def strike(pool: Pool) -> Struck:
        pid = pool.pid(role)
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, DEATH_S, f"{role} {pid} stopped")
        return Struck(lambda: stands_still(pid))

    return strike


def kill_process(pid: int) -> None:
    """Kill a process and see it dead, with all of its threads: until the last one ends, its connections stay open.

    A thread that waits for the disk ends once the disk has answered; the process is shown as a zombie before that.
    """
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        if not select.select([process], [], [], DEATH_S)[0]:
            raise NotHappened(f"{pid} did not die within {DEATH_S:g} s")
    finally:
        os.close(process)


def stands_still(pid: int) -> str:
    """Say that a process is still stopped, or nothing: it goes on, or is gone."""
    with suppress(psutil.NoSuchProcess):
        if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
            return f"{pid} is still stopped"
    return ""


def not_replaced(pool: Pool, role: str, pid: int) -> str:
    """Say that nobody else has the role that a process had, or nothing."""
    now = pool.pids(role)
    return f"{role} {pid} was not replaced: {now}" if not now or pid in now else ""


def let_go(pool: Pool) -> None:
    """Let stopped processes of a pool go on, so that it can be taken down."""
    for process in pool.family():
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_STOPPED:
                process.send_signal(signal.SIGCONT)
