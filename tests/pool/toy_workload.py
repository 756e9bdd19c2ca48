"""A resident small enough to start in milliseconds, with the faults that the pool must survive."""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tenfold.pool.resident import Context, Counters


class Toy:
    def __init__(self, context: Context) -> None:
        self._name = context.slot
        self._settings = context.settings
        self._requests = 0
        self._in_flight = 0
        self._busy_s = 0.0
        self._awake_at: float | None = None
        self.cancelled = 0

    def load(self) -> None:
        pass

    async def wake(self) -> None:
        self._awake_at = time.monotonic()

    async def sleep(self, deadline_s: float) -> None:
        if self._settings.get("stuck_on_sleep"):
            time.sleep(60)  # a blocked event loop, as a native call would block it
        if self._settings.get("frozen_on_sleep"):
            ctypes.PyDLL(None).sleep(60)  # a native call that no thread of the process gets past, its watchdog neither
        while self._in_flight:
            await asyncio.sleep(0.005)
        self._awake_at = None

    def counters(self) -> Counters:
        return Counters(
            units=float(self._requests),
            requests=self._requests,
            busy_s=self._busy_s,
            in_flight=self._in_flight,
            facts={"cancelled": float(self.cancelled)},
        )

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/work", self._work, methods=["POST"]), Route("/stream", self._stream, methods=["POST"])]

    async def _work(self, request: Request) -> Response:
        body = await request.json()
        if body.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if body.get("hang"):
            time.sleep(60)
        if body.get("fail"):
            raise RuntimeError("a fault of the workload's own")
        began = time.monotonic()
        self._in_flight += 1
        try:
            await asyncio.sleep(body.get("seconds", 0.01))
            self._requests += 1
        finally:
            self._in_flight -= 1
            self._busy_s += time.monotonic() - began
        told = {"slot": self._name, "request": request.headers.get("x-request-id")}
        return JSONResponse(told | {"padding": "x" * body.get("bytes", 0)}, body.get("status", 200))

    async def _stream(self, request: Request) -> Response:
        async def tokens():
            self._in_flight += 1
            try:
                for index in range(1000):
                    yield f"data: {index}\n\n"
                    await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            finally:
                self._in_flight -= 1

        return StreamingResponse(tokens(), media_type="text/event-stream")

    def close(self) -> None:
        pass


def create(context: Context) -> Toy:
    return Toy(context)
