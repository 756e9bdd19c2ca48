"""How fast a model is on this machine, by how many requests are worked on together, and what a slot of it would earn.

CPU engines are measured in CPU-seconds of this process, which other programs on the machine do not change much; a GPU
in wall seconds.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import aiohttp
import orjson
from pydantic import ConfigDict, Field

from tenfold.core.config import CONFIG_FILE, PoolSettings, Settings
from tenfold.core.errors import ConfigError, TenfoldError, UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.minilm import MODEL as EMBEDDER
from tenfold.core.minilm import load_minilm
from tenfold.core.toml_file import read_toml
from tenfold.pool.client import get_state
from tenfold.pool.resident import Context
from tenfold.serve.engine import Endpoint, Engine
from tenfold.serve.resident import serve_models
from tenfold.serve.work import EMBEDDED_PER_GENERATED
from tenfold.serve.workload import SERVE, ServeSettings

_PROMPT = "Once upon a time number {} there was a fox who asked the river about its way to the sea, and the river said"
_PREFILL_WORDS = 160
CONTEXT_TOKENS = 768


class BenchFile(Settings):
    """The tables of ``tenfold.toml`` that count here; others are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pool: PoolSettings = PoolSettings()
    serve: ServeSettings = ServeSettings()


class BenchRow(Frozen):
    """One batch. ``what``: reading a prompt, writing an answer, or embedding."""

    what: Literal["prefill", "decode", "embed"]
    batch: int
    tokens: int
    seconds: float = Field(description="CPU- or GPU-seconds")
    tokens_per_s: float
    units_per_slot_s: float | None = Field(
        description="of the workload's work, in a second of a slot; prefill has none"
    )
    usd_per_slot_hour: float | None


class Bench(Frozen):
    """How fast a model is."""

    model: str
    engine: str
    unit: str
    second: Literal["CPU-second", "GPU-second"]
    seconds_per_slot_second: float = Field(description="of a core or GPU that a slot has")
    price_usd: float = Field(description="of a unit of the workload's work")
    price_source: str = Field(description="as the running pool tells, or that no pool runs")
    rows: tuple[BenchRow, ...]


def read_settings(path: Path | None) -> BenchFile:
    """Read what counts here of ``path``, or of ``tenfold.toml`` in this folder, or the defaults if there is none.

    Raises:
        ConfigError: the file is missing, is not TOML, or has a bad value; names file and key.
    """
    if path is None and not Path(CONFIG_FILE).exists():
        return BenchFile()
    return read_toml(
        path or Path(CONFIG_FILE),
        BenchFile,
        ConfigError,
        what="the config",
        advice="give --config a file",
        keys="docs/config.md",
    )


def bench_model(file: BenchFile, model: str, *, cache: Path, most: int, tokens: int, url: str | None) -> Bench:
    """Measure a model of ``[serve]``.

    Args:
        file: settings.
        model: its name; empty: the default chat model.
        cache: folder of fetched models.
        most: largest batch; smaller ones are its halves.
        tokens: of each answer.
        url: of the running pool, which knows today's price.

    Raises:
        UsageError: there is no such model here.
        TenfoldError: it cannot be loaded.
    """
    settings = file.serve
    model = model or settings.model
    on_gpu = settings.engine == "vllm" and model == settings.model
    price, source = _price(settings, url)
    share = 1.0 if on_gpu else 1.0 / file.pool.kinds["cpu"].slots_per_core if "cpu" in file.pool.kinds else 1.0
    batches = [1 << step for step in range(most.bit_length()) if 1 << step <= most]
    if model == EMBEDDER and settings.embeddings:
        measured = _embed(cache, batches)
    else:
        served = serve_models(_with_batch(settings, most), Context("bench", 1, cache, cache, {}, {}, "")).get(model)
        if served is None:
            names = ", ".join([settings.model, *settings.models])
            raise UsageError(f"there is no model {model!r} here to measure", next_step=f"name one of {names}")
        clock = time.monotonic if on_gpu else time.process_time
        measured = asyncio.run(_generate(served.engine, batches, tokens, clock))
    rows = []
    for what, batch, count, seconds in measured:
        per_s = count / seconds
        units = None if what == "prefill" else per_s * share / (EMBEDDED_PER_GENERATED if what == "embed" else 1)
        rows.append(
            BenchRow(
                what=what,
                batch=batch,
                tokens=count,
                seconds=seconds,
                tokens_per_s=per_s,
                units_per_slot_s=units,
                usd_per_slot_hour=None if units is None else 3600 * units * price,
            )
        )
    return Bench(
        model=model,
        engine="onnxruntime" if model == EMBEDDER else settings.engine if model == settings.model else "llama.cpp",
        unit="tokens",
        second="GPU-second" if on_gpu else "CPU-second",
        seconds_per_slot_second=share,
        price_usd=price,
        price_source=source,
        rows=tuple(rows),
    )


