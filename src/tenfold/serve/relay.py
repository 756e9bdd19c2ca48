"""One request between a client and the engine: bytes pass as they come, and either end can break it off."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tenfold.pool.answer import request_id
from tenfold.pool.process import ASLEEP_HEADER
from tenfold.serve.openai_api import Generation
from tenfold.serve.rejection import Rejection, read_engine_error
from tenfold.serve.work import Job, Work

GIVEN_AWAY = Rejection(
    503, "the slot was given to other work before the answer was done", kind="server_error", code="asleep"
)
_LAST_WORD_S = 0.2


class Relay(Response):
    """The response to a generation: the engine's own.

    A client that goes away closes the engine's connection, which frees the engine's slot. A cut by the pool ends the
    stream with an error event, or, if no byte was sent yet, answers 503 with ``x-tenfold-asleep``, so that the gateway
    can try another resident.
    """

    def __init__(self, work: Work, session: aiohttp.ClientSession, url: str, generation: Generation) -> None:
        self._work = work
        self._session = session
        self._url = url
        self._generation = generation
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay until the engine has ended, the client has gone, or the pool cuts."""
        with self._work.begin() as job:
            pump = asyncio.create_task(self._pump(scope, receive, send, job))
            gone = asyncio.create_task(_disconnected(receive))
            cut = asyncio.create_task(job.cut.wait())
            try:
                await asyncio.wait({pump, gone, cut}, return_when=asyncio.FIRST_COMPLETED)
                if job.finished:
                    # All is said, and its last bytes are on their way.
                    await asyncio.wait({pump, gone}, timeout=_LAST_WORD_S, return_when=asyncio.FIRST_COMPLETED)
                if pump.done():
                    pump.result()
                    return
            finally:
                for task in (pump, gone, cut):
                    task.cancel()
                await asyncio.gather(pump, gone, cut, return_exceptions=True)
            if job.finished:
                return
            if cut.cancelled():
                self._work.disconnected += 1
            else:
                self._work.cut += 1
                await self._end_early(scope, receive, send)

    async def _pump(self, scope: Scope, receive: Receive, send: Send, job: Job) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self._url, data=self._generation.body, headers=headers) as upstream:
                if upstream.status >= 400:
                    refused = read_engine_error(upstream.status, await upstream.read())
                    await self._generation.dialect.terms(refused).to_response(scope)(scope, receive, send)
                elif self._generation.stream:
                    await self._pass_stream(upstream, send, job)
                else:
                    await self._pass_whole(upstream, send, job)
        except Rejection as rejection:
            await rejection.to_response(scope)(scope, receive, send)
        except aiohttp.ClientError as error:
            failure = Rejection(502, f"the engine broke off: {error}", kind="server_error", code="engine_failed")
            if self._started:
                await self._send_last_event(scope, send, failure)
            else:
                await failure.to_response(scope)(scope, receive, send)

    async def _pass_stream(self, upstream: aiohttp.ClientResponse, send: Send, job: Job) -> None:
        # llama.cpp sends the role before it reads the prompt. Held until a token comes, it leaves the request whole, so
        # that a cut during the prompt can be tried again elsewhere.
        held = b""
        async for chunk in upstream.content.iter_any():
            job.pass_events(chunk)
            held += chunk
            if job.events > 1:
                await self._send_events(send, upstream, self._generation.dialect.events(held), more=True)
                held = b""
        job.finish()
        last = self._generation.dialect.events(held) + self._generation.dialect.end()
        await self._send_events(send, upstream, last, more=False)

    async def _send_events(self, send: Send, upstream: aiohttp.ClientResponse, events: bytes, *, more: bool) -> None:
        if not self._started:
            headers = {"content-type": upstream.headers["Content-Type"], "cache-control": "no-cache"}
            await self._send_start(send, headers)
        await send({"type": "http.response.body", "body": events, "more_body": more})

    async def _pass_whole(self, upstream: aiohttp.ClientResponse, send: Send, job: Job) -> None:
        stream = bytearray()
        async for chunk in upstream.content.iter_any():
            job.pass_events(chunk)
            stream += chunk
        job.finish()
        body = self._generation.dialect.whole(bytes(stream))
        await self._send_start(send, {"content-type": "application/json", "content-length": str(len(body))})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_start(self, send: Send, headers: Mapping[str, str]) -> None:
        self._started = True
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})

    async def _end_early(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._started:
            await GIVEN_AWAY.to_response(scope, {ASLEEP_HEADER: "1"})(scope, receive, send)
        elif self._generation.stream:
            await self._send_last_event(scope, send, GIVEN_AWAY)

    async def _send_last_event(self, scope: Scope, send: Send, reason: Rejection) -> None:
        # A client that does not read must not keep the slot.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                body = self._generation.dialect.failure(reason.to_json(request_id(scope)))
                await send({"type": "http.response.body", "body": body, "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
