"""Keep one process alive: start it, listen for its heartbeat, and start it again when it ends or stays silent.

One that was only stopped is told to go on.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tenfold.core.logs import last_line, open_log, rotate_logs
from tenfold.pool.heartbeat import BEAT_EVERY_S, PARENT, Vigil, drained, resume_if_stopped

log = logging.getLogger(__name__)

EARLY_END_S = 5.0
PAUSE_S = 1.0
"""Before the next start of a process that ended within ``EARLY_END_S``."""

DEATHS_BEFORE_ALARM = 3
DEATHS_WINDOW_S = 300.0
UP_S = 10.0
"""A process that has died so often is well again once it has been up for this long."""

ABSENT_S = 60.0
"""A process that is not up so long after its start is an alarm."""


class Keeper:
    """Keeps one Python process alive.

    Args:
        name: of the process, for logs.
        module: run with ``python -m``.
        spec: gives the line for its standard input, from the descriptor that it is to beat on.
        log_file: where its output goes.
        pass_fds: descriptors that it inherits.
        started: told of each start.
    """

    def __init__(
        self,
        name: str,
        module: str,
        spec: Callable[[int], str],
        log_file: Path,
        *,
        pass_fds: Sequence[int] = (),
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._module = module
        self._spec = spec
        self._log_file = log_file
        self._pass_fds = tuple(pass_fds)
        self._started = started
        self._child: asyncio.subprocess.Process | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS_BEFORE_ALARM)
        self._last_end = ""
        self._started_at = time.monotonic()
        self._up_at: float | None = None

    @property
    def name(self) -> str:
        """Of the process."""
        return self._name

    @property
    def trouble(self) -> str:
        """Say that the process does not stay up, or does not come up; nothing while it is well."""
        now = time.monotonic()
        if self._up_at is None and now - self._started_at > ABSENT_S:
            return f"{self._name} is not up {now - self._started_at:.0f} s after its start: {last_line(self._log_file)}"
        died_often = len(self._deaths) == DEATHS_BEFORE_ALARM and now - self._deaths[0] < DEATHS_WINDOW_S
        is_up = self._up_at is not None and now - self._up_at > UP_S
        return f"{self._name} does not stay up; it {self._last_end}" if died_often and not is_up else ""

    @property
    def pid(self) -> int | None:
        """Of the process that was started last; none before."""
        return self._child.pid if self._child is not None else None

    async def run(self) -> None:
        """Start it and start it again, until cancelled; the last process then lives on, until ``stop``."""
        while True:
            began = self._started_at = time.monotonic()
            try:
                ended = await self._live()
            except OSError as error:
                # No process or memory to be had now; the others are kept alive meanwhile.
                ended = f"could not be started: {error.strerror}"
            log.warning("%s %s; starting it again", self._name, ended)
            self._note_death(ended)
            await asyncio.sleep(0.0 if time.monotonic() - began > EARLY_END_S else PAUSE_S)

    async def stop(self, grace_s: float) -> None:
        """End the process: asked first, killed after ``grace_s``."""
        child = self._child
        if child is None:
            return
        # It may end between any two of these.
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), grace_s)
            child.kill()
        await child.wait()

    def _note_death(self, ended: str) -> None:
        self._deaths.append(time.monotonic())
        self._last_end = f"{ended}: {last_line(self._log_file)}"
        self._up_at = None

    async def _live(self) -> str:
        """One life of the process; returns how it ended."""
        beats, beat_on = os.pipe()
        try:
            child = await self._start(beat_on)
            os.set_blocking(beats, False)
            return await self._watch(child, beats)
        finally:
            os.close(beats)

    async def _start(self, beat_on: int) -> asyncio.subprocess.Process:
        output = open_log(self._log_file)
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[*self._pass_fds, beat_on],
                env={**os.environ, PARENT: str(os.getpid())},
                # Its own session: a Ctrl-C at the terminal reaches the supervisor only, which then stops in order.
                start_new_session=True,
            )
        finally:
            os.close(output)
            os.close(beat_on)
        self._child = child
        assert child.stdin is not None
        child.stdin.write(self._spec(beat_on).encode() + b"\n")
        self._started()
        return child

    async def _watch(self, child: asyncio.subprocess.Process, beats: int) -> str:
        ending = asyncio.create_task(child.wait())
        vigil = Vigil()
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=BEAT_EVERY_S)
                rotate_logs(self._log_file.parent)
                heard = bool(drained(beats))
                if heard and self._up_at is None:
                    self._up_at = time.monotonic()
                if not heard and not ending.done() and resume_if_stopped(child.pid):
                    log.warning("%s was stopped; it was told to go on", self._name)
                if vigil.look(heard) and not ending.done():
                    child.kill()
                    await ending
                    return f"gave {vigil.verdict} and was killed"
            return f"ended with {ending.result()}"
        finally:
            ending.cancel()
