"""llama.cpp inside this process, by ``xllamacpp``: its C++ server listens, Python only passes bytes to it."""

import asyncio
import secrets
from pathlib import Path

import aiohttp
import orjson
from xllamacpp import CommonAdapterLoraInfo, CommonParams, Server  # pyrefly: ignore[missing-module-attribute]

from tenfold.core.errors import ResidentFailed
from tenfold.serve.engine import Endpoint

# States of slots whose conversation another took: 64 MiB hold about 2,900 tokens of SmolLM2. llama.cpp's own
# default, 8 GiB, is more than the machine of one pool has.
PROMPT_CACHE_MIB = 64
# A cut is noticed between batches. 64 tokens of a prompt take 0.3 CPU-s, 512 take 2, the whole deadline of a move; the
# price is a tenth of the prefill rate (measured: 205 against 235 tokens per CPU-second).
BATCH_TOKENS = 64
_IDLE_POLL_S = 0.01


class LlamaCppEngine:
    """One model in llama.cpp with ``parallel`` slots, each with a context of its own.

    Nothing is left running when it sleeps: its threads block on a queue (0.1 ms CPU per 2 s, measured), so sleep
    only waits for slots that are still dropping a cut request, and wake has nothing to do.
    """

    def __init__(
        self,
        model_file: Path,
        *,
        model: str,
        threads: int,
        parallel: int,
        context_tokens: int,
        adapter: Path | None = None,
        images: Path | None = None,
    ) -> None:
        self._model_file = model_file
        self._adapter = adapter
        self._images = images
        self._model = model
        self._threads = threads
        self._parallel = parallel
        self._context_tokens = context_tokens
        self._server: Server | None = None
        self._endpoint: Endpoint | None = None

    def start(self) -> Endpoint:
        """Load the model, and listen on a free port of 127.0.0.1 behind a random key."""
        key = secrets.token_urlsafe(24)
        try:
            self._server = Server(self._parameters(key))
        except RuntimeError as error:
            raise ResidentFailed(
                f"llama.cpp does not load {self._model_file}{self._with_more}: {error}",
                next_step="name files in [serve.models] that are whole and made for each other; `tenfold assets` "
                "fetches the default model's again once they are deleted",
            ) from error
        self._endpoint = Endpoint(
            url=self._server.listening_address,
            model=self._model,
            headers={"Authorization": f"Bearer {key}"},
        )
        return self._endpoint

    async def wake(self) -> None:
        """Nothing to do: the model is in memory and the listener listens."""

    async def sleep(self) -> None:
        """Wait until every slot is idle; a slot notices a dropped connection after the decode in hand."""
        assert self._endpoint is not None
        async with aiohttp.ClientSession(headers=self._endpoint.headers) as session:
            # Only asking tells: the C++ server has no event to wait for.
            while await self._is_busy(session, self._endpoint.url):  # noqa: ASYNC110
                await asyncio.sleep(_IDLE_POLL_S)

    async def _is_busy(self, session: aiohttp.ClientSession, url: str) -> bool:
        async with session.get(f"{url}/slots") as response:
            return any(slot["is_processing"] for slot in orjson.loads(await response.read()))

    def close(self) -> None:
        """Stop the listener and free the model."""
        self._server = None

    @property
    def _with_more(self) -> str:
        return "".join(f" with {each}" for each in (self._adapter, self._images) if each)

    def _parameters(self, key: str) -> CommonParams:
        parameters = CommonParams()
        parameters.model.path = str(self._model_file)
        if self._adapter is not None:
            adapter = CommonAdapterLoraInfo()
            adapter.path, adapter.scale = str(self._adapter), 1.0
            parameters.lora_adapters = [adapter]
        if self._images is not None:
            parameters.mmproj.path = str(self._images)
        parameters.model_alias = {self._model}
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [key]
        parameters.ui = False
        parameters.verbosity = 0
        parameters.cpuparams.n_threads = self._threads
        parameters.cpuparams_batch.n_threads = self._threads
        parameters.n_parallel = self._parallel
        parameters.n_ctx = self._context_tokens * self._parallel
        parameters.n_batch = BATCH_TOKENS
        parameters.n_ubatch = BATCH_TOKENS
        parameters.cont_batching = True
        parameters.cache_prompt = True
        parameters.cache_ram_mib = PROMPT_CACHE_MIB
        # Where the client does not say: what SmolLM2's authors advise, and a penalty because it loops without.
        parameters.sampling.temp = 0.2
        parameters.sampling.top_p = 0.9
        parameters.sampling.penalty_repeat = 1.1
        parameters.endpoint_slots = True
        # A connection holds one of these threads while it is open; requests wait in slots, never for a thread.
        parameters.n_threads_http = max(16, 4 * self._parallel)
        return parameters
