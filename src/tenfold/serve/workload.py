"""Serving as the pool runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tenfold.core.config import Settings
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.core.minilm import MODEL as EMBEDDER
from tenfold.pool.backends.settings import BackendSettings
from tenfold.pool.metering.budget import read_budget
from tenfold.pool.model_plan import ModelPlan
from tenfold.pool.need import Say, fetched
from tenfold.pool.workload import Operation, ServiceSettings, Workload
from tenfold.serve.answers import ChatAnswer, TextAnswer
from tenfold.serve.bodies import ChatBody, CompletionBody
from tenfold.serve.embeddings import EmbeddingAnswer, EmbeddingBody
from tenfold.serve.model import FASTER_BYTES, SMOLLM2, check_smollm2, prepare_smollm2
from tenfold.serve.prefix import prefix_of
from tenfold.serve.responses import ResponseAnswer, ResponseBody
from tenfold.serve.work import EMBEDDED_PER_GENERATED

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
ADAPTER_FILE = "adapter.gguf"
"""Of the folder that ``tenfold llama tune`` writes."""
IMAGES_PREFIX = "mmproj"
"""How the name of the file begins that reads images for the model beside it."""


class ModelSettings(Settings):
    """``[serve.models.NAME]``: a further chat model, loaded in each resident beside the first one.

    A path alone will do: ``NAME = "FOLDER or FILE.gguf"``.
    """

    file: Path | None = Field(
        None, description="its GGUF file, or a release's folder; the same path on every node; default: SmolLM2's"
    )
    adapter: Path | None = Field(
        None, description="a LoRA adapter that the model answers with: its GGUF file, or the folder of a tuning"
    )
    images: Path | None = Field(
        None, description="the GGUF file that reads images for it; default: the one of the release's folder, if any"
    )
    parallel: int = Field(4, ge=1, description="requests that one resident decodes together")
    context_tokens: int = Field(2048, ge=128, description="context length of one request")

    @model_validator(mode="before")
    @classmethod
    def _of_a_path(cls, given: object) -> object:
        told = {"file": given} if isinstance(given, str) else given
        if isinstance(told, dict) and isinstance(told.get("file"), str) and told.get("images") is None:
            told = {**told, "images": images_file(Path(told["file"]).expanduser())}
        return told

    @field_validator("images")
    @classmethod
    def _reads_images(cls, images: Path | None) -> Path | None:
        if images is not None and not images.expanduser().is_file():
            raise ValueError(f"there is no file {str(images)!r}")
        return None if images is None else images.expanduser().resolve()

    @field_validator("file")
    @classmethod
    def _is_a_model(cls, file: Path | None) -> Path | None:
        return None if file is None else model_file(file.expanduser())

    @field_validator("adapter")
    @classmethod
    def _is_there(cls, adapter: Path | None) -> Path | None:
        if adapter is None:
            return None
        found = adapter.expanduser()
        found = found / ADAPTER_FILE if found.is_dir() else found
        if not found.is_file():
            raise ValueError(f"there is no file {str(found)!r}")
        return found.resolve()

    @model_validator(mode="after")
    def _is_another(self) -> Self:
        if self.file is None and self.adapter is None:
            raise ValueError("it names neither a file nor an adapter")
        return self

    @property
    def memory_mb(self) -> int:
        """About what it takes: its weights, and a quarter more for contexts and buffers."""
        paths = (self.file, self.adapter, self.images)
        bytes_of = [path.stat().st_size for path in paths if path is not None]
        return round(1.25 * (sum(bytes_of) + (0 if self.file else FASTER_BYTES)) / 1e6) + 100


def model_file(path: Path) -> Path:
    """The GGUF file that a path names: itself, or the one of a release's folder.

    Raises:
        ValueError: there is none, or more than one.
    """
    if not path.is_dir():
        if not path.is_file():
            raise ValueError(f"there is no file or folder {str(path)!r}")
        return path.resolve()
    found = [each for each in sorted(path.glob("*.gguf")) if not each.name.startswith(IMAGES_PREFIX)]
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise ValueError(f"the folder {str(path)!r} should hold one model's GGUF file; it holds {names}")
    return found[0].resolve()


def images_file(path: Path) -> Path | None:
    """The GGUF file of a release's folder that reads images; none if it has none.

    Raises:
        ValueError: it has more than one.
    """
    found = sorted(path.glob(f"{IMAGES_PREFIX}*.gguf")) if path.is_dir() else []
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise ValueError(f"the folder {str(path)!r} holds more than one file that reads images: {names}")
    return found[0] if found else None


class ServeSettings(ServiceSettings):
    """``[serve]``: a chat model behind the OpenAI API."""

    value_per_unit_usd: float = Field(2.0e-6, gt=0, description="USD per generated token")
    latency_target_s: float | None = Field(4.0, gt=0, description="seconds to the first token")
    attains: float = Field(0.99, ge=0, le=1, description="share of chats to answer in time")
    engine: Literal["llama.cpp", "vllm"] = "llama.cpp"
    model: str = Field("smollm2-135m", description="name in /v1/models; for vllm, the model it is started with")
    vllm_url: str | None = Field(None, description="base URL of a running vLLM server; default: start one per slot")
    parallel: int = Field(4, ge=1, description="requests that one resident decodes together")
    context_tokens: int = Field(2048, ge=128, description="context length of one request")
    embeddings: bool = Field(True, description="answer /v1/embeddings; takes 180 MB per slot once asked")
    models: dict[str, ModelSettings] = Field({}, description="further chat models, by name")
    backends: dict[str, BackendSettings] = Field({}, description="servers of other models, by name")
    budgets: dict[str, str] = Field({}, description="what products and tenants may use of models in a day")

    @field_validator("budgets")
    @classmethod
    def _are_budgets(cls, budgets: dict[str, str]) -> dict[str, str]:
        for text in budgets.values():
            read_budget(text)
        return budgets

    @model_validator(mode="after")
    def _names_each_model_once(self) -> Self:
        own = [self.model, *self.models, *([EMBEDDER] if self.embeddings else [])]
        for backend in self.backends.values():
            for name in backend.models:
                if name in own:
                    raise ValueError(f"the model {name!r} is served by this pool and by a backend; name it differently")
        if len(set(own)) < len(own):
            raise ValueError(f"the model {self.model!r} is in serve.models again")
        return self


def _hello(settings: ServeSettings) -> tuple[str, Mapping[str, object]]:
    messages = [{"role": "user", "content": "Say hello."}]
    return CHAT, {"model": settings.model, "messages": messages, "max_tokens": 8}


def _plan(settings: ServeSettings) -> ModelPlan:
    return ModelPlan(
        own=(settings.model, *settings.models, *([EMBEDDER] if settings.embeddings else [])),
        units=_units,
        backends=settings.backends,
        budgets={name: read_budget(text) for name, text in settings.budgets.items()},
        reads_images=frozenset(name for name, model in settings.models.items() if model.images is not None),
    )


def _units(path: str, tokens_in: int, tokens_out: int) -> float:
    return tokens_in / EMBEDDED_PER_GENERATED if path == EMBEDDINGS else float(tokens_out)


def _more_mb(settings: ServeSettings) -> int:
    return sum(model.memory_mb for model in settings.models.values())


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
    resident_mb=410,
    light=True,
    operations=(
        Operation(CHAT, "Answer a chat", ChatBody, ChatAnswer, streams=True),
        Operation("/v1/completions", "Continue a prompt", CompletionBody, TextAnswer, streams=True),
        Operation(EMBEDDINGS, "Embed texts", EmbeddingBody, EmbeddingAnswer),
        Operation("/v1/responses", "Answer, in the shape of responses", ResponseBody, ResponseAnswer, streams=True),
    ),
    probe=_hello,
    at_once=lambda settings: settings.parallel,
    key_of=prefix_of,
    models=_plan,
    more_mb=_more_mb,
    needs=(
        fetched(SMOLLM2, lambda cache: check_smollm2(cache, anew=True), _convert),
        fetched(MINILM),
        fetched(MINILM_TOKENIZER),
    ),
)
