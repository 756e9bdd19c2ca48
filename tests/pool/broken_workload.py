"""Residents that cannot load, and a companion that saves what it has when it is told to stop."""

import signal
import threading
from collections.abc import Callable, Sequence

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
