"""Residents that cannot load, companions that save or hang, and a resident that hangs while it is asleep."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from tenfold.pool.resident import Context, Counters


class Broken:
    def load(self) -> None:
        raise RuntimeError("there is no such model")

    async def wake(self) -> None: ...

    async def sleep(self, deadline_s: float) -> None: ...

    def counters(self) -> Counters:
        return Counters()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def close(self) -> None: ...


def create(_: Context) -> Broken:
    return Broken()


def hang_when(mark: Path) -> None:
    """Hold this process in a native call that never comes back, once a file appears; not if it is there already."""

    def watch() -> None:
        while not mark.exists():
            time.sleep(0.02)
        # It keeps the interpreter's lock, so no other thread of the process runs any more.
        ctypes.PyDLL(None).sleep(600)

    if not mark.exists():
        threading.Thread(target=watch, daemon=True).start()


class Hung(Broken):
    def __init__(self, context: Context) -> None:
        self._mark = context.home / "hang"

    def load(self) -> None:
        hang_when(self._mark)


def create_hung(context: Context) -> Hung:
    return Hung(context)


def serve_forever(
    context: Context, port: int, *, host: str, on_ready: Callable[[int], None], beat: Callable[[], None]
) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    (context.home / "companion").write_text(f"listens on {host}:{port}")
    on_ready(port)
    while not stopped.wait(1.0):
        beat()
    (context.home / "companion").write_text("saved")


def serve_until_hung(
    context: Context, port: int, *, host: str, on_ready: Callable[[int], None], beat: Callable[[], None]
) -> None:
    hang_when(context.home / "hang")
    on_ready(port)
    while True:
        beat()
        time.sleep(0.5)
