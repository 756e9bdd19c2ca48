"""The serve workload on one slot: the OpenAI API of engines, with requests counted, drained and cut for the pool."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tenfold.pool.process import ASLEEP_HEADER
from tenfold.pool.resident import Context, Counters
from tenfold.serve.bodies import ChatBody, CompletionBody
from tenfold.serve.embeddings import Embedder
from tenfold.serve.engine import Endpoint, Engine
from tenfold.serve.images import Eyes, may_bring_images, read_eyes
from tenfold.serve.model import prepare_smollm2
from tenfold.serve.openai_api import Generation, read_generation
from tenfold.serve.rejection import Rejection
from tenfold.serve.relay import GIVEN_AWAY, Relay
from tenfold.serve.responses import read_response
from tenfold.serve.work import Work
from tenfold.serve.workload import CHAT, ModelSettings, ServeSettings

# Before the deadline, time for the engine to end the batch in hand on a shared core.
_CUT_SHARE = 0.5
_CUT_MAX_S = 0.75


@dataclass(slots=True)
class Served:
    """A chat model of a resident: ``eyes`` read images for it, ``endpoint`` is where its engine listens once loaded."""

    engine: Engine
    parallel: int
    context_tokens: int
    eyes: Eyes | None = None
    endpoint: Endpoint | None = None


def create(context: Context) -> "ServeResident":
    """Make the resident of this slot with the engines that its settings name."""
    settings = ServeSettings.model_validate(context.settings)
    embed = partial(Embedder, context.cache, context.threads) if settings.embeddings else None
    return ServeResident(serve_models(settings, context), embed)


def serve_models(settings: ServeSettings, context: Context) -> dict[str, Served]:
    """The chat models of a resident, by name, the default one first; none is loaded yet."""
    models = {settings.model: Served(_first_engine(settings, context), settings.parallel, settings.context_tokens)}
    for name, more in settings.models.items():
        file = more.file or prepare_smollm2(context.cache)
        eyes = read_eyes(more.images) if more.images else None
        models[name] = Served(_llama_cpp(file, name, more, context), more.parallel, more.context_tokens, eyes)
    return models


def _first_engine(settings: ServeSettings, context: Context) -> Engine:
    if settings.engine == "vllm":
        from tenfold.serve.vllm import VllmEngine

        return VllmEngine(
            settings.model,
            parallel=settings.parallel,
            context_tokens=settings.context_tokens,
            attach_url=settings.vllm_url,
        )
    return _llama_cpp(prepare_smollm2(context.cache), settings.model, settings, context)


def _llama_cpp(file: Path, name: str, settings: ServeSettings | ModelSettings, context: Context) -> Engine:
    from tenfold.serve.llama_cpp import LlamaCppEngine

    return LlamaCppEngine(
        file,
        model=name,
        threads=context.threads,
        parallel=settings.parallel,
        context_tokens=settings.context_tokens,
        adapter=settings.adapter if isinstance(settings, ModelSettings) else None,
        images=settings.images if isinstance(settings, ModelSettings) else None,
    )


class ServeResident:
    """A ``Resident`` in front of engines, one for each model by its name, and of an embedder if ``embed`` makes one."""

    def __init__(self, models: Mapping[str, Served], embed: Callable[[Work], Embedder] | None = None) -> None:
        self._models = models
        self._work = Work()
        self._embedder = embed(self._work) if embed else None
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._drawing = asyncio.Lock()

    def load(self) -> None:
        """Start the engines."""
        for served in self._models.values():
            served.endpoint = served.engine.start()

    async def wake(self) -> None:
        """Wake the engines and open a pool of connections to each."""
        for served in self._models.values():
            await served.engine.wake()
        self._sessions = {name: _connect(served) for name, served in self._models.items()}

    async def sleep(self, deadline_s: float) -> None:
        """Let requests in work end; cut those that are left shortly before the deadline; put the engines to sleep."""
        # First, so that a request whose body is still on its way begins no more.
        sessions, self._sessions = self._sessions, {}
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s - min(_CUT_SHARE * deadline_s, _CUT_MAX_S)):
                await self._work.clock.drained()
        self._work.cut_all()
        await self._work.clock.drained()
        for session in sessions.values():
            await session.close()
        for served in self._models.values():
            await served.engine.sleep()

    def counters(self) -> Counters:
        """Generated tokens are the units, and 64 embedded ones are as good; facts hold what else was counted."""
        work = self._work
        return Counters(
            units=work.units,
            requests=work.requests,
            busy_s=work.clock.busy_s,
            in_flight=work.clock.in_flight,
            facts={
                "prompt_tokens": work.prompt_tokens,
                "embedded_tokens": work.embedded_tokens,
                "cut": work.cut,
                "disconnected": work.disconnected,
            },
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Build the OpenAI API's routes."""
        return [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/completions", self._complete, methods=["POST"]),
            Route("/v1/responses", self._respond, methods=["POST"]),
            Route("/v1/embeddings", self._embed_texts, methods=["POST"]),
        ]

    def close(self) -> None:
        """Stop the engines; called after the event loop has ended."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            asyncio.run(session.close())
        for served in self._models.values():
            served.engine.close()
        if self._embedder is not None:
            self._embedder.close()

    async def _chat(self, request: Request) -> Response:
        return await self._generate(request, CHAT, partial(read_generation, schema=ChatBody))

    async def _complete(self, request: Request) -> Response:
        return await self._generate(request, "/v1/completions", partial(read_generation, schema=CompletionBody))

    async def _respond(self, request: Request) -> Response:
        return await self._generate(request, CHAT, read_response)

    async def _embed_texts(self, request: Request) -> Response:
        raw = await request.body()
        if not self._sessions:
            return GIVEN_AWAY.to_response(request.scope, {ASLEEP_HEADER: "1"})
        if self._embedder is None:
            refusal = Rejection(404, "this pool embeds no texts: serve.embeddings is false", code="model_not_found")
            return refusal.to_response(request.scope)
        return await self._embedder.answer(request, raw)

    async def _generate(self, request: Request, path: str, read: Callable[..., Generation]) -> Response:
        raw = await request.body()
        sessions = self._sessions
        if not sessions:
            return GIVEN_AWAY.to_response(request.scope, {ASLEEP_HEADER: "1"})
        model = _model_of(raw, self._models)
        served = self._models[model]
        assert served.endpoint is not None, "routes are only called awake"
        try:
            reading = partial(
                read,
                raw,
                model=model,
                engine_model=served.endpoint.model,
                context_tokens=served.context_tokens,
                parallel=served.parallel,
                eyes=served.eyes,
            )
            is_slow = served.eyes is not None and may_bring_images(raw)
            generation = await self._read_aside(reading, request, sessions) if is_slow else reading()
        except Rejection as rejection:
            return rejection.to_response(request.scope)
        if generation is None or self._sessions is not sessions:
            return GIVEN_AWAY.to_response(request.scope, {ASLEEP_HEADER: "1"})
        return Relay(self._work, sessions[model], served.endpoint.url + path, generation)

    async def _read_aside(
        self, reading: Callable[[], Generation], request: Request, sessions: Mapping[str, aiohttp.ClientSession]
    ) -> Generation | None:
        """Images may take half a second to draw; others do not wait for that. One at a time, for the memory.

        None for who has left or was put to sleep while others' were drawn.
        """
        # Those who wait are in work too: at sleep they are sent away, and what is being drawn is waited for.
        with self._work.clock.one_request():
            async with self._drawing:
                if self._sessions is not sessions:
                    return None
                if await request.is_disconnected():
                    self._work.disconnected += 1
                    return None
                return await asyncio.to_thread(reading)


def _model_of(raw: bytes, models: Mapping[str, Served]) -> str:
    """The model that a body names; the first one where it names none of them, whose reader then says so."""
    first = next(iter(models))
    if len(models) == 1:
        return first
    try:
        table = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return first
    name = table.get("model") if isinstance(table, dict) else None
    return name if isinstance(name, str) and name in models else first


def _connect(served: Served) -> aiohttp.ClientSession:
    assert served.endpoint is not None, "load comes before wake"
    return aiohttp.ClientSession(
        headers=served.endpoint.headers,
        # A new connection each time (0.2 ms): llama.cpp closes idle ones when it likes, which breaks a request.
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )
