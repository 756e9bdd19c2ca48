"""What a host's process is told when it starts, and what it tells then. Nothing heavy: every command reads it."""

from pydantic import BaseModel, ConfigDict, Field


class HostSpec(BaseModel):
    """What a host process reads from standard input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    home: str
    preload: tuple[str, ...]
    bind: str
    gpus: int
    token: str
    lease_s: float = Field(description="it ends in order after so long without a word from a supervisor")
    ends_with: int | None = Field(description="process with which it ends at once")


class HostInfo(BaseModel):
    """A host that runs: its node's name, how to reach it, its process, and what its node has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    bind: str
    pid: int
    started: float
    cores: tuple[int, ...]
    gpus: int
