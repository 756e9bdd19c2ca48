"""``tenfold.toml``: its schema and its defaults."""

import difflib
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tenfold.core.errors import ConfigError
from tenfold.core.explain import fields_at

CONFIG_FILE = "tenfold.toml"

Kind = Literal["cpu", "gpu"]


class Settings(BaseModel):
    """Base of every table: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KindSettings(Settings):
    """One accelerator kind of the pool."""

    slots_per_core: int = Field(2, ge=1, le=16, description="slots that share one core (CPU kinds only)")
    slots: int | None = Field(None, ge=1, description="slots per node; default: cores x slots_per_core, or the GPUs")
    borrow: bool = Field(False, description="training may use what other slots leave of its core (CPU kinds only)")


class PoolSettings(Settings):
    """The pool: its address, its slots and how it decides."""

    host: str = Field("127.0.0.1", description="address that the gateway and console listen on")
    port: int = Field(8000, ge=0, le=65535, description="port of the gateway and console; 0 picks a free one")
    hosts: tuple[str, ...] = Field((), description="further names in a Host header that the pool answers to")
    pages: int = Field(40, ge=1, description="console pages open at once; more are turned away")
    kinds: dict[Kind, KindSettings] = Field(default_factory=lambda: {"cpu": KindSettings()})
    policy: Literal["tenfold", "static", "shadow"] = Field(
        "tenfold", description="who decides; static keeps each floor, shadow too, and records what tenfold would do"
    )
    tick_s: float = Field(0.5, gt=0, le=60, description="seconds between decisions")
    move_deadline_s: float = Field(2.0, gt=0, description="seconds a donor has to finish and sleep before it is killed")
    drain_deadline_s: float = Field(15.0, gt=0, description="the same where the slot goes to training, which can wait")
    dwell_s: float = Field(3.0, ge=0, description="seconds that a move is expected to last; its gain must repay it")
    idle_s: float = Field(5.0, ge=0, description="seconds without a request before a service may lose its last slot")
    wait_deadline_s: float = Field(15.0, gt=0, description="seconds a request may wait for an awake resident")
    queue_per_slot: int = Field(8, ge=1, description="requests in work or waiting per slot before shedding, at least")
    body_limit_bytes: int = Field(1 << 20, ge=1024, description="largest request body")


class WorkloadSettings(Settings):
    """What the pool knows of one workload."""

    kinds: tuple[Kind, ...] = ("cpu",)
    floor: int = Field(0, ge=0, description="slots it always has")
    ceiling: int | None = Field(None, ge=1, description="slots it never exceeds; default: all")
    value_per_unit_usd: float = Field(gt=0, description="USD that one unit of its work earns")
    latency_target_s: float | None = Field(None, gt=0, description="a request answered later counts as missed")
    attains: float = Field(
        0.0, ge=0, le=1, description="share of requests to answer in time; 0: as many as their price is worth"
    )


class TrainSettings(WorkloadSettings):
    """``[train]``: a Llama-4-like model on the text of Python's standard library."""

    value_per_unit_usd: float = Field(3.0e-9, gt=0, description="USD per training token")
    seed: int = 0


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


class RankSettings(WorkloadSettings):
    """``[rank]``: a sequence model that ranks a catalog for a user or a history."""

    value_per_unit_usd: float = Field(2.0e-7, gt=0, description="USD per ranked request")
    latency_target_s: float | None = Field(0.25, gt=0, description="seconds to the ranked list")
    attains: float = Field(0.999, ge=0, le=1, description="share of requests to answer in time")
    floor: int = Field(0, ge=0, description="slots it always has")


class Config(Settings):
    """All of ``tenfold.toml``."""

    pool: PoolSettings = PoolSettings()
    train: TrainSettings = TrainSettings()
    serve: ServeSettings = ServeSettings()
    rank: RankSettings = RankSettings()

    @model_validator(mode="after")
    def _ceiling_holds_floor(self) -> Self:
        for name, workload in self.workloads().items():
            if workload.ceiling is not None and workload.ceiling < workload.floor:
                raise ValueError(f"{name}.ceiling {workload.ceiling} is below {name}.floor {workload.floor}")
        return self

    def workloads(self) -> dict[str, WorkloadSettings]:
        """The pool's workloads by name."""
        return {"train": self.train, "serve": self.serve, "rank": self.rank}


def load_config(path: Path | None) -> Config:
    """Read ``path``, or ``tenfold.toml`` of this folder, or the defaults when there is none.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown key or bad value; names file and key.
    """
    if path is None:
        path = Path(CONFIG_FILE)
        if not path.exists():
            return Config()
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"cannot read the config {str(path)!r}: {error.strerror}", next_step="give --config a file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", next_step=f"mend {path}") from error
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError(_explain(path, error), next_step=f"mend {path}; keys are listed in docs/config.md") from error


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = fields_at(Config, problem["loc"][:-1])
            close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
            lines.append(f"{path}: unknown key {key!r}; {hint}")
        else:
            where = f" {key!r}" if key else ""
            value = f", got {problem['input']!r}" if key else ""
            lines.append(f"{path}:{where} {problem['msg'].removeprefix('Value error, ')}{value}")
    return "\n".join(lines)
