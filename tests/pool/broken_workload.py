"""Residents that cannot load, companions that save or hang, and a resident that hangs while it is asleep."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from tenfold.pool.resident import Counters, Surroundings


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


def create(_: Surroundings) -> Broken:
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
    def __init__(self, surroundings: Surroundings) -> None:
        self._mark = surroundings.home / "hang"

    def load(self) -> None:
        hang_when(self._mark)


def create_hung(surroundings: Surroundings) -> Hung:
    return Hung(surroundings)


def serve_forever(
    surroundings: Surroundings, port: int, *, host: str, on_ready: Callable[[int], None], beat: Callable[[], None]
) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    (surroundings.home / "companion").write_text(f"listens on {host}:{port}")
    on_ready(port)
    while not stopped.wait(1.0):
        beat()
    (surroundings.home / "companion").write_text("saved")


def serve_until_hung(
    surroundings: Surroundings, port: int, *, host: str, on_ready: Callable[[int], None], beat: Callable[[], None]
) -> None:
    hang_when(surroundings.home / "hang")
    on_ready(port)
    while True:
        beat()
        time.sleep(0.5)
