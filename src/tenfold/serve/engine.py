"""What serve asks of an inference engine: its own OpenAI-compatible HTTP server, and to sleep and wake."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a started engine listens.

    ``url``: base without ``/v1``. ``model``: the name the engine knows its model by. ``headers``: sent with every
    request, e.g. its key.
    """

    url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """An engine with its model loaded; awake it answers, asleep it uses no CPU and frees what it can."""

    def start(self) -> Endpoint:
        """Load the model and listen; blocking; leaves the engine as if asleep.

        Raises:
            TenfoldError: the model is missing or does not load.
        """

    async def wake(self) -> None:
        """Return when a request would be worked on at once."""

    async def sleep(self) -> None:
        """Go idle; called when no request of ours is in work, though the engine may still be dropping cut ones."""

    def close(self) -> None:
        """Stop listening and release the model."""
