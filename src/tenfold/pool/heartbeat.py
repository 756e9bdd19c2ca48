"""Signs of life: a kept process writes a byte a second to a pipe, and who keeps it alive reads the other end.

The byte comes from the loop that does the work. So a process that was stopped, one whose loop is blocked and one that
is gone look the same to its keeper: no byte. One that was stopped is let go on, for it has work in hand; whoever stays
silent is killed.
"""

import contextlib
import os
import signal

import psutil
import uvicorn

BEAT_EVERY_S = 1.0
SILENT_LOOKS = 5
"""Looks without a beat after which a process is taken for dead."""

START_LOOKS = 180
"""The same before its first beat: it imports, loads and binds."""

PARENT = "TENFOLD_PARENT"
"""Environment variable in which a keeper tells its process id to a child that shall die with it."""


class Pulse:
    """The kept process's end.

    Args:
        descriptor: the pipe's write end; none where nobody listens, as in tests without a keeper.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_blocking(descriptor, False)
            os.set_inheritable(descriptor, False)

    def beat(self) -> None:
        """Say that this process is alive; never blocks."""
        if self._descriptor is None:
            return
        # A full pipe: the keeper does not read now, and has enough to read. A broken one: the keeper is gone, and this
        # process with it in a moment (see ``die_with_parent``).
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._descriptor, b".")


class BeatingServer(uvicorn.Server):
    """A uvicorn server that beats from its event loop, from when it listens until it is told to stop."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse) -> None:
        super().__init__(config)
        self._pulse = pulse

    async def on_tick(self, counter: int) -> bool:
        """Beat once a second; uvicorn ticks ten times. Not by its ``callback_notify``, which goes by the wall clock."""
        if counter % 10 == 0:
            self._pulse.beat()
        return await super().on_tick(counter)


class Vigil:
    """The keeper's count of how long a process has been silent.

    It counts its own looks, not seconds: a keeper that was itself stopped, or whose machine slept, has not looked
    meanwhile, and so takes nobody for dead because of it.

    Args:
        silent_looks: looks without a beat after which the process must go.
    """

    def __init__(self, silent_looks: int = SILENT_LOOKS) -> None:
        self._patience = silent_looks
        self._begun = False
        self._silent_looks = 0

    def look(self, heard: bool) -> bool:
        """Note whether there was a beat since the last look, ``BEAT_EVERY_S`` ago; true if the process must go."""
        self._begun = self._begun or heard
        self._silent_looks = 0 if heard else self._silent_looks + 1
        return self._silent_looks >= (self._patience if self._begun else START_LOOKS)

    @property
    def verdict(self) -> str:
        """Why it must go, for a log."""
        silent_s = self._silent_looks * BEAT_EVERY_S
        return f"no sign of life for {silent_s:.0f} s" if self._begun else f"not up within {silent_s:.0f} s"


def resume_if_stopped(pid: int) -> bool:
    """Let a child go on that was stopped (SIGSTOP, Ctrl-Z); whether it was.

    To be asked whenever it is silent. What a debugger holds is not stopped in this sense, and stays in its hands.
    """
    try:
        if psutil.Process(pid).status() != psutil.STATUS_STOPPED:
            return False
        os.kill(pid, signal.SIGCONT)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def drained(descriptor: int) -> bytes:
    """All that waits in a non-blocking pipe; nothing if it is empty or its other end is closed."""
    parts = b""
    with contextlib.suppress(BlockingIOError):
        while part := os.read(descriptor, 4096):
            parts += part
    return parts
