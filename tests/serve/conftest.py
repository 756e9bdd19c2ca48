"""A real serve resident behind a real socket: llama.cpp with SmolLM2, uvicorn in a thread, the openai client."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
import uvicorn
from starlette.applications import Starlette

from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.core.paths import cache_dir
from tenfold.pool.resident import Context
from tenfold.serve.model import SMOLLM2, prepare_smollm2
from tenfold.serve.resident import ServeResident, create

os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@dataclass
class RunningResident:
    """The pool's side of a resident (orders) and its clients' side (url)."""

    resident: ServeResident
    url: str
    loop: asyncio.AbstractEventLoop

    def order(self, coroutine: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    @contextmanager
    def asleep(self, deadline_s: float) -> Iterator[None]:
        """Put it to sleep for the length of the block."""
        self.order(self.resident.sleep(deadline_s))
        try:
            yield
        finally:
            self.order(self.resident.wake())

    def wait_until(self, holds: Callable[[], bool], within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, self.resident.counters()
            time.sleep(0.01)


def serve_over_http(resident: ServeResident) -> Iterator[RunningResident]:
    resident.load()
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=list(resident.routes()))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    loop = asyncio.new_event_loop()

    def serve() -> None:
        loop.run_until_complete(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve)
    thread.start()
    running = RunningResident(resident, f"http://127.0.0.1:{listener.getsockname()[1]}", loop)
    running.order(resident.wake())
    yield running
    running.order(resident.sleep(1.0))
    server.should_exit = True
    thread.join()
    loop.close()
    listener.close()
    resident.close()


@pytest.fixture
def run_resident() -> Callable[[ServeResident], Iterator[RunningResident]]:
    return serve_over_http


@pytest.fixture(scope="session")
def smollm2_cache() -> Path:
    for asset in (SMOLLM2, MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    return cache_dir()


@pytest.fixture(scope="module")
def started(smollm2_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningResident]:
    home = tmp_path_factory.mktemp("home")
    twin = {"file": str(prepare_smollm2(smollm2_cache)), "parallel": 1, "context_tokens": 256}
    settings: dict[str, object] = {"parallel": 2, "context_tokens": 512, "models": {"twin": twin}}
    yield from serve_over_http(create(Context("n0/cpu0", 1, home, smollm2_cache, settings, {}, "token")))


@pytest.fixture
def running(started: RunningResident) -> RunningResident:
    """With nothing in work: an answer is whole for its client a moment before the resident has done with it."""
    started.wait_until(lambda: started.resident.counters().in_flight == 0)
    return started


@pytest.fixture
def client(running: RunningResident) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client:
        yield client
