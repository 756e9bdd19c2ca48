"""Serving as the pool runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.pool.need import Say, fetched
from tenfold.pool.workload import Operation, Workload, WorkloadSettings
from tenfold.serve.answers import ChatAnswer, TextAnswer
from tenfold.serve.bodies import ChatBody, CompletionBody
from tenfold.serve.model import SMOLLM2, check_smollm2, prepare_smollm2
from tenfold.serve.prefix import prefix_of

CHAT = "/v1/chat/completions"


class ServeSettings(WorkloadSettings):
    """``[serve]``: a chat model behind the OpenAI API."""

    value_per_unit_usd: float = Field(2.0e-6, gt=0, description="USD per generated token")
    latency_target_s: float | None = Field(4.0, gt=0, description="seconds to the first token")
    attains: float = Field(0.99, ge=0, le=1, description="share of chats to answer in time")
    engine: Literal["llama.cpp", "vllm"] = "llama.cpp"
    model: str = Field("smollm2-135m", description="name in /v1/models; for vllm, the model it is started with")
    vllm_url: str | None = Field(None, description="base URL of a running vLLM server; default: start one per slot")
    parallel: int = Field(4, ge=1, description="requests that one resident decodes together")
    context_tokens: int = Field(2048, ge=128, description="context length of one request")


def _hello(settings: ServeSettings) -> tuple[str, Mapping[str, object]]:
    messages = [{"role": "user", "content": "Say hello."}]
    return CHAT, {"model": settings.model, "messages": messages, "max_tokens": 8}


def _convert(cache: Path, say: Say) -> None:
    say("converting to Q8_0", 1.0)
    prepare_smollm2(cache, anew=True)


SERVE = Workload(
    name="serve",
    settings=ServeSettings,
    unit="token",
    colour="#0d9488",
    factory="tenfold.serve.resident:create",
    assumed_capacity=20.0,
    resident_mb=230,
    light=True,
    operations=(
        Operation(CHAT, "Answer a chat", ChatBody, ChatAnswer, streams=True),
        Operation("/v1/completions", "Continue a prompt", CompletionBody, TextAnswer, streams=True),
    ),
    probe=_hello,
    at_once=lambda settings: settings.parallel,
    key_of=prefix_of,
    models=lambda settings: (settings.model,),
    needs=(fetched(SMOLLM2, lambda cache: check_smollm2(cache, anew=True), _convert),),
)
