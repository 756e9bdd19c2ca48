"""The serve workload on one slot: an engine's OpenAI API, with requests counted, drained and cut for the pool."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tenfold.pool.process import ASLEEP_HEADER
from tenfold.pool.resident import Context, Counters
from tenfold.serve.bodies import ChatBody, CompletionBody, GenerationBody
from tenfold.serve.engine import Endpoint, Engine
from tenfold.serve.openai_api import Rejection, read_generation
from tenfold.serve.relay import GIVEN_AWAY, Relay
from tenfold.serve.work import Work
from tenfold.serve.workload import ServeSettings

# Before the deadline, time for the engine to end the batch in hand on a shared core.
_CUT_SHARE = 0.5
_CUT_MAX_S = 0.75


def create(context: Context) -> "ServeResident":
    """Make the resident of this slot with the engine that its settings name."""
    settings = ServeSettings.model_validate(context.settings)
    return ServeResident(settings, _choose_engine(settings, context))


def _choose_engine(settings: ServeSettings, context: Context) -> Engine:
    if settings.engine == "vllm":
        from tenfold.serve.vllm import VllmEngine

        return VllmEngine(
            settings.model,
            parallel=settings.parallel,
            context_tokens=settings.context_tokens,
            attach_url=settings.vllm_url,
        )
    from tenfold.serve.llama_cpp import LlamaCppEngine
    from tenfold.serve.model import prepare_smollm2

    return LlamaCppEngine(
        prepare_smollm2(context.cache),
        model=settings.model,
        threads=context.threads,
        parallel=settings.parallel,
        context_tokens=settings.context_tokens,
    )


class ServeResident:
    """A ``Resident`` in front of an engine."""

    def __init__(self, settings: ServeSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._work = Work()
        self._endpoint: Endpoint | None = None
        self._session: aiohttp.ClientSession | None = None

    def load(self) -> None:
        """Start the engine."""
        self._endpoint = self._engine.start()

    async def wake(self) -> None:
        """Wake the engine and open a pool of connections to it."""
        assert self._endpoint is not None, "load comes before wake"
        await self._engine.wake()
        self._session = aiohttp.ClientSession(
            headers=self._endpoint.headers,
            # A new connection each time (0.2 ms): llama.cpp closes idle ones when it likes, which breaks a request.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )

    async def sleep(self, deadline_s: float) -> None:
        """Let requests in work end; cut those that are left shortly before the deadline; put the engine to sleep."""
        # First, so that a request whose body is still on its way begins no more.
        session, self._session = self._session, None
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s - min(_CUT_SHARE * deadline_s, _CUT_MAX_S)):
                await self._work.clock.drained()
        self._work.cut_all()
        await self._work.clock.drained()
        if session is not None:
            await session.close()
        await self._engine.sleep()

    def counters(self) -> Counters:
        """Generated tokens are the units; facts hold prompt tokens and the requests cut or left by their client."""
        work = self._work
        return Counters(
            units=work.tokens,
            requests=work.requests,
            busy_s=work.clock.busy_s,
            in_flight=work.clock.in_flight,
            facts={"prompt_tokens": work.prompt_tokens, "cut": work.cut, "disconnected": work.disconnected},
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Build the OpenAI API's routes."""
        return [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/completions", self._complete, methods=["POST"]),
        ]

    def close(self) -> None:
        """Stop the engine; called after the event loop has ended."""
        if self._session is not None:
            asyncio.run(self._session.close())
            self._session = None
        self._engine.close()

    async def _chat(self, request: Request) -> Response:
        return await self._generate(request, "/v1/chat/completions", ChatBody)

    async def _complete(self, request: Request) -> Response:
        return await self._generate(request, "/v1/completions", CompletionBody)

    async def _generate(self, request: Request, path: str, schema: type[GenerationBody]) -> Response:
        raw = await request.body()
        session, endpoint = self._session, self._endpoint
        assert endpoint is not None, "routes are only called awake"
        if session is None:
            return GIVEN_AWAY.to_response(request.scope, {ASLEEP_HEADER: "1"})
        try:
            generation = read_generation(
                raw,
                schema,
                model=self._settings.model,
                engine_model=endpoint.model,
                context_tokens=self._settings.context_tokens,
                parallel=self._settings.parallel,
            )
        except Rejection as rejection:
            return rejection.to_response(request.scope)
        return Relay(self._work, session, endpoint.url + path, generation)
