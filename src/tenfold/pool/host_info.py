"""What a host's process is told when it starts, and what it tells then. Nothing heavy: every command reads it."""

from pydantic import Field

from tenfold.core.frozen import Frozen


class HostSpec(Frozen):
    """What a host process reads from standard input."""

    name: str
    home: str
    preload: tuple[str, ...]
    bind: str
    gpus: int
    token: str
    lease_s: float = Field(description="it ends in order after so long without a word from a supervisor")
    ends_with: int | None = Field(description="process with which it ends at once")


class HostInfo(Frozen):
    """A host that runs: its node's name, how to reach it, its process, and what its node has."""

    name: str
    url: str
    bind: str
    pid: int
    started: float
    cores: tuple[int, ...]
    gpus: int