Measured = tuple[Literal["prefill", "decode", "embed"], int, int, float]
"""What was done, by how many at once, tokens in all, seconds."""


async def _generate(engine: Engine, batches: list[int], tokens: int, clock: Callable[[], float]) -> list[Measured]:
    endpoint = await asyncio.to_thread(engine.start)
    try:
        await engine.wake()
        async with aiohttp.ClientSession(headers=endpoint.headers) as session:
            await _complete(session, endpoint, ["warm up"], 4)
            began = clock()
            read, _ = await _complete(session, endpoint, [" ".join(str(n) for n in range(_PREFILL_WORDS))], 1)
            found: list[Measured] = [("prefill", 1, read, clock() - began)]
            for batch in batches:
                prompts = [_PROMPT.format(100 * batch + place) for place in range(batch)]
                # Their prompts are read first, so that only decoding counts.
                await _complete(session, endpoint, prompts, 1)
                began = clock()
                _, written = await _complete(session, endpoint, prompts, tokens)
                found.append(("decode", batch, written, clock() - began))
        await engine.sleep()
        return found
    finally:
        engine.close()


async def _complete(
    session: aiohttp.ClientSession, endpoint: Endpoint, prompts: list[str], tokens: int
) -> tuple[int, int]:
    """Continue prompts together; tokens of the prompts and of the answers."""

    async def one(prompt: str) -> tuple[int, int]:
        body = {"model": endpoint.model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
        async with session.post(f"{endpoint.url}/v1/completions", json=body) as response:
            answer = orjson.loads(await response.read())
        if response.status != 200:
            raise TenfoldError(f"the engine answered {response.status}: {answer}")
        return answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]

    found = await asyncio.gather(*(one(prompt) for prompt in prompts))
    return sum(read for read, _ in found), sum(written for _, written in found)


def _embed(cache: Path, batches: list[int]) -> list[Measured]:
    model = load_minilm(cache)
    model.embed(["warm up"])
    found: list[Measured] = []
    for batch in batches:
        texts = [_PROMPT.format(place) for place in range(batch)]
        rounds = max(1, 16 // batch)
        began = time.process_time()
        for _ in range(rounds):
            model.embed(texts)
        seconds = time.process_time() - began
        found.append(("embed", batch, rounds * sum(model.count_tokens(text) for text in texts), seconds))
    return found


def _price(settings: ServeSettings, url: str | None) -> tuple[float, str]:
    if url is not None:
        for view in get_state(url).workloads:
            if view.workload == SERVE.name and view.price is not None:
                return view.price.usd, f"{view.price.source}, by the running pool"
    return settings.value_per_unit_usd, "configured; no pool runs"


def _with_batch(settings: ServeSettings, most: int) -> ServeSettings:
    """The same models with room for so many requests, in contexts that are as long as they need here."""
    room = {"parallel": most, "context_tokens": CONTEXT_TOKENS}
    models = {name: model.model_copy(update=room) for name, model in settings.models.items()}
    return settings.model_copy(update={**room, "models": models})
