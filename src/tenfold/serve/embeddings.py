"""``POST /v1/embeddings``: texts become vectors by MiniLM, on the CPU beside the chat engine."""

import asyncio
import base64
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
import orjson
from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from tenfold.core.frozen import Frozen
from tenfold.core.minilm import LONGEST, MODEL, WIDTH, MiniLM, Vectors, load_minilm
from tenfold.pool.process import ASLEEP_HEADER
from tenfold.serve.answers import Answer
from tenfold.serve.bodies import Text
from tenfold.serve.rejection import Rejection, no_such_model, read_body
from tenfold.serve.relay import GIVEN_AWAY
from tenfold.serve.work import Work

Made = TypeVar("Made")

MOST_TEXTS = 2048
PIECE_TOKENS = 512
"""Embedded without a look at whether the slot is to be given away: 0.1 CPU-seconds."""


class EmbeddingBody(Frozen):
    """Body of POST /v1/embeddings."""

    model_config = ConfigDict(strict=True)

    model: Text
    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description=f"none, or {WIDTH}: the model has no shorter vectors")
    user: Text | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _is_text(cls, given: object) -> object:
        if isinstance(given, list) and given and isinstance(given[0], int | list):
            raise PydanticCustomError("tokens", "texts are embedded, not tokens: send a string or a list of strings")
        if given == "" or (isinstance(given, list) and "" in given):
            raise PydanticCustomError("empty", "an empty text has no embedding")
        return given

    @field_validator("dimensions")
    @classmethod
    def _is_the_width(cls, given: int | None) -> int | None:
        if given not in (None, WIDTH):
            raise PydanticCustomError("width", "vectors of this model have {width} dimensions", {"width": WIDTH})
        return given

    @property
    def texts(self) -> list[str]:
        """What is to be embedded."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingUsage(Answer):
    """Tokens of a request."""

    prompt_tokens: int
    total_tokens: int


class Embedding(Answer):
    """The vector of one text; ``embedding`` is a list of numbers, or little-endian 32-bit floats in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingAnswer(Answer):
    """Body of an answer of POST /v1/embeddings."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: EmbeddingUsage


class Embedder:
    """The model and the one thread that runs it; loaded with the first request: 0.5 CPU-seconds and 180 MB.

    Args:
        cache: folder of fetched models.
        threads: compute threads.
        work: counts requests and tokens.
    """

    def __init__(self, cache: Path, threads: int, work: Work) -> None:
        self._load = partial(load_minilm, cache, threads=threads)
        self._model: MiniLM | None = None
        self._work = work
        self._thread = ThreadPoolExecutor(1, "embed")

    async def answer(self, request: Request, raw: bytes) -> Response:
        """Embed what a body asks for; handed back if the slot is given away before the end."""
        with self._work.begin() as job:
            try:
                body = read_body(raw, EmbeddingBody)
                if body.model != MODEL:
                    raise no_such_model(body.model, f"{MODEL!r} for embeddings")
                texts = body.texts
                tokens = await self._run(_count, texts)
                vectors = np.zeros((len(texts), WIDTH), np.float32)
                for places in pieces(tokens):
                    if job.cut.is_set():
                        self._work.cut += 1
                        return GIVEN_AWAY.to_response(request.scope, {ASLEEP_HEADER: "1"})
                    if await request.is_disconnected():
                        self._work.disconnected += 1
                        return Response(status_code=499)
                    vectors[places] = await self._run(MiniLM.embed, [texts[place] for place in places])
                    self._work.embedded_tokens += sum(tokens[place] for place in places)
            except Rejection as rejection:
                return rejection.to_response(request.scope)
            self._work.requests += 1
            return Response(_told(vectors, sum(tokens), body.encoding_format), media_type="application/json")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def _run(self, work: Callable[[MiniLM, Sequence[str]], Made], texts: Sequence[str]) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_model, work, texts)

    def _with_model(self, work: Callable[[MiniLM, Sequence[str]], Made], texts: Sequence[str]) -> Made:
        if self._model is None:
            self._model = self._load()
        return work(self._model, texts)


def pieces(tokens: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts, together so many that a piece has about ``PIECE_TOKENS``; texts of like length go together."""
    piece: list[int] = []
    for place in sorted(range(len(tokens)), key=lambda place: tokens[place]):
        if piece and (len(piece) + 1) * tokens[place] > PIECE_TOKENS:
            yield piece
            piece = []
        piece.append(place)
    if piece:
        yield piece


def _count(model: MiniLM, texts: Sequence[str]) -> list[int]:
    tokens = [model.count_tokens(text) for text in texts]
    for place, count in enumerate(tokens):
        if count >= LONGEST:
            message = f"'input': text {place} has {LONGEST} tokens or more, and this model reads {LONGEST - 1} at most"
            raise Rejection(400, message, param="input", code="context_length_exceeded")
    return tokens


def _told(vectors: Vectors, tokens: int, encoding: Literal["float", "base64"]) -> bytes:
    told = [
        {
            "object": "embedding",
            "index": place,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if encoding == "base64" else vector,
        }
        for place, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = {"object": "list", "model": MODEL, "data": told, "usage": usage}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
